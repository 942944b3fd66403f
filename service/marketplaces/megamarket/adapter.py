"""SberMegaMarket as the hub's port wants it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from events.order.reactions import Step
from events.order.state import OrderState
from service.marketplaces import port as p
from service.marketplaces.megamarket import (
    answers,
    envelope,
    findings,
    labels,
    notifications,
    outgoing,
    preparing,
    reading,
    steps,
    surveying,
)
from service.marketplaces.megamarket.settings import BASE_URL, Settings, Shop, settings
from service.marketplaces.megamarket.unable import UNABLE

KIND = "megamarket"


class Megamarket(p.Marketplace):
    """One shop on SberMegaMarket.

    Limits are not known: twenty calls a second, four at once. Clients wait up to 30 s for an answer. A change that lots
    do not show after 20 s is sent again, which their statuses refuse where it was applied; a moved date, which may be
    fined, not before a minute. [OBS] facts 11
    """

    kind = KIND
    reads_notices = True
    parallel = 4
    rate = 20.0
    call_timeout = 30.0
    settle_seconds = 20.0
    applied_seconds = 1.0

    def __init__(self, name: str, model: str, base_url: str | None, own: Settings) -> None:
        self.name, self.model = name, model
        self.base_url = (base_url or BASE_URL).rstrip("/")
        self.steps: Mapping[str, Step] = steps.STEPS[model]
        self.triggers: Mapping[str, Sequence[str]] = steps.TRIGGERS[model]
        self.account = f"{self.base_url} {own.merchant_id}"
        self._token, self._callers = own.key, own.callers
        self._shop = Shop(own.merchant_id, model, own.zone)

    def headers(self) -> Mapping[str, str]:
        """What every request carries. [OBS S2, S11] newer clients name the token here too; facts 4"""
        return {"X-Merchant-Token": self._token(), "Accept": "application/json"}

    def body(self, call: p.Call) -> Any:
        """The body as it goes out, with the token; `Call.body` holds none, since it is kept."""
        return envelope.signed(call.body, self._token())

    def read(self, wanted: Sequence[p.Wanted]) -> p.Talk[list[p.Seen | p.ReturnSeen]]:
        """Reads these orders, 400 in a call."""
        return reading.orders(self._shop, wanted)

    def poll(self, since: datetime | None, now: datetime) -> p.Talk[list[p.Seen | p.ReturnSeen]]:
        """Everything open; after the first time also what is over since some days."""
        return reading.changes(self._shop, since, now)

    def hook(self, tail: str, headers: Mapping[str, str], body: bytes, now: datetime) -> p.HookAnswer:
        """What a callback says and how it is answered."""
        callers = self._callers() if self._callers else None
        return notifications.answer(tail, headers, body, self._shop, callers, now)

    def prepare(self, job: p.Job, now: datetime) -> p.Talk[p.Preparation] | None:
        """Reads where the order's lots are; nothing for what there is no call for."""
        if job.command.action in UNABLE[self.model]:
            return None
        return preparing.prepare(job, outgoing.Occasion(self._shop, now))

    def request(self, job: p.Job, now: datetime) -> p.Call | p.Refused:
        """The call a command becomes now, or why it can't be one."""
        return outgoing.request(job, outgoing.Occasion(self._shop, now))

    def judge(self, job: p.Job, reply: p.Reply, now: datetime) -> p.Outcome:
        """What the answer to `request` means."""
        return answers.judge(job, reply, now)

    def settles(self, action: str) -> float:
        """A minute for what may cost money when it is sent twice."""
        return 60.0 if action == "move_date" else self.settle_seconds

    def finding(self, job: p.Job, seen: p.Seen | None) -> p.Finding:
        """What a read says about a command."""
        return findings.finding(job, seen, self._shop)

    def check(self) -> p.Talk[list[str]]:
        """Tries the token and the reach."""
        return reading.check(self._shop, datetime.now(UTC))

    def survey(self, now: datetime) -> p.Talk[list[str]]:
        """Reads some orders and says where they differ from what this folder knows."""
        return surveying.survey(self._shop, now)

    def label(self, state: OrderState) -> p.Talk[p.Label | p.Refused] | None:
        """The labels of an order's boxes; only at FBS."""
        return labels.label(self._shop, state) if self.model == "fbs" else None


def make(name: str, *, model: str, base_url: str | None, options: dict[str, Any]) -> Megamarket:
    """The channel's dialect; ValueError says which option is wrong and what to do."""
    return Megamarket(name, model, base_url, settings(model, options))
