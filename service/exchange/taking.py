"""What becomes of a file: its documents as messages through the one door.

    a document of an order of these channels      an `order.snapshot`, durable before the answer
    one that names an order of ours, and can't be understood      `rejected`, whole, with the reason
    one of another order, a payment, an invoice   left out, and counted: 1C sends everything it has

If the process dies while a file is taken, 1C sends or asks again: the same documents of the same file are the same
messages, and documents as they stood already are no news.
"""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Collection, Sequence
from xml.etree.ElementTree import Element

import msgspec
import structlog

from events.log import Log
from service.door import Door, Unavailable
from service.exchange.answers import Failure
from service.exchange.files import File, Files
from service.exchange.owners import Wanted
from service.exchange.sessions import Session
from service.exchange.splitting import Splitter
from service.onec.cloudevents import Message, Raw, Unreadable
from service.onec.dialects import _commerceml as cml
from service.onec.reading import in_dialect
from service.settings import Settings

logger = structlog.get_logger()

BATCH = 100
SECONDS = 20.0
"""So long a request may take; what is left then is taken by the next one."""

WHOLE = 8 * 1024 * 1024
"""Bytes of a file that was cut off, as it is kept in `rejected`."""

VIA = "exchange"

_Units = tuple[dict[str, str], list[Element]]
"""The attributes of a file's root, and some of what stands under it."""


class Counts(msgspec.Struct):
    """What became of documents."""

    taken: int = 0
    others: int = 0
    rejected: int = 0


class Taking:
    """Takes files of one base, for orders of some channels."""

    def __init__(self, door: Door, log: Log, files: Files, settings: Settings) -> None:
        self._door, self._log, self._files, self._settings = door, log, files, settings

    async def take(self, session: Session, file: File, channels: Collection[str], seconds: float | None) -> bool:
        """Takes a file from where it was left; whether to its end. Without `seconds` it goes on to the end.

        `Failure` where the file can't be taken at all: then nothing of it was.
        """
        if not file.sound:
            await self._check(session, file.name)
        until, number, counts = None, file.taken, Counts()
        async for root, units in self._units(session, file.name, file.taken):
            until = until or (time.monotonic() + seconds if seconds is not None else float("inf"))
            await self._take(session, file.name, number, root, units, channels, counts)
            number += len(units)
            await self._files.taken(session, file.name, number)
            if time.monotonic() > until:
                self._tell(session, file, counts, whole=False)
                return False
        await self._files.end(session, file.name)
        self._tell(session, file, counts, whole=True)
        return True

    async def reject_left(self) -> None:
        """Keeps what is left of files that were cut off, and that 1C was told are kept: it won't send them again."""
        for session, source, name in await self._files.left():
            content = bytearray()
            async for piece in self._files.pieces(session, name):
                content += piece
                if len(content) > WHOLE:
                    break
            if content:
                detail = f"the file {name!r} of {source} was never sent to its end: send its orders again from 1C"
                await self._reject(Raw(bytes(content[:WHOLE]), {"source": source}, VIA), "incomplete_xml", detail)

    async def _check(self, session: Session, name: str) -> None:
        """Reads a file to its end before anything of it is taken."""
        splitter = Splitter(built=False)
        try:
            async for piece in self._files.pieces(session.id, name):
                await asyncio.to_thread(splitter.feed, piece)
            splitter.close()
        except Failure as fault:
            await self._files.end(session, name, str(fault))
            raise
        await self._files.sound(session, name)

    async def _units(self, session: Session, name: str, taken: int) -> AsyncIterator[_Units]:
        """What stands under a file's root behind the first `taken`, in batches."""
        splitter, batch = Splitter(), list[Element]()
        async for piece in self._files.pieces(session.id, name):
            for unit in await asyncio.to_thread(splitter.feed, piece):
                if taken:
                    taken -= 1
                    continue
                batch.append(unit)
                if len(batch) == BATCH:
                    yield splitter.root, batch
                    batch = []
        splitter.close()
        if batch:
            yield splitter.root, batch

    async def _take(
        self, session: Session, name: str, number: int, root: dict[str, str], units: Sequence[Element],
        channels: Collection[str], counts: Counts,
    ) -> None:  # fmt: skip
        documents = [
            (f"{name}/{number + at}/{inside}", document)
            for at, unit in enumerate(units)
            for inside, document in enumerate(cml.documents(cml.alone(root, unit)))
        ]
        wanted = Wanted(self._settings, session.source, channels)
        owners = await wanted.owners(self._log, [document for _, document in documents])
        ours = [
            (place, cml.alone(root, document), owner)
            for (place, document), owner in zip(documents, owners, strict=True)
            if owner is not None
        ]
        read = await asyncio.to_thread(lambda: [self._read(session, *one) for one in ours])
        messages: list[Message] = []
        for (_, _, owner), message in zip(ours, read, strict=True):
            if isinstance(message, Message):
                messages.append(message)
            else:
                around = {"source": session.source, "subject": owner}
                await self._reject(Raw(message.body or b"", around, VIA), message.reason, message.detail)
        if messages:
            await self._door.submit(messages, VIA)
        counts.taken += len(messages)
        counts.others += len(documents) - len(ours)
        counts.rejected += len(read) - len(messages)

    def _read(self, session: Session, place: str, root: Element, owner: str) -> Message | Unreadable:
        """A document as a message; its id, where the file does not say when it was made: its place in the session."""
        id = hashlib.sha256(session.id + place.encode()).hexdigest()[:32]
        envelope = {"source": session.source, "subject": owner, "id": id}
        read = in_dialect(root, cml.written(root), envelope, "", self._settings)
        assert read is not None  # CommerceML is what this root looks like
        return read[0]

    async def _reject(self, raw: Raw, reason: str, detail: str) -> None:
        if self._door.intake is None:
            raise Unavailable("Postgres was not reached yet: try again later")
        await self._door.intake.reject([raw], reason, detail)

    def _tell(self, session: Session, file: File, counts: Counts, *, whole: bool) -> None:
        logger.info(
            "a file from 1C was taken" if whole else "a file from 1C is being taken", source=session.source,
            file=file.name, bytes=file.bytes, documents=counts.taken, not_ours=counts.others, rejected=counts.rejected,
        )  # fmt: skip
