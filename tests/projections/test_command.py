"""`okno rebuild` as its user meets it: what it prints, and the exit code."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import pytest_asyncio
from click.testing import CliRunner, Result

from events.log import Log
from service.cli import main
from service.database import close, open_pool
from tests.projections.shop import follow, orders, placed, requested
from tests.servers import BODY_KEY

ONE, TWO, *_ = KEYS = orders(3)
Okno = Callable[..., Result]


@pytest.fixture
def okno(database_url: str, tmp_path: Path) -> Okno:
    """Calls `okno` on the test's database."""
    config = tmp_path / "okno.toml"
    config.write_text(f'data_dir = "{tmp_path}/var"\n[postgres]\nurl = "{database_url}"\n')

    def call(*words: str) -> Result:
        return CliRunner().invoke(main, [*words, "--config", str(config)])

    return call


@pytest_asyncio.fixture
async def spoiled(database_url: str) -> None:
    """Three orders followed; two have wrong rows."""
    pool = await open_pool(database_url, size=2)
    log = Log(pool, BODY_KEY)
    await log.append([placed(key) for key in KEYS] + [requested(key, f"c{key}") for key in KEYS])
    await follow(pool, log)
    await pool.execute("UPDATE okno.orders SET stage = 'wrong', total = 1 WHERE order_key <> $1", KEYS[2])
    await close(pool)


def change(database_url: str, *statements: str) -> None:
    """Something done to the database behind the hub's back."""

    async def run() -> None:
        pool = await open_pool(database_url, size=1)
        for statement in statements:
            await pool.execute(statement)
        await close(pool)

    asyncio.run(run())


def test_a_check_shows_what_differs_and_keeps_what_it_filled(okno: Okno, spoiled: None) -> None:
    """Counts, the first orders with their changed columns, live and rebuilt; exit 1 and the command that mends it."""
    result = okno("rebuild", "--all", "--check")
    assert result.exit_code == 1
    assert "orders: 4 values of 2 orders differ, as of position 6 (live → rebuilt)" in result.stdout
    assert [line.split() for line in result.stdout.splitlines() if "orders.stage" in line] == [
        [key, "orders.stage", "wrong", "placed"] for key in (ONE, TWO)
    ]
    assert "no difference: commands" in result.stdout
    assert result.stderr.count("\n") == 1
    assert "`okno rebuild orders` only has to catch up and swap" in result.stderr
    rebuilt = okno("rebuild", "orders")
    assert (rebuilt.exit_code, "4 values of 2 orders differ" in rebuilt.stdout) == (0, True)
    assert rebuilt.stdout.endswith("rebuilt orders\n")
    assert okno("rebuild", "--all", "--check").stdout == "no difference: orders\nno difference: commands\n"


def test_json_tells_all_differences(okno: Okno, spoiled: None) -> None:
    """A line a value, money as text; nothing else is printed."""
    lines = [json.loads(line) for line in okno("rebuild", "orders", "--check", "--json").stdout.splitlines()]
    assert [(line["order"], line["column"]) for line in lines] == [
        (key, f"orders.{column}") for key in (ONE, TWO) for column in ("stage", "total")
    ]
    assert lines[1] == {"order": ONE, "column": "orders.total", "live": "1", "rebuilt": "10.50"}


def test_a_long_list_is_cut(okno: Okno, spoiled: None, database_url: str) -> None:
    """The first are shown, the rest is counted."""
    change(database_url, "UPDATE okno.orders SET skus = '{}', status = 'x', currency = 'x', version = 9, number = '0', "
           "placed_at = NULL, updated_at = NULL", "UPDATE okno.order_search SET grams = '{}', search = ''")  # fmt: skip
    result = okno("rebuild", "orders", "--check")
    assert "31 values of 3 orders differ" in result.stdout
    assert "… and 11 values more: --check --json tells all" in result.stdout


def test_one_order_alone(okno: Okno, spoiled: None) -> None:
    """Its rows are shown and mended in the live tables, the others' are not; --check only shows."""
    looked = okno("rebuild", "orders", "--order", ONE, "--check")
    assert (looked.exit_code, "wrong" in looked.stdout, looked.stderr.count("\n")) == (1, True, 1)
    mended = okno("rebuild", "--order", ONE)
    assert mended.exit_code == 0
    assert mended.stdout.endswith(f"rebuilt {ONE}: 2 values were different\n")
    assert okno("rebuild", "--order", ONE, "--check").stdout == f"no difference: {ONE}\n"
    assert okno("rebuild", "--order", TWO, "--check").exit_code == 1
    assert json.loads(okno("rebuild", "--order", TWO, "--json").stdout.splitlines()[0])["order"] == TWO


@pytest.mark.parametrize("order", ["ym-msk/0", "1c/doc-1", "ONE", "\udcff"])
def test_an_unknown_order_is_said(okno: Okno, spoiled: None, order: str) -> None:
    """One line with a hint, exit 1."""
    result = okno("rebuild", "--order", order)
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "CHANNEL/NUMBER" in result.stderr


def test_it_is_used_wrongly(okno: Okno) -> None:
    """Without names, with both, or with one that is none: exit 2."""
    for words in ((), ("orders", "--all"), ("nothing",), ("nothing", "--order", ONE)):
        assert okno("rebuild", *words).exit_code == 2, words


def test_rows_of_another_shape_are_said_everywhere(okno: Okno, spoiled: None, database_url: str) -> None:
    """`doctor` fails with the command, `--order` refuses with the same words; a rebuild mends it."""
    change(database_url, "UPDATE okno.projections SET columns = columns || '{orders.colour}' WHERE name = 'orders'")
    said = "its rows were made with other columns (-orders.colour): run `okno rebuild orders`"
    doctor = okno("doctor")
    assert doctor.exit_code == 1
    assert said in " ".join(doctor.output.split())
    refused = okno("rebuild", "--order", ONE)
    assert (refused.exit_code, said in refused.stderr) == (1, True)
    assert okno("rebuild", "orders").exit_code == 0
    assert said not in " ".join(okno("doctor").output.split())


def test_a_missing_column_is_said(okno: Okno, spoiled: None, database_url: str) -> None:
    """A rebuild can't help there, and says what would."""
    change(database_url, "ALTER TABLE okno.order_search DROP COLUMN search")
    result = okno("rebuild", "orders")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "the database has no order_search.search: add it in a new migration" in result.stderr
