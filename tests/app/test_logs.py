"""What is written to the log, and what is not."""

import json
import logging
import subprocess
import sys
from typing import Any

import pytest

from service import logs
from service.logs import AGAIN_SECONDS, Sparing


def line(at: float, said: Any, level: int = logging.WARNING, **more: Any) -> logging.LogRecord:
    """A line of our own, as keys and values, or of a library's, as text."""
    record = logging.LogRecord("x", level, __file__, 1, said, (), None)
    record.created = at
    for key, value in more.items():
        setattr(record, key, value)
    return record


def waits(at: int, channel: str = "ym") -> dict[str, Any]:
    """What a loop says once a second for as long as it lasts."""
    return {"event": "waits for Postgres", "channel": channel, "timestamp": f"12:00:{at:02}"}


def test_an_outage_is_told_once_a_minute_by_each_loop() -> None:
    """With how often it was met since; what is said of another channel is another line."""
    sparing, told = Sparing(), []
    for at in range(0, 121, 1):
        for channel in ("ym", "oz"):
            record = line(at, waits(at, channel))
            if sparing.filter(record):
                shown: Any = record.msg
                told.append((at, channel, shown.get("times")))
    assert told == [(at, channel, times) for at, times in ((0, None), (60, 60), (120, 60)) for channel in ("ym", "oz")]


def test_other_lines_all_come() -> None:
    """Errors, warnings with a trace, what is only told, a library's text that differs."""
    sparing = Sparing()
    for level in (logging.INFO, logging.ERROR):
        assert all(sparing.filter(line(at, waits(at), level)) for at in range(3))
    assert all(sparing.filter(line(at, waits(at), exc_info=(None, None, None))) for at in range(3))
    assert [sparing.filter(line(at, text)) for at, text in enumerate(("a", "b", "a"))] == [True, True, False]
    assert sparing.filter(line(AGAIN_SECONDS + 1, "a"))


def test_it_remembers_no_more_than_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest is forgotten, and would be written again."""
    monkeypatch.setattr(logs, "KEPT", 2)
    sparing = Sparing()
    assert [sparing.filter(line(0, text)) for text in "abcab"] == [True, True, True, True, True]
    assert not sparing.filter(line(0, "b"))


SAYING = """
import structlog
from service import logs
logs.set_up()
for _ in range(3):
    structlog.get_logger().warning("waits for Postgres", channel="ym")
"""


def test_it_is_so_in_a_process_that_runs() -> None:
    """Our own lines, through all that stands between them and stderr."""
    said = subprocess.run([sys.executable, "-c", SAYING], capture_output=True, check=True).stderr.splitlines()
    assert [json.loads(one)["event"] for one in said] == ["waits for Postgres"]
