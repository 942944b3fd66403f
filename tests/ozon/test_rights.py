"""What the key may do and until when is said before it fails."""

from datetime import UTC, datetime, timedelta

from tests.ozon.conftest import MakeHub
from tests.ozon.sandboxed import Seller


async def test_a_good_key_has_nothing_wrong(rfbs: Seller, hub: MakeHub) -> None:
    """And says how long it is good."""
    one = hub(rfbs, rfbs.place())
    assert await one.talk(one.ozon.check()) == []
    until = await one.talk(one.ozon.key_until())
    assert until is not None
    assert abs(until - rfbs.ozon.cabinets["ozon-rfbs"].expires_at) < timedelta(seconds=1)


async def test_a_key_that_ends_soon_is_said_with_its_date(rfbs: Seller, hub: MakeHub) -> None:
    """Two weeks ahead; keys live months, and Ozon gives none by itself."""
    one, cabinet = hub(rfbs, rfbs.place()), rfbs.ozon.cabinets["ozon-rfbs"]
    cabinet.expires_at = datetime.now(UTC) + timedelta(days=13)
    (line,) = await one.talk(one.ozon.check())
    assert line.startswith(f"api_key: expires at {cabinet.expires_at:%Y-%m-%d}")
    cabinet.expires_at = datetime.now(UTC) + timedelta(days=15)
    assert await one.talk(one.ozon.check()) == []


async def test_a_role_that_lacks_methods_is_said(rfbs: Seller, hub: MakeHub) -> None:
    """Each method the key may not call is named, with the role that has it."""
    one = hub(rfbs, rfbs.place())
    rfbs.ozon.cabinets["ozon-rfbs"].roles = ("Posting FBS",)
    (line,) = await one.talk(one.ozon.check())
    assert "/v2/conditional-cancellation/approve" in line
    assert "/v3/posting/fbs/get" not in line, "given by the beginning /v3/posting/fbs"
    assert "Posting FBS" in line


async def test_a_refused_key_is_said_with_what_to_do(rfbs: Seller, hub: MakeHub) -> None:
    """An expired, a wrong and a powerless key are one line each, no failure."""
    one, cabinet = hub(rfbs, rfbs.place()), rfbs.ozon.cabinets["ozon-rfbs"]
    cabinet.roles = ()
    (powerless,) = await one.talk(one.ozon.check())
    assert "has no right" in powerless
    cabinet.api_key = "another"
    (wrong,) = await one.talk(one.ozon.check())
    assert "make a new one" in wrong
