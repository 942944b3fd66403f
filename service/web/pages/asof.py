"""The moment a page is asked about: by when things occurred, by when they were recorded, or after a version. Pure."""

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

from service.web.pages.speech import Speech

BY = ("occurred", "recorded")


class AsOf(msgspec.Struct, frozen=True):
    """What was asked. `typed`: the moment as a form's field takes it; all empty: the present."""

    by: str = "recorded"
    moment: datetime | None = None
    version: int | None = None
    typed: str = ""

    @property
    def past(self) -> bool:
        """Whether it is not the present that is asked about."""
        return self.moment is not None or self.version is not None

    @property
    def at(self) -> datetime | None:
        """The moment, where it goes by when things occurred."""
        return self.moment if self.by == "occurred" else None

    @property
    def known_at(self) -> datetime | None:
        """The moment, where it goes by when things were recorded."""
        return self.moment if self.by == "recorded" else None

    def told(self, say: Speech) -> str:
        """Which moment it is, in words."""
        if self.moment is None:
            return say.text("order.then_version", version=self.version)
        here = self.moment.astimezone(say.zone)
        return say.text(f"order.then_{self.by}", time=f"{say.day(here.date(), year=True)}, {here:%H:%M:%S}")


def as_of(query: Mapping[str, str], zone: ZoneInfo) -> AsOf:
    """The moment a query names, in the configured zone where it names none; `ValueError` where it can't be read."""
    by, text, version = query.get("by", ""), query.get("moment", "").strip(), query.get("version", "").strip()
    if text:
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)
        typed = moment.astimezone(zone).strftime("%Y-%m-%dT%H:%M:%S")
        return AsOf(by if by in BY else "recorded", moment, None, typed)
    if version:
        if not version.isascii() or not version.isdigit():
            raise ValueError(version)
        return AsOf(version=int(version[:9]))
    return AsOf()
