"""What counts as a trace of an order or of a person, and what does not."""

import json

import pytest

from service.erasing.traces import names_person, of_order, of_person, texts

ORDER = of_order(["ym-msk/48123456", "1c/6f9a-1"], ["48123456", "ЦСУТ-004512", "6f9a-11", "12345"], ["ym-msk", "ozon"])


@pytest.mark.parametrize(
    "text",
    [
        '{"subject":"ym-msk/48123456"}', "YM-MSK/48123456", "заказ №48123456", '{"x":[48123456,48123457]}',
        "/orders/48123456/status", "документ цсут-004512.", "6F9A-11", "1c/6f9a-1", "order_48123456 и 48123456",
        "48123456", "https://host/ym-msk/48123456?x=1", "на 48123456.",
    ],
)  # fmt: skip
def test_an_orders_traces(text: str) -> None:
    """Key, number, document's number and id, however they stand in the text."""
    assert ORDER(text)


@pytest.mark.parametrize(
    "text",
    [
        "148123456", "481234567", "ym-msk/4812345", "ozon/48123456", "48123456.50", "1.48123456", "12345",
        "ЦСУТ-0045123", "a-1c/6f9a-1", "6f9a-112", "",
    ],
)  # fmt: skip
def test_what_is_no_trace_of_an_order(text: str) -> None:
    """Part of a longer number, an amount, another channel's order, a number that is too short to tell."""
    assert not ORDER(text)


def test_a_short_number_counts_as_the_whole_key_only() -> None:
    """`12345` is in anything; `shop/12345` is not."""
    short = of_order(["shop/12345"], ["12345"], ["shop"])
    assert short("x shop/12345 y")
    assert not short("12345")


@pytest.mark.parametrize("coded", ["utf-8", "cp1251", "utf-16"])
def test_texts_are_found_however_they_are_written(coded: str) -> None:
    """A broken body of an old base too."""
    assert "48123456" in texts('{"Номер": "48123456", '.encode(coded))
    assert coded == "utf-16" or ORDER(texts("ЦСУТ-004512 x".encode(coded)))


def test_escapes_are_resolved() -> None:
    """JSON may write each letter as a number, and `/` behind a backslash."""
    body = json.dumps({"a": ["ЦСУТ-004512"]}).encode()
    assert ORDER(texts(body))
    assert ORDER(texts(body[:-1])), "broken JSON too"
    assert ORDER(texts(rb'{"subject": "ym-msk\/48123456"}'))
    assert texts(b"\xef\xbb\xbfx") == "x"


@pytest.mark.parametrize("wanted", ["+7 (912) 345-67-89", "89123456789", "9123456789", "8 912 345 67 89"])
@pytest.mark.parametrize("said", ["+79123456789", "8(912)345-67-89", '{"phone":79123456789}', "912 345 67 89 доб. 1"])
def test_a_phone_is_its_digits(wanted: str, said: str) -> None:
    """+7, 8 and neither are the same phone, however it is set out."""
    assert of_person(wanted)(said)


def test_other_numbers_are_no_phone() -> None:
    """Neither a longer number nor another one."""
    test = of_person("+79123456789")
    assert [test(text) for text in ("179123456789", "791234567890", "+7 912 345-67-88", "")] == [False] * 4


def test_a_name_is_all_of_its_words() -> None:
    """In any order and field; a part of a word is another word."""
    test = of_person("Петров Пётр")
    assert test('{"lastName":"ПЕТРОВ","firstName":"Петр"}')
    assert not test("Петрова Пётр")
    assert not test("Петров Иван")
    assert of_person("anna@example.com")("Anna@Example.com")


@pytest.mark.parametrize("wanted", ["", "12", "ан", "12345"])
def test_what_could_be_anybody_is_refused(wanted: str) -> None:
    """A search that finds everybody is used wrongly."""
    with pytest.raises(ValueError, match="anybody"):
        of_person(wanted)


def test_a_reason_names_nobody() -> None:
    """It stays for ever: the buyer's name in any case of it, or his phone, must not."""
    personal = [
        {"customer": {"name": "Иванова Анна Петровна", "phone": "+79123456789", "email": "a@b.ru"}},
        {"comment": "x"},
        "y",
    ]
    for reason in ("по заявлению Ивановой А. П.", "Анне больше не нужен", "просил 8 912 345-67-89", "a@b.ru"):
        assert names_person(reason, personal), reason
    for reason in ("по заявлению субъекта, вх. 17-2026 от 01.02.2026", "152-ФЗ, ст. 21, аннуляция"):
        assert not names_person(reason, personal), reason
