"""Every sandbox is what the demo takes it for, and a new folder's is found by itself."""

import re
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random
from types import ModuleType

import pytest

from service.demo import channels, trials
from service.demo.trials import makers
from service.marketplaces import kinds
from service.marketplaces.trial import MakeTrial, Trial
from service.settings import load

every = pytest.mark.parametrize("make", makers().values(), ids=makers())


def lived(make: MakeTrial, first: int = 1) -> Trial:
    """A sandbox where people have been busy for a while."""
    trial, random = make(seed=7, first=first), Random(7)
    for _ in range(20):
        for channel in trial.channels:
            trial.place(channel)
        trial.live(random)
    return trial


def count(number: str) -> int:
    """What of an order's number counts up."""
    found = re.match(r"\d+", number)
    assert found is not None
    return int(found[0])


@every
def test_it_remembers(make: MakeTrial) -> None:
    """One that got its orders back is the one it was."""
    before, after = lived(make), make(seed=8)
    after.restore(before.dump())
    assert before.open()
    assert after.open() == before.open()
    assert after.dump() == before.dump()


@every
@pytest.mark.parametrize("first", [1, 1_000_000])
def test_no_number_twice(make: MakeTrial, first: int) -> None:
    """Numbers never fall: a new one is above those it got back, and above the one they were to begin with."""
    before, after = lived(make, first=1000), make(seed=8, first=first)
    after.restore(before.dump())
    new = [after.place(channel) for channel in after.channels for _ in range(3)]
    old = [key.partition("/")[2] for key in before.open()]
    assert len(set(new)) == len(new)
    assert min(map(count, new)) > max(map(count, old))
    assert min(map(count, new)) >= first
    assert [key.partition("/")[2] for key in after.open()] == [*old, *new]
    assert all(after.code(number) is None for number in new)


@every
@pytest.mark.parametrize("bytes_", [b"", b"{", b"null", b"[]", b'{"next_number": 5', b'{"orders": 5}'])
def test_what_is_no_memory_is_refused(make: MakeTrial, bytes_: bytes) -> None:
    """Bytes that are none of its own raise ValueError and change nothing."""
    trial = lived(make)
    before = trial.dump()
    with pytest.raises(ValueError, match=r"\S"):
        trial.restore(bytes_)
    assert trial.dump() == before


@every
def test_what_is_left_lying_ends(make: MakeTrial) -> None:
    """Orders that the shop has forgotten are ended by the marketplace."""
    trial, random = make(seed=7, left_lying=timedelta(0)), Random(7)
    for channel in trial.channels:
        trial.place(channel)
    for _ in range(3):
        trial.live(random)
    assert trial.open() == []


@every
def test_the_shops_are_the_same_for_every_seed(make: MakeTrial) -> None:
    """Who opens the sandbox and who sells in its shops agree on keys, and it says how each shop delivers."""
    one, other = make(seed=1), make(seed=2)
    assert dict(one.channels) == dict(other.channels)
    assert set(one.ways) == set(one.channels)
    assert one.title


def test_the_demo_sells_in_all_of_them(tmp_path: Path) -> None:
    """No channel's name is taken twice, and each table is what its kind wants in a configuration."""
    sold = [name for make in makers().values() for name in make(seed=1).channels]
    settings = channels.selling_at(load(None, tmp_path), "http://127.0.0.1:1")
    assert sorted(settings.channels) == sorted(sold)
    for kind in makers():
        found = [one.marketplace.base_url for one in settings.channels.values() if one.kind == kind]
        assert set(found) == {f"http://127.0.0.1:1/{kind}"}


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, ModuleType]]:
    """A marketplace's folder with a sandbox, and one without."""
    for name, files in (("newshop", ("", "sandbox")), ("bareshop", ("",))):
        for file in files:
            (tmp_path / name / file).mkdir(exist_ok=True, parents=True)
            (tmp_path / name / file / "__init__.py").write_text("def trial(): ...\n" if file else "")
    monkeypatch.syspath_prepend(tmp_path)
    yield {name: __import__(name) for name in ("newshop", "bareshop")}
    for name in [name for name in sys.modules if name.partition(".")[0] in ("newshop", "bareshop")]:
        del sys.modules[name]


def test_a_new_folder_is_found(folders: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with a sandbox is in the demo by itself, one without is passed over."""
    before = makers()
    monkeypatch.setattr(trials, "kinds", lambda: {**kinds(), **folders})
    assert set(makers()) == {*before, "newshop"}
