"""1C's objects as its XDTO serialiser writes them in JSON (СериализаторXDTO.ЗаписатьJSON, explicit types). Pure.

    {"#type": "jcfg:DocumentObject.ЗаказПокупателя", "#value": {"Ref": "…", "Posted": true, "Запасы": […]}}
    {"#type": "jent:ObjectDeletion", "#value": {"Ref": {"#type": "jcfg:DocumentRef.ЗаказПокупателя", "#value": "…"}}}

Every key is always there: a requisite that is not there calls for a person, for the exchange has changed. A deleted
object is a document marked for deletion.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from events import codec
from service.onec.cloudevents import Unreadable
from service.onec.dialects import _documents
from service.onec.dialects._kinds import kind
from service.onec.dialects._orders import subject
from service.onec.dialects._values import reference, short, text
from service.onec.dialects.port import Around, Part
from service.onec.mapping import VALUE

TYPE = "#type"
DELETION = "ObjectDeletion"


def recognises(tree: Any) -> bool:
    """By the type and value around the whole."""
    return isinstance(tree, dict) and isinstance(tree.get(TYPE), str) and VALUE in tree


def parts(tree: Any, around: Around) -> Sequence[Part | Unreadable]:
    """A part for each object, and each order in it."""
    value = tree[VALUE] if recognises(tree) else None
    if isinstance(value, list):  # an array of objects, itself with its type
        return [
            part for item in value for part in _documents.alone(partial(_item, item, around), codec.canonical(item))
        ]
    return _parts(tree, around)


def _parts(tree: Any, around: Around) -> list[Part]:
    type, value = (short(tree[TYPE]), tree[VALUE]) if recognises(tree) else ("", tree)
    if not isinstance(value, dict):
        raise Unreadable("bad_field", f"{VALUE} is not an object", f"/{VALUE}")
    if type == DELETION:
        return [_deleted(value, around)]
    return [*_of_object(tree, type, value, around)]


def _item(item: Any, around: Around) -> list[Part]:
    if not recognises(item):
        raise Unreadable("bad_field", f"an element of {VALUE} is no object with its {TYPE}", f"/{VALUE}")
    return _parts(item, around)


def _of_object(tree: Any, type: str, value: dict[str, Any], around: Around) -> Iterator[Part]:
    for piece in _documents.pieces(value, type, around, tree):
        body = None
        if piece.lines is not None:
            body = codec.canonical({**tree, VALUE: _documents.cut(value, piece.lines)})
        yield _documents.with_body(piece.part, body)


def _deleted(value: dict[str, Any], around: Around) -> Part:
    found = reference(value, "Ref") or reference({"Ref": value}, "Ref")
    if found is None:
        raise Unreadable("bad_field", "an object's deletion does not say of which", f"/{VALUE}/Ref")
    is_a = kind(found.type, "", around)
    if is_a != "order":
        detail = f"{text(found.type)} was deleted, and nothing in it says which order it was of: mark it for deletion"
        raise Unreadable("no_order", detail)
    data = {"document": {"id": found.id}, "deleted": True}
    return Part(subject=subject(around, "", "", "", found.id), data=data)
