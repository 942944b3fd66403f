"""What every marketplace's folder keeps to. A new folder is found by itself; nothing here names one."""

import inspect
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from events.codec import encode
from events.order import facts as f
from events.order.stages import rank
from service.marketplaces import kinds, port
from service.web.pages.speech import LANGUAGES, texts
from tests.acceptance.spec import specs_dir
from tests.marketplaces.conftest import Shop, official, trial
from tests.marketplaces.hub import Hub

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
TAILS = ("", "notification", "order/new", "order/cancel")
GARBAGE = (
    b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"[" * 5000, b'{"data": 1}', b'{"message_type": 7}',
    b'{"notificationType": {}}', b'{"data": {"shipments": [null, 7, {"shipmentId": []}]}}', b"1" * 5000,
)  # fmt: skip


def pieces(hub: Hub) -> tuple[f.Line, ...]:
    """The order's goods as 1C names them, with a marking code and a serial number for every piece."""
    return tuple(
        f.Line(sku=line.sku, quantity=line.quantity, marks=tuple(f"0104600000000017215{line.id}{n}"[:31]
               for n in range(line.quantity)), serials=tuple(f"35693803564380{n}" for n in range(line.quantity)))
        for line in hub.state.lines
    )  # fmt: skip


def way(hub: Hub) -> list[tuple[str, f.Fact]]:
    """1C's marks of an order that goes its straight way."""
    goods = pieces(hub)
    return [
        ("order.registered", f.Registered(document=f.Document(id="6f9", number="ЦСУТ-004512"))),
        ("order.confirmed", f.Confirmed(lines=goods)),
        ("order.assembled", f.Assembled(lines=goods, boxes=1)),
        ("order.shipped", f.Shipped(track="OK0001RU")),
        ("order.arrived", f.Arrived()),
        ("order.handed_over", f.HandedOver()),
        ("order.delivered", f.Delivered(lines=goods)),
        ("order.completed", f.Completed()),
    ]


async def walked(shop: Shop) -> Hub:
    """A hub whose order went its straight way."""
    hub = shop.hub()
    await hub.placed(shop.trial.place(shop.channel))
    for kind, fact in way(hub):
        await hub.mark(kind, fact)
    return hub


async def test_a_straight_way_is_told_to_the_end(shop: Shop) -> None:
    """Every needed step of an order that goes its straight way is done, and a read shows each of them as applied."""
    hub = await walked(shop)
    told = [c for c in hub.state.commands.values() if c.target == shop.channel]
    needed = [c for c in told if hub.market.steps[c.action].needed]
    assert needed, "nothing was told"
    assert [(c.action, c.state, c.message) for c in needed if c.state != "done"] == []
    for command in (c for c in told if c.state == "done"):
        assert isinstance(await hub.finding(command), port.Applied | port.Unclear), command.action


async def test_repeating_a_step_is_harmless(shop: Shop) -> None:
    """A step that is done is not done again: it is found done, or refused, and the order stays as it is or moves on."""
    hub = shop.hub()
    await hub.placed(shop.trial.place(shop.channel))
    for kind, fact in way(hub):
        await hub.mark(kind, fact)
        for command in [c for c in hub.state.commands.values() if c.target == shop.channel and c.state == "done"]:
            before = await hub.see(hub.state.number)
            ready = await hub.prepared(hub.job(command))
            if isinstance(ready, port.Ready):
                await hub.sent(hub.job(command, ready.before))
            after = await hub.see(hub.state.number)
            assert (after.order.lines, after.cancelled) == (before.order.lines, before.cancelled)
            assert rank(after.stage) >= rank(before.stage)


async def test_a_cancellation_is_told(shop: Shop) -> None:
    """The shop cancels an order it has just got: it is cancelled over there, and told to be the shop's doing."""
    hub = shop.hub()
    await hub.placed(shop.trial.place(shop.channel))
    outcomes = await hub.mark("order.cancelled", f.Cancelled(by="shop", reason="out_of_stock"))
    assert [type(outcome) for outcome in outcomes.values()] == [port.Sent]
    assert hub.state.market_cancelled is not None
    assert hub.state.market_cancelled.by == "shop"


async def test_fewer_goods_are_told(shop: Shop) -> None:
    """1C confirms less than was ordered: the order over there has only that, and nobody cancelled it."""
    hub = shop.hub()
    for _ in range(50):
        await hub.placed(shop.trial.place(shop.channel))
        if len(hub.state.lines) > 1:
            break
        hub = shop.hub()
    left, gone = hub.state.lines[0], hub.state.lines[1:]
    lines = (f.Line(sku=left.sku, quantity=left.quantity), *(f.Line(sku=line.sku, quantity=0) for line in gone))
    await hub.mark("order.confirmed", f.Confirmed(lines=lines))
    packed = tuple(one for one in pieces(hub) if one.sku == left.sku)
    await hub.mark("order.assembled", f.Assembled(lines=packed, boxes=1))
    assert hub.state.market_cancelled is None
    assert [(line.sku, line.quantity) for line in hub.state.lines if line.quantity] == [(left.sku, left.quantity)]


@pytest.mark.parametrize(
    ("kind", "fact"),
    [
        ("order.rescheduled", f.Rescheduled(date=datetime.now(UTC).date(), by="customer")),
        ("order.cancellation_declined", f.CancellationDeclined(reason="in_delivery")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_cannot_be_told_is_refused_with_a_hint(shop: Shop, kind: str, fact: f.Fact) -> None:
    """Whatever 1C asks of any marketplace comes to an end: done, or refused with what a person can do instead."""
    hub = shop.hub()
    await hub.placed(shop.trial.place(shop.channel))
    if kind == "order.cancellation_declined":
        hub.record("order.cancellation_requested", f.CancellationRequested(), hub.source)
    outcomes = await hub.mark(kind, fact)
    assert outcomes, f"{kind} leads to nothing at {shop.channel}"
    for action, outcome in outcomes.items():
        assert isinstance(outcome, port.Sent) or (isinstance(outcome, port.Refused) and outcome.hint), (action, outcome)


def strange(value: Any) -> Any:
    """The same JSON with a field nobody knows in every object."""
    if isinstance(value, dict):
        return {**{key: strange(inner) for key, inner in value.items()}, "brandNew_field": {"inner": [1, "two"]}}
    return [strange(inner) for inner in value] if isinstance(value, list) else value


async def test_unknown_fields_change_nothing(shop: Shop) -> None:
    """An answer with fields nobody knows is read as without them; they are kept where they can be erased."""
    hub, number = shop.hub(), shop.trial.place(shop.channel)
    plain = await hub.placed(number)
    hub.changed = strange
    seen = await hub.see(number)
    assert (seen.order, seen.status, seen.stage, seen.cancelled) == (plain.order, plain.status, plain.stage, None)
    assert "brandNew_field" in json.dumps(seen.personal, default=str)


async def test_a_survey_tells_what_is_not_known(shop: Shop) -> None:
    """`okno doctor --channel` names a field nobody knows, and at a shop that keeps to the documents next to nothing."""
    hub = shop.hub()
    await hub.placed(shop.trial.place(shop.channel))
    talk = hub.market.survey(datetime.now(UTC))
    assert talk is not None
    assert [line for line in await hub.talk(talk) if line.startswith("field") and "is not known" in line] == []
    hub.changed = strange
    talk = hub.market.survey(datetime.now(UTC))
    assert talk is not None
    assert [line for line in await hub.talk(talk) if "brandNew_field" in line]


async def test_unknown_statuses_survive(shop: Shop) -> None:
    """A status nobody knows is shown as it is; it moves no order, and no step is sent on the strength of it."""
    hub, number = shop.hub(), shop.trial.place(shop.channel)
    plain = await hub.placed(number)

    def renamed(value: Any) -> Any:
        if isinstance(value, dict):
            known = ("status", "substatus", "subStatus")
            return {key: "BRAND_NEW" if key in known and isinstance(inner, str) else renamed(inner)
                    for key, inner in value.items()}  # fmt: skip
        return [renamed(inner) for inner in value] if isinstance(value, list) else value

    hub.changed = renamed
    seen = await hub.see(number)
    assert "BRAND_NEW" in seen.status
    assert seen.stage is None
    assert seen.order.lines == plain.order.lines


async def test_requests_pass_the_official_openapi(shop: Shop) -> None:
    """Every call of a straight way and of a poll is one the official documents know, and its body passes them."""
    spec = official(shop.kind)
    if spec is None:
        pytest.skip(f"no official OpenAPI of {shop.kind} in ../shared/specs: its requests are NOT checked")
    hub = await walked(shop)
    await hub.talk(hub.market.poll(None, datetime.now(UTC)))
    await hub.talk(hub.market.poll(datetime.now(UTC), datetime.now(UTC)))
    await hub.talk(hub.market.check())
    faults: list[str] = []
    for call, _ in hub.calls:
        op, name = spec.find(call.method, call.path), f"{call.method} {call.path}"
        if op is None or op.deprecated:
            faults.append(f"{name}: unknown or deprecated")
            continue
        body = b"" if call.body is None else encode(hub.market.body(call))
        faults += [f"{name}: {x}" for x in spec.request_faults(op, body, "application/json", set(call.query))]
    assert sorted(set(faults)) == []


async def test_the_readme_names_every_call_and_step(shop: Shop) -> None:
    """The folder's README names each call a straight way makes, and each step there is."""
    readme = (Path(inspect.getfile(kinds()[shop.kind])).parent / "README.md").read_text(encoding="utf-8")
    hub = await walked(shop)
    await hub.talk(hub.market.poll(None, datetime.now(UTC)))
    await hub.talk(hub.market.check())
    steps = [step for step in hub.market.steps if f"`{step}`" not in readme]
    ends = {re.sub(r"/\d[\w-]*", "", call.path).rstrip("/").rpartition("/")[2] for call, _ in hub.calls}
    assert (steps, sorted(end for end in ends if end not in readme)) == ([], [])


async def test_the_log_keeps_no_key(shop: Shop) -> None:
    """What the log keeps of a call, its path and its body, holds no secret of the channel."""
    hub = await walked(shop)
    secrets = {
        str(v) for k, v in shop.trial.channels[shop.channel].items() if k in ("api_key", "token", "hook_password")
    }
    kept = json.dumps([[call.path, dict(call.query), call.body] for call, _ in hub.calls], default=str)
    assert secrets
    assert [secret for secret in secrets if secret in kept] == []


@pytest.mark.parametrize("body", GARBAGE, ids=lambda body: repr(body[:24]))
def test_hooks_answer_garbage(kind: str, body: bytes) -> None:
    """Whatever is posted to a hook gets an answer, and no order is made up from it."""
    for name, table in trial(kind).channels.items():
        own = {key: value for key, value in table.items() if key not in ("kind", "model")}
        market = kinds()[kind].make(name, model=table["model"], base_url=None, options=own)
        for tail in TAILS:
            answer = market.hook(tail, {}, body, NOW)
            assert 200 <= answer.status < 500
            assert not answer.notices


def test_official_samples_are_read(kind: str) -> None:
    """No official sample brings an adapter down, whether it comes to the hook or as the answer to a read."""
    samples = sorted(specs_dir().glob(f"{kind}*/samples/*.json"))
    if not samples:
        pytest.skip(f"no samples of {kind} in ../shared/specs: they are NOT read")
    for name, table in trial(kind).channels.items():
        own = {key: value for key, value in table.items() if key not in ("kind", "model")}
        market = kinds()[kind].make(name, model=table["model"], base_url=None, options=own)
        for sample in samples:
            for tail in TAILS:
                market.hook(tail, {}, sample.read_bytes(), NOW)
            for talk in (market.read([port.Wanted("48173252")]), market.poll(None, NOW)):
                _answered(talk, sample.read_bytes())


def _answered(talk: port.Talk[Any], body: bytes) -> None:
    """Carries a talk through with the same answer to each call, a few times: pages may seem to have no end."""
    try:
        next(talk)
        for _ in range(20):
            talk.send(port.Reply(200, {}, body))
    except (StopIteration, port.CallFailed):
        return


def test_options_are_checked(kind: str) -> None:
    """An unknown key, a missing one and an unknown model are refused by name."""
    table = dict(next(iter(trial(kind).channels.values())))
    model, own = table["model"], {key: value for key, value in table.items() if key not in ("kind", "model")}
    make = kinds()[kind].make
    with pytest.raises(ValueError, match=r"^keyy: "):
        make("x", model=model, base_url=None, options={**own, "keyy": 1})
    with pytest.raises(ValueError, match=r"^model: "):
        make("x", model="nonesuch", base_url=None, options=own)
    secret = next(key for key in ("api_key", "token") if key in own)
    with pytest.raises(ValueError, match=f"^{secret}: "):
        make("x", model=model, base_url=None, options={key: value for key, value in own.items() if key != secret})


def test_steps_and_triggers_fit(kind: str) -> None:
    """Every step a trigger names exists, every step is triggered, and has a word in each language."""
    for name, table in trial(kind).channels.items():
        own = {key: value for key, value in table.items() if key not in ("kind", "model")}
        market = kinds()[kind].make(name, model=table["model"], base_url=None, options=own)
        triggered = [step for steps in market.triggers.values() for step in steps]
        assert set(triggered) == set(market.steps)
        for language in LANGUAGES:
            words = texts(language)
            assert [step for step in market.steps if step not in words["action"]] == []
            assert kind in words["kind"]
