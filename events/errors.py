"""What waiting helps against, told from what is wrong with a statement or its rows.

Errors: `LogUnavailable` (wait and try again: nothing was decided about the batch, and appending it again is harmless),
anything else of asyncpg's is about the batch itself.
"""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import asyncpg

P = ParamSpec("P")
T = TypeVar("T")


class LogUnavailable(Exception):
    """Postgres can't be reached or asks to wait; nothing was decided."""


TRANSIENT_CLASSES = ("08", "40", "53", "57")
TRANSIENT_STATES = ("55P03", "25006")
"""A lock not granted in time; a server that is read-only, as one is while another takes over."""


def is_transient(error: BaseException) -> bool:
    """Whether waiting helps: lost connections, resources, shutdowns, deadlocks and lock timeouts.

    A URL that asyncpg can't make sense of is an InterfaceError as a lost connection is, but a ValueError besides: for
    that one the hub would wait for ever.
    """
    if isinstance(error, asyncpg.PostgresError):
        state = error.sqlstate or ""
        return state[:2] in TRANSIENT_CLASSES or state in TRANSIENT_STATES
    if isinstance(error, asyncpg.InterfaceError):
        return not isinstance(error, ValueError)
    return isinstance(error, OSError | TimeoutError | asyncpg.InternalClientError)


DATA_CLASSES = ("22", "23", "54")
"""SQLSTATE classes about a value: what it is, that it clashes with another, that it is too large for an index."""


def is_about_data(error: Exception) -> bool:
    """Whether Postgres, or the driver before it, refused a value: one row's fault, not that of those beside it."""
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "")[:2] in DATA_CLASSES
    return isinstance(error, ValueError | TypeError | OverflowError)


def waits(call: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """Turns what waiting helps against into `LogUnavailable`, whatever the driver calls it."""

    @wraps(call)
    async def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await call(*args, **kwargs)
        except Exception as error:
            if is_transient(error):
                raise LogUnavailable(f"{type(error).__name__}: {error}") from error
            raise

    return wrapped
