"""What a channel needs in its configuration, and what is said where it is wrong."""

from typing import Any

import pytest

from service.marketplaces.yandex import make

SHOP = {"business_id": 1, "campaign_id": 100200300, "api_key": "k"}


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({**SHOP, "campain_id": 1}, "campain_id"),
        ({"business_id": 1, "api_key": "k"}, "campaign_id"),
        ({**SHOP, "business_id": "1"}, "business_id"),
        ({**SHOP, "campaign_id": 0}, "campaign_id"),
        ({**SHOP, "api_key": ""}, "api_key"),
    ],
)
def test_settings_say_what_is_wrong(options: dict[str, Any], path: str) -> None:
    """The key's path comes first."""
    with pytest.raises(ValueError, match=rf"^{path}: "):
        make("ym", model="dbs", base_url=None, options=options)


def test_the_key_is_read_each_time() -> None:
    """A secret changed in its file is taken up."""
    keys = iter(["old", "new"])
    market = make("ym", model="dbs", base_url="http://x/", options={**SHOP, "api_key": lambda: next(keys)})
    assert [market.headers()["Api-Key"] for _ in range(2)] == ["old", "new"]
    assert market.base_url == "http://x"
    with pytest.raises(ValueError, match=r"^model: "):
        make("ym", model="rfbs", base_url=None, options=SHOP)
