"""1C that sends `order.snapshot` alone: works through orders as `OneC` does, and says how its documents stand."""

import asyncio
import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from .documents import Document, joins
from .marks import Mark
from .onec import Life, OneC, Script
from .wire import SOURCE, Message, Writer

SNAPSHOT = "order.snapshot"


class StatingOneC(OneC):
    """`states`: by order the versions of its document that were sent, in order, each with its messages' ids."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.states: dict[str, dict[str, set[str]]] = defaultdict(dict)
        self._versions: dict[tuple[str, str, str], set[str]] = defaultdict(set)

    async def _work(self, life: Life, script: Script) -> None:
        writer = Writer(life, self.seed, life.over_http or not self._amqp)
        rng = Random(f"work:{self.seed}:{life.number}")
        marks = script(life, self.seed)
        document = Document(life.number, self.seed, dt.date(2026, 1, 1))
        joined: list[str] = []
        old: list[tuple[Mark, Message]] = []
        for at, mark in enumerate(marks):
            if not await self._may(mark, life.key):
                await self._follow(life, writer, document, rng)
                break
            await asyncio.sleep(rng.uniform(0, 2 * self._pace))
            document.take(mark)
            joined.append(mark.type)
            if joins(marks, at, life.key in self.states) and rng.random() < 0.5:
                continue
            old.append(await self._state(life, writer, document, mark.days_ago, joined))
            joined = []
            await self._again(life, writer, old, rng)
            if document.posted and not mark.days_ago and at + 1 < len(marks) and rng.random() < 0.08:
                document.unpost()
                old.append(await self._state(life, writer, document, 0, []))
        for said in old[:-1]:
            if rng.random() < 0.1:
                await self._send_again(life, writer, *said, other=rng.random() < 0.5)
        self.finished.add(life.key)

    async def _follow(self, life: Life, writer: Writer, document: Document, rng: Random) -> None:
        """The marketplace has cancelled; 1C cancels its document, too, or leaves it as it is."""
        if rng.random() < 0.5:
            document.version += 1
            document.cancel({"by": "customer", "reason": "other"})
            await self._state(life, writer, document, 0, ["order.cancelled"])

    async def _state(
        self, life: Life, writer: Writer, document: Document, days_ago: int, joined: Iterable[str]
    ) -> tuple[Mark, Message]:
        """Sends the document as it stands."""
        mark = Mark(SNAPSHOT, document.data(self._heard[life.key]), days_ago=days_ago)
        message = writer.write(mark)
        message = replace(message, types=message.types | frozenset(joined))
        self._note(mark, message)
        await self._send(message)
        return mark, message

    def _note(self, mark: Mark, message: Message) -> None:
        """What was sent; which of two states with one id the log shows first, their times can't be held against."""
        version = str(mark.data["version"])
        self.states[message.order].setdefault(version, set()).add(message.id)
        self._versions[message.identity].add(version)
        stuck = len(self._versions[message.identity]) > 1
        self.sent[message.identity] = replace(message, occurred=None) if stuck else message

    async def _again(self, life: Life, writer: Writer, old: Sequence[tuple[Mark, Message]], rng: Random) -> None:
        """Now and then the last state once more, or an older one after it; under the same id, or another."""
        if rng.random() < 0.12:
            await self._send_again(life, writer, *old[-1], other=rng.random() < 0.5)
        if len(old) > 1 and rng.random() < 0.1:
            await self._send_again(life, writer, *rng.choice(old[:-1]), other=rng.random() < 0.5)

    async def _send_again(self, life: Life, writer: Writer, mark: Mark, message: Message, *, other: bool) -> None:
        again = replace(writer.write(mark), types=message.types) if other else writer.again(mark, message)
        self._note(mark, again)
        await self._send(again)


def in_log(log: list[dict[str, Any]], onec: StatingOneC) -> Iterator[str]:
    """Each state once, though it came several times, or else stale; the last one is not; nothing follows twice.

    An equal state leaves nothing, so one that comes under an id of its own is stale if the broker brings it once more.
    """
    events = [event for event in log if event["source"] == SOURCE]
    snapshots = [event for event in events if event["type"] == SNAPSHOT]
    by_state: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for event in snapshots:
        by_state[event["order"], event["data"]["version"]].append(event)
    for key, states in onec.states.items():
        for number, (version, sent) in enumerate(states.items(), 1):
            found = by_state.pop((key, version), [])
            applied = [event for event in found if not event["data"].get("stale")]
            ids = [event["id"] for event in found]
            if not found or len(applied) > 1 or set(ids) - sent or len(set(ids)) < len(ids):
                yield f"{key} version {version}: {len(found)} times in the log, {len(applied)} of them not stale"
            if number == len(states) and not applied:
                yield f"{key} version {version}: the last one was taken for stale"
    yield from (f"{key} version {version}: nobody sent it" for key, version in by_state)
    applied_ids = Counter((event["order"], event["id"]) for event in snapshots if not event["data"].get("stale"))
    follow = Counter((event["order"], event["id"]) for event in events if event["type"] != SNAPSHOT)
    for (key, id), count in follow.items():
        if count > applied_ids[key, id.rpartition("/")[0]]:
            yield f"{key}: {id} {count} times, from {applied_ids[key, id.rpartition('/')[0]]} snapshots"
