"""A file of 1C's documents comes apart message by message, whatever it looks like and however large it is."""

import io
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from service.reconcile import BrokenFile, files, messages

SHARED = Path(__file__).parents[2] / "tests" / "fixtures" / "commerceml"
ONE, TWO = {"a": 1, "б": ["}", '"{', {"c": [1.50]}]}, {"a": 2, "value": 3}


def apart(text: str | bytes) -> list[Any]:
    """The messages of a file, parsed."""
    body = text.encode() if isinstance(text, str) else text
    return [json.loads(message) for message in messages(io.BytesIO(body))]


@pytest.fixture(params=[1, 7, 1 << 20])
def chunk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files come in pieces of a byte, of some, and whole: a piece may end within a letter."""
    monkeypatch.setattr(files, "CHUNK", request.param)
    monkeypatch.setattr(files, "FIRST_LINE", max(request.param, 4))


@pytest.mark.parametrize(
    "text",
    [
        json.dumps([ONE, TWO], ensure_ascii=False),
        "\ufeff" + json.dumps([ONE, TWO], indent="\t", ensure_ascii=False) + "\n",
        json.dumps(ONE, ensure_ascii=False) + "\r\n\r\n" + json.dumps(TWO) + "\n",
        json.dumps(ONE) + "\n" + json.dumps(TWO),
        json.dumps(ONE, indent=2) + "\n" + json.dumps(TWO, indent=2),
        f"[{json.dumps(ONE)},]\n[{json.dumps(TWO)}]",
    ],
)
def test_messages_come_in_order(chunk: None, text: str) -> None:
    """An array, a message a line, messages over several lines, one after another; with a BOM, tabs and empty lines."""
    assert apart(text) == [ONE, TWO]


def test_a_page_of_odata_comes_apart_into_pages_of_one(chunk: None) -> None:
    """What else the page says goes with each document, and keys behind the array are no message of their own."""
    page = {"odata.metadata": "…#Document_ЗаказКлиента", "odata.count": "2", "value": [ONE, TWO]}
    first = {key: value for key, value in page.items() if key != "value"}
    assert apart(json.dumps(page, indent=1)) == [{**first, "value": [ONE]}, {**first, "value": [TWO]}]
    assert apart('{"value": [], "odata.nextLink": "x"}') == [{"odata.nextLink": "x"}]


def test_nothing_is_in_an_empty_file() -> None:
    """Nor in an empty array."""
    for text in ("", " \n", "[]", "[ ]\n"):
        assert apart(text) == []


@pytest.mark.parametrize(
    "text", ['[{"a": 1}, {"b": ', '[{"a": 1} {"b": 2', '[{"a": 1}]]', "{'a': 1}", "a;b;c", "[1,", b"\xff\xfe["]
)
def test_a_broken_file_is_not_read_as_a_shorter_one(chunk: None, text: str | bytes) -> None:
    """What is not in it could be in the part that can't be read."""
    with pytest.raises(BrokenFile):
        apart(text)


def test_a_broken_line_is_one_message_alone() -> None:
    """Its bytes are passed on for the hub's own reading to refuse."""
    assert [*messages(io.BytesIO(b'{"a": 1}\n{"a": \n{"a": 3}'))] == [b'{"a": 1}', b'{"a": ', b'{"a": 3}']


def test_what_is_nested_too_deep_is_broken() -> None:
    """And no crash."""
    with pytest.raises(BrokenFile, match="deep"):
        apart("[" + "[" * 200_000)


def test_commerceml_comes_apart_by_document(chunk: None) -> None:
    """Each is a file of its own with the root's attributes; entities, other roots and broken files are refused."""
    text = '<?xml version="1.0" encoding="windows-1251"?>\n<КоммерческаяИнформация ВерсияСхемы="2.08">'
    text += "".join(f"<Документ><Номер>{n}</Номер></Документ>" for n in "12") + "</КоммерческаяИнформация>"
    first, second = (message.decode() for message in messages(io.BytesIO(text.encode("windows-1251"))))
    assert 'ВерсияСхемы="2.08"' in first
    assert ("<Номер>1</Номер>" in first, "<Номер>2</Номер>" in first, "<Номер>2</Номер>" in second) == (
        True,
        False,
        True,
    )
    for broken in (text.encode("windows-1251")[:-9], b"<html/>", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'):
        with pytest.raises(BrokenFile):
            list(messages(io.BytesIO(broken)))


class Endless(io.RawIOBase):
    """An array of many documents that is nowhere whole."""

    def __init__(self, count: int) -> None:
        element = json.dumps({"text": "x" * 2000}).encode()
        self._parts = iter([b"[", *[element + b","] * (count - 1), element, b"]"])

    def read(self, size: int = -1) -> bytes:
        """Some of them."""
        found = bytearray()
        while len(found) < size and (part := next(self._parts, b"")):
            found += part
        return bytes(found)


def test_a_large_file_takes_little_memory() -> None:
    """20,000 documents of 2 kB, 40 MB, in less than 12 MB."""
    file: Any = Endless(20_000)
    tracemalloc.start()
    count = sum(1 for _ in messages(file))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (count, peak < 12e6) == (20_000, True)
