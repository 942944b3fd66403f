"""Talks carried out without a marketplace: a function answers."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

from service.marketplaces import port

T = TypeVar("T")


def talked(talk: port.Talk[T], answer: Callable[[port.Call], port.Reply], most: int = 500) -> T:
    """What comes of a talk; it must end within so many calls."""
    try:
        call = next(talk)
        for _ in range(most):
            call = talk.send(answer(call))
    except StopIteration as stop:
        value: T = stop.value
        return value
    raise AssertionError(f"no end after {most} calls")


def good(data: Any) -> port.Reply:
    """An answer that is all right."""
    return port.Reply(200, {}, json.dumps({"success": 1, "data": data}).encode())


def bad(message: str) -> port.Reply:
    """A refusal."""
    return port.Reply(200, {}, json.dumps({"success": 0, "data": {}, "error": {"message": message}}).encode())
