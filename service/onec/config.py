"""`[onec]` of `okno.toml`: the bases of 1C, each with what is its own."""

import json
import re
from collections.abc import Collection
from datetime import time

import msgspec

from events.order.facts import ONEC_TYPES
from service.config import ConfigError, named_zone
from service.onec import mapping

SOURCE_NAME = re.compile(r"[A-Za-z0-9._-]+")
KINDS = ("order", "shipment", "receipt", "return")
"""What a document of 1C's may be to an order."""

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_VERSION = re.compile(r"2\.0[3-9]|2\.10|3\.1")
_HOURS = re.compile(r"(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})")


class Exchange(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How a base is answered in CommerceML; `version` None: the one it asks for."""

    encoding: str = "utf-8"
    version: str | None = None


class OData(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Where a base shows its documents; `entity` None: the one the base has."""

    url: str
    login: str = ""
    password: str = ""
    entity: str | None = None


class OnecSource(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One base of 1C; what it leaves out is as in `[onec]` and `timezone`.

    `mapping`: a path in its messages to a field of ours. `channel`: of order numbers that name none. `channels`: its
    own names of channels. `documents`: its own types of documents. `tells`: the channels it is told of; None is all.
    `queue`: whether it has one at RabbitMQ; one that asks over HTTP or «Обмен с сайтом» needs none.
    """

    dialect: str | None = None
    timezone: str | None = None
    statuses: dict[str, str] = {}
    mapping: dict[str, str] = {}
    channel: str | None = None
    channels: dict[str, str] = {}
    documents: dict[str, str] = {}
    tells: list[str] | None = None
    queue: bool = True
    exchange: Exchange = Exchange()
    odata: OData | None = None
    working_hours: str | None = None
    working_days: str | None = None
    quiet_times: float | None = None


class Onec(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """All bases. `shared_queue`: whether `okno.1c` is there, beside the queues of bases that have a name.

    `quiet_times`: a base is quiet when it has said nothing for so many times its usual gap, in its working hours.
    `queue_warning`: so many messages waiting for 1C call for a person.
    """

    statuses: dict[str, str] = {}
    sources: dict[str, OnecSource] = {}
    shared_queue: bool = True
    working_hours: str = "09:00-21:00"
    working_days: str = "mon-sun"
    quiet_times: float = 5
    queue_warning: int = 100

    def base(self, source: str) -> OnecSource:
        """What is set of a base; `source` as CloudEvents name it (`1c/ut11`)."""
        return self.sources.get(source.rpartition("/")[2], _NOTHING)

    def status_type(self, source: str, status: str) -> str | None:
        """The message type a status stands for, blanks and case aside; None where it is not mapped."""
        names = {**self.statuses, **self.base(source).statuses}
        return {plain(name): type for name, type in names.items()}.get(plain(status))

    def check(self, channels: set[str], dialects: Collection[str]) -> None:
        """Refuses what can't be used; `channels` and `dialects` are those there are."""
        _check_statuses("onec.statuses", self.statuses)
        _check_work("onec", self.working_hours, self.working_days, self.quiet_times)
        if self.queue_warning < 1:
            raise ConfigError(f"onec.queue_warning: {self.queue_warning} must be 1 or more messages")
        if not self.shared_queue and not self.sources:
            raise ConfigError(
                "onec.shared_queue: is false, and there is no [onec.sources.NAME] to tell instead: add one"
            )
        for channel in sorted(channels) if not self.shared_queue else ():
            if not any(base.tells is None or channel in base.tells for base in self.sources.values()):
                what = f"is false, and no base is told of the channel {channel!r}: add it to a base's `tells`"
                raise ConfigError(f"onec.shared_queue: {what}")
        for name, source in self.sources.items():
            at = f"onec.sources.{name}"
            if name == "dead":
                raise ConfigError(f"{at}: okno.1c.dead is the queue of what 1C rejects: name the base otherwise")
            if not SOURCE_NAME.fullmatch(name):
                raise ConfigError(f"{at}: a base's name is Latin letters, digits, '.', '_' and '-': it names a queue")
            _check_source(at, source, channels, dialects)


_NOTHING = OnecSource()


def plain(name: str) -> str:
    """A name of 1C's as it is compared: blanks and case aside, and the braces around a GUID."""
    return "".join(name.split()).strip("{}").casefold()


def hours(text: str) -> tuple[time, time]:
    """`09:00-21:00` as the two times; ValueError where it is none. An end before the beginning is on the next day."""
    match = _HOURS.fullmatch(text.replace(" ", ""))
    if match is None:
        raise ValueError(text)
    begin, end = time(int(match[1]), int(match[2])), time(int(match[3]) % 24, int(match[4]))
    return begin, end


def days(text: str) -> frozenset[int]:
    """`mon-fri`, `mon,wed,sat` as numbers, Monday is 0; ValueError where it is none."""
    found: set[int] = set()
    for part in text.replace(" ", "").lower().split(","):
        first, dash, last = part.partition("-")
        begin, end = DAYS.index(first), DAYS.index(last if dash else first)
        found |= {day % 7 for day in range(begin, end + 1 if end >= begin else end + 8)}
    return frozenset(found)


def _check_source(at: str, source: OnecSource, channels: set[str], dialects: Collection[str]) -> None:
    if source.timezone is not None:
        named_zone(source.timezone, f"{at}.timezone")
    if source.dialect is not None and source.dialect not in dialects:
        raise ConfigError(f"{at}.dialect: {source.dialect!r} is not one of {', '.join(sorted(dialects))}")
    _check_statuses(f"{at}.statuses", source.statuses)
    _check_work(at, source.working_hours, source.working_days, source.quiet_times)
    named = {"channel": [source.channel] if source.channel is not None else [], "tells": source.tells or []}
    named |= {f'channels."{name}"': [channel] for name, channel in source.channels.items()}
    for key, names in named.items():
        for channel in names:
            if channel not in channels:
                known = ", ".join(sorted(channels)) or "none yet"
                raise ConfigError(f"{at}.{key}: there is no channel {channel!r}; there are {known}")
    for document, kind in source.documents.items():
        if kind not in KINDS:
            raise ConfigError(f'{at}.documents."{document}": {kind!r} is not one of {", ".join(KINDS)}')
    for path, field in source.mapping.items():
        if (wrong := mapping.fault(path, field)) is not None:
            raise ConfigError(f"{at}.mapping.{json.dumps(path, ensure_ascii=False)}: {wrong}")
    if source.dialect == "flat" and not source.mapping:
        raise ConfigError(f"{at}.mapping: the dialect flat needs one: a path in its messages to a field of ours")
    if source.exchange.encoding not in ("utf-8", "windows-1251"):
        raise ConfigError(f"{at}.exchange.encoding: {source.exchange.encoding!r} is neither utf-8 nor windows-1251")
    if source.exchange.version is not None and not _VERSION.fullmatch(source.exchange.version):
        raise ConfigError(f"{at}.exchange.version: {source.exchange.version!r} is none of 2.03 to 2.10 and 3.1")
    if source.odata is not None and not source.odata.url.startswith(("https://", "http://")):
        raise ConfigError(f"{at}.odata.url: {source.odata.url!r} must begin with https:// or http://")


def _check_work(at: str, working_hours: str | None, working_days: str | None, quiet_times: float | None) -> None:
    try:
        hours(working_hours or "0:00-24:00")
    except ValueError as error:
        raise ConfigError(f"{at}.working_hours: {working_hours!r} is not as 09:00-21:00") from error
    try:
        days(working_days or "mon-sun")
    except ValueError as error:
        raise ConfigError(f"{at}.working_days: {working_days!r} is not as mon-fri or mon,wed,sat") from error
    if quiet_times is not None and quiet_times < 1:
        raise ConfigError(f"{at}.quiet_times: {quiet_times:g} must be 1 or more")


def _check_statuses(at: str, names: dict[str, str]) -> None:
    known: dict[str, str] = {}
    for status, type in names.items():
        if type not in ONEC_TYPES or type in ("order.status", "order.snapshot"):
            raise ConfigError(f'{at}."{status}": {type!r} is no message type of 1C, such as order.confirmed')
        if known.setdefault(plain(status), type) != type:
            raise ConfigError(f'{at}."{status}": blanks and case aside, this status stands here twice: leave one')
