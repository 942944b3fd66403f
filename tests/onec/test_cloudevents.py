"""CloudEvents in every form 1C sends them, and what happens to what is none."""

import json

import pytest

from service.onec.cloudevents import BATCH, STRUCTURED, Message, Unreadable, read
from tests.onec.making import ORDER, SOURCE, body, event, one, refused, understood

ADDIN = {"type": "order.shipped", "id": "m7", "source": "ut11", "subject": ORDER}
"""All that the usual add-in can put beside a body."""


def test_structured() -> None:
    """A structured event is its attributes and data, whatever content type came with it."""
    for kind in (STRUCTURED, "application/json", ""):
        message = one(body(data={"document": {"number": "Ц-1"}}), content_type=kind)
        assert (message.type, message.source, message.subject, message.id) == ("order.confirmed", SOURCE, ORDER, "m1")
        assert (message.time, message.data) == ("2022-11-28T10:00:00", {"document": {"number": "Ц-1"}})


def test_binary_with_what_the_addin_can_send() -> None:
    """Type, message id, app id, routing key and body are enough: no content type, no timestamp."""
    message = one(b'{"track": "RU1"}', **ADDIN)
    assert (message.type, message.id, message.source, message.subject) == ("order.shipped", "m7", "ut11", ORDER)
    assert (message.time, message.data) == (None, {"track": "RU1"})


def test_attributes_are_taken_from_the_envelope_where_the_body_has_none() -> None:
    """Body first, then properties; the routing key is the subject."""
    lacking = body(id=None, source=None, subject=None)
    message = one(lacking, id="m9", source="perm", subject="ym-spb/5", type="order.shipped")
    assert (message.id, message.source, message.subject, message.type) == ("m9", "perm", "ym-spb/5", "order.confirmed")


def test_no_id_and_no_source() -> None:
    """Without an id the whole message stands for it; without a source it is simply 1C."""
    message = one(body(id=None, source=None))
    assert (message.id, message.source) == (None, "1c")
    assert len(understood(body(id=None, source=None)).id) == 32


def test_extension_attributes_are_kept_beside_the_data() -> None:
    """What CloudEvents calls extensions is not lost, and does not make it another message."""
    read_one = one(body(traceparent="00-ab"))
    assert (read_one.data, read_one.extensions) == ({}, {"traceparent": "00-ab"})


@pytest.mark.parametrize("text", ['{"track": "RU1"}', '  {"track": "RU1"}', '\ufeff{"track": "RU1"}'])
def test_data_as_json_text(text: str) -> None:
    """A developer who serialised twice is understood."""
    assert one(body("order.shipped", text)).data == {"track": "RU1"}


def test_data_in_base64() -> None:
    """CloudEvents' other way to carry data."""
    raw = json.dumps({**event("order.shipped"), "data": None, "data_base64": "eyJ0cmFjayI6ICJSVTEifQ=="}).encode()
    assert one(raw).data == {"track": "RU1"}


def test_byte_order_mark_and_tabs() -> None:
    """1C's writers put a BOM first and indent with tabs."""
    raw = b"\xef\xbb\xbf" + json.dumps(event(), indent="\t").encode()
    assert one(raw).type == "order.confirmed"


def test_arrays_come_apart() -> None:
    """A batch of several orders' events is one message each, each understood or not alone, with its own bytes."""
    parts = [body(id="a"), b'{"no": "type"}', b"7", body(id="b", subject="ym-spb/5"), body(id="c", data="{,")]
    messages = read(b"[" + b" , ".join(parts) + b"]", {"content_type": BATCH, "id": "whole"})
    assert [type(m) for m in messages] == [Message, Unreadable, Unreadable, Message, Unreadable]
    assert [m.body for m in messages] == parts
    assert [m.reason for m in messages if isinstance(m, Unreadable)] == ["no_type", "not_an_event", "broken_json"]
    assert [m.pointer for m in messages if isinstance(m, Unreadable)] == ["/1/type", "/2", "/4/data"]


def test_the_envelopes_id_is_not_an_elements() -> None:
    """A message id belongs to the whole message: two events without ids must not share it."""
    messages = read(b"[" + body(id=None) + b"," + body(id=None, subject="ym-spb/5") + b"]", {"id": "m1"})
    assert [m.id for m in messages if isinstance(m, Message)] == [None, None]


def test_an_array_in_binary_mode() -> None:
    """An array under a type of the envelope's is several such events of one order."""
    messages = read(b'[{"track": "RU1"}, {"track": "RU2"}]', ADDIN)
    assert [(m.type, m.subject, m.id, m.data) for m in messages if isinstance(m, Message)] == [
        ("order.shipped", ORDER, None, {"track": "RU1"}),
        ("order.shipped", ORDER, None, {"track": "RU2"}),
    ]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "empty"),
        (b" \r\n", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (body()[:-9], "broken_json"),
        (body()[:-1] + b",}", "broken_json"),
        (b"[" + body() + b",]", "broken_json"),
        ('{"type": "Заказ"}'.encode("cp1251"), "not_utf8"),
        (b"\xff\xfe{\x00}\x00", "not_utf8"),
        (b"[" * 100_000 + b"]" * 100_000, "broken_json"),
        (b'{"type": "order.confirmed", "subject": "\\ud800"}', "broken_json"),
        (b'{"type": "order.confirmed", "data": {"total": NaN}, "subject": "ym-msk/1"}', "broken_json"),
        (b'"a text"', "not_an_event"),
        (b"null", "not_an_event"),
        (b"{}", "no_type"),
        (b'{"type": "order.confirmed", "data": {}}', "no_order"),
        (body(data='{"track": '), "broken_json"),
        (body(data="[" * 50_000), "broken_json"),
    ],
)
def test_what_cant_be_understood_says_why(raw: bytes, reason: str) -> None:
    """Each kind of damage has its reason, and none of them is an accident of the parser's."""
    error = refused(raw)
    assert error.reason == reason
    assert error.detail


def test_deep_data_does_not_break_understanding() -> None:
    """Nesting the parser just about takes is recorded or refused, never an error of ours."""
    for depth in (100, 400, 700, 900, 980):
        raw = body("order.shipped", None).replace(
            b'"data": {}', b'"data": {"track":' + b"[" * depth + b"]" * depth + b"}"
        )
        assert refused(raw).reason in ("bad_field", "broken_json")


def test_duplicate_keys_and_huge_numbers() -> None:
    """The last of two equal keys counts; a number of any size is kept as it is."""
    assert one(b'{"type": "a", "type": "order.shipped", "subject": "x/1"}').type == "order.shipped"
    digits = "9" * 400
    message = one(body(data={"n": 0}).replace(b'"n": 0', f'"n": {digits}'.encode()))
    assert message.data == {"n": int(digits)}
    assert digits.encode() in message.wire()
    raw = body(data={"n": 0}).replace(b'"n": 0', b'"n": ' + b"9" * 5000)
    assert [type(m) for m in read(raw, {})] in ([Message], [Unreadable])


def test_numbers_keep_their_digits() -> None:
    """Money is never a float."""
    message = one(body(data={"total": 0}).replace(b'"total": 0', b'"total": 16582.650000000000000000001'))
    assert str(message.data["total"]) == "16582.650000000000000000001"


def test_what_is_whole_goes_on_as_received() -> None:
    """A structured event that names everything travels on in its own bytes; the audit sees what 1C wrote."""
    raw = b"\xef\xbb\xbf" + json.dumps(event(), indent="\t", ensure_ascii=False).encode()
    assert one(raw).wire() == raw
    assert one(body(id=None)).wire() == body(id=None)


@pytest.mark.parametrize(
    ("raw", "envelope"),
    [
        (b'{"track": "RU1"}', ADDIN),
        (body(source=None), {"source": "1c/ut11"}),
        (body(subject=None), {"subject": ORDER}),
        (body(id=None), {"id": "m5"}),
        (body(source=None), {}),
        (body(data={"total": "1,50"}, traceparent="00-ab", time=None), {"time": "2022-11-28"}),
    ],
)
def test_what_goes_on_says_the_same(raw: bytes, envelope: dict[str, str]) -> None:
    """An event passed on without its envelope is the same event."""
    before, after = understood(raw, **envelope), understood(one(raw, **envelope).wire())
    assert before.digest == after.digest
    assert (before.order, before.type, before.source, before.id) == (after.order, after.type, after.source, after.id)
    assert (before.data, before.occurred_at) == (after.data, after.occurred_at)
    assert json.loads(before.personal or b"{}") == json.loads(after.personal or b"{}")
