"""How 1C is answered: lines of text, or CommerceML; in the encoding set for its base. Pure.

A text of plain ASCII is the same in both. UTF-8 has a mark in front, else 1C reads it as windows-1251; what
windows-1251 has no letter for is written as XML's reference, or in a text as a question mark.
"""

from codecs import BOM_UTF8
from xml.etree.ElementTree import Element, indent, tostring

SUCCESS, PROGRESS, FAILURE = "success", "progress", "failure"


class Failure(Exception):
    """1C can't have what it asks for; the message says in its language what is wrong and what to do."""


def text(lines: str, encoding: str) -> bytes:
    """Lines of an answer."""
    if lines.isascii():
        return lines.encode()
    return lines.encode("windows-1251", "replace") if encoding == "windows-1251" else BOM_UTF8 + lines.encode()


def xml(root: Element, encoding: str) -> bytes:
    """A document, with its declaration."""
    indent(root, "\t")
    body = tostring(root, encoding="unicode")
    declared = f'<?xml version="1.0" encoding="{encoding}"?>\n{body}\n'
    if encoding == "windows-1251":
        return declared.encode("windows-1251", "xmlcharrefreplace")
    return BOM_UTF8 + declared.encode()


def version(asked: str | None, own: str | None) -> str:
    """The version of CommerceML to write: the one set for the base, else the one it asks for, if we know it."""
    if own is not None:
        return own
    number = _number(asked or OLDEST)
    if number >= _number(NEWEST):
        return NEWEST
    return ".".join(f"{part:02}" if at else str(part) for at, part in enumerate(min(number, _number(LAST_FLAT))))


OLDEST, LAST_FLAT, NEWEST = "2.03", "2.10", "3.1"


def _number(version: str) -> tuple[int, int]:
    major, _, minor = version.strip().partition(".")
    found = int(major) if major.isdecimal() else 0, int(minor) if minor.isdecimal() else 0
    return max(found, (2, 3))
