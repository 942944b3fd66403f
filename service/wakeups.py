"""Wake-ups between processes: NOTIFY after a commit, at most one in 20 ms and never inside an append.

A lost one costs a poll's interval, never an event: every loop looks by itself now and then. A listening connection that
breaks is made anew for as long as the hub runs, and everybody looks once then.
"""

import asyncio
from collections.abc import Collection, Mapping
from functools import partial

import structlog

from events.log import LogUnavailable, is_transient
from service import database
from service.signals import Signal

logger = structlog.get_logger()

CHANNEL = "okno"
QUIET_SECONDS = 0.02
AGAIN_SECONDS = 2.0
EVERYBODY = "*"
MOST_BYTES = 7000
"""Postgres takes a little more in one NOTIFY; what is longer wakes everybody."""

NOTIFY = "SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload"


class Wakeups:
    """This process's ear and voice; `signals` by the word that goes over the wire."""

    def __init__(self, url: str, owner: str, signals: Mapping[str, Signal]) -> None:
        self._url, self._owner, self._signals = url, owner, signals
        self._pending: dict[str, set[str]] = {}
        self._wanted = asyncio.Event()
        for word, signal in signals.items():
            signal.spread = partial(self._spread, word)

    def _spread(self, word: str, about: Collection[str]) -> None:
        self._pending.setdefault(word, set()).update(about or (EVERYBODY,))
        self._wanted.set()

    async def run(self) -> None:
        """Listens and notifies until cancelled."""
        while True:
            try:
                await self._connected()
            except Exception as error:
                if not isinstance(error, LogUnavailable) and not is_transient(error):
                    raise
                logger.debug("wake-ups wait for Postgres", error=str(error))
            await asyncio.sleep(AGAIN_SECONDS)

    async def _connected(self) -> None:
        connection = await database.connect(self._url)
        try:
            await connection.execute("SET synchronous_commit = off")  # a NOTIFY is a commit, and nothing to be kept
            await connection.add_listener(CHANNEL, self._heard)
            for signal in self._signals.values():  # what was said while we did not listen
                signal.wake()
            # Who only listens learns of a cut connection by this alone.
            connection.add_termination_listener(lambda _: self._wanted.set())
            while not connection.is_closed():
                await self._wanted.wait()
                self._wanted.clear()
                pending, self._pending = self._pending, {}
                await connection.execute(NOTIFY, CHANNEL, [self._payload(*one) for one in pending.items()])
                await asyncio.sleep(QUIET_SECONDS)
        finally:
            connection.terminate()

    def _payload(self, word: str, about: Collection[str]) -> str:
        payload = " ".join((self._owner, word, *about))
        return payload if EVERYBODY not in about and len(payload.encode()) <= MOST_BYTES else f"{self._owner} {word}"

    def _heard(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        owner, word, *about = str(payload).split(" ")
        if owner != self._owner and word in self._signals:
            self._signals[word].wake(about)
