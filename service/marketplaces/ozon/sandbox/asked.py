"""One call as the methods see it: whose it is, and its body read as strictly as Ozon reads JSON."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

from service.marketplaces.ozon.sandbox.cabinet import Cabinet
from service.marketplaces.ozon.sandbox.market import Ozon
from service.marketplaces.ozon.sandbox.posting import Posting
from service.marketplaces.ozon.sandbox.refusal import invalid, missing
from service.marketplaces.values import moment

Table: TypeAlias = dict[str, Any]
MOST: Final = 20
"""Postings in one call."""
YEAR: Final = timedelta(days=366)
_ZONED: Final = re.compile(r"T.*(Z|[+-]\d\d:\d\d)$")


@dataclass(frozen=True)
class Asked:
    """`done` takes the numbers of the postings the call changes."""

    ozon: Ozon
    cabinet: Cabinet
    body: Table
    now: datetime
    done: list[str]

    def posting(self) -> Posting:
        """The one it is about."""
        found = self.find(text(self.body, "posting_number"))
        if found is None:
            raise missing()
        return found

    def find(self, number: str) -> Posting | None:
        """A posting of this cabinet; another cabinet's are as if they were not."""
        found = self.ozon.postings.get(number)
        return found if found is not None and found.channel == self.cabinet.channel else None


def text(table: Table, name: str, *, needed: bool = True) -> str:
    """A string."""
    found = table.get(name)
    if found is None and not needed:
        return ""
    if found is not None and not isinstance(found, str):
        raise invalid(f'proto: syntax error: invalid value for string field {name}: "{found}"')
    if needed and not (found or "").strip():
        raise invalid(f"Request validation error: invalid {name}: value length must be at least 1 runes")
    return found or ""


def whole(table: Table, name: str, least: int, most: int) -> int:
    """A whole number, written as one or as text; an absent one is 0."""
    found = table.get(name, 0)
    try:
        value = int(found) if isinstance(found, str | int) and not isinstance(found, bool) else None
    except ValueError:
        value = None
    if value is None:
        raise invalid(f'proto: syntax error: invalid value for int64 field {name}: "{found}"')
    if not least <= value <= most:
        raise invalid(f"Request validation error: invalid {name}: value must be inside range [{least}, {most}]")
    return value


def items(table: Table, name: str, least: int, most: int) -> list[Any]:
    """A list, nothing else: a bare value is no list of one."""
    found = table.get(name)
    if found is not None and not isinstance(found, list):
        raise invalid(f'proto: syntax error (line 1:19): unexpected token "{found}"')
    if not least <= len(found or []) <= most:
        raise invalid(
            f"Request validation error: invalid {name}: value must contain between {least} and {most} items, inclusive"
        )
    return found or []


def texts(table: Table, name: str, least: int, most: int) -> list[str]:
    """A list of strings."""
    found = items(table, name, least, most)
    if not all(isinstance(one, str) for one in found):
        raise invalid(f"proto: syntax error: invalid value for string field {name}")
    return found


def tables(table: Table, name: str, least: int, most: int = 1000) -> list[Table]:
    """A list of objects."""
    found = items(table, name, least, most)
    if not all(isinstance(one, dict) for one in found):
        raise invalid(f"proto: syntax error: unexpected token in {name}")
    return found


def inner(table: Table, name: str) -> Table:
    """An object; an absent one is empty."""
    found = table.get(name)
    if found is not None and not isinstance(found, dict):
        raise invalid(f'proto: syntax error (line 1:12): unexpected token "{found}"')
    return found or {}


def time(table: Table, name: str) -> datetime | None:
    """A date and time with its zone."""
    found = table.get(name)
    if found in (None, ""):
        return None
    value = moment(found) if isinstance(found, str) and _ZONED.search(found) else None
    if value is None:
        raise invalid(f'proto: syntax error: invalid google.protobuf.Timestamp value "{found}" of {name}')
    return value.astimezone(UTC)


def period(table: Table, first: str, last: str) -> tuple[datetime, datetime] | None:
    """Both ends or none, a year at most."""
    since, until = time(table, first), time(table, last)
    if since is None and until is None:
        return None
    if since is None or until is None or since > until:
        raise invalid(f"Request validation error: invalid {first}, {last}: both are needed, in this order")
    if until - since > YEAR:
        raise invalid("PERIOD_IS_TOO_LONG")
    return since, until
