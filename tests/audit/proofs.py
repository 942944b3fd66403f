"""Files of `okno export proof`, made, checked and changed."""

import json
from collections.abc import Sequence
from io import BytesIO
from typing import Any

from service.audit import check_proof
from service.audit.extract import Wanted, extracted
from service.audit.inclusion import Ending, line
from service.database import Pool


async def written(pool: Pool, **wanted: Any) -> list[bytes]:
    """A file's lines."""
    parts = [part async for part in extracted(pool, Wanted(**wanted))]
    return b"".join(parts).splitlines(keepends=True)


def checked(lines: Sequence[bytes], kept: str | None = None) -> check_proof.Proof:
    """What a file proves."""
    return check_proof.check(BytesIO(b"".join(lines)), kept)


def ended(lines: Sequence[bytes]) -> list[bytes]:
    """Lines with an end that fits them, as who forges them would write it."""
    ending = Ending()
    return [*(ending.pass_on(one) for one in lines), ending.line()]


def changed(lines: Sequence[bytes], number: int, **values: Any) -> list[bytes]:
    """A file with other values in one of its lines, and an end that fits."""
    forged = list(lines[:-1])
    forged[number] = line({**json.loads(lines[number]), **values})
    return ended(forged)


def refused(lines: Sequence[bytes], kept: str | None = None) -> bool:
    """Whether something is found wrong."""
    try:
        checked(lines, kept)
    except check_proof.Wrong:
        return True
    return False
