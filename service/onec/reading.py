"""What comes from 1C, apart: CloudEvents, or the dialect the message is written in.

A dialect is known by what the message looks like, else by what is configured of its sender; a sender nobody named is
the one base for which a dialect is configured, where there is just one. Pure.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException, ElementTree

from events.order.facts import ONEC_TYPES
from service.onec import cloudevents
from service.onec.cloudevents import Message, Unreadable, attribute
from service.onec.dialects import CLEAN, dialects
from service.onec.dialects.port import Around, Dialect, Part
from service.onec.snapshots import TYPE
from service.settings import Settings


def read(body: bytes, envelope: Mapping[str, str], settings: Settings) -> list[Message | Unreadable]:
    """The messages a body holds, each readable or not on its own; `envelope` as `cloudevents.read` wants it."""
    other = partial(_other, settings=settings)
    if body.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<":
        return _xml(body, envelope, other)
    return cloudevents.read(body, envelope, other)


def _xml(body: bytes, envelope: Mapping[str, str], other: cloudevents.Other) -> list[Message | Unreadable]:
    try:
        tree = ElementTree.fromstring(body, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:  # the last two: an unknown encoding
        return [Unreadable("broken_xml", f"not XML that can be read: {error}", "", body)]
    found = other(tree, body, envelope, "")
    if found is None:
        return [Unreadable("not_an_event", f"<{tree.tag}> is the root of no XML known here", "", body)]
    return found


def _other(
    tree: Any, body: bytes, envelope: Mapping[str, str], pointer: str, settings: Settings
) -> list[Message | Unreadable] | None:
    """What is no CloudEvent, in its dialect; None where it is in none."""
    source = _source(tree, envelope, settings)
    dialect = _dialect(tree, source, envelope, settings)
    if dialect is None:
        return None
    base = settings.onec.base(source)
    around = Around(base, source, envelope, settings.zone(source), frozenset(settings.channels))
    try:
        parts = dialect.parts(tree, around)
    except Unreadable as error:
        return [Unreadable(error.reason, error.detail, pointer + error.pointer, body)]
    return [_message(part, around, body, pointer) for part in parts]


def _source(tree: Any, envelope: Mapping[str, str], settings: Settings) -> str:
    own = attribute(tree, "source") if isinstance(tree, dict) else ""
    named = own or envelope.get("source", "")
    if named:
        return named if named.startswith(f"{cloudevents.NAMELESS}/") else f"{cloudevents.NAMELESS}/{named}"
    spoken = [name for name, base in settings.onec.sources.items() if base.dialect not in (None, CLEAN)]
    return f"{cloudevents.NAMELESS}/{spoken[0]}" if len(spoken) == 1 else ""


def _dialect(tree: Any, source: str, envelope: Mapping[str, str], settings: Settings) -> Dialect | None:
    for dialect in dialects().values():
        if dialect.recognises(tree):
            return dialect
    clean = envelope.get("type", "") in ONEC_TYPES and envelope.get("type") != TYPE
    name = settings.onec.base(source).dialect
    if name is None or name == CLEAN or clean or isinstance(tree, Element):
        return None
    return dialects()[name]


def _message(part: Part, around: Around, body: bytes, pointer: str) -> Message | Unreadable:
    envelope = around.envelope
    subject = part.subject or envelope.get("subject", "")
    if not subject:
        detail = "it names no order of a marketplace, and no document: map its field to `order` in [onec.sources.NAME]"
        return Unreadable("no_order", detail, pointer, part.body or body)
    source = part.source or around.source or cloudevents.NAMELESS
    outside = {"source": source, "subject": subject, "time": part.time or envelope.get("time", "")}
    return Message(
        type=part.type, source=source, subject=subject, data=part.data, body=part.body or body,
        id=part.id or envelope.get("id") or None, time=outside["time"] or None, at=pointer,
        outside={key: value for key, value in outside.items() if value},
    )  # fmt: skip
