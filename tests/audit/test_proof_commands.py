"""okno verify, okno export proof and okno export verifier as their users meet them."""

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import pytest_asyncio

from events.log import Log
from service import database
from service.body_key import body_key
from tests.events.said import new
from tests.test_cli import Okno, config, okno

__all__ = ["config", "okno"]  # fixtures

OTHERS = [path for minor in (8, 9, 10, 12, 13, 14) if (path := shutil.which(f"python3.{minor}"))]
"""Other Pythons of this machine, some by name only."""


@pytest_asyncio.fixture
async def seals(database_url: str, tmp_path: Path) -> list[str]:
    """A log of some links; its seals."""
    pool = await database.open_pool(database_url, size=1)
    log = Log(pool, body_key(tmp_path / "var"))
    found = []
    for number in range(9):
        await log.append([new(f"{number}/{n}", order=f"ym-msk/{n % 2}", body=b"raw") for n in range(3)])
        found.append((await log.head()).seal.hex())
    await database.close(pool)
    return found


def test_verify_prints_the_seal_and_what_it_can_not_find(okno: Okno, seals: list[str]) -> None:
    """Whole: 0, the head seal with its place, and what takes a seal kept outside; the same as JSON."""
    found = okno("verify", "--workers", "2")
    assert (found.exit_code, found.output.splitlines()[:2]) == (
        0,
        ["whole and unaltered: 27 events", f"seal {seals[-1]}"],
    )
    assert "position 27, link 9" in found.output
    assert "recomputed as a whole" in found.output
    told = json.loads(okno("verify", "--json").output)
    assert (told["whole"], told["events"], told["seal"], told["links"], told["epoch"]) == (True, 27, seals[-1], 9, 1)
    assert (told["position"], told["fault"], told["since"]) == (None, None, None)


def test_verify_since_a_seal_kept_outside(okno: Okno, seals: list[str]) -> None:
    """One that holds: 0 and where; one of another log: 1; no seal at all: 2."""
    held = okno("verify", "--since", seals[4])
    assert (held.exit_code, "the seal kept outside holds: link 5, position 15" in held.output) == (0, True)
    other = okno("verify", "--since", "ab" * 32)
    assert (other.exit_code, len(other.stderr.splitlines())) == (1, 1)
    assert "is not in the log: it was recomputed, cut, or the seal is of another log" in other.stderr
    told = json.loads(okno("verify", "--json", "--since", "ab" * 32).output.splitlines()[0])
    assert (told["whole"], told["since"]["holds"]) == (True, False)
    for broken in ("ab", "zz" * 32, "ab" * 33, "ab " * 32):
        assert okno("verify", "--since", broken).exit_code == 2, broken


@pytest.fixture
def files(okno: Okno, seals: list[str], tmp_path: Path) -> tuple[Path, Path]:
    """The verifier, and a proof of an order."""
    verifier, proof = tmp_path / "given away" / "check.py", tmp_path / "given away" / "proof.jsonl"
    verifier.parent.mkdir()
    assert okno("export", "proof", "--order", "ym-msk/0", "--through", seals[6], "-o", str(proof)).exit_code == 0
    called = subprocess.run(
        [Path(sys.executable).with_name("okno"), "export", "verifier", "-o", verifier], capture_output=True, check=True
    )
    assert called.stdout == b""
    return verifier, proof


def ran(python: str, *words: str | Path) -> "subprocess.CompletedProcess[str]":
    """The verifier alone: no packages, no environment."""
    return subprocess.run([python, "-I", "-S", *map(str, words)], capture_output=True, text=True, check=False, env={})


def test_the_verifier_stands_alone(files: tuple[Path, Path], seals: list[str]) -> None:
    """Nothing but the two files and a Python: 0 and what is proved; with a kept seal, how much it stands for."""
    python = sys.executable
    verifier, proof = files
    found = ran(python, verifier, proof)
    assert (found.returncode, found.stderr) == (0, "")
    assert "18 events of ym-msk/0, versions 1 to 18 without a gap" in found.stdout
    assert f"seal {seals[-1]}" in found.stdout
    kept = ran(python, verifier, proof, "--seal", seals[6])
    assert "is of link 7, position 21: it stands for 14 of 18 events" in kept.stdout
    other = ran(python, verifier, proof, "--seal", "ab" * 32)
    assert (other.returncode, "is not on the way to the head" in other.stderr) == (1, True)
    lines = proof.read_text().splitlines(keepends=True)
    altered = proof.with_name("altered.jsonl")
    altered.write_text("".join([*lines[:3], lines[3].replace("order.shipped", "order.arrived"), *lines[4:]]))
    found = ran(python, verifier, altered)
    assert (found.returncode, len(found.stderr.splitlines())) == (1, 1)
    assert "no proof: line" in found.stderr
    assert ran(python, verifier, proof.with_name("nothing")).returncode == 2
    assert ran(python, verifier, proof, "--seal", "12").returncode == 2
    assert ran(python, verifier).returncode == 2


def test_the_verifier_is_written_for_old_pythons(files: tuple[Path, Path]) -> None:
    """Its grammar is that of 3.8, it imports the standard library only, and any other Python here says the same."""
    for python in OTHERS:
        if subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0:
            assert ran(python, *files).stdout == ran(sys.executable, *files).stdout, python
    tree = ast.parse(files[0].read_text(), feature_version=(3, 8))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= sys.stdlib_module_names


def test_a_proof_wants_an_order_or_a_period(okno: Okno, seals: list[str], tmp_path: Path) -> None:
    """Both or none, or a period without time in it: 2; an order nobody knows: 1, and no file is left."""
    for words in (
        (),
        ("--order", "ym-msk/0", "--since", "2026-01-01"),
        ("--since", "2026-01-02", "--until", "2026-01-01"),
    ):
        assert okno("export", "proof", *words).exit_code == 2, words
    path = tmp_path / "none.jsonl"
    found = okno("export", "proof", "--order", "ym-msk/7", "-o", str(path))
    assert (found.exit_code, "no events of ym-msk/7" in found.stderr) == (1, True)
    assert list(tmp_path.glob("none*")) == []
    assert b'"okno":"proof"' in okno("export", "proof", "--since", "2026-01-01").stdout_bytes
