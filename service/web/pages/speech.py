"""How the pages speak: one table of texts per language, and numbers, money and times as people write them. Pure."""

import tomllib
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

from service.marketplaces import kinds

LANGUAGES: Final = ("en", "ru")
"""The first one is for those who ask for neither."""

THIN: Final = "\u202f"
"""A thin space that does not break a line: between thousands, and before a unit."""

SIGNS: Final = {"RUB": "₽", "RUR": "₽"}


@cache
def texts(language: str) -> dict[str, dict[str, str]]:
    """A language's table: texts by section and key; what marketplaces do is named in their own folders."""
    folders = [Path(__file__).parent, *(Path(kind.__path__[0]) for kind in kinds().values())]
    table: dict[str, dict[str, str]] = {}
    for folder in folders:
        path = folder / "texts" / f"{language}.toml"
        found = tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        for section, words in found.items():
            table[section] = {**words, **table.get(section, {})}
    return table


def chosen(cookie: str | None, accepted: str) -> str:
    """The language for a reader: his choice, else the most wanted of his `Accept-Language`."""
    if cookie in LANGUAGES:
        return cookie
    wanted = []
    for part in accepted.split(","):
        tag, _, weight = part.partition(";")
        wanted.append((_weight(weight), tag.strip().lower().partition("-")[0]))
    known = [pair for pair in wanted if pair[1] in LANGUAGES and pair[0] > 0]
    return max(known, key=lambda pair: pair[0], default=(1.0, LANGUAGES[0]))[1]


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    try:
        return float(value) if name.strip() == "q" else 1.0
    except ValueError:
        return 0.0


class Speech:
    """One reader's language, clock and time zone."""

    def __init__(self, language: str, zone: ZoneInfo, now: datetime) -> None:
        self.language, self.zone, self.now = language, zone, now
        self._texts: Mapping[str, Mapping[str, str]] = texts(language)
        self._months = self._texts["time"]["months"].split()

    def text(self, key: str, **values: Any) -> str:
        """The text of `section.key`, with its `{names}` filled in; KeyError where there is none."""
        section, _, name = key.partition(".")
        found = self._texts[section][name]
        return found.format(**values) if values else found

    def rich(self, key: str, **values: str) -> Markup:
        """The same with each value as code."""
        codes = {name: Markup("<code>{}</code>").format(value) for name, value in values.items()}
        return escape(self.text(key)).format(**codes)

    def word(self, section: str, name: str | None) -> str:
        """The word for a name of the code's own; a name nobody has a word for stands for itself."""
        return "" if name is None else self._texts[section].get(name, name)

    def knows(self, section: str, name: str) -> bool:
        """Whether there is a word for a name."""
        return name in self._texts[section]

    def money(self, amount: Decimal | None, currency: str | None = None) -> str:
        """`39 570 ₽`; kopecks only where there are any."""
        if amount is None:
            return ""
        whole, _, part = f"{abs(amount):.2f}".partition(".")
        number = f"{int(whole):,}".replace(",", THIN)
        number += "" if part == "00" else self.text("time.decimal") + part
        sign = SIGNS.get(currency, currency) if currency is not None else None
        return ("\u2212" if amount < 0 else "") + number + (f"{THIN}{sign}" if sign else "")

    def when(self, moment: datetime | None, *, exact: bool = False, beside: datetime | None = None) -> Markup:
        """A time in the configured zone: the clock if it is today, else the day too; `exact` with seconds and year,
        without the day where `beside` has just told it."""
        if moment is None:
            return Markup("")
        here, today = moment.astimezone(self.zone), self.now.astimezone(self.zone).date()
        full = f"{self.day(here.date(), year=True)}, {here:%H:%M:%S}"
        short = f"{here:%H:%M}"
        if here.date() != today:
            short = f"{self.day(here.date(), year=here.year != today.year)}, {short}"
        if beside is not None and here.date() == beside.astimezone(self.zone).date():
            short = full = f"{here:%H:%M:%S}"
        shown = full if exact else short
        return Markup('<time datetime="{}" title="{}">{}</time>').format(here.isoformat(), f"{full} {here:%Z}", shown)

    def day(self, day: date | None, *, year: bool | None = None) -> str:
        """`28 Nov`, with the year where it is another one."""
        if day is None:
            return ""
        shown = f"{day.day}\u00a0{self._months[day.month - 1]}"
        other = day.year != self.now.astimezone(self.zone).year
        return f"{shown}\u00a0{day.year}" if (other if year is None else year) else shown

    def left(self, due: datetime) -> str:
        """How long until then, or since then."""
        gap = due - self.now
        if abs(gap) < timedelta(minutes=1):
            return self.text("time.now")
        return self.text("time.left" if gap > timedelta(0) else "time.over", time=self.span(abs(gap)))

    def span(self, gap: timedelta) -> str:
        """A duration in its two largest units."""
        minutes = int(gap.total_seconds()) // 60
        days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
        parts = [(days, "day"), (hours, "hour"), (rest if not days else 0, "minute")]
        return " ".join(f"{count}\u00a0{self.text('time.' + unit)}" for count, unit in parts if count)
