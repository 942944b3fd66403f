"""`okno import` over a database of the test's own, and files of the past."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.exports.conftest import Okno, config, okno

__all__ = ["Okno", "config", "okno"]  # the first a type, the others fixtures

Past = Callable[..., Path]


def mark(number: int, type: str = "order.confirmed", **more: Any) -> dict[str, Any]:
    """One of 1C's marks of past orders, three an order."""
    said = {"specversion": "1.0", "id": f"m{number}", "source": "1c/ut11", "type": type, "data": {}}
    return said | {"subject": f"ym-msk/{number // 3}", "time": f"2022-11-28T10:00:{number % 60:02}Z"} | more


def marks(count: int) -> list[dict[str, Any]]:
    """So many of them, in order."""
    return [mark(n, ("order.confirmed", "order.assembled", "order.shipped")[n % 3]) for n in range(count)]


@pytest.fixture
def past(tmp_path: Path) -> Past:
    """Writes a file of lines."""

    def write(lines: Iterable[Any], name: str = "past.jsonl") -> Path:
        path = tmp_path / name
        text = [line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines]
        path.write_text("\n".join(text) + "\n")
        return path

    return write
