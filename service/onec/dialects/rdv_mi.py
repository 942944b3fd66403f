"""The envelope of the exchange RDV-MI, `meta` around `data`. Pure.

    {"meta": {"id": "…", "baseid": "trade", "timestamp": "2022-11-28T10:00:00", "objecttype": "Документ.ЗаказКлиента"},
     "data": [{"_ИмяОбъекта": "Документ.ЗаказКлиента", "_ТипЗначения": "Документ.ЗаказКлиента", "_GUID": "…", …}]}

What is false, zero or empty is left out: a flag that is not there is false. `meta` says the message's id, its base and
its time in UTC; its base counts before the one of the add-in's properties, which may be left over from another message.
`data` is one object or several; those beside a document that are none, such as its customer, say nothing by themselves.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from events import codec
from service.onec import marks
from service.onec.cloudevents import NAMELESS, Unreadable
from service.onec.dialects import _documents
from service.onec.dialects._kinds import known
from service.onec.dialects._values import GUID, short, stamp, text
from service.onec.dialects.port import Around, Part
from service.onec.snapshots import TYPE

META, DATA = "meta", "data"
SIGNS = ("_ИмяОбъекта", "_ТипЗначения", "_GUID")
DOCUMENT = "Документ."

_UTC = ZoneInfo("UTC")


class Written(msgspec.Struct, frozen=True):
    """A document of a message: its head, and the objects beside it that are no documents."""

    meta: dict[str, Any]
    document: dict[str, Any]
    beside: list[dict[str, Any]]

    def body(self, document: dict[str, Any]) -> bytes:
        """The message again, of just this document."""
        return codec.canonical({META: self.meta, DATA: [document, *self.beside]})

    def numbered(self, number: int) -> "Written":
        """The same under an id of its own: a message's id belongs to the whole."""
        id = text(self.meta.get("id"))
        return Written({**self.meta, "id": f"{id}/{number}"} if id else self.meta, self.document, self.beside)


def recognises(tree: Any) -> bool:
    """By `meta` beside `data`, and what either of them has to have."""
    if not isinstance(tree, dict) or not isinstance(tree.get(META), dict):
        return False
    data = tree.get(DATA)
    first = data[0] if isinstance(data, list) and data else data
    has_signs = isinstance(first, dict) and any(sign in first for sign in SIGNS)
    return has_signs or ("objecttype" in tree[META] and "baseid" in tree[META])


def parts(tree: Any, around: Around) -> Sequence[Part | Unreadable]:
    """A part for each document, and each order in it."""
    meta = tree.get(META) if isinstance(tree, dict) else None
    data: Any = tree.get(DATA) if isinstance(meta, dict) else None
    objects: list[Any] = data if isinstance(data, list) else [data]
    if not isinstance(meta, dict) or not all(isinstance(one, dict) for one in objects):
        raise Unreadable("bad_field", "data is not an object beside meta", f"/{DATA}")
    around = _from(meta, around)
    documents = [one for one in objects if not _beside(one, around)] or objects[:1]
    beside = [one for one in objects if one not in documents]
    if len(documents) == 1:
        return [*_of_document(Written(meta, documents[0], beside), around)]
    several = [Written(meta, one, beside).numbered(number) for number, one in enumerate(documents)]
    return [
        part for one in several for part in _documents.alone(partial(_of_document, one, around), one.body(one.document))
    ]


def _from(meta: dict[str, Any], around: Around) -> Around:
    """What is known of a message once its base is; an event's id in app_id names none."""
    base = text(meta.get("baseid")).removeprefix(f"{NAMELESS}/")
    if base:
        return around.of(f"{NAMELESS}/{base}")
    return around.of(NAMELESS) if around.envelope.get("source", "") in _events(meta) else around


def _beside(one: dict[str, Any], around: Around) -> bool:
    """Whether an object is no document, and none that is configured as one."""
    type = text(one.get("_ТипЗначения")) or text(one.get("_ИмяОбъекта"))
    return "." in type and not type.startswith(DOCUMENT) and not known(short(type), around)


def _of_document(one: Written, around: Around) -> Iterator[Part]:
    time, whole = _time(one.meta), {META: one.meta, DATA: one.document}
    type = _type(one, around)
    pieces = _documents.pieces(one.document, type, around, whole, sparse=True, time=time, source=around.source)
    for number, piece in enumerate(pieces):
        part, written, body = piece.part, one, None
        if part.type == TYPE and (strange := _strange(one.meta, around)):
            missing = [*part.data.get("missing", ()), strange]
            part = msgspec.structs.replace(part, data={**part.data, "missing": missing})
        if piece.lines is not None:
            written = one.numbered(number)
            body = written.body(_documents.cut(one.document, piece.lines))
        yield msgspec.structs.replace(part, id=part.id or text(written.meta.get("id")), body=body)


def _type(one: Written, around: Around) -> str:
    """The document's type: a name the exchange's rules give it, or the one it has in its base."""
    said = [one.document.get(key) for key in ("_ИмяОбъекта", "_ТипЗначения", "_ТипОбъекта")]
    names = [short(text(name)) for name in said if text(name)] or [short(text(one.meta.get("objecttype")))]
    return next((name for name in names if known(name, around)), names[0])


def _time(meta: dict[str, Any]) -> str:
    """When the change was registered, in UTC as the exchange writes it."""
    found = stamp(meta.get("timestamp"))
    moment = marks.moment(found, _UTC)
    return found if moment is None else moment.isoformat()


def _strange(meta: dict[str, Any], around: Around) -> str:
    """What is to be told of an app_id that is neither this base nor, as usual, an event's id.

    The add-in sends no content type; where one came, the sender is a token's name or a header, left over from nothing.
    """
    sender = around.envelope.get("source", "").removeprefix(f"{NAMELESS}/")
    own = (around.source.removeprefix(f"{NAMELESS}/"), *_events(meta))
    if around.envelope.get("content_type") or not sender or sender in own or GUID.fullmatch(sender):
        return ""
    return f"its own base's name in app_id (it says {sender[:60]})"


def _events(meta: dict[str, Any]) -> tuple[str, ...]:
    """What the exchange writes into app_id and message_id."""
    return text(meta.get("eventid")), text(meta.get("id"))
