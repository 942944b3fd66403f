"""Events that Postgres refuses, found only when they are written."""

import json
import random
from pathlib import Path

from events.log import Log
from service.audit import verify
from service.database import Pool
from tests.importing.conftest import Past, mark, marks
from tests.importing.test_import import ids, imported
from tests.servers import BODY_KEY


async def test_what_postgres_refuses_stands_alone(pool: Pool, log: Log, config: Path, past: Past) -> None:
    """A value no index holds costs its own line only."""
    chance = random.Random(1)
    wide = "".join(chr(chance.randrange(0x20000, 0x2A000)) for _ in range(490))
    lines = marks(40)
    lines[17] = mark(17, id=wide, source=wide[::-1])
    found, rejects = await imported(pool, config, past(lines))
    assert (found.appended, found.faults, rejects.count) == (39, 1, 1)
    (told,) = map(json.loads, rejects.path.read_text().splitlines())
    assert (told["line"], told["reason"]) == (18, "not_storable")
    assert await ids(log) == [f"m{n}" for n in range(40) if n != 17]


async def test_what_stands_behind_a_refused_event_keeps_its_place(
    pool: Pool, log: Log, config: Path, past: Past
) -> None:  # fmt: skip
    """It was on its way already: it goes in behind what is left, once, and what was shown before counts as known."""
    chance = random.Random(1)
    wide = "".join(chr(chance.randrange(0x20000, 0x2A000)) for _ in range(490))
    lines = marks(1800)
    lines[17] = mark(17, id=wide, source=wide[::-1])
    for number in (100, 700, 1300):
        placed = {"data": {"lines": [{"sku": str(number), "quantity": 1}]}, "id": f"p{number}"}
        lines[number] = mark(number, "order.placed", subject="ym-msk/9000", **placed)
    found, rejects = await imported(pool, config, past(lines))
    assert (found.lines, found.appended, found.known, found.faults, rejects.count) == (1800, 1797, 2, 1, 1)
    left = {17: None, 100: "p100", 700: None, 1300: None}
    assert await ids(log) == [id for n in range(1800) if (id := left.get(n, f"m{n}"))]
    assert (await verify(pool, lambda done, total: None, BODY_KEY)).whole
    assert await pool.fetchval("SELECT count(*) FROM okno.progress") == 0
