"""Yandex Market as the hub's port wants it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from events.order.reactions import Step
from service.marketplaces import port as p
from service.marketplaces.yandex import answers, findings, limits, notifications, outgoing, reading, steps, survey
from service.marketplaces.yandex.settings import BASE_URL, Settings, settings

KIND = "yandex"


class Yandex(p.Marketplace):
    """One shop on Yandex Market.

    Market gives itself 10 s for an answer, so a call waits a little longer, and what a call did is seen 12 s after it
    was sent at the latest. Four calls at once per shop.
    """

    kind = KIND
    parallel = 4
    call_timeout = 12.0
    settle_seconds = 12.0
    applied_seconds = 1.0

    def __init__(self, name: str, model: str, base_url: str | None, own: Settings) -> None:
        self.name, self.model = name, model
        self.base_url = (base_url or BASE_URL).rstrip("/")
        self.steps: Mapping[str, Step] = steps.STEPS[model]
        self.triggers: Mapping[str, Sequence[str]] = steps.TRIGGERS[model]
        self.account = f"{self.base_url} {own.business_id}"
        self._key = own.key
        self._shop = reading.Shop(own.business_id, own.campaign_id, model, own.test_orders)

    def headers(self) -> Mapping[str, str]:
        """What every request carries, the key included."""
        return {"Api-Key": self._key(), "Accept": "application/json"}

    def read(self, wanted: Sequence[p.Wanted]) -> p.Talk[list[p.Seen | p.ReturnSeen]]:
        """Reads these orders, 50 in a call; each new one's buyer in a call of its own."""
        return reading.orders(self._shop, wanted)

    def poll(self, since: datetime | None, now: datetime) -> p.Talk[list[p.Seen | p.ReturnSeen]]:
        """Whatever changed since then; None: everything that is open. Buyers are left to `read`."""
        return reading.changes(self._shop, since, now)

    def hook(self, tail: str, headers: Mapping[str, str], body: bytes, now: datetime) -> p.HookAnswer:  # noqa: ARG002 - the port's
        """What a notification says and how it is answered; Market signs nothing, so the body is all there is."""
        return notifications.answer(body, self._shop.campaign, now)

    def request(self, job: p.Job, now: datetime) -> p.Call | p.Refused:
        """The call a command becomes now, or why it can't be one."""
        return outgoing.request(job, self._shop.campaign, outgoing.Occasion(self.model, now))

    def judge(self, job: p.Job, reply: p.Reply, now: datetime) -> p.Outcome:
        """What the answer to `request` means."""
        return answers.judge(job, reply, now)

    def batch_limit(self, action: str) -> int:
        """30 orders a call for steps that set a status, else 1."""
        return outgoing.BATCH_LIMIT if action in outgoing.STATUS else 1

    def batchable(self, job: p.Job, now: datetime) -> bool:
        """Whether this very command may go into a batch call."""
        return outgoing.batchable(job, now)

    def request_batch(self, jobs: Sequence[p.Job], now: datetime) -> p.Call:  # noqa: ARG002 - the port's
        """One call for several orders waiting for the same step."""
        return outgoing.request_batch(jobs, self._shop.campaign)

    def judge_batch(self, jobs: Sequence[p.Job], reply: p.Reply, now: datetime) -> dict[str, p.Outcome]:
        """What the answer means for each command; a row for each order decides."""
        return answers.judge_batch(jobs, reply, now)

    def finding(self, job: p.Job, seen: p.Seen | None) -> p.Finding:
        """What a read says about a command."""
        return findings.finding(job, seen)

    def limit(self, reply: p.Reply, now: datetime) -> p.Limit | None:  # noqa: ARG002 - the headers tell the time
        """The limit an answer's headers tell."""
        return limits.limit(reply)

    def survey(self, now: datetime) -> p.Talk[list[str]]:
        """What the orders of the last days hold that this folder does not know."""
        return survey.survey(self._shop, now)

    def check(self) -> p.Talk[list[str]]:
        """Tries the key, its rights, the shop's cabinet and model."""
        return reading.check(self._shop)


def make(name: str, *, model: str, base_url: str | None, options: dict[str, Any]) -> Yandex:
    """The channel's dialect; ValueError says which option is wrong and what to do."""
    return Yandex(name, model, base_url, settings(model, options))
