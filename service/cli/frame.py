"""What every command shares: the configuration, errors in one line, exit codes, tables and JSON.

Exit codes: 0 done, 1 found something wrong, 2 used wrongly.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from functools import wraps
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click

if TYPE_CHECKING:
    from events.log import Log
    from service.database import Pool
    from service.settings import Settings

P = ParamSpec("P")
T = TypeVar("T")

DEFAULT_CONFIG = Path("okno.toml")


REFUSALS = (
    "InvalidPasswordError", "InvalidCatalogNameError", "InvalidAuthorizationSpecificationError",
    "InsufficientPrivilegeError",
)  # fmt: skip
"""asyncpg's names for what an administrator of Postgres has to mend; by name, since importing it takes its time."""


class Wrong(Exception):
    """Something was found wrong: one line, exit code 1."""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(version("okno"), prog_name="okno")
def main() -> None:
    """Okno carries orders and their statuses between 1C and marketplaces."""


def configured(function: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Gives a command `--config`, hands it the settings, runs it, and says in one line what went wrong."""

    @click.option("--config", type=click.Path(path_type=Path), envvar="OKNO_CONFIG", help="Default: ./okno.toml")
    @wraps(function)
    def command(config: Path | None, **arguments: Any) -> None:
        _reported(lambda: asyncio.run(function(load(config), **arguments)))

    return command


def load(config: Path | None) -> "Settings":
    """The configuration; without a file the defaults, with the demo's channels."""
    import msgspec

    from service import logs, settings
    from service.demo.channels import with_channels
    from service.embedded import writable_data_dir

    logs.set_up(quiet=True)
    if config is None and DEFAULT_CONFIG.exists():
        config = DEFAULT_CONFIG
    found = settings.load(config)
    found = msgspec.structs.replace(found, data_dir=writable_data_dir(found.data_dir))
    return found if config is not None else with_channels(found)


def _reported(run: Callable[[], None]) -> None:
    from service.settings import ConfigError

    try:
        run()
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit(130)
    except BrokenPipeError:  # `okno events | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except (click.ClickException, click.exceptions.Exit):
        raise
    except Exception as error:
        cause = error
        while isinstance(cause, ExceptionGroup):
            cause = cause.exceptions[0]
        if not _foreseen(cause):
            raise
        click.echo(f"okno: {_one_line(cause)}", err=True)
        sys.exit(2 if isinstance(cause, ConfigError) else 1)


def _foreseen(error: Exception) -> bool:
    """Whether an error's own words tell a user what to do; any other keeps its trace."""
    from events.log import LogUnavailable, is_transient
    from service.database import NoLog
    from service.door import Unavailable
    from service.embedded import EmbeddedServerError
    from service.operators import NothingToDo
    from service.settings import ConfigError

    known = (Wrong, ConfigError, LogUnavailable, Unavailable, EmbeddedServerError, NoLog, NothingToDo)
    return isinstance(error, known) or is_transient(error) or type(error).__name__ in ("AddressTaken", *REFUSALS)


def _one_line(error: Exception) -> str:
    from events.log import LogUnavailable

    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, LogUnavailable):
        return f"Postgres can't be reached ({text}): check postgres.url, or start it"
    if type(error).__name__ in REFUSALS:
        return f"Postgres refuses it ({text}): correct postgres.url, or the user's rights"
    return text


@asynccontextmanager
async def opened(settings: "Settings", *, reading: bool = False) -> "AsyncIterator[tuple[Pool, Log]]":
    """The database, embedded where no other is named, and the log in it; `reading`: with no right to write."""
    from events.log import Log
    from service import database
    from service.body_key import body_key

    async with database.server(settings.postgres.url, settings.data_dir) as url:
        pool = await (database.open_reader(url) if reading else database.open_pool(url))
        try:
            yield pool, Log(pool, body_key(settings.data_dir))
        finally:
            await database.close(pool)


def actor() -> str:
    """Who sits at this terminal."""
    import getpass

    try:
        return f"cli/{getpass.getuser()}"
    except (OSError, KeyError):  # a user id without a name
        return "cli"


def say(value: Any) -> None:
    """One JSON value a line."""
    import msgspec

    click.echo(msgspec.json.Encoder(decimal_format="string").encode(value))


def table(columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
    """A table for people."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        shown.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    Console(width=None if sys.stdout.isatty() else 200, soft_wrap=not sys.stdout.isatty()).print(shown)
