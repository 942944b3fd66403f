"""How an order's goods lie in a number of boxes.

1C says how many boxes there are, not what is in each. Market wants every piece in a box and no box empty: pieces are
dealt out one by one, the rest goes into the last box. More boxes than pieces: the first piece comes in parts, a box
each (an air conditioner's two halves), because a box holds either whole goods or one part of one.
"""

from collections.abc import Mapping, Sequence
from typing import Any

Codes = Mapping[str, Sequence[Mapping[str, str]]]


def layout(left: Mapping[str, int], boxes: int, codes: Codes) -> list[dict[str, Any]]:
    """The `boxes` of a layout call for the lines (by id) with their pieces left."""
    units = [(line, n) for line, count in left.items() for n in range(count)]
    parts = boxes - len(units) + 1 if boxes > len(units) else 0
    out: list[dict[str, Any]] = []
    if parts:
        first, *units = units
        split = [{"id": int(first[0]), "partialCount": {"current": n, "total": parts}} for n in range(1, parts + 1)]
        split[0] |= _instances([first], codes)
        out += [{"items": [part]} for part in split]
    alone = max(1, boxes - len(out)) - 1
    groups = [*([unit] for unit in units[:alone]), units[alone:]]
    return out + [{"items": _whole(group, codes)} for group in groups if group]


def _whole(units: Sequence[tuple[str, int]], codes: Codes) -> list[dict[str, Any]]:
    lots = {line: [unit for unit in units if unit[0] == line] for line, _ in units}
    return [{"id": int(line), "fullCount": len(lot), **_instances(lot, codes)} for line, lot in lots.items()]


def _instances(units: Sequence[tuple[str, int]], codes: Codes) -> dict[str, Any]:
    found = [codes[line][n] for line, n in units if n < len(codes.get(line, ()))]
    return {"instances": found} if found else {}
