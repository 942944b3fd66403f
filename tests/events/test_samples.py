"""Old history stays readable: one stored sample of every shape ever shipped, with every field filled.

A sample is what the log holds, byte for byte. Never change one: a new field gets a new file beside it (`TYPE.2.json`).
"""

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from events import codec
from events.order import facts as f
from tests.events.given import Said, event

FOLDER = Path(__file__).parent / "samples"
SAMPLES = sorted(FOLDER.glob("*.json"))


def type_of(sample: Path) -> str:
    """The stored type a sample is of: its name without the number of its shape."""
    return sample.name.removesuffix(".json").rstrip("0123456789").rstrip(".")


def decoded(sample: Path) -> f.Fact | None:
    """The fact a sample holds, read the way the log is."""
    row = msgspec.structs.replace(event(Said(type_of(sample), f.Completed(), "x"), 1), data=sample.read_bytes())
    return codec.decode(row)


def unfilled(value: Any, path: str = "") -> list[str]:
    """Fields, however deep, that a sample leaves at their default."""
    if isinstance(value, tuple):
        return [p for n, one in enumerate(value) for p in unfilled(one, f"{path}[{n}]")]
    if not isinstance(value, msgspec.Struct):
        return []
    found = []
    for field in msgspec.structs.fields(value):
        held = getattr(value, field.name)
        if held == field.default or held in ((), {}):
            found.append(f"{path}.{field.name}")
        found += unfilled(held, f"{path}.{field.name}")
    return found


def test_every_type_has_a_sample() -> None:
    """Each stored type has one, and each sample is of a type there is."""
    assert {type_of(sample) for sample in SAMPLES} == set(f.FACTS)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_sample_decodes_to_what_it_was(sample: Path) -> None:
    """Nothing a stored event holds is lost or read as something else: written again it is the same, byte for byte."""
    fact = decoded(sample)
    assert isinstance(fact, f.FACTS[type_of(sample)])
    assert codec.encode(fact) == sample.read_bytes()


@pytest.mark.parametrize("kind", sorted(f.FACTS))
def test_a_samples_fields_are_all_filled(kind: str) -> None:
    """The samples of a type show every field it has: a field added without a sample is found here."""
    missing = [set(unfilled(decoded(sample))) for sample in SAMPLES if type_of(sample) == kind]
    assert set.intersection(*missing) == set()


def test_values_are_read_as_what_they_are() -> None:
    """Money as Decimal, moments aware, days as dates, hours under the names 1C writes: from the stored bytes."""
    placed = decoded(FOLDER / "order.placed.json")
    assert isinstance(placed, f.Placed)
    assert (placed.total, placed.lines[0].price) == (Decimal("39570.00"), Decimal("38990.00"))
    assert placed.delivery is not None
    assert placed.delivery.since == datetime.fromisoformat("2026-03-02T09:00:00Z")
    assert placed.delivery.keep_until == date(2026, 3, 9)
    moved = decoded(FOLDER / "order.rescheduled.json")
    assert moved == f.Rescheduled(date=date(2026, 3, 4), interval=f.Interval("10:00", "14:00"), by="customer")


def test_what_nobody_here_can_read_is_kept_and_skipped() -> None:
    """A type of a later version, and a known type with another shape, hold no fact and stop nobody."""
    unknown = event(Said("order.teleported", f.Completed(), "1c/ut"), 1)
    assert codec.decode(unknown) is None
    for data in (b'{"date": 7}', b"\xff", b"", b"[]"):
        assert codec.decode(msgspec.structs.replace(unknown, type="order.rescheduled", data=data)) is None
