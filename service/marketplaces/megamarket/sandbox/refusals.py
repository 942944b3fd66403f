"""How the marketplace refuses: with HTTP 200, `success` 0, and an `error` that is now an object, now an array."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

REQUEST, NOT_FOUND, STATUS, TOKEN = 1, 2, 3, 4
"""Codes; the marketplace's own are not known."""


@dataclass(frozen=True)
class Problem:
    """What is wrong, and with which order, lot or box."""

    message: str
    code: int = REQUEST
    number: str | None = None
    index: str | None = None
    box: str | None = None


class RefusalError(Exception):
    """The marketplace will not, and has done nothing."""

    def __init__(self, *problems: Problem, http: int = 200) -> None:
        super().__init__("; ".join(one.message for one in problems))
        self.problems, self.http = problems, http


def refuse(message: str, code: int = REQUEST, number: str | None = None) -> RefusalError:
    """A refusal for one reason."""
    return RefusalError(Problem(message, code, number))


def written(problems: Sequence[Problem], random: Random) -> Any:
    """The value of `error`: the first problem as an object, or all of them as an array."""
    if random.random() < 0.5:
        return {"code": problems[0].code, "message": problems[0].message}
    words = random.choice(["message", "errorText"])
    return [_row(problem, words) for problem in problems]


def _row(problem: Problem, words: str) -> dict[str, Any]:
    named = {"shipmentId": problem.number, "itemIndex": problem.index, "boxCode": problem.box}
    row: dict[str, Any] = {"code": str(problem.code), words: problem.message}
    return row | {name: value for name, value in named.items() if value is not None} | {"description": problem.message}
