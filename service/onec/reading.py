"""What comes from 1C, apart: CloudEvents, or the dialect the message is written in.

A dialect is known by what the message looks like, else by what is configured of its sender; a sender nobody named is
the one base for which a dialect is configured, where there is just one. Pure.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException, ElementTree

from events.order.facts import ONEC_TYPES
from service.onec import cloudevents
from service.onec.cloudevents import PLAIN, Message, Unreadable, attribute
from service.onec.dialects import CLEAN, dialects
from service.onec.dialects.port import Around, Dialect, Part
from service.onec.snapshots import TYPE
from service.settings import Settings


def read(body: bytes, envelope: Mapping[str, str], settings: Settings) -> list[Message | Unreadable]:
    """The messages a body holds, each readable or not on its own; `envelope` as `cloudevents.read` wants it."""
    other = partial(in_dialect, settings=settings)
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


def in_dialect(
    tree: Any, body: bytes, envelope: Mapping[str, str], pointer: str, settings: Settings
) -> list[Message | Unreadable] | None:
    """What is no CloudEvent, in its dialect; None where it is in none."""
    source = _source(tree, envelope, settings)
    dialect = _dialect(tree, source, envelope, settings)
    if dialect is None:
        return None
    base = settings.onec.base(source)
    around = Around(base, source, envelope, settings.zone(source), frozenset(settings.channels), settings.onec)
    parts: Sequence[Part | Unreadable]
    try:
        parts = dialect.parts(tree, around)
    except Unreadable as error:
        parts = [error]
    except RecursionError:
        parts = [Unreadable("broken_json", "nested too deep")]
    outside = envelope if len(parts) == 1 else cloudevents.shared(envelope)
    return [
        Unreadable(part.reason, part.detail, pointer + part.pointer, part.body or body)
        if isinstance(part, Unreadable)
        else _message(part, around, outside, body, pointer)
        for part in parts
    ]


def _source(tree: Any, envelope: Mapping[str, str], settings: Settings) -> str:
    own, given = attribute(tree, "source") if isinstance(tree, dict) else "", envelope.get("source", "")
    spoken = [name for name, base in settings.onec.sources.items() if base.dialect not in (None, CLEAN)]
    only = spoken[0] if len(spoken) == 1 else ""
    named = own if own.rpartition("/")[2] in settings.onec.sources else given or only or own
    return f"{cloudevents.NAMELESS}/{named.removeprefix(f'{cloudevents.NAMELESS}/')}" if named else ""


def _dialect(tree: Any, source: str, envelope: Mapping[str, str], settings: Settings) -> Dialect | None:
    for dialect in dialects().values():
        if dialect.recognises(tree):
            return dialect
    clean = isinstance(tree, dict) and cloudevents.resembles(tree) and attribute(tree, "type") in ONEC_TYPES
    if envelope.get("content_type") != PLAIN:  # what the hub passes on to itself has its type beside it
        clean = clean or (envelope.get("type", "") in ONEC_TYPES and envelope.get("type") != TYPE)
    name = settings.onec.base(source).dialect
    if name is None or name == CLEAN or clean or isinstance(tree, Element):
        return None
    return dialects()[name]


def _message(
    part: Part, around: Around, envelope: Mapping[str, str], body: bytes, pointer: str
) -> Message | Unreadable:
    subject = part.subject or envelope.get("subject", "")
    if "/" not in subject:  # a routing key such as order.ut11.zakaz is no order's
        detail = "it names no order of a marketplace, and no document: map its field to `order` in [onec.sources.NAME]"
        return Unreadable("no_order", detail, pointer, part.body or body)
    source = part.source or around.source or cloudevents.NAMELESS
    outside = {"source": source, "subject": subject, "time": part.time or envelope.get("time", "")}
    return Message(
        type=part.type, source=source, subject=subject, data=part.data, body=part.body or body,
        id=part.id or envelope.get("id") or None, time=outside["time"] or None, at=pointer,
        outside={key: value for key, value in outside.items() if value},
    )  # fmt: skip
