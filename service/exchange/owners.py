"""Whose order a document is, among those of some channels.

The key the hub gave it (`ym-msk/48123456`, in Ид or Номер) tells. A number alone does only where the log knows an order
of that number in one of these channels: most of a shop's own orders have numbers of that kind, too.
"""

from collections.abc import Collection, Sequence
from xml.etree.ElementTree import Element

from events.log import Log
from service.onec.dialects import commerceml
from service.settings import Settings


class Wanted:
    """The orders of some channels, as a base of 1C names them."""

    def __init__(self, settings: Settings, source: str, channels: Collection[str]) -> None:
        self._base, self._all, self._channels = settings.onec.base(source), settings.channels, channels
        own = self._base.channel
        self._numbered = [channel for channel in channels if own in (None, channel)]

    async def owners(self, log: Log, documents: Sequence[Element]) -> list[str | None]:
        """The order each document is about; None for one that is not ours."""
        names = [self._names(document) for document in documents]
        possible = {order for each in names for order in self._possible(each)}
        histories = await log.histories(possible) if possible else {}
        known = {order for order, history in histories.items() if history}
        return [self._owner(each, known) for each in names]

    def _names(self, document: Element) -> Sequence[str]:
        return commerceml.names(document, self._base) if commerceml.kind(document, self._base) is not None else ()

    def _keys(self, names: Sequence[str]) -> list[str]:
        """Those of the names that are keys of ours, whatever the channel."""
        return [name for name in names if "/" in name and name.partition("/")[0] in self._all]

    def _possible(self, names: Sequence[str]) -> list[str]:
        """The orders that numbers alone may stand for."""
        return [] if self._keys(names) else [f"{channel}/{name}" for name in names for channel in self._numbered]

    def _owner(self, names: Sequence[str], known: Collection[str]) -> str | None:
        keys = self._keys(names)
        if keys:
            return next((key for key in keys if key.partition("/")[0] in self._channels), None)
        found = {order for order in self._possible(names) if order in known}
        return found.pop() if len(found) == 1 else None
