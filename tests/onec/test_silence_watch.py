"""1C that stopped is said by the hub, from what the log and its own looks tell; once, and over restarts."""

from datetime import timedelta
from typing import cast

import pytest

from events.codec import digest, encode
from events.log import Log, LogUnavailable
from events.order import facts as f
from events.recorded import NewEvent
from service.database import Pool
from service.onec.silence_talk import Talk
from service.onec.silence_warnings import OnecWarning
from tests.onec.making import ORDER, SOURCE
from tests.onec.watching import Bench, watching

QUIET = [("quiet", SOURCE)]
RUN = "INSERT INTO okno.runs VALUES ($1, $2, $3, $4, 'host')"
ALL = ["intake", "react", "web"]


@pytest.fixture
def bench(pool: Pool, log: Log) -> Bench:
    return Bench(pool, log)


async def requested(bench: Bench, order: str) -> int:
    """The hub wants 1C told of something; the position."""
    id = f"c/{order}"
    fact = f.CommandRequested(command=id, target="1c", action="order.placed")
    event = NewEvent(order=order, type="command.requested", source="okno", id=id, actor="okno", cause=1,
                     digest=digest("okno", id, "command.requested", order, None, None), data=encode(fact))  # fmt: skip
    (appended,) = await bench.log.append([event])
    return appended.position


async def talkers(pool: Pool) -> list[str]:
    """Whose signs are noted."""
    return [row["who"] for row in await pool.fetch("SELECT DISTINCT who FROM okno.talk ORDER BY who")]


async def test_what_1c_said_is_noted_from_the_log(bench: Bench, pool: Pool) -> None:
    """Each base's messages, by the minute; those of marketplaces, of the hub and of an import are no sign of 1C."""
    for name, source, actor in (
        ("1", "1c/ut11", "1c/ut11"), ("2", "1c/unf", "1c/unf"), ("3", "channel/ym-msk", "channel/ym-msk"),
        ("4", "okno", "okno"), ("5", "1c/old", "import/anna"), ("6", "1c/" + "x" * 300, "1c/x"),
    ):  # fmt: skip
        mark = digest(source, name, "order.completed", ORDER, None, None)
        event = NewEvent(
            order=ORDER, type="order.completed", source=source, id=name, actor=actor, digest=mark, data=b"{}"
        )
        await bench.log.append([event])
    await bench.look()
    assert await talkers(pool) == ["1c/unf", "1c/ut11"]
    assert len(await Talk(pool).minutes("said", "1c/ut11", bench.now)) == 1


async def test_a_look_reads_only_what_is_new(bench: Bench, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The position it has come to is kept: a look after it, and one after a restart, begin there."""
    await bench.says()
    await bench.look()
    reached = []
    follow = Talk.follow

    async def followed(self: Talk, after: int, *rest: object) -> int:
        reached.append(after)
        return await follow(self, after, *rest)  # type: ignore[arg-type]  # passed on as it came

    monkeypatch.setattr(Talk, "follow", followed)
    await bench.look()
    await bench.another().look(bench.now)
    head = (await bench.log.head()).position
    assert (reached, head > 0) == ([head, head], True)


async def test_a_base_that_stopped_is_said_once(bench: Bench) -> None:
    """Every 8 minutes for weeks, then nothing: after 5 times that a warning that says what to do, logged once."""
    await bench.past()
    await bench.says()
    assert await bench.look(30) == []
    found = await bench.look(41)
    assert list(bench.codes(found)) == QUIET
    assert found[0].usual == timedelta(minutes=7)
    (line,) = bench.lines
    assert "1c/ut11 has said nothing since" in line["says"]
    assert "at most 7 min on most days" in line["says"]
    assert "start it again" in line["says"]
    assert await bench.look(300) != []
    assert bench.lines == []


async def test_a_restart_neither_forgets_nor_repeats(bench: Bench) -> None:
    """What was warned of, and since when, stands in Postgres; a new process takes it over without a word."""
    await bench.past()
    await bench.says()
    (before,) = await bench.look(60)
    bench.watch = bench.another()
    assert [one.since for one in await bench.look(61)] == [before.since]
    assert bench.lines == []


async def test_a_base_that_speaks_again_is_said_once(bench: Bench) -> None:
    """The next message ends the warning; the log has since when it was, and how long it lasted."""
    await bench.past(ago=60)
    (warning,) = await bench.look(1)
    await bench.says("m2")
    assert await bench.look(2) == []
    (line,) = bench.lines
    assert (line["event"], line["code"], line["lasted"][:2]) == ("1C is well again", "quiet", "1:")
    assert line["since"] == warning.since.isoformat()
    await bench.look(3)
    assert bench.lines == []


async def test_a_repeated_message_is_a_sign(bench: Bench, pool: Pool) -> None:
    """A base that sends what is known already leaves nothing in the log, and is not silent."""
    await bench.past()
    await bench.says()
    await bench.look()
    before = (await bench.log.head()).position
    await pool.execute("UPDATE okno.talk SET last_at = last_at - interval '1 hour'")
    assert list(bench.codes(await bench.look())) == QUIET
    await bench.says()
    assert (await bench.log.head()).position == before
    await bench.heard.flush(pool)
    assert await bench.look() == []


class Away:
    """A Postgres that is away."""

    async def execute(self, *_: object) -> None:
        raise ConnectionError("gone")


async def test_what_can_not_be_written_is_written_later(bench: Bench, pool: Pool) -> None:
    """While Postgres is away signs are kept, and joined with those that come meanwhile."""
    bench.heard.note("said", SOURCE, bench.now - timedelta(minutes=2))
    with pytest.raises(LogUnavailable):
        await bench.heard.flush(cast("Pool", Away()))
    bench.heard.note("said", SOURCE, bench.now)
    for _ in range(2):
        await bench.heard.flush(pool)
    assert len(await Talk(pool).minutes("said", SOURCE, bench.now)) == 2


async def test_an_outage_of_the_hub_is_no_silence(bench: Bench, pool: Pool) -> None:
    """Three hours without a hub: at its start nobody is missed, though nobody was heard; a real stop is, later."""
    await bench.past()
    begin, died = bench.now - timedelta(days=30), bench.now
    back = died + timedelta(hours=3)
    for owner, since, until in (("dead", begin, died), ("heir", back, back + timedelta(hours=2))):
        await pool.execute(
            "INSERT INTO okno.runs VALUES ($1, $2, $3, '{intake,react,web}', 'host')", owner, since, until
        )
    assert await bench.look(181) == []
    assert await bench.look(210) == []
    assert list(bench.codes(await bench.look(230))) == QUIET


async def test_an_outage_of_what_takes_messages_in_is_no_silence(bench: Bench, pool: Pool) -> None:
    """The watch was at work and nobody who takes 1C's messages: that is not 1C's silence."""
    await bench.past()
    begin, end = bench.now - timedelta(days=30), bench.now + timedelta(hours=5)
    for owner, until, roles in (("watch", end, ["react"]), ("web", bench.now, ["web"])):
        await pool.execute(RUN, owner, begin, until, roles)
    assert await bench.look(120) == []


async def test_little_that_was_heard_claims_nothing(bench: Bench) -> None:
    """A base that is new, and one that spoke a few times, are not missed."""
    await bench.past(days=3)
    await bench.past("1c/rare", every=24 * 60)
    assert await bench.look(24 * 60) == []


async def test_how_long_is_too_long_is_settable(pool: Pool, log: Log) -> None:
    """`quiet_times` of one base, of all, and `working_hours` of one base."""
    closed = {"quiet_times": 2, "sources": {"ut11": {"quiet_times": 20}, "unf": {}, "zup": {"working_days": "mon"}}}
    bench = Bench(pool, log, watching(closed))
    for name in ("ut11", "unf"):
        await bench.past(f"1c/{name}")
    assert [one.about for one in await bench.look(30)] == ["1c/unf"]
    assert {one.about for one in await bench.look(150)} == {"1c/ut11", "1c/unf"}


async def test_who_polled_the_outbox_and_stopped_is_missed_where_messages_wait(bench: Bench, pool: Pool) -> None:
    """Without a message for it a base that does not poll misses nothing; then one comes, and it is warned of."""
    await bench.past(sign="polled", every=2)
    head = (await bench.log.head()).position
    bench.heard.note("polled", SOURCE, bench.now, head)
    await bench.heard.flush(pool)
    assert await bench.look(60) == []
    await requested(bench, "ym-msk/1")
    found = await bench.look(61)
    assert found == [OnecWarning("outbox_unread", SOURCE, bench.now, timedelta(minutes=2), messages=1)]
    assert "1 messages wait for it" in bench.lines[0]["says"]
    bench.heard.note("polled", SOURCE, bench.now + timedelta(minutes=62), (await bench.log.head()).position)
    await bench.heard.flush(pool)
    assert await bench.look(62) == []


async def test_what_it_has_read_does_not_wait_for_it(bench: Bench, pool: Pool) -> None:
    """A base that speaks and polls: only what was requested behind its last look waits, whatever was before."""
    await bench.past(every=60 * 24 * 2)
    await bench.past(sign="polled", every=2)
    position = await requested(bench, "ym-msk/1")
    bench.heard.note("polled", SOURCE, bench.now, position)
    await bench.heard.flush(pool)
    assert await bench.look(60) == []
    await requested(bench, "ym-msk/2")
    assert [one.messages for one in await bench.look(61)] == [1]


async def test_messages_that_are_not_its_own_make_nobody_late(pool: Pool, log: Log) -> None:
    """A base that is told of one channel is not missed for the messages of another."""
    bench = Bench(pool, log, watching({"sources": {"ut11": {"tells": ["ym-spb"]}}}))
    await bench.past(sign="polled", every=2)
    await requested(bench, "ym-msk/1")
    assert await bench.look(60) == []
    await requested(bench, "ym-spb/1")
    assert list(bench.codes(await bench.look(61))) == [("outbox_unread", SOURCE)]


async def test_signs_too_old_to_learn_from_are_let_go(bench: Bench, pool: Pool) -> None:
    """The table stays small; a base that has been silent for four weeks is not waited for any more."""
    await bench.past("1c/old", days=29)
    await bench.look(45 * 24 * 60)
    assert await talkers(pool) == []
    assert await pool.fetchval("SELECT count(*) FROM okno.talkers") == 0
