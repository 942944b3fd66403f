"""Texts are complete in every language; money, times and durations read as people write them."""

import string
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from events.order.facts import FACTS
from events.order.stages import STAGES
from service.web.pages.speech import LANGUAGES, Speech, chosen, texts

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
EN, RU = (Speech(language, ZoneInfo("Europe/Samara"), NOW) for language in ("en", "ru"))


def test_languages_have_the_same_keys() -> None:
    """What can be said in one language can be said in the other, with the same values to fill in."""
    shapes = [
        {
            (section, key): {name for _, name, _, _ in string.Formatter().parse(text) if name}
            for section, keys in texts(language).items()
            for key, text in keys.items()
        }
        for language in LANGUAGES
    ]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_stage_and_type_has_a_word(language: str) -> None:
    """What the log can hold has words."""
    table = texts(language)
    assert set(STAGES) <= set(table["stage"])
    assert set(FACTS) <= set(table["event"])
    assert all(text.strip() for section in table.values() for text in section.values())


def test_money_reads_well() -> None:
    """Thin spaces between thousands, kopecks only where there are any, the sign of roubles, other codes as they are."""
    assert EN.money(Decimal("39570.00"), "RUB") == "39\u202f570\u202f₽"
    assert RU.money(Decimal("1234567.5"), "RUR") == "1\u202f234\u202f567,50\u202f₽"
    assert EN.money(Decimal("-0.5"), "KZT") == "\u22120.50\u202fKZT"
    assert EN.money(None) == ""


def test_times_are_in_the_configured_zone() -> None:
    """Today is a clock, another day has its date, another year its year; the machine-readable time is exact."""
    assert ">16:00<" in EN.when(NOW)
    assert ">28\u00a0фев, 23:59<" in RU.when(datetime(2026, 2, 28, 19, 59, tzinfo=UTC))
    assert ">1\u00a0Jan\u00a02025, 04:00<" in EN.when(datetime(2025, 1, 1, tzinfo=UTC))
    assert 'datetime="2026-03-01T16:00:00+04:00"' in EN.when(NOW)


@pytest.mark.parametrize(
    ("gap", "said"),
    [
        (timedelta(minutes=45), "45\u00a0min left"),
        (timedelta(hours=2, minutes=5), "2\u00a0h 5\u00a0min left"),
        (timedelta(days=3, hours=4, minutes=30), "3\u00a0d 4\u00a0h left"),
        (timedelta(hours=-1), "late by 1\u00a0h"),
        (timedelta(seconds=20), "now"),
    ],
)
def test_time_left_is_told_in_two_units(gap: timedelta, said: str) -> None:
    """Minutes while it is hours, hours while it is days."""
    assert EN.left(NOW + gap) == said


@pytest.mark.parametrize(
    ("cookie", "accepted", "language"),
    [
        (None, "", "en"),
        (None, "ru", "ru"),
        (None, "de, ru-RU;q=0.9, en;q=0.8", "ru"),
        (None, "ru;q=0, en;q=0.1", "en"),
        (None, "ru;q=x", "en"),
        ("ru", "en", "ru"),
        ("../../etc", "en", "en"),
    ],
)
def test_the_language_is_what_was_chosen_or_asked_for(cookie: str | None, accepted: str, language: str) -> None:
    """A choice counts more than the browser's wish; of wishes the strongest that we speak."""
    assert chosen(cookie, accepted) == language
