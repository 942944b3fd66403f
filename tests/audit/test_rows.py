"""The fast way to hash rows gives what the log's own definition gives."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events import seal
from service.audit.sealed import ALTERED, Bodies, Fault, Rows

SINCE = datetime(2000, 1, 1, tzinfo=UTC)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
HASHES = st.binary(min_size=32, max_size=36)


def raw(moment: datetime) -> bytes:
    """A time as Postgres sends it."""
    return ((moment - SINCE) // timedelta(microseconds=1)).to_bytes(8, "big", signed=True)


@st.composite
def rows(draw: st.DrawFn) -> list[tuple[Any, ...]]:
    """Rows as Postgres gives them, from any position on."""
    found, position = [], draw(st.integers(1, 2**40))
    senders, orders = draw(st.lists(TEXTS, min_size=1, max_size=2)), draw(st.lists(TEXTS, min_size=1, max_size=3))
    for _ in range(draw(st.integers(1, 6))):
        order, type, source = (draw(st.sampled_from(some)) for some in (orders, senders, senders))
        id, actor = draw(TEXTS), draw(st.sampled_from(senders))
        version, cause, reused = (
            draw(st.integers(1, 10**6)),
            draw(st.none() | st.integers(1, 2**40)),
            draw(st.booleans()),
        )
        occurred, recorded = draw(st.datetimes(timezones=st.just(UTC))), draw(st.datetimes(timezones=st.just(UTC)))
        digest, data, body = draw(HASHES), draw(st.binary(max_size=50)), draw(st.none() | HASHES)
        content = seal.content_hash(source, id, actor, cause, digest, data, body)
        made = seal.row_hash(position, order, version, type, occurred, recorded, reused, content)
        found.append((
            position, order.encode(), version, type.encode(), source.encode(), id.encode(), cause, actor.encode(),
            raw(occurred), raw(recorded), seal.bucket(order), reused, digest, data, body, made,
        ))  # fmt: skip
        position += 1
    return found


@given(rows())
def test_rows_hash_as_the_log_defines(given: list[tuple[Any, ...]]) -> None:
    """Whatever a row holds."""
    proved = Rows(given[0][0] - 1, None)
    proved.add(given[:2], {})
    proved.add(given[2:], {})
    assert proved.hashes == [row[-1] for row in given]
    assert (proved.position, proved.times) == (given[-1][0], {row[9] for row in given})


@given(rows(), st.data())
def test_a_value_of_another_row_is_found(given: list[tuple[Any, ...]], data: st.DataObject) -> None:
    """One value of one row taken for another: found at that row, and what stands before it is held."""
    at, column = data.draw(st.integers(0, len(given) - 1)), data.draw(st.sampled_from([*range(1, 8), 10, 12, 13, 15]))
    value = given[at][column]
    changed = (value or 0) + 1 if isinstance(value, int | None) else value + b"1"
    row = (*given[at][:column], changed, *given[at][column + 1 :])
    proved = Rows(given[0][0] - 1, None)
    with pytest.raises(Fault, match=ALTERED) as fault:
        proved.add([*given[:at], row, *given[at + 1 :]], {})
    assert (fault.value.position, proved.position) == (given[at][0], given[at][0] - 1)


@given(st.binary(min_size=1, max_size=100), st.binary(max_size=300), st.binary(max_size=5))
def test_bodies_are_hashed_as_the_log_does(key: bytes, body: bytes, more: bytes) -> None:
    """A body is known by its hash, whatever the key; another one is not; one of another key can't be judged."""
    kept = seal.body_hash(key, body)
    assert not Bodies(key).differs(kept, body)
    assert Bodies(key).differs(kept, body + more) == bool(more)
    assert not Bodies(key + b"other").differs(kept, body + more)
    assert Bodies(key).differs(None, body)
