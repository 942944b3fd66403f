"""1C's numbers in Megamarket's letters."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.marketplaces.megamarket.order_code import decode, encode

ALPHABET = re.compile(r"[A-Za-z0-9_-]*")


@given(st.text() | st.text("АЯЁаяё_-ABu09№ᲀ"))
def test_every_number_comes_back(number: str) -> None:
    """The code holds only what Megamarket takes, and is read back to the very number."""
    assert ALPHABET.fullmatch(encode(number))
    assert decode(encode(number)) == number


@given(st.text("АЯЁаяё_-Au0№"), st.text("АЯЁаяё_-Au0№"))
def test_no_two_numbers_share_a_code(one: str, other: str) -> None:
    """Different orders never get the same code."""
    assert (encode(one) == encode(other)) == (one == other)


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("ЦСУТ-004512", "_C_S_U_T-004512"),
        ("УТ000004512", "_U_T000004512"),
        ("0000-000017", "0000-000017"),
        ("МСК_12/3", "_M_S_K__12_u2f_3"),
        ("эЮ №7", "_-3_9_u20__u2116_7"),
        ("", ""),
    ],
)
def test_codes_stand_on_boxes(number: str, code: str) -> None:
    """These are printed and stuck: they stay as they are for ever."""
    assert encode(number) == code


@pytest.mark.parametrize("code", ["_", "_s", "_2", "_-", "_u_", "_u41", "_u110000_", "Ц", "a b", "_uD800_"])
def test_what_is_no_code_of_ours_is_said_so(code: str) -> None:
    """A code somebody typed in the cabinet is not read as something else."""
    with pytest.raises(ValueError, match="is no order code"):
        decode(code)
