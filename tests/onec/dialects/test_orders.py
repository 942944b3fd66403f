"""Whose order a document is."""

from decimal import Decimal
from typing import Any

import pytest

from events import codec
from service.settings import Settings
from tests.onec.dialects.making import GUID, NUMBER, base, odata, one, only, rdv, refused
from tests.onec.making import ORDER, configured

DOCUMENT = f"1c/{GUID}"


@pytest.mark.parametrize(
    ("number", "subject", "expected"),
    [
        (NUMBER, "", ORDER),
        (f"{NUMBER}     ", "ЗаказКлиента", ORDER),
        (48123456, "order.trade.zakaz", ORDER),
        ("48\u00a0123\u00a0456", "", ORDER),
        (NUMBER, "ym-spb/9", "ym-spb/9"),
        (NUMBER, "1c/abc", "1c/abc"),
        (NUMBER, "order/9", ORDER),
        ("", "order.trade.zakaz", DOCUMENT),
        (None, "", DOCUMENT),
        ("0012345678-0001-1", "", "ym-msk/0012345678-0001-1"),
        (Decimal("48123456.0"), "", ORDER),
    ],
)
def test_the_key(number: object, subject: str, expected: str) -> None:
    """The routing key where it is an order's, else the number in the base's channel, else the document."""
    body = rdv({"НомерПоДаннымКлиента": "?"}).replace(b'"?"', codec.canonical(number))
    assert one(body, base(), subject=subject).subject == expected


def test_a_number_of_any_size() -> None:
    """One that would fill the memory if it were written out is left as it is."""
    body = rdv({"НомерПоДаннымКлиента": "?"}).replace(b'"?"', b"1E+999999999")
    assert one(body, base()).subject == "ym-msk/1E+999999999"


@pytest.mark.parametrize(
    ("written", "routed", "expected"),
    [
        ("ym-spb/7", "ym-msk/1", "ym-spb/7"),
        (" ym-spb / 7 ", "ym-msk/1", "ym-spb/7"),
        ("Маркет Питер/7", "ym-msk/1", "ym-spb/7"),
        ("1c/" + GUID, "ym-msk/1", DOCUMENT),
        ("7", "ym-msk/1", "ym-msk/1"),
        ("7", "", "ym-msk/7"),
        ("А/7", "order.trade", "ym-msk/А/7"),
    ],
)
def test_a_mapped_order(written: str, routed: str, expected: str) -> None:
    """A key of ours, one with 1C's name of the channel, or the number alone; it stands before the routing key."""
    settings = base(mapping={"Заказ": "order"}, channels={"Маркет Питер": "ym-spb"})
    assert one(rdv({"Заказ": written}), settings, subject=routed).subject == expected


def test_a_channel_that_is_not_there_is_refused_by_its_name() -> None:
    """Nobody guesses at another one."""
    error = refused(rdv({"Заказ": "ozon/7"}), base(mapping={"Заказ": "order"}))
    assert (error.reason, "ozon" in error.detail) == ("unknown_channel", True)


@pytest.mark.parametrize(
    ("shop", "expected"),
    [("ym-spb", "ym-spb/7"), ("МАРКЕТ  ПИТЕР", "ym-spb/7"), ("", "ym-msk/7"), ("Наш сайт", DOCUMENT)],
)
def test_a_channel_by_name(shop: str, expected: str) -> None:
    """Ours or 1C's name of it; an order of a channel that is none of ours stays with its document."""
    settings = base(mapping={"Магазин": "channel"}, channels={"Маркет Питер": "ym-spb"})
    assert one(rdv({"Магазин": shop, "НомерПоДаннымКлиента": "7"}), settings).subject == expected


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (only(), "ym-msk/7"),
        (only("ym-spb"), "ym-spb/7"),
        (configured(onec={}), DOCUMENT),
        (configured(onec={"sources": {"trade": {"tells": ["ym-spb"]}}}), "ym-spb/7"),
        (configured(onec={"sources": {"trade": {"channel": "ym-spb"}}}), "ym-spb/7"),
    ],
)
def test_a_number_alone(settings: Settings, expected: str) -> None:
    """Needs one channel that it can be of: the base's own, or the only one."""
    assert one(rdv({"НомерПоДаннымКлиента": "7"}), settings).subject == expected


def test_nothing_names_it() -> None:
    """Without a number, a key or a document there is no order to tell."""
    tree: dict[str, Any] = {"Posted": True, "Ref_Key": "", "Товары": []}
    assert refused(odata(tree), base(), source="trade").reason == "no_order"
