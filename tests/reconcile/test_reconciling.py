"""`okno reconcile onec`: what is found, for what time, and how it is said."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from events.codec import own_event
from events.order import facts as f
from service import database
from service.reconcile import running
from tests.reconcile.base import ARTICLES, LOGIN, PASSWORD, document, published
from tests.reconcile.seeded import Hub, T, snapshot

DAY = timedelta(days=1)


async def test_nothing_differs(hub: Hub) -> None:
    """Exit 0, and the sums."""
    await hub.agreed(1, 2)
    result = await hub.okno(hub.file(snapshot(1), snapshot(2)))
    assert (result.exit_code, "2 orders of ours compared" in result.stdout, result.stderr) == (0, True, "")


async def test_every_kind_of_difference(hub: Hub) -> None:
    """Each with both sides and what mends it; the rest is as it should be; exit 1."""
    await hub.agreed(1)
    await hub.place(2, 3, 4, 5, 6)
    await hub.say(*(snapshot(n) for n in (3, 4)))
    await hub.say({**snapshot(7), "type": "order.confirmed", "data": {}})
    listed = [
        snapshot(1), snapshot(2), snapshot(3, lines=snapshot(3)["data"]["lines"][:1]),
        snapshot(4, lines=[{**line, "price": "99"} for line in snapshot(4)["data"]["lines"]]),
        snapshot(5, cancelled=True), snapshot(7), snapshot(8),
    ]  # fmt: skip
    assert await hub.found(hub.file(*listed)) == [
        ("ym-msk/2", "document", "send"), ("ym-msk/2", "stage", "send"), ("ym-msk/3", "lines", "send"),
        ("ym-msk/4", "sum", None), ("ym-msk/5", "document", "send"), ("ym-msk/5", "stage", "send"),
        ("ym-msk/7", "not_placed", "read"), ("ym-msk/7", "document", "send"), ("ym-msk/8", "missing_here", "send"),
        ("ym-msk/6", "missing_there", "tell"),
    ]  # fmt: skip
    result = await hub.okno(hub.file(*listed), "--limit", "3")
    assert result.exit_code == 1
    assert "… and 7 more: --limit 10" in result.stdout
    assert "10 differences in 7 orders; --fix mends 9 of them" in result.stderr


async def test_what_1c_lacks(hub: Hub) -> None:
    """Orders placed while the list runs: not those before and behind it, cancelled, or in channels of other bases."""
    await hub.agreed(1, 2)
    await hub.place(10, at=T - DAY)
    await hub.place(11, at=T + timedelta(seconds=-1))
    await hub.place(12, 13, 14)
    await hub.place(15, at=T + DAY)
    await hub.place(16, channel="ym-spb")
    await hub.log.append([own_event("ym-msk/14", "order.cancelled", "c", f.Cancelled(by="customer"), None)])
    later = snapshot(2)
    later["data"]["document"]["date"] = "2022-11-28T12:00:00"
    listed = hub.file(snapshot(1), later)
    missing = ["ym-msk/12", "ym-msk/13", "ym-spb/16"]
    assert [order for order, kind, _ in await hub.found(listed) if kind == "missing_there"] == missing
    since = (T - timedelta(hours=1)).isoformat()
    found = await hub.said(listed, "--since", since)
    assert [one["order"] for one in found[:-1]] == ["ym-msk/11", *missing]
    assert (found[-1]["since"], found[-1]["until"]) == ("2022-11-28T05:00:00Z", "2022-11-28T08:00:00Z")
    assert found[0]["hub"].startswith("placed; told 20")


async def test_a_base_is_asked_for_what_it_is_told_of(database_url: str, tmp_path: Path) -> None:
    """The orders of other bases' channels are no matter of its own."""
    hub = await Hub.at(database_url, tmp_path, 'tells = ["ym-spb"]')
    await hub.place(1)
    await hub.place(2, channel="ym-spb")
    await hub.agreed(3, channel="ym-spb")
    assert await hub.found(hub.file(snapshot(3, "ym-spb"))) == [("ym-spb/2", "missing_there", "tell")]
    await database.close(hub.pool)


async def test_only_what_is_not_told_can_not_be_told_again(hub: Hub) -> None:
    """What waits will be told; what was imported is told nobody."""
    await hub.agreed(1)
    await hub.place(2, told=False)
    found = (await hub.said(hub.file(snapshot(1))))[0]
    assert (found["hub"], found["fix"]) == ("placed; imported, told nobody", None)


async def test_since_leaves_out_older_documents(hub: Hub) -> None:
    """They are neither compared nor missing there."""
    await hub.place(1)
    older = hub.file(snapshot(1))
    assert await hub.found(older, "--since", (T + DAY).isoformat()) == []
    assert len(await hub.found(older)) == 2


async def test_other_documents_of_1cs_are_counted(hub: Hub) -> None:
    """Of no channel of ours, or linked to nothing; marks are no states; what can't be read is told, and exit 1."""
    await hub.agreed(1)
    linked = {**snapshot(1), "subject": "1c/D-1"}
    strange = [snapshot(1, "ozon"), {**snapshot(5), "subject": "1c/d-5"}]
    mark = {**snapshot(1), "type": "order.confirmed"}
    said = await hub.said(hub.file(linked, *strange, mark))
    assert said == [{
        "what": "summary", "documents": 4, "orders": 1, "elsewhere": 2, "changes": 1, "unreadable": 0, "differing": 0,
        "kinds": {}, "since": "2022-11-28T06:00:00Z", "until": "2022-11-28T06:00:00Z",
    }]  # fmt: skip
    result = await hub.okno(hub.file(snapshot(1), snapshot(1, posted="maybe")))
    assert (result.exit_code, "document 2: bad_field: posted is 'maybe'" in result.stderr) == (1, True)


async def test_batches_change_nothing(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """However little is held at a time."""
    await hub.agreed(*range(1, 6))
    await hub.place(6, 7)
    listed = hub.file(*(snapshot(n) for n in (1, 2, 3, 4, 5, 8, 9)))
    whole = await hub.said(listed)
    monkeypatch.setattr(running, "BATCH", 2)
    monkeypatch.setattr(running, "POSITIONS", 3)
    assert await hub.said(listed) == whole
    assert [one["kind"] for one in whole[:-1]] == ["missing_here"] * 2 + ["missing_there"] * 2


async def test_it_only_reads(hub: Hub) -> None:
    """Without --fix, whatever it finds."""
    await hub.agreed(1)
    await hub.place(2)
    before = (await hub.log.head()).seal
    await hub.okno(hub.file(snapshot(1, cancelled=True), snapshot(3)))
    assert (await hub.log.head()).seal == before
    assert await hub.pool.fetch("SELECT * FROM okno.reads") == []


async def test_a_broken_file(hub: Hub) -> None:
    """Nothing is said to be missing in a list that can't be read to its end."""
    await hub.agreed(1)
    await hub.place(2)
    broken = hub.config.parent / "broken.json"
    broken.write_text(json.dumps([snapshot(1)])[:-1])
    result = await hub.okno(broken)
    assert (result.exit_code, "broken JSON" in result.stderr, "missing" in result.stdout) == (1, True, False)


async def test_used_wrongly(hub: Hub, database_url: str, tmp_path: Path) -> None:
    """Exit 2: no such file, no such base, nothing to read, a question nobody could answer."""
    there = hub.file()
    for words in (
        ("nothing.json",),
        (),
        (there, "--source", "ut"),
        (there, "--fix", "--json"),
        (there, "--since", "x"),
    ):
        assert (await hub.okno(*words)).exit_code == 2
    two = await Hub.at(database_url, tmp_path, "[onec.sources.unf]")
    result = await two.okno(there)
    assert (result.exit_code, "--source, one of unf, ut11" in result.stderr) == (2, True)
    assert (await two.okno(there, "--source", "unf")).exit_code == 0
    await database.close(two.pool)


async def test_over_odata(database_url: str, tmp_path: Path) -> None:
    """The base's own address where none is named; orders placed in the last minutes are not missed there."""
    async with published() as base:
        own = f'[onec.sources.ut11.odata]\nurl = "{base.url}"\nlogin = "{LOGIN}"\npassword = "{PASSWORD}"'
        hub = await Hub.at(database_url, tmp_path, own)
        await hub.place(1, 2, 3)
        base.documents = [document(1, "1"), document(2, "2", DeletionMark=True), document(9, "")]
        goods = [{**line, "Артикул": ARTICLES[line["Номенклатура_Key"]]} for line in base.documents[0]["Товары"]]
        sent = {**base.documents[0], "Товары": goods}
        await hub.say({"odata.metadata": "http://h/$metadata#Document_ЗаказКлиента", **sent})
        assert await hub.found() == [
            ("ym-msk/2", "document", "send"), ("ym-msk/2", "stage", "send"), ("ym-msk/3", "missing_there", "tell"),
        ]  # fmt: skip
        since: Any = (T + DAY).isoformat()
        assert (await hub.said(base.url, "--since", since))[-1]["documents"] == 0
        base.faults = [403] * 9
        result = await hub.okno()
        assert (result.exit_code, "403" in result.stderr, PASSWORD in result.output) == (1, True, False)
    await database.close(hub.pool)
