"""JSON of any other shape, by the `mapping` of its base: a path in the message to a field of ours. Pure.

    [onec.sources.shop]
    dialect = "flat"
    mapping = { "Заказ.Номер" = "order", "Состояние" = "status", "Товары[].Артикул" = "lines.sku" }

Nothing tells it by its look: a base is set to it. A key that is not there, or is empty, says nothing. Where a path is
mapped to `type` and leads to a type of ours, or to a name that `statuses` has, the message is that mark.
"""

from collections.abc import Sequence
from typing import Any

from service.onec.cloudevents import Unreadable
from service.onec.dialects import _mapped
from service.onec.dialects._values import text
from service.onec.dialects.port import Around, Part


def recognises(tree: Any) -> bool:
    """Never: it looks like nothing in particular."""
    del tree
    return False


def parts(tree: Any, around: Around) -> Sequence[Part]:
    """The message as one part."""
    if not around.base.mapping:
        name = around.source.rpartition("/")[2] or "NAME"
        raise Unreadable("no_mapping", f"[onec.sources.{name}] has the dialect flat and no mapping: say what is what")
    found = _mapped.apply(around, tree, tree, {}, [])
    if not found.data and not found.lines and not any(found.said.values()):
        raise Unreadable("not_an_event", "no path of its base's mapping leads to anything in it: see [onec.sources]")
    own = text(found.data.get("document", {}).get("id")) if found.data.get("kind", "order") == "order" else ""
    return [found.part(around, own, found.lines, {})]
