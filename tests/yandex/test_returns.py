"""What a return of Market means for its order."""

import json

import pytest

from service.marketplaces.yandex import incoming


@pytest.mark.parametrize(
    ("kind", "refund", "asked"),
    [
        ("RETURN", "STARTED_BY_USER", True),
        ("RETURN", "WAITING_FOR_DECISION", True),
        ("RETURN", "REJECTED", True),
        ("RETURN", "REFUND_IN_PROGRESS", False),
        ("RETURN", "REFUNDED", False),
        ("RETURN", "A_WORD_OF_NEXT_YEAR", False),
        ("UNREDEEMED", "WAITING_FOR_DECISION", False),
        ("UNREDEEMED", None, False),
    ],
)
def test_a_return_counts_when_it_is_more_than_asked_for(kind: str, refund: str | None, asked: bool) -> None:
    """The buyer's wish alone is none yet; goods never taken, or money on its way back, are."""
    told = {
        "id": 7,
        "orderId": 1,
        "returnType": kind,
        "refundStatus": refund,
        "items": [{"shopSku": "A", "count": "2"}],
    }
    seen = incoming.return_seen(json.dumps(told).encode())
    assert seen is not None
    assert seen.fact.asked == asked
    assert [(line.sku, line.quantity) for line in seen.fact.lines or ()] == [("A", 2)]
