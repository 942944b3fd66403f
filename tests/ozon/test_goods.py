"""What 1C says of goods is held against the order by sku and pieces, and nothing is taken out on a guess."""

import pytest

from events.order import facts as f
from events.order.state import OrderState
from service.marketplaces import goods

Said = tuple[tuple[str, int], ...]


def lines(*said: tuple[str, int]) -> tuple[f.Line, ...]:
    return tuple(f.Line(sku=sku, quantity=count, id=str(n)) for n, (sku, count) in enumerate(said, 1))


def order(*ordered: tuple[str, int], confirmed: Said | None = None) -> OrderState:
    """An order of these goods, its lines numbered from 1."""
    said = lines(*confirmed) if confirmed is not None else None
    return OrderState(order="x/1", lines=lines(*ordered), confirmed_lines=said)


@pytest.mark.parametrize(
    ("confirmed", "fewer", "kept"),
    [
        (None, False, {"1": 2, "2": 1}),
        ((), False, {"1": 2, "2": 1}),
        ((("A", 2), ("B", 1)), False, {"1": 2, "2": 1}),
        (((" A ", 1), ("A", 1), ("B", 1)), False, {"1": 2, "2": 1}),
        ((("A", 3), ("B", 1)), False, {"1": 2, "2": 1}),
        ((("A", 1), ("B", 1)), True, {"1": 1, "2": 1}),
        ((("A", 2),), True, {"1": 2, "2": 0}),
        ((("A", 0), ("B", 0)), True, {"1": 0, "2": 0}),
    ],
)
def test_how_many_pieces_are_kept(confirmed: Said | None, *, fewer: bool, kept: dict[str, int]) -> None:
    """Less than ordered is taken out; nothing said, or an empty list, says nothing."""
    state = order(("A", 2), ("B", 1), confirmed=confirmed)
    assert (goods.fewer(state), goods.kept(state)) == (fewer, kept)


def test_two_lines_of_one_sku_share_what_is_kept() -> None:
    """The first line is filled first."""
    state = order(("A", 2), ("B", 1), ("A", 2), confirmed=(("A", 3), ("B", 1)))
    assert goods.kept(state) == {"1": 2, "2": 1, "3": 1}


@pytest.mark.parametrize(
    ("confirmed", "strange"),
    [((("A", 2), ("C", 1)), True), ((("A", 2), ("B", 1), ("C", 1)), False), ((("A", 2),), False), (None, False)],
)
def test_goods_under_another_name(confirmed: Said | None, *, strange: bool) -> None:
    """A sku the order does not have, and one of the order's left unnamed: refused, with both named."""
    refused = goods.unlike(order(("A", 2), ("B", 1), confirmed=confirmed))
    assert (refused is not None) == strange
    if refused is not None:
        assert (refused.code, refused.final) == ("unknown_sku", True)
        assert refused.message == "1C names C, which the order does not have, and does not name B"
