"""Traces of an order or a person in texts as they were received. Pure.

An order is named by its key, its number, its documents' ids and numbers; each counts where nothing of a word stands
before or behind it. A short number is found in anything, so one below `SHORTEST` characters counts as the whole key
only. A person is named by a phone (its digits, however they are set out; +7, 8 and neither are the same), an e-mail
address, or words of a name, all of which must be there.
"""

import re
from collections.abc import Callable, Collection, Iterable
from typing import Any

import msgspec

from events.codec import loads

SHORTEST = 6

PHONE = re.compile(r"[+]?[\d\s().-]{7,}")
PHONE_DIGITS = range(7, 16)
BETWEEN = r"[\s().\u2010-\u2014-]{0,3}"
"""What may stand between a phone's digits."""

_NOT_DIGITS = bytes(set(range(256)) - set(b"0123456789"))

Test = Callable[[str], bool]


def texts(body: bytes) -> str:
    """Everything a body may say as text: as it is, and with JSON's escapes resolved."""
    try:
        found = body.decode("utf-8-sig")
    except UnicodeDecodeError:  # then perhaps as an old base of 1C writes; U+0000 of UTF-16 would part the letters
        found = body.replace(b"\0", b"").decode("utf-8", "ignore") + "\n" + body.decode("cp1251", "ignore")
    if "\\u" not in found and "\\/" not in found:
        return found
    try:
        return "\n".join((found, *_strings(loads(body))))
    except (msgspec.DecodeError, RecursionError):
        return found + "\n" + _ESCAPE.sub(_unescaped, found).replace("\\/", "/")


_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")


def _unescaped(match: re.Match[str]) -> str:
    return chr(int(match[1], 16))


def _strings(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _strings(item)
    elif isinstance(value, Iterable):
        for item in value:
            yield from _strings(item)


def of_order(keys: Collection[str], names: Iterable[str], channels: Iterable[str]) -> Test:
    """Whether a text names an order: by one of its keys, or by a number or an id of it.

    `channels`: all there are; a number behind another channel's name is another order's.
    """
    whole = [key.casefold() for key in keys]
    parts = [name.casefold() for name in names if len(name) >= SHORTEST]
    own = {key.partition("/")[0] for key in whole}
    others = "".join(f"(?<!{re.escape(name)}/)" for name in channels if name not in own)
    ways = [f"(?<![\\w-])(?:{_any(whole)})", *([f"(?<!\\w)(?<!\\d\\.){others}(?:{_any(parts)})"] if parts else [])]
    pattern = re.compile(f"(?:{'|'.join(ways)})(?!\\w)(?!\\.\\d)")
    words = (*whole, *parts)

    def said(text: str) -> bool:
        folded = text.casefold()
        return any(word in folded for word in words) and pattern.search(folded) is not None

    return said


def _any(words: Iterable[str]) -> str:
    return "|".join(map(re.escape, words))


def of_person(wanted: str) -> Test:
    """Whether a text names a person by what is known of him; `ValueError` for what could be anybody."""
    digits = re.sub(r"\D", "", wanted)
    if PHONE.fullmatch(wanted.strip()) and len(digits) in PHONE_DIGITS:
        return _of_phone(digits)
    words = re.findall(r"[\w@.+-]+", _folded(wanted))
    if not any(len(word) > 2 for word in words) or not any(c.isalpha() for c in wanted):
        raise ValueError(f"{wanted!r} could be anybody: name a phone with 7 digits or more, or a name")
    patterns = [re.compile(rf"(?<!\w){re.escape(word)}(?!\w)") for word in words]

    def said(text: str) -> bool:
        folded = _folded(text)
        return all(word in folded for word in words) and all(pattern.search(folded) for pattern in patterns)

    return said


def _of_phone(digits: str) -> Test:
    own = digits[-10:] if len(digits) in (10, 11) else digits
    land = rf"(?:(?:\+?7|8){BETWEEN})?" if len(own) == 10 else r"\+?"
    pattern, bare = re.compile(rf"(?<!\d){land}{BETWEEN.join(own)}(?!\d)"), own.encode()

    def said(text: str) -> bool:  # its digits alone are looked for first: hundreds of times as fast
        return bare in text.encode("utf-8", "ignore").translate(None, _NOT_DIGITS) and pattern.search(text) is not None

    return said


def _folded(text: str) -> str:
    return text.casefold().replace("ё", "е")


def names_person(reason: str, personal: Iterable[Any]) -> bool:
    """Whether a reason, which stays for ever, gives the buyer away: his phone, or his name in any case of it."""
    folded = _folded(reason)
    said = re.findall(r"\w+", folded)
    for data in personal:
        customer = data.get("customer") if isinstance(data, dict) else None
        for value in _strings(customer.values() if isinstance(customer, dict) else customer):
            digits = re.sub(r"\D", "", value)
            if len(digits) in PHONE_DIGITS and _of_phone(digits)(reason):
                return True
            if "@" in value:
                if _folded(value) in folded:
                    return True
            elif any(_inflected(name, word) for name in re.findall(r"[^\W\d]{3,}", _folded(value)) for word in said):
                return True
    return False


def _inflected(name: str, word: str) -> bool:
    """Whether a word may be this name in another case."""
    stem = name[:-1] if len(name) > 3 else name
    return word.startswith(stem) and len(word) <= len(name) + 2


def quotes_person(text: str, personal: Iterable[Any]) -> bool:
    """Whether a text repeats something of the buyer: a phone, a whole name or address."""
    folded = _folded(text)
    for data in personal:
        told = data if isinstance(data, dict) else {}
        customer = told.get("customer")
        for value in _strings([*(customer.values() if isinstance(customer, dict) else ()), told.get("address")]):
            digits = re.sub(r"\D", "", value)
            if PHONE.fullmatch(value) and len(digits) in PHONE_DIGITS and _of_phone(digits)(text):
                return True
            if len(value) >= SHORTEST and _folded(value) in folded:
                return True
    return False
