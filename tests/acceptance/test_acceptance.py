"""A small acceptance run: 25 orders, one kill. The long ones are in README.md of this folder."""

import os
import shlex
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from .run import MARKETPLACES, Plan, drive
from .servers import postgres_bin, rabbitmq_server
from .spec import Spec

# OKNO_COMMAND names another hub to judge, e.g. one in an image.
OKNO = shlex.split(os.environ.get("OKNO_COMMAND") or str(Path(sys.executable).with_name("okno")))

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(Spec.load() is None, reason="no official OpenAPI beside the checkout (OKNO_SPECS)"),
    pytest.mark.skipif(postgres_bin() is None, reason="no Postgres"),
    pytest.mark.skipif(not Path(OKNO[0]).exists(), reason="okno is not installed in this environment"),
]


@pytest.fixture
def plan() -> Iterator[Plan]:
    with tempfile.TemporaryDirectory(prefix="okno-acceptance-", ignore_cleanup_errors=True) as folder:
        yield Plan(okno=OKNO, folder=Path(folder), orders=25, kills=1, seed=2, rate=8, pace=0.2,
                   quiet=90, hang_share=0.0, only=("yandex",))  # fmt: skip


@pytest.mark.broker
@pytest.mark.skipif(rabbitmq_server() is None, reason="no RabbitMQ")
async def test_orders_reach_both_sides_through_a_kill(plan: Plan) -> None:
    """25 orders over RabbitMQ, a faulty marketplace, a muddled 1C, one SIGKILL: every promise holds."""
    report = await drive(plan)
    assert not report.failed, f"\n{report}"


async def test_without_a_broker(plan: Plan) -> None:
    """The same with no RabbitMQ: 1C posts to /v1/events and reads /v1/outbox."""
    report = await drive(replace(plan, broker=False, orders=10, kills=0, seed=3))
    assert not report.failed, f"\n{report}"


async def test_shadow_changes_nothing(plan: Plan) -> None:
    """In shadow everything is decided, recorded and told to 1C, and the marketplace sees no changing call."""
    report = await drive(replace(plan, broker=False, orders=10, kills=0, seed=4, shadow=True))
    assert not report.failed, f"\n{report}"


async def test_three_marketplaces_at_once(plan: Plan) -> None:
    """Yandex, Ozon and Megamarket, five orders each, through one hub: no order disturbs another's marketplace."""
    report = await drive(replace(plan, only=tuple(MARKETPLACES), broker=False, orders=5, kills=0, seed=4, calm=True))
    assert not report.failed, f"\n{report}"


async def test_documents_instead_of_marks(plan: Plan) -> None:
    """1C sends its documents as they stand, changes joined, repeated and late: the same end as with marks."""
    report = await drive(replace(plan, snapshots=True, broker=False, orders=10, kills=0, seed=5))
    assert not report.failed, f"\n{report}"
