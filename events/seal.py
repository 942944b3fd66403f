"""The seal: a chain of hashes over the log, one link per append.

content = sha256 over what the sender said and who said it; row = sha256 over the content and where and when it was
recorded; root = sha256 over the rows' hashes in order; seal = sha256 over the seal before, an earlier one, the link's
number, its first and last position, its time and the root. An edited, deleted or reordered row breaks the chain.
Someone who recomputes the whole chain is found only with a seal kept outside.

The earlier seal is that of link n - (n & -n), as in a skip list: from any link a few dozen steps lead back to any
other, so a short proof shows that an event is in the log a seal stands for.

Every text is written with its length before it, so that no two different rows hash the same bytes.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache, lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hashlib import _Hash

GENESIS = bytes(32)
"""The seal before the first append."""

BLOCK, INNER, OUTER = 64, bytes(n ^ 0x36 for n in range(256)), bytes(n ^ 0x5C for n in range(256))
"""Of HMAC-SHA256: bytes taken at a time, and the two paddings as tables."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _text(value: str) -> bytes:
    raw = value.encode()
    return b"%d:%b" % (len(raw), raw)


_sender = lru_cache(4096)(_text)
"""The same for what says many things: it is spelt once."""


def microseconds(moment: datetime) -> int:
    """Whole microseconds since 1970, exact (a float would round)."""
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def content_hash(
    source: str, id: str, actor: str, cause: int | None, digest: bytes, data: bytes, body_hash: bytes | None
) -> bytes:
    """Hash of what was said; `body_hash` stands for the raw body, which can be erased without breaking the chain."""
    return sha256(b"".join((
        _sender(source), _text(id), _sender(actor),
        b"-:" if cause is None else b"%d:" % cause, sha256(digest).digest(), sha256(data).digest(),
        b"-" if body_hash is None else b"+" + body_hash,
    ))).digest()  # fmt: skip


def bucket(order: str) -> int:
    """The part of the log an order belongs to, 0 to 255; `append_batch` computes the same in SQL."""
    return sha256(order.encode()).digest()[0]


def row_hash(
    position: int,
    order: str,
    version: int,
    type: str,
    occurred: datetime,
    recorded: datetime,
    reused: bool,
    content: bytes,
) -> bytes:
    """Hash of one row; `append_batch` computes the same in SQL."""
    head = b"%d|%b|%d|%b|%d|%d|%d|" % (
        position, _text(order), version, _text(type), microseconds(occurred), microseconds(recorded), reused,
    )  # fmt: skip
    return sha256(head + content).digest()


def root(rows: Iterable[bytes]) -> bytes:
    """What stands for the rows of one append."""
    return sha256(b"".join(rows)).digest()


def skipped_to(number: int) -> int:
    """The earlier link that a link holds the seal of besides the one before it; 0 is the beginning."""
    return number - (number & -number)


def next_seal(before: bytes, skip: bytes, number: int, first: int, last: int, recorded: int, root: bytes) -> bytes:
    """The seal of the link that an append of first..last adds; `recorded` in microseconds. As okno.next_seal."""
    return sha256(before + skip + b"|%d|%d|%d|%d|" % (number, first, last, recorded) + root).digest()


def body_hash(key: bytes, body: bytes) -> bytes:
    """Keyed hash of a raw body, the key's own mark in front: without the key nobody can try out names and phones."""
    mark, inner, outer = _keyed(key)
    inner, outer = inner.copy(), outer.copy()
    inner.update(body)
    outer.update(inner.digest())
    return mark + outer.digest()


@cache
def _keyed(key: bytes) -> tuple[bytes, "_Hash", "_Hash"]:
    """A key's own mark, and HMAC's two hashes with the key taken in: to begin them anew takes as long as a body."""
    block = (key if len(key) <= BLOCK else sha256(key).digest()).ljust(BLOCK, b"\0")
    return sha256(key).digest()[:4], sha256(block.translate(INNER)), sha256(block.translate(OUTER))
