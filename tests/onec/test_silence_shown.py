"""What is amiss with 1C is shown where operators look: the API, the pages, the metrics, the doctor, alert rules."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml

from service import metrics
from service.database import Pool
from service.onec import queues, silence_warnings
from service.onec.queues import Depth
from service.onec.silence import Hours
from service.onec.silence_judged import hours
from service.onec.silence_status import OnecStatus, checked, status
from service.onec.silence_talk import Heard
from service.onec.silence_warnings import CODES, OnecWarning
from tests.onec.making import configured
from tests.onec.watching import ALWAYS
from tests.web.served import CHANNEL, Served, served

ALERTS = Path(queues.__file__).with_name("alerts.yaml")
SINCE = datetime(2026, 3, 2, 6, 42, tzinfo=UTC)
GAP = timedelta(minutes=9)
WEEK = frozenset(range(5))
WARNINGS = [
    OnecWarning("quiet", "1c/ut11", SINCE, GAP),
    OnecWarning("outbox_unread", "1c/unf", SINCE, GAP, 12),
    OnecWarning("unread", "okno.1c.ut11", SINCE, GAP, 7, 0),
    OnecWarning("grows", "okno.1c", SINCE, None, 140, 1),
    OnecWarning("rejected_by_1c", "okno.1c.dead", SINCE, None, 3),
    OnecWarning("given_up", "okno.in.dead", SINCE, None, 4),
    OnecWarning("unrouted", "okno.unrouted", SINCE, None, 5),
]


@pytest.fixture
async def web(database_url: str, tmp_path: Path) -> AsyncIterator[Served]:
    """A served hub with a base `ut11` in another zone than the hub's."""
    onec = {"sources": {"ut11": {"timezone": "Asia/Yekaterinburg", **ALWAYS}}}
    config = {"timezone": "Europe/Samara", "onec": onec, "channels": {"ym-msk": CHANNEL}}
    async with served(database_url, tmp_path, config) as made:
        yield made


async def amiss(pool: Pool) -> None:
    """The watch found all there is to find."""
    await silence_warnings.keep(pool, WARNINGS)
    await queues.keep(pool, {"okno.1c.ut11": Depth(7, 0), "okno.1c.dead": Depth(3, 0)}, SINCE)
    await pool.execute("INSERT INTO okno.talkers VALUES ('said', '1c/ut11', $1, $2)", SINCE, GAP)
    await pool.execute("INSERT INTO okno.talkers VALUES ('polled', '1c/unf', $1, $2)", SINCE, GAP)


async def test_the_api_tells_of_each_base_and_queue(web: Served) -> None:
    """Last message, usual gap, since when it is quiet, what it reads, what to do; each base has its own warnings."""
    await amiss(web.storage.pool)
    answered, page = await web.get("/v1/onec")
    bases = {base["source"]: base for base in page["items"]}
    assert (answered, page["next"], list(bases)) == (200, None, ["1c/unf", "1c/ut11"])
    ut11, unf = bases["1c/ut11"], bases["1c/unf"]
    assert [ut11[key] for key in ("last_message_at", "usual_gap_seconds", "quiet_since", "outbox_read_at")] == [
        "2026-03-02T06:42:00Z", 540, "2026-03-02T06:42:00Z", None,
    ]  # fmt: skip
    assert [one["code"] for one in ut11["warnings"]] == ["quiet", "unread"]
    assert (unf["last_message_at"], unf["outbox_read_at"]) == (None, "2026-03-02T06:42:00Z")
    assert [(q["queue"], q["messages"], q["readers"]) for q in page["queues"]] == [
        ("okno.1c.dead", 3, 0), ("okno.1c.ut11", 7, 0),
    ]  # fmt: skip
    assert {one["code"] for one in page["warnings"]} == set(CODES)
    quiet = next(one for one in page["warnings"] if one["code"] == "quiet")
    assert "1c/ut11 has said nothing since 2026-03-02 11:42 +05" in quiet["message"]  # by its own clock
    assert "at most 9 min on most days" in quiet["message"]


async def test_who_may_not_look_is_refused(web: Served) -> None:
    """1C's own token sees nothing of it; a hub where nothing was ever heard shows what is configured."""
    assert (await web.get("/v1/onec", "onec"))[0] == 403
    _, page = await web.get("/v1/onec")
    assert [(base["source"], base["last_message_at"]) for base in page["items"]] == [("1c/ut11", None)]
    assert (page["queues"], page["warnings"]) == ([], [])


@pytest.mark.parametrize(
    ("language", "quiet", "readers"), [("en", "1C has said nothing", "no reader"), ("ru", "1С молчит", "Читателя нет")]
)
async def test_the_start_page_says_it(web: Served, language: str, quiet: str, readers: str) -> None:
    """Each warning is a line with what it is about, since when, and what to do; without one there is none."""
    assert quiet not in await page_of(web, language)
    await amiss(web.storage.pool)
    notices = re.findall(r'<p class="notice".*?</p>', await page_of(web, language), re.DOTALL)
    shown = [" ".join(re.sub("<[^>]+>", "", notice).split()) for notice in notices]
    assert len(shown) == len(CODES)
    assert any(f"1c/ut11: {quiet}" in line for line in shown)
    assert any("okno.1c.ut11" in line and readers in line for line in shown)


async def page_of(web: Served, language: str) -> str:
    """The start page."""
    headers = {**await web.headers("operator"), "Accept-Language": language}
    async with web.client.get("/", headers=headers) as answer:
        assert answer.status == 200
        return await answer.text()


async def numbers(web: Served) -> str:
    """What `/metrics` shows."""
    async with web.client.get("/metrics", headers=await web.headers("auditor")) as answer:
        assert answer.status == 200
        return await answer.text()


async def test_metrics_show_it(web: Served) -> None:
    """Quiet or not and the last message by base, messages and readers by queue, warnings by code; what is over is 0."""
    pool = web.storage.pool
    await amiss(pool)
    shown = await numbers(web)
    for line in (
        'okno_onec_quiet{source="1c/ut11"} 1.0', 'okno_onec_quiet{source="1c/unf"} 0.0',
        'okno_onec_queue_messages{queue="okno.1c.ut11"} 7.0', 'okno_onec_queue_readers{queue="okno.1c.ut11"} 0.0',
        'okno_onec_warnings{code="unread"} 1.0',
    ):  # fmt: skip
        assert line in shown, line
    (last,) = re.findall(r'okno_onec_last_message_timestamp_seconds{source="1c/ut11"} (\S+)', shown)
    assert float(last) == SINCE.timestamp()
    await silence_warnings.keep(pool, [])
    await queues.keep(pool, {}, SINCE)
    shown = await numbers(web)
    assert 'okno_onec_quiet{source="1c/ut11"} 0.0' in shown
    assert 'okno_onec_warnings{code="unread"} 0.0' in shown
    assert "okno_onec_queue_messages{" not in shown


async def test_a_poll_of_the_outbox_is_noted(web: Served) -> None:
    """1C's own looks are signs of its life, under its base; an auditor's look is nobody's."""
    await web.get("/v1/outbox")
    await web.get("/v1/outbox", "onec")
    await web.hub.heard.flush(web.storage.pool)
    rows = await web.storage.pool.fetch("SELECT sign, who, position FROM okno.talk")
    assert [tuple(row) for row in rows] == [("polled", "1c/a-onec", 0)]


async def test_the_doctor_says_it(web: Served) -> None:
    """A warning is a fault with what to do, where its own look at RabbitMQ does not say it; a quiet past is none."""
    await amiss(web.storage.pool)
    found = checked(await status(web.storage.pool, web.hub.settings))
    faults = [says for good, _, says in found if not good]
    assert [says.split()[0] for says in faults] == ["okno.1c", "1c/unf", "1c/ut11", "okno.1c.ut11"]
    assert all("see whether" in says or "start" in says for says in faults)
    assert [what for good, what, _ in found if good] == ["1c/unf"]
    well = checked(OnecStatus([], None, [], []))
    assert well == []


def test_every_warning_says_what_to_do() -> None:
    """Each code has its words, and they name what it is about and since when."""
    zone = configured().timezone
    for one in WARNINGS:
        said = one.text(zone)
        assert one.about in said
        assert "2026-03-02 10:42" in said
    assert {one.code for one in WARNINGS} == set(CODES)


def test_alert_rules_ask_for_metrics_there_are() -> None:
    """Prometheus takes the file, and each rule names a metric of ours and codes of ours."""
    rules = yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]
    known = {gauge._name for gauge in vars(metrics).values() if hasattr(gauge, "_name")}
    for rule in rules:
        assert set(re.findall(r"okno_\w+", rule["expr"])) <= known, rule
        codes = re.findall(r'code=~?"([^"]+)"', rule["expr"])
        assert {code for some in codes for code in some.split("|")} <= set(CODES)
        assert {"summary", "description"} <= set(rule["annotations"])


def test_names_that_are_nobodys_are_not_kept() -> None:
    """A sender can't fill the table with endless names, nor with what no text holds."""
    heard: Any = Heard()
    for source in ("1c/" + "x" * 300, "1c/\x00", "okno", "channel/ym-msk"):
        heard.said(source)
    assert heard._noted == {}


def test_a_queue_has_the_hours_of_its_base() -> None:
    """What a base sets is its own, for its queue too; what it leaves out, and the shared queue, go by `[onec]`."""
    base = {"timezone": "Asia/Yekaterinburg", "working_days": "mon-fri"}
    settings = configured(onec={"working_hours": "10:00-18:00", "sources": {"ut11": base}})
    own, shared = hours(settings, "okno.1c.ut11"), hours(settings, "okno.1c")
    assert (own, hours(settings, "1c/ut11")) == (Hours(ZoneInfo("Asia/Yekaterinburg"), time(10), time(18), WEEK), own)
    assert (shared.zone.key, shared.begin, len(shared.days)) == ("Europe/Samara", time(10), 7)
