"""1C's document number as an `orderCode`, and back.

Megamarket takes only Latin letters, digits, "_" and "-" there, and 1C's numbers have Cyrillic prefixes. So what it
takes stands for itself, and "_" begins an escape:

    __        "_"
    _S, _4    an upper-case Cyrillic letter, here "С" and "Ч";  _-S, _-4  the same in lower case
    _u2116_   any other character by its code, here "№"

`ЦСУТ-004512` becomes `_C_S_U_T-004512`. Boxes carry these codes: the table is for ever.
"""

import re
from collections.abc import Iterator

_LETTERS = {
    "А": "A", "Б": "B", "В": "V", "Г": "G", "Д": "D", "Е": "E", "Ё": "0", "Ж": "J", "З": "Z", "И": "I", "Й": "Y",
    "К": "K", "Л": "L", "М": "M", "Н": "N", "О": "O", "П": "P", "Р": "R", "С": "S", "Т": "T", "У": "U", "Ф": "F",
    "Х": "H", "Ц": "C", "Ч": "4", "Ш": "W", "Щ": "X", "Ъ": "7", "Ы": "1", "Ь": "6", "Э": "3", "Ю": "9", "Я": "Q",
}  # fmt: skip
_LOWER = {letter.lower(): sign for letter, sign in _LETTERS.items()}
_BACK = {sign: letter for letter, sign in _LETTERS.items()}
_PLAIN = re.compile(r"[A-Za-z0-9-]")
_PART = re.compile(r"(?P<plain>[A-Za-z0-9-]+)|_(?:(?P<own>_)|u(?P<code>[0-9a-f]{1,6})_|(?P<low>-?)(?P<sign>[A-Z0-9]))")


def encode(number: str) -> str:
    """The code of a number."""
    return "".join(map(_escaped, number))


def decode(code: str) -> str:
    """The number of a code; ValueError for what is none of ours."""
    return "".join(_read(code))


def _escaped(sign: str) -> str:
    if _PLAIN.fullmatch(sign):
        return sign
    if sign == "_":
        return "__"
    if sign in _LETTERS:
        return f"_{_LETTERS[sign]}"
    if sign in _LOWER:
        return f"_-{_LOWER[sign]}"
    return f"_u{ord(sign):x}_"


def _read(code: str) -> Iterator[str]:
    at = 0
    while at < len(code):
        part = _PART.match(code, at)
        if part is None or (part["sign"] and part["sign"] not in _BACK):
            raise ValueError(f"{code!r} is no order code: it can't be read from {code[at:]!r} on")
        if part["plain"]:
            yield part["plain"]
        elif part["own"]:
            yield "_"
        elif part["code"]:
            yield _character(code, part["code"])
        else:
            yield _BACK[part["sign"]].lower() if part["low"] else _BACK[part["sign"]]
        at = part.end()


def _character(code: str, number: str) -> str:
    try:
        return chr(int(number, 16))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{code!r} is no order code: there is no character {number}") from error
