"""Whether the log is whole and unaltered.

`verify` reads by position in batches. Each link of the seals begins where the last one ended; each row has the next
position, and its hash is that of what it holds; at the link's end its seal is recomputed, and its time is that of its
rows; in the end the head holds the last seal, and nothing lies before the first position or behind the head. Where the
key of body hashes is given and its mark matches, raw bodies that are not erased are hashed anew.

Someone who recomputed the whole chain is found only by a seal kept outside. Personal data beside the log are not
sealed: they can be erased.
"""

from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from events import seal
from events.log import PROOF, waits
from service.database import Pool

BATCH = 5000
"""Events proved at a time."""

# What the log says of itself, all at one moment.
ENDS = """
SELECT h.position, h.seal, h.recorded_at, (SELECT min(e.position) FROM okno.events e) AS first_event,
       (SELECT max(e.position) FROM okno.events e) AS last_event,
       (SELECT min(s.last_position) FROM okno.seals s) AS first_seal,
       (SELECT max(s.last_position) FROM okno.seals s) AS last_seal
FROM okno.head h WHERE h.log_id = 0
"""

# The next links of the chain.
SEALS = """
SELECT number, first_position, last_position, seal, recorded_at, root FROM okno.seals
WHERE last_position > $1 ORDER BY last_position LIMIT $2
"""

# Raw bodies of a part of the log; erased ones are not there.
BODIES = "SELECT position, body FROM okno.bodies WHERE position > $1 AND position <= $2"


class Verdict(msgspec.Struct, frozen=True):
    """What was proved. `seal` in hex is the one to keep outside; at a fault it is the last one that held."""

    whole: bool
    events: int
    seal: str
    position: int | None = None
    fault: str | None = None


class _Fault(Exception):  # a finding, not an error of ours
    def __init__(self, position: int, what: str) -> None:
        super().__init__(what)
        self.position = position


@waits
async def verify(pool: Pool, progress: Callable[[int, int], None], body_key: bytes | None = None) -> Verdict:
    """Proves the log from its first event to its head, or says where the first fault is."""
    ends = await pool.fetchrow(ENDS)
    if ends is None:
        return Verdict(False, 0, seal.GENESIS.hex(), 0, "the head row is missing")
    chain = _Chain(body_key)
    try:
        chain.begin(ends)
        while chain.position < ends["position"]:
            rows = await pool.fetch(PROOF, chain.position, min(BATCH, ends["position"] - chain.position))
            if not rows:
                break
            bodies = {}
            if body_key is not None:
                found = await pool.fetch(BODIES, chain.position, rows[-1]["position"])
                bodies = {row["position"]: row["body"] for row in found}
            links = deque(await pool.fetch(SEALS, chain.sealed, len(rows) + 1))
            for row in rows:
                chain.open(links[0] if links else None)
                chain.add(row, bodies.get(row["position"]))
                if links[0]["last_position"] == chain.position:
                    chain.close(links.popleft())
            progress(chain.position, ends["position"])
        chain.end(ends)
    except _Fault as fault:
        return Verdict(False, chain.position, chain.seal.hex(), fault.position, str(fault))
    return Verdict(True, chain.position, chain.seal.hex())


class _Chain:
    """The chain so far: read up to `position`, sealed up to `sealed`."""

    def __init__(self, body_key: bytes | None) -> None:
        self.position, self.sealed, self.number, self.seal = 0, 0, 0, seal.GENESIS
        self._seals = {0: seal.GENESIS}
        self.recorded_at = datetime(1970, 1, 1, tzinfo=UTC)
        self._hashes: list[bytes] = []
        self._times: set[datetime] = set()
        self._body_key = body_key
        self._mark = b"" if body_key is None else seal.body_hash(body_key, b"")[:4]

    def begin(self, ends: Any) -> None:
        """Proves that nothing lies before the first position, where no reader by position would see it."""
        first = min((p for p in (ends["first_event"], ends["first_seal"]) if p is not None), default=1)
        if first < 1:
            raise _Fault(first, "inserted before the first position")

    def open(self, link: Any) -> None:
        """Proves that the link over the next row begins where the last one ended."""
        if link is None:
            raise _Fault(self.sealed + 1, "not sealed, though the log goes on")
        if link["first_position"] != self.sealed + 1:
            raise _Fault(self.sealed + 1, f"not sealed: the next seal begins at {link['first_position']}")

    def add(self, row: Any, body: bytes | None) -> None:
        """Proves one row."""
        position = row["position"]
        if position != self.position + 1:
            raise _Fault(self.position + 1, f"missing: the next event is at {position}")
        content = seal.content_hash(
            row["source"], row["id"], row["actor"], row["cause"], row["digest"], row["data"], row["body_hash"]
        )
        made = seal.row_hash(
            position, row["order_key"], row["version"], row["type"], row["occurred_at"], row["recorded_at"],
            row["id_reused"], content,
        )  # fmt: skip
        if made != row["hash"] or row["bucket"] != seal.bucket(row["order_key"]):
            raise _Fault(position, "altered: the row's hash is not that of what it holds")
        if body is not None and self._body_key is not None:
            told = row["body_hash"] or b""
            if not told or (told[:4] == self._mark and told != seal.body_hash(self._body_key, body)):
                raise _Fault(position, "the raw body is not the one that was received")
        self.position = position
        self._hashes.append(made)
        self._times.add(row["recorded_at"])

    def close(self, link: Any) -> None:
        """Proves the link that ends here."""
        first, last = link["first_position"], link["last_position"]
        number, root = self.number + 1, seal.root(self._hashes)
        skip = self._seals[seal.skipped_to(number)]
        made = seal.next_seal(self.seal, skip, number, first, last, seal.microseconds(link["recorded_at"]), root)
        if (made, number, root) != (link["seal"], link["number"], link["root"]):
            raise _Fault(first, f"altered: the seal over {first} to {last} is not that of the rows before and in it")
        if self._times != {link["recorded_at"]}:
            raise _Fault(first, f"altered: the seal over {first} to {last} has another time than its rows")
        self.seal, self.sealed, self.number, self.recorded_at = made, last, number, link["recorded_at"]
        self._seals[number] = made
        self._hashes, self._times = [], set()

    def end(self, ends: Any) -> None:
        """Proves that the chain ends where the head says."""
        if self.position < ends["position"]:
            raise _Fault(self.position + 1, f"missing, with all up to the head at {ends['position']}")
        if self.sealed != self.position:
            raise _Fault(self.sealed + 1, "not sealed, though the log goes on")
        if self.seal != ends["seal"] or self.recorded_at != ends["recorded_at"]:
            raise _Fault(self.position, "the head is not that of the last seal")
        behind = max(ends["last_event"] or 0, ends["last_seal"] or 0)
        if behind > self.position:
            raise _Fault(self.position + 1, f"something lies behind the head, up to {behind}")
