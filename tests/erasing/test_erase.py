"""Erased is erased: nothing of the buyer is left in any table, nothing else is touched, and the log is as it was."""

import asyncio
from typing import Any

import asyncpg
import pytest

from events import seal
from events.codec import decode
from events.log import Log
from events.order import facts as f
from service import audit, people
from service.database import Pool
from service.erasing import BadReason, acts, erase, look
from service.intake import Intake
from service.rejected import listed
from service.work import Work
from tests.erasing.planted import (
    BUYER,
    CHANNELS,
    DOCUMENT,
    DOCUMENT_NUMBER,
    KEYS,
    NAME,
    OTHER,
    PHONE,
    REASON,
    REJECTED,
    leave,
    places,
    seen,
)  # fmt: skip
from tests.events.said import personal
from tests.onec.making import ORDER, SETTINGS, body, raw
from tests.servers import BODY_KEY, project

ACTOR = "cli/lawyer"


async def erased(log: Log, pool: Pool, order: str = ORDER, **more: Any) -> int | None:
    """Looks and destroys, as the commands do."""
    return await erase(log, pool, await look(log, pool, order, CHANNELS), REASON, ACTOR, **more)


def unseen(done: int, total: int) -> None:
    """Progress nobody watches."""


async def test_nothing_of_the_buyer_is_left_anywhere(
    planted: None, log: Log, pool: Pool, owner: asyncpg.Connection
) -> None:
    """Every table of the schema is searched, found by its name in the catalogue; the search itself finds before."""
    await project(pool, log)
    before = await places(owner, *BUYER)
    assert set(before) == {"attempts", "bodies", "personal", "rejected"}
    assert set().union(*before.values()) == set(BUYER)
    assert await erased(log, pool) is not None
    await project(pool, log)
    assert await places(owner, *BUYER) == {}
    assert (await audit.verify(pool, unseen, BODY_KEY)).whole


async def test_the_fact_says_what_was(planted: None, log: Log, pool: Pool) -> None:
    """Counts are those of the tables, kinds of data are named, and who and why."""
    rows = {
        table: await pool.fetchval(f"SELECT count(*) FROM okno.{table} WHERE order_key = ANY($1)", KEYS)
        for table in ("bodies", "personal")
    }
    position = await erased(log, pool)
    event = (await log.read(0))[-1]
    assert (event.position, event.type, event.order, event.actor) == (position, "order.erased", ORDER, ACTOR)
    fact = decode(event)
    assert fact == f.Erased(
        reason=REASON, bodies=rows["bodies"], personal=rows["personal"], rejected=2,
        categories=("name", "phone", "email", "trusted", "address", "comment", "courier", "extra", "attributes",
                    "messages", "exchanges", "rejected"),
    )  # fmt: skip
    assert rows == {"bodies": 7, "personal": 4}


async def test_nobody_else_loses_anything(planted: None, log: Log, pool: Pool) -> None:
    """The other order keeps its buyer, the message that names no order of ours stays, and all events are there."""
    before = await log.read(0)
    await erased(log, pool)
    assert (await log.read(0))[: len(before)] == before
    assert [p["customer"]["name"] for p in (await personal(log, OTHER)).values()] == ["Пётр Другой"]
    left, _ = await listed(pool)
    assert [row.body.encode() for row in left] == [REJECTED["other"]]
    reasons = await pool.fetch("SELECT reason, detail, body, envelope FROM okno.rejected WHERE reason = 'erased'")
    assert [tuple(row) for row in reasons] == [("erased", f"destroyed with {ORDER}", b"", b"{}")] * 2


async def test_what_comes_later_is_recorded_without_it(
    planted: None, log: Log, pool: Pool, intake: Intake, owner: asyncpg.Connection
) -> None:
    """1C's marks, under the order's key and its document's, and reads of the marketplace; the body's hash is kept."""
    await erased(log, pool)
    later = body("order.handed_over", {"courier": NAME, "comment": PHONE}, id="later")
    await intake.take(
        [raw(later), raw(body("order.cancelled", {"by": "shop", "тел": PHONE}, id="l2", subject=KEYS[1]))]
    )
    await intake.take_messages([seen(hours=2, quantity=1)], "read")
    new = [event for event in await log.read(0) if event.type in ("order.handed_over", "order.changed")][-2:]
    assert [event.order for event in new] == [ORDER, ORDER]
    kept = await owner.fetchval("SELECT body_hash FROM okno.events WHERE id = 'later'")
    assert bytes(kept) == seal.body_hash(BODY_KEY, later)
    assert await places(owner, *BUYER) == {}
    await project(pool, log)
    shown = await people.one(pool, ORDER)
    assert shown is not None
    assert (shown.customer, shown.delivery.address) == (None, None)
    assert await erased(log, pool) is None, "nothing came that could be destroyed: no second fact"


async def test_a_call_that_comes_back_later_leaves_nothing(
    planted: None, log: Log, pool: Pool, owner: asyncpg.Connection
) -> None:
    """What a marketplace answers to a call that was under way is not kept, and what was seen before it stays."""
    await owner.execute("""UPDATE okno.attempts SET before = '{"left": 1}'""")
    await erased(log, pool)
    await leave(Work(pool, "test"), PHONE.encode())
    row = await pool.fetchrow("SELECT exchange, before, reason FROM okno.attempts")
    assert row is not None
    assert tuple(row) == (None, '{"left": 1}', "timed out")


async def test_a_document_linked_after_the_erasing(log: Log, pool: Pool, intake: Intake) -> None:
    """What came under the document's key before anybody knew whose it is goes when it becomes the order's."""
    early = body("order.handed_over", {"courier": NAME}, id="early", subject=KEYS[1])
    await intake.take([raw(early)])
    await intake.take_messages([seen()], "read")
    await erased(log, pool)
    assert len(await personal(log, KEYS[1])) == 1
    await intake.take([raw(body("order.registered", {"document": {"id": KEYS[1][3:]}}, id="r"))])
    assert await personal(log, KEYS[1]) == {}
    assert await pool.fetchval("SELECT count(*) FROM okno.bodies") == 0
    late = body("order.handed_over", {"courier": NAME, "x": 1}, id="late", subject=KEYS[1])
    await intake.take([raw(late)])
    assert await pool.fetchval("SELECT count(*) FROM okno.personal") == 0
    assert (await audit.verify(pool, unseen, BODY_KEY)).whole


async def test_a_documents_key_names_the_order(planted: None, log: Log, pool: Pool) -> None:
    """`1c/DOCUMENT` is the order it was linked to."""
    looked = await look(log, pool, KEYS[1], CHANNELS)
    assert (looked.order, looked.keys, looked.under_way) == (ORDER, KEYS, True)
    assert (await look(log, pool, f"1c/{DOCUMENT.upper()}", CHANNELS)).order == ORDER, "ids of 1C come in any case"


async def test_what_came_since_the_look_goes_too(planted: None, log: Log, pool: Pool, intake: Intake) -> None:
    """Events and rejected messages that came between the look and the lock; the counts are of then."""
    looked = await look(log, pool, ORDER, CHANNELS)
    await intake.take([raw(b"{ym-msk/48123456 " + NAME.encode()), raw(body("order.shipped", {"x": NAME}, id="s"))])
    position = await erase(log, pool, looked, REASON, ACTOR)
    fact = decode((await log.read((position or 0) - 1))[0])
    assert isinstance(fact, f.Erased)
    assert (fact.bodies, fact.personal, fact.rejected) == (8, 5, 3)


async def test_a_document_linked_since_the_look(planted: None, log: Log, pool: Pool, intake: Intake) -> None:
    """What came under its key goes too, and rejected messages that name it."""
    await intake.take([raw(body("order.handed_over", {"courier": NAME}, id="d", subject="1c/d-2-2-2"))])
    await intake.take([raw(b"{d-2-2-2 " + NAME.encode())])
    looked = await look(log, pool, ORDER, CHANNELS)
    await intake.take([raw(body("order.registered", {"document": {"id": "d-2-2-2"}, "who": NAME}, id="r2"))])
    await erase(log, pool, looked, REASON, ACTOR)
    assert [row[0] for row in await pool.fetch("SELECT DISTINCT order_key FROM okno.personal")] == [OTHER]
    assert len((await listed(pool))[0]) == 1


async def test_a_person_says_which_rejected_messages(planted: None, log: Log, pool: Pool) -> None:
    """One that only seems to belong to it is spared, one that does not say so goes; one that is not there stops all."""
    ids = {row["body"]: row["id"] for row in await pool.fetch("SELECT id, body FROM okno.rejected")}
    broken, other = ids[REJECTED["broken"]], ids[REJECTED["other"]]
    with pytest.raises(Exception, match="no rejected message"):
        await erased(log, pool, also=["none"])
    await erased(log, pool, also=[other], spare=[broken])
    left = await pool.fetch("SELECT id FROM okno.rejected WHERE reason <> 'erased'")
    assert [row["id"] for row in left] == [broken]


async def test_an_order_known_from_rejected_messages_only(planted: None, log: Log, pool: Pool) -> None:
    """Nobody could understand what was said of it, and it goes all the same; one that nobody named has nothing."""
    assert (await look(log, pool, "ym-msk/1234567", CHANNELS)).holdings.nothing
    looked = await look(log, pool, "avito/48123457", CHANNELS)
    assert (looked.known, len(looked.holdings.rejected)) == (False, 1)
    await erased(log, pool, "avito/48123457")
    left = await pool.fetch("SELECT body FROM okno.rejected WHERE reason <> 'erased'")
    assert REJECTED["other"] not in {row["body"] for row in left}
    assert len(left) == 2
    await project(pool, log)


async def test_a_reason_that_names_the_buyer_is_refused(planted: None, log: Log, pool: Pool) -> None:
    """It would stay for ever; so would an empty one, and nothing is destroyed."""
    looked = await look(log, pool, ORDER, CHANNELS)
    for reason in ("", "  ", "x" * 501, "просил Хризантемов А.", f"звонил с {PHONE}"):
        with pytest.raises(BadReason):
            await erase(log, pool, looked, reason, ACTOR)
    assert (await look(log, pool, ORDER, CHANNELS)).holdings == looked.holdings


async def test_events_that_quote_the_buyer_are_named(planted: None, log: Log, pool: Pool, intake: Intake) -> None:
    """What stands in an event can't be taken out of it: whoever erases is told where."""
    assert (await look(log, pool, ORDER, CHANNELS)).quoted == ()
    await intake.take([raw(body("order.shipped", {"track": "звонить +7 999 555-01-23"}, id="s"))])
    position = (await log.head()).position
    assert (await look(log, pool, ORDER, CHANNELS)).quoted == (position,)


async def test_erased_while_everybody_speaks(planted: None, log: Log, pool: Pool, intake: Intake) -> None:
    """Appends with the buyer's data go on all the time: each is before, and destroyed, or after, and without it."""
    done = asyncio.Event()

    async def speak(name: str) -> int:
        said = 0
        while not done.is_set():
            said += 1
            message = body("order.shipped", {"track": f"{name}{said}", "phone": PHONE}, id=f"{name}{said}")
            await intake.take([raw(message), raw(b'{"n": 48123456, ' + f"{name}{said}".encode())])
        return said

    speakers = [asyncio.create_task(speak(name)) for name in "abc"]
    await asyncio.sleep(0.3)
    positions = [await erased(log, pool), *await asyncio.gather(*(erased(log, pool) for _ in range(3)))]
    await asyncio.sleep(0.2)
    done.set()
    said = sum(await asyncio.gather(*speakers))
    assert positions[0] is not None
    assert said > 20
    for table in ("personal", "bodies"):
        keys = await pool.fetch(f"SELECT DISTINCT order_key FROM okno.{table}")
        assert [row[0] for row in keys] == [OTHER]
    facts = [decode(e) for e in await log.read(0, 10_000) if e.type == "order.erased"]
    gone = await pool.fetchval("SELECT count(*) FROM okno.rejected WHERE reason = 'erased'")
    assert sum(fact.rejected for fact in facts if isinstance(fact, f.Erased)) == gone > 2
    assert (await audit.verify(pool, unseen, BODY_KEY)).whole


async def test_the_act_is_made_of_the_log(planted: None, log: Log, pool: Pool) -> None:
    """Order, document, kinds of data, reason, time with its zone, who, hash and seal; asked twice it is the same."""
    position = await erased(log, pool)
    assert position is not None
    head = await log.head()
    (act,) = await acts(log, pool, ORDER, [position], SETTINGS.timezone)
    assert act.extract.seal == head.seal.hex()
    assert (act.extract.link, act.document and act.document.number) == (head.links, DOCUMENT_NUMBER)
    for part in (
        ORDER, DOCUMENT_NUMBER, "номер телефона", "адрес доставки", REASON, ACTOR, act.extract.hash, act.extract.seal,
        "Europe/Samara", "UTC+04:00", "okno.personal", "RabbitMQ", "3 года", "приказом Роскомнадзора", str(position),
    ):  # fmt: skip
        assert part in act.text, part
    assert not any(said in act.text for said in BUYER)
    assert [act] == await acts(log, pool, ORDER, [position], SETTINGS.timezone)
