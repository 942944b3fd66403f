"""What arguments are given as, and how values are shown."""

from datetime import datetime
from typing import Any

import click


class Moment(click.ParamType[datetime]):
    """A time; without a zone it is UTC."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """ISO 8601."""
        from datetime import UTC

        try:
            found = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is not a time such as 2026-01-31T12:00:00Z", param, ctx)
        return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


as_json = click.option("--json", "as_json", is_flag=True, help="JSON, stable")


def brief(data: Any) -> str:
    """An event's data in a line."""
    text = bytes(data).decode()
    return text if len(text) <= 80 else text[:79] + "…"


def shown(moment: datetime) -> str:
    """A time as tables show it."""
    return moment.isoformat(sep=" ", timespec="milliseconds").replace("+00:00", "Z")
