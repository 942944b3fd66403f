"""Documents as 1C's OData interface gives them: one, or a page of them (`value`). Pure.

    {"odata.metadata": "…#Document_ЗаказКлиента", "value": [{"Ref_Key": "…", "DataVersion": "…", "Товары": […]}]}

Every key is always there, unless the query left it out with `$select`: a missing requisite calls for a person.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import unquote

from events import codec
from service.onec.cloudevents import Unreadable
from service.onec.dialects import _documents
from service.onec.dialects._values import short, text
from service.onec.dialects.port import Around, Part

METADATA, TYPE, ERROR = "odata.metadata", "odata.type", "odata.error"


def recognises(tree: Any) -> bool:
    """By its own keys."""
    if not isinstance(tree, dict):
        return False
    return (
        METADATA in tree or ERROR in tree or ("Ref_Key" in tree and ("DataVersion" in tree or "DeletionMark" in tree))
    )


def parts(tree: Any, around: Around) -> Sequence[Part | Unreadable]:
    """A part for each document, and each order in it."""
    if ERROR in tree:
        raise Unreadable("not_an_order", "an error of 1C's OData, and no document: look what was asked for")
    page = tree.get("value")
    if "Ref_Key" in tree or page is None:
        return [*of_document(tree, around)]
    if not isinstance(page, list) or not all(isinstance(item, dict) for item in page):
        raise Unreadable("bad_field", "value is not an array of documents", "/value")
    named = {METADATA: tree.get(METADATA, "")}
    whole = [{**named, **item} for item in page]
    if len(whole) == 1:
        return [*of_document(whole[0], around)]
    return [part for one in whole for part in _documents.alone(partial(of_document, one, around), codec.canonical(one))]


def of_document(document: Mapping[str, Any], around: Around, entity: str = "") -> Iterator[Part]:
    """What one document says; `entity` as `Document_ЗаказКлиента`, where the document does not name it itself."""
    type = short(text(document.get(TYPE)) or entity or _entity(document.get(METADATA)))
    for piece in _documents.pieces(document, type, around, document):
        body = None if piece.lines is None else codec.canonical(_documents.cut(document, piece.lines))
        yield _documents.with_body(piece.part, body)


def _entity(metadata: Any) -> str:
    """The entity in `http://host/base/odata/standard.odata/$metadata#Document_ЗаказКлиента/@Element`."""
    return unquote(str(metadata or "")).partition("#")[2].partition("/")[0]
