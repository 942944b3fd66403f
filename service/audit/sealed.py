"""What rows of the log hash to: as `events.seal` says, for a walk over millions.

Nearly all of a walk's time goes into four sha256 a row, so the rest is kept small: Postgres gives texts as bytes and
times as the eight bytes it stores, and what many rows share (an order, a type, a sender) is spelt once.
"""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any, Final

from events import seal

# Everything a proof of rows needs, in the order `Rows.add` takes it.
ROWS = """
SELECT position, textsend(order_key), version, textsend(type), textsend(source), textsend(id), cause, textsend(actor),
       timestamptz_send(occurred_at), timestamptz_send(recorded_at), bucket, id_reused, digest, data, body_hash, hash
FROM okno.events WHERE position > $1 AND position <= $2 ORDER BY position
"""

KNOWN: Final = 50_000
"""How many texts are remembered: memory does not grow with the log."""

_POSTGRES_EPOCH: Final = 946_684_800_000_000
"""2000-01-01, from where Postgres counts, in microseconds since 1970."""

ALTERED: Final = "altered: the row's hash is not that of what it holds"


class Fault(Exception):
    """What is wrong, and at which position first: a finding, not an error of ours."""

    def __init__(self, position: int, what: str) -> None:
        super().__init__(what)
        self.position = position


def microseconds(raw: bytes) -> int:
    """A time as Postgres sends it, in microseconds since 1970."""
    return int.from_bytes(raw, "big", signed=True) + _POSTGRES_EPOCH


class Bodies:
    """Raw bodies against the hashes kept of them, with the key the hashes were made with.

    HMAC from its two halves: `hmac.digest` sets up anew for each body, which costs as much again.
    """

    def __init__(self, key: bytes) -> None:
        self._mark = seal.body_hash(key, b"")[:4]
        padded = (key if len(key) <= 64 else sha256(key).digest()).ljust(64, b"\0")
        self._inner, self._outer = bytes(byte ^ 0x36 for byte in padded), bytes(byte ^ 0x5C for byte in padded)

    def differs(self, told: bytes | None, body: bytes) -> bool:
        """Whether a body is not the one that was received; one hashed with another key proves nothing."""
        if not told:
            return True
        made = sha256(self._outer + sha256(self._inner + body).digest()).digest()
        return told[:4] == self._mark and told[4:] != made


class Rows:
    """Proves rows one after the other, and keeps the hashes of those behind the last seal."""

    def __init__(self, position: int, body_key: bytes | None) -> None:
        self.position = position
        self.hashes: list[bytes] = []
        self.times: set[bytes] = set()
        self._bodies = None if body_key is None else Bodies(body_key)
        self._texts: dict[bytes, bytes] = {}
        self._orders: dict[bytes, tuple[bytes, int]] = {}

    def add(self, rows: Iterable[Any], bodies: Mapping[int, bytes]) -> None:
        """Proves rows; `Fault` at the first that is not the next one, or not as it was written."""
        if len(self._texts) > KNOWN or len(self._orders) > KNOWN:
            self._texts, self._orders = {}, {}
        known, orders, hashes = self._texts.get, self._orders.get, self.hashes
        body_of, checked = bodies.get, self._bodies
        last, time, at = b"", 0, self.position
        try:
            for (position, key, version, type, source, id, cause, actor, occurred, recorded, bucket, reused,
                 digest, data, body_hash, told) in rows:  # fmt: skip
                if position != at + 1:
                    raise _misplaced(position, at)
                if recorded != last:
                    last, time = recorded, microseconds(recorded)
                    self.times.add(recorded)
                order, number = orders(key) or self._order(key)
                content = sha256(b"%b%d:%b%b%b%b%b%b" % (
                    known(source) or self._text(source), len(id), id, known(actor) or self._text(actor),
                    b"-:" if cause is None else b"%d:" % cause, sha256(digest).digest(), sha256(data).digest(),
                    b"-" if body_hash is None else b"+" + body_hash,
                )).digest()  # fmt: skip
                made = sha256(b"%d|%b|%d|%b|%d|%d|%d|%b" % (
                    position, order, version, known(type) or self._text(type), microseconds(occurred), time, reused,
                    content,
                )).digest()  # fmt: skip
                if made != told or number != bucket:
                    raise Fault(position, ALTERED)
                if checked is not None and (body := body_of(position)) is not None and checked.differs(body_hash, body):
                    raise Fault(position, "the raw body is not the one that was received")
                hashes.append(made)
                at = position
        except (TypeError, AttributeError):  # a NULL where the log holds none
            raise Fault(at + 1, ALTERED) from None
        finally:
            self.position = at

    def _text(self, raw: bytes) -> bytes:
        self._texts[raw] = made = b"%d:%b" % (len(raw), raw)
        return made

    def _order(self, raw: bytes) -> tuple[bytes, int]:
        self._orders[raw] = made = b"%d:%b" % (len(raw), raw), sha256(raw).digest()[0]
        return made


def _misplaced(position: int, last: int) -> Fault:
    if position <= last:
        return Fault(position, "there is more than one event at this position")
    return Fault(last + 1, f"missing: the next event is at {position}")
