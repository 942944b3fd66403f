"""The long acceptance run: `python -m tests.acceptance.drive --orders 1000 --kills 5 --seed 1 --okno bin/run`."""

import argparse
import asyncio
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

from .run import MARKETPLACES, Plan, drive


def _plan(arguments: list[str]) -> tuple[Plan, bool]:
    parser = argparse.ArgumentParser(prog="python -m tests.acceptance.drive", description=__doc__)
    parser.add_argument("--okno", default="okno", help='how okno is called, e.g. "bin/run"')
    parser.add_argument("--orders", type=int, default=100, help="at each marketplace")
    parser.add_argument("--only", default=",".join(MARKETPLACES), help="marketplaces, with commas")
    parser.add_argument("--kills", type=int, default=2, help="SIGKILLs at random moments")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--two-hubs", action="store_true", help="two hubs over one broker and database")
    parser.add_argument("--shadow", action="store_true", help="all channels in shadow: no changing call at all")
    parser.add_argument("--no-broker", action="store_true", help="1C speaks HTTP, the hub has no RabbitMQ")
    parser.add_argument("--snapshots", action="store_true", help="1C sends documents as they stand, and no marks")
    parser.add_argument("--broker-restart", action="store_true")
    parser.add_argument("--postgres-restart", action="store_true")
    parser.add_argument("--storm", type=int, default=0, help="restarts of the hub while Postgres is away")
    parser.add_argument("--rate", type=float, default=10.0, help="new orders a second")
    parser.add_argument("--pace", type=float, default=0.4, help="mean seconds between two marks of 1C for an order")
    parser.add_argument("--quiet", type=float, default=600.0, help="seconds to wait for the end at most")
    parser.add_argument("--hang", type=float, default=13.0, help="seconds a hanging answer hangs")
    parser.add_argument("--hang-share", type=float, default=0.1, help="share of lost answers that hang; others are cut")
    parser.add_argument("--calm", action="store_true", help="a marketplace without faults")
    parser.add_argument("--keep", action="store_true", help="keep the folder with logs and data")
    given = parser.parse_args(arguments)
    head, *tail = shlex.split(given.okno)
    program = shutil.which(head)
    if program is None:
        parser.error(f"{head}: no such program; say how okno is called with --okno")
    only = tuple(given.only.split(","))
    if unknown := set(only) - set(MARKETPLACES):
        parser.error(f"--only: no such marketplace: {', '.join(sorted(unknown))}; there are {', '.join(MARKETPLACES)}")
    folder = Path(tempfile.mkdtemp(prefix="okno-acceptance-"))
    plan = Plan(
        okno=[str(Path(program).absolute()), *tail], folder=folder, only=only, orders=given.orders, kills=given.kills,
        seed=given.seed, two_hubs=given.two_hubs, shadow=given.shadow, broker=not given.no_broker,
        broker_restart=given.broker_restart, postgres_restart=given.postgres_restart, storm=given.storm,
        rate=given.rate, pace=given.pace, quiet=given.quiet, hang=given.hang, hang_share=given.hang_share,
        calm=given.calm, snapshots=given.snapshots,
    )  # fmt: skip
    return plan, given.keep


def main() -> int:
    plan, keep = _plan(sys.argv[1:])
    failed = True
    try:
        report = asyncio.run(drive(plan))
        print(report)
        failed = bool(report.failed)
        print(f"{len(report.failed)} of {len(report.rows)} checks failed" if failed else "all checks hold")
    finally:
        if keep or failed:
            print(f"logs and data: {plan.folder}")
        else:
            shutil.rmtree(plan.folder, ignore_errors=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
