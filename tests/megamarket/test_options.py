"""What a channel needs: wrong keys are named with what to do, and secrets are taken up as they change."""

from typing import Any

import pytest

from service.marketplaces.megamarket import MODELS, make

GOOD: dict[str, Any] = {"merchant_id": 5046, "token": "t"}


@pytest.mark.parametrize(
    ("model", "change", "message"),
    [
        ("rfbs", {}, "model: 'rfbs' is none of SberMegaMarket's, write one of dbs, cnc, fbs"),
        ("dbs", {"merchant_id": 0}, "merchant_id: must be a positive number"),
        ("dbs", {"merchant_id": "5046"}, "merchant_id: Expected `int`, got `str`, correct its type"),
        ("dbs", {"token": ""}, "token: must be a text"),
        ("dbs", {"hook_login": "a"}, "hook_password: is missing, write both"),
        ("dbs", {"hook_password": "a"}, "hook_login: is missing, write both"),
        ("dbs", {"hook_login": 1, "hook_password": "a"}, "hook_login: must be a text"),
        ("dbs", {"timezone": "Samara"}, "timezone: 'Samara' is no time zone, write it as Europe/Samara"),
        ("dbs", {"campaign": 1}, "campaign: unknown, take it out"),
    ],
)
def test_wrong_keys_are_named(model: str, change: dict[str, Any], message: str) -> None:
    """Each fault begins with its key and says what to do."""
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - the message is what is looked at
        make("mm", model=model, base_url=None, options={**GOOD, **change})
    assert str(raised.value).startswith(message)


def test_a_changed_token_is_taken_up() -> None:
    """A token from a file is read for every call: in the body as it goes out, and in the header, never in the log's."""
    tokens = iter(["old", "new", "newer"])
    mm = make("mm", model="dbs", base_url="http://x/", options={**GOOD, "token": lambda: next(tokens)})
    call = next(mm.check())
    assert mm.headers()["X-Merchant-Token"] == "old"
    assert mm.body(call) == {"meta": {}, "data": {"token": "new", **call.body["data"]}}
    assert "token" not in call.body["data"]
    assert mm.headers()["X-Merchant-Token"] == "newer"


def test_a_channel_as_it_stands() -> None:
    """The address, whose limits it shares, and every model with steps its triggers name."""
    for model in MODELS:
        mm = make("mm", model=model, base_url=None, options=GOOD)
        assert (mm.base_url, mm.account) == ("https://api.megamarket.tech", "https://api.megamarket.tech 5046")
        assert {step for names in mm.triggers.values() for step in names} == set(mm.steps)
