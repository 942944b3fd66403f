"""`okno.toml` is read strictly: what is wrong is refused with its path, and secrets come from elsewhere."""

import os
from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from service.settings import ConfigError, load, parse

YANDEX: dict[str, Any] = {"kind": "yandex", "model": "dbs", "business_id": 1, "campaign_id": 2, "api_key": "key"}


def channel(**changed: Any) -> dict[str, Any]:
    """A configuration with one channel, changed."""
    table = {**YANDEX, **changed}
    return {"channels": {"ym": {key: value for key, value in table.items() if value is not None}}}


def fault(tree: dict[str, Any], base: Path = Path()) -> str:
    """Why a configuration is refused."""
    with pytest.raises(ConfigError) as caught:
        parse(tree, base)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_example_is_good(monkeypatch: pytest.MonkeyPatch) -> None:
    """`okno.example.toml` is taken as it is, once its variables are set."""
    for name in ("OKNO_POSTGRES_URL", "OKNO_RABBITMQ_URL", "YM_KEY", "YM_HOOK"):
        monkeypatch.setenv(
            name, {"OKNO_POSTGRES_URL": "postgresql://x", "OKNO_RABBITMQ_URL": "amqp://x"}.get(name, "k" * 20)
        )
    settings = load(Path(__file__).parents[1] / "okno.example.toml")
    assert set(settings.channels) == {"ym-msk"}
    assert not settings.channels["ym-msk"].live


def test_nothing_is_needed() -> None:
    """Without a file there are defaults: an embedded Postgres, no broker."""
    settings = load(None, Path("/somewhere"))
    assert (settings.postgres.url, settings.rabbitmq.url, settings.rabbitmq.partitions) == (None, None, 1)
    assert settings.data_dir == Path("/somewhere/var")
    assert (settings.http.host, settings.http.port) == ("127.0.0.1", 8080)


def test_a_channels_defaults() -> None:
    """Live, read every five minutes, given up after three days, warned an hour before."""
    ym = parse(channel(), Path()).channels["ym"]
    assert (ym.live, ym.poll_seconds, ym.hook_secret) == (True, 300, None)
    assert (ym.give_up_after, ym.deadline_warning) == (timedelta(hours=72), timedelta(hours=1))


def test_how_many_calls_at_once_is_settable() -> None:
    """The marketplace's own number, unless a channel's says otherwise."""
    usual, own = (parse(channel(parallel=number), Path()).channels["ym"].marketplace.parallel for number in (None, 2))
    assert (usual, own) == (4, 2)


@pytest.mark.parametrize(
    ("tree", "path"),
    [
        ({"timezon": "x"}, "timezon"),
        ({"http": {"prt": 1}}, "http.prt"),
        ({"rabbitmq": {"url": "amqp://x", "queue": "q"}}, "rabbitmq.queue"),
        ({"onec": {"sources": {"ut": {"zone": "x"}}}}, "onec.sources.ut.zone"),
        (channel(api_kay="x"), "channels.ym.api_kay"),
        (channel(kind=None), "channels.ym.kind"),
        (channel(model=None), "channels.ym.model"),
        (channel(api_key=None), "channels.ym.api_key"),
        ({"http": {"port": "8080"}}, "http.port"),
        ({"http": {"port": 80800}}, "http.port"),
        ({"http": 8080}, "http"),
        ({"data_dir": ""}, "data_dir"),
        ({"postgres": {"url": 5}}, "postgres.url"),
        ({"postgres": {"url": "mysql://x"}}, "postgres.url"),
        ({"rabbitmq": {"url": "http://x"}}, "rabbitmq.url"),
        ({"rabbitmq": {"partitions": 0}}, "rabbitmq.partitions"),
        ({"rabbitmq": {"partitions": 257}}, "rabbitmq.partitions"),
        ({"timezone": "Samara"}, "timezone"),
        ({"timezone": "../etc"}, "timezone"),
        ({"timezone": ""}, "timezone"),
        ({"onec": {"sources": {"ut": {"timezone": "Mars/Base"}}}}, "onec.sources.ut.timezone"),
        ({"onec": {"sources": {"ut": {"dialect": "edifact"}}}}, "onec.sources.ut.dialect"),
        ({"onec": {"sources": {"база 1": {}}}}, "onec.sources.база 1"),
        ({"onec": {"statuses": {"Собран": "assembled"}}}, 'onec.statuses."Собран"'),
        ({"onec": {"statuses": {"Собран": "order.snapshot"}}}, 'onec.statuses."Собран"'),
        ({"onec": {"statuses": {"Собран": "order.placed"}}}, 'onec.statuses."Собран"'),
        ({"onec": {"statuses": {"Собран": "order.shipped", "собран ": "order.assembled"}}}, 'onec.statuses."собран "'),
        ({"onec": {"sources": {"ut": {"statuses": {"А": "x"}}}}}, 'onec.sources.ut.statuses."А"'),
        ({"channels": []}, "channels"),
        ({"channels": {"ym": 5}}, "channels.ym"),
        ({"channels": {"YM": YANDEX}}, "channels.YM"),
        ({"channels": {"ym/msk": YANDEX}}, "channels.ym/msk"),
        ({"channels": {"": YANDEX}}, "channels."),
        ({"channels": {"1c": YANDEX}}, "channels.1c"),
        (channel(kind="ebay"), "channels.ym.kind"),
        (channel(model="fby"), "channels.ym.model"),
        (channel(mode="test"), "channels.ym.mode"),
        (channel(base_url="market"), "channels.ym.base_url"),
        (channel(business_id="1"), "channels.ym.business_id"),
        (channel(poll_seconds=0), "channels.ym.poll_seconds"),
        (channel(parallel=0), "channels.ym.parallel"),
        (channel(parallel="4"), "channels.ym.parallel"),
        (channel(poll_seconds=-5), "channels.ym.poll_seconds"),
        (channel(poll_seconds="300"), "channels.ym.poll_seconds"),
        (channel(give_up_after="soon"), "channels.ym.give_up_after"),
        (channel(give_up_after="0h"), "channels.ym.give_up_after"),
        (channel(give_up_after="99999999999d"), "channels.ym.give_up_after"),
        (channel(give_up_after=72), "channels.ym.give_up_after"),
        (channel(deadline_warning="1 hour"), "channels.ym.deadline_warning"),
        (channel(hook_secret="short"), "channels.ym.hook_secret"),
        (channel(hook_secret="with/slash/in/it/all"), "channels.ym.hook_secret"),
        (channel(triggers={"asembled": []}), "channels.ym.triggers.asembled"),
        (channel(triggers={"shipped": ["teleport"]}), "channels.ym.triggers.shipped"),
        (channel(triggers={"arrived": [], "shipped": "track"}), "channels.ym.triggers.shipped"),
        (channel(triggers={"shipped": ["track", 5]}), "channels.ym.triggers.shipped[1]"),
        ({"onec": {"statuses": {"Отгружен": "order.shipped", "Собран": 5}}}, 'onec.statuses."Собран"'),
        (channel(triggers=[]), "channels.ym.triggers"),
    ],
)
def test_what_is_wrong_is_named_with_its_path(tree: dict[str, Any], path: str) -> None:
    """Unknown keys, missing keys, wrong types and impossible values are refused at start."""
    assert fault(deepcopy(tree)).startswith(f"{path}:")


@pytest.mark.parametrize(
    ("tree", "says"),
    [
        ({"rabbitmq": {"url": {"env": "OKNO_NOT_SET"}}}, "rabbitmq.url: the environment variable OKNO_NOT_SET"),
        ({"postgres": {"url": {"file": "no/such"}}}, "postgres.url: the file no/such"),
        (channel(api_key={"env": "OKNO_NOT_SET"}), "channels.ym.api_key: the environment variable OKNO_NOT_SET"),
        (channel(hook_secret={"env": "OKNO_NOT_SET"}), "channels.ym.hook_secret: the environment variable"),
        (channel(api_key={"file": "no/such"}), "channels.ym.api_key: the file no/such"),
        (channel(api_key={"env": 5}), "channels.ym.api_key.env"),
        (channel(triggers={"shipped": [{"env": "OKNO_NOT_SET"}]}), "channels.ym.triggers.shipped[0]: the environment"),
    ],
)
def test_a_secret_that_is_not_there(tree: dict[str, Any], says: str) -> None:
    """What is missing is named: the key, and the variable or the file."""
    assert "OKNO_NOT_SET" not in os.environ
    assert fault(tree).startswith(says)


def test_secrets_from_the_environment_and_from_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Any text may come from elsewhere; a file's path is relative to the configuration's folder, its end trimmed."""
    monkeypatch.setenv("OKNO_URL", "amqp://user:pass@host/")
    (tmp_path / "hook").write_text("a-long-random-word\n")
    (tmp_path / "okno.toml").write_text(
        '[rabbitmq]\nurl = { env = "OKNO_URL" }\n[channels.ym]\nkind = "yandex"\nmodel = "dbs"\nbusiness_id = 1\n'
        'campaign_id = 2\napi_key = { env = "OKNO_URL" }\nhook_secret = { file = "hook" }\n'
    )
    settings = load(tmp_path / "okno.toml")
    assert settings.rabbitmq.url == "amqp://user:pass@host/"
    assert settings.channels["ym"].hook_secret == "a-long-random-word"


def test_a_channels_key_in_a_file_is_read_on_each_use(tmp_path: Path) -> None:
    """A key replaced under a running hub is taken up; while the file is away, the last one holds."""
    key = tmp_path / "key"
    key.write_text("first\n")
    market = parse(channel(api_key={"file": "key"}), tmp_path).channels["ym"].marketplace
    seen = [dict(market.headers())]
    key.write_text("second\n")
    seen.append(dict(market.headers()))
    key.unlink()
    seen.append(dict(market.headers()))
    assert [next(v for v in headers.values() if v in ("first", "second")) for headers in seen] == [
        "first", "second", "second",
    ]  # fmt: skip


def test_triggers_replace_the_kinds_own() -> None:
    """A stage named here tells what stands here; `[]` tells nothing."""
    ym = parse(channel(triggers={"shipped": [], "cancellation_answered": []}), Path()).channels["ym"]
    assert ym.triggers == {"shipped": [], "cancellation_answered": []}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"timezone = ", "not TOML"),
        ("timezone = 'Москва'".encode("cp1251"), "not UTF-8"),
        (b"[http]\nport = 'x'\n", "http.port"),
    ],
)
def test_a_file_that_cant_be_used_is_named(tmp_path: Path, content: bytes, says: str) -> None:
    """The file comes first, then what is wrong in it."""
    path = tmp_path / "okno.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=says) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """It says which, and what to do."""
    with pytest.raises(ConfigError, match="--config"):
        load(tmp_path / "okno.toml")


def test_a_file_with_a_byte_order_mark(tmp_path: Path) -> None:
    """Notepad puts one in front."""
    (tmp_path / "okno.toml").write_bytes(b"\xef\xbb\xbftimezone = 'Europe/Samara'\n")
    assert str(load(tmp_path / "okno.toml").timezone) == "Europe/Samara"
