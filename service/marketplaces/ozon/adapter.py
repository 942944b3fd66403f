"""Ozon as the hub's port wants it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from events.order.reactions import Step
from service.marketplaces import port as p
from service.marketplaces.ozon import (
    answers,
    failures,
    findings,
    notifications,
    outgoing,
    preparing,
    reading,
    rights,
    steps,
    survey,
)
from service.marketplaces.ozon.settings import BASE_URL, Settings, settings

KIND = "ozon"
ADDS = ("product_cancel", "goods_back", "timeslot")


class Ozon(p.Marketplace):
    """One cabinet on Ozon, its postings of one model.

    50 calls a second are allowed per Client-Id over all methods. The hub lets a few go at once on top of the rate, and
    somebody else may use the same one, so a fifth is left.
    Changes are applied in Ozon's own time: one that does not show after 15 s is sent again, which does no harm;
    one that would take goods out or use a move up a second time, not before a minute. [I] how long Ozon takes; facts 4
    """

    kind = KIND
    parallel = 8
    rate = 32.0
    call_timeout = 15.0
    settle_seconds = 15.0
    applied_seconds = 1.0

    def __init__(self, name: str, model: str, base_url: str | None, own: Settings) -> None:
        self.name, self.model = name, model
        self.base_url = (base_url or BASE_URL).rstrip("/")
        self.steps: Mapping[str, Step] = steps.STEPS[model]
        self.triggers: Mapping[str, Sequence[str]] = steps.TRIGGERS[model]
        self._client, self._key, self._zone = str(own.client_id).strip(), own.key, own.zone
        self.account = f"{self.base_url} {self._client}"
        self._shop = reading.Shop(model)

    def headers(self) -> Mapping[str, str]:
        """What every request carries, the key included."""
        return {"Client-Id": self._client, "Api-Key": self._key(), "Accept": "application/json"}

    def read(self, wanted: Sequence[p.Wanted]) -> p.Talk[list[p.Seen | p.ReturnSeen]]:
        """Reads these postings, one in a call, and the buyers' wishes to cancel them."""
        return reading.orders(self._shop, wanted)

    def poll(self, since: datetime | None, now: datetime) -> p.Talk[list[p.Seen | p.ReturnSeen]]:
        """Whatever is open, and what changed since then. Phones are left to `read`."""
        return reading.changes(self._shop, since, now)

    def hook(self, tail: str, headers: Mapping[str, str], body: bytes, now: datetime) -> p.HookAnswer:  # noqa: ARG002 - the port's
        """What a push says and how it is answered; Ozon signs nothing, so the body is all there is."""
        return notifications.answer(body, self.model, now)

    def prepare(self, job: p.Job, now: datetime) -> p.Talk[p.Preparation] | None:
        """Reads the posting: what Ozon lets be done with it now decides."""
        if outgoing.never(self.model, job.command.action) is not None:
            return None
        return preparing.prepare(job, self._zone, now)

    def request(self, job: p.Job, now: datetime) -> p.Call | p.Refused:  # noqa: ARG002 - the port's
        """The call a command becomes now, or why it can't be one."""
        return outgoing.request(job, self.model)

    def judge(self, job: p.Job, reply: p.Reply, now: datetime) -> p.Outcome:
        """What the answer to `request` means."""
        return answers.judge(job, reply, now)

    def batch_limit(self, action: str) -> int:
        """20 postings a call for steps that set a status or a track number, else 1."""
        return outgoing.BATCH_LIMIT if action in outgoing.BATCHED else 1

    def batchable(self, job: p.Job, now: datetime) -> bool:  # noqa: ARG002 - the port's
        """Whether this very command may go into a batch call."""
        return job.command.action in outgoing.BATCHED

    def request_batch(self, jobs: Sequence[p.Job], now: datetime) -> p.Call:  # noqa: ARG002 - the port's
        """One call for several postings waiting for the same step."""
        return outgoing.request_batch(jobs)

    def judge_batch(self, jobs: Sequence[p.Job], reply: p.Reply, now: datetime) -> dict[str, p.Outcome]:
        """What the answer means for each command; a row for each posting decides."""
        return answers.judge_batch(jobs, reply, now)

    def settles(self, action: str) -> float:
        """A minute for what adds up when it is sent twice."""
        return 60.0 if action in ADDS else self.settle_seconds

    def finding(self, job: p.Job, seen: p.Seen | None) -> p.Finding:
        """What a read says about a command."""
        return findings.finding(job, seen)

    def limit(self, reply: p.Reply, now: datetime) -> p.Limit | None:
        """A method closed by load; else what the headers tell, where there are any."""
        return failures.limit(reply, now)

    def check(self) -> p.Talk[list[str]]:
        """Tries the key, its rights, and looks until when it is good."""
        return rights.check(self.model, datetime.now(UTC))

    def key_until(self) -> p.Talk[datetime | None]:
        """Until when the key is good."""
        return rights.key_until()

    def survey(self, now: datetime) -> p.Talk[list[str]]:
        """Where a live cabinet's postings differ from what this folder knows."""
        return survey.survey(self.model, now)


def make(name: str, *, model: str, base_url: str | None, options: dict[str, Any]) -> Ozon:
    """The channel's dialect; ValueError says which option is wrong and what to do."""
    return Ozon(name, model, base_url, settings(model, options))
