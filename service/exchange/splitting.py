"""A file of CommerceML taken apart while it comes: one document in memory at a time. No DTD, no entities. Pure.

What stands directly under the root is a part; of these only documents and containers are built, so that a whole
catalogue beside them costs nothing. A file whose documents are nested too deep, or too large, is refused.
"""

from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable
from xml.etree.ElementTree import Element, ParseError, TreeBuilder

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from service.exchange.answers import Failure
from service.onec.dialects import _commerceml as cml

DEEPEST = 50
LARGEST = 4 * 1024 * 1024
"""Characters of one document, its tags included."""

ENDS = tuple(
    f"{cml.ROOT}>".encode(encoding).rstrip(b"\x00") for encoding in ("utf-8", "windows-1251", "utf-16-le", "utf-16-be")
)
PACKED = (b"PK\x03\x04", b"\x1f\x8b")


def is_whole(tail: bytes) -> bool:
    """Whether a file that ends so may be all of it."""
    return tail.rstrip(b" \t\r\n\x00").endswith(ENDS)


def check_start(start: bytes) -> None:
    """Refuses what is no XML by its first bytes."""
    if start.startswith(PACKED):
        raise Failure("файл упакован, а сайт ответил zip=no: отключите сжатие в настройке обмена")
    text = start.removeprefix(BOM_UTF8).lstrip()
    if text and not text.startswith((b"<", BOM_UTF16_BE, BOM_UTF16_LE)):
        raise Failure("файл не похож на XML: выгружайте заказы в формате CommerceML")


class Splitter:
    """Takes a file's bytes; what was complete by then comes out. `built` False: only to see whether it is sound."""

    def __init__(self, *, built: bool = True) -> None:
        self._target = _Target(built)
        self._parser = DefusedXMLParser(target=self._target, forbid_dtd=True)

    @property
    def root(self) -> dict[str, str]:
        """The attributes of the root, once it was seen."""
        return self._target.root

    def feed(self, data: bytes) -> list[Element]:
        """The parts that end in these bytes; `Failure` says where the fault is."""
        self._guarded(lambda: self._parser.feed(data))
        return self._target.taken()

    def close(self) -> None:
        """Says that this was all."""
        self._guarded(self._parser.close)

    def _guarded(self, act: Callable[[], object]) -> None:
        try:
            act()
        except ParseError as error:
            line, column = error.position
            where = f"строка {line}, знак {column + 1}"
            raise Failure(f"файл не разобран, {where}: {error}. Выгрузите его ещё раз") from error
        except DefusedXmlException as error:
            raise Failure("в файле есть DTD или сущности XML: такие файлы не принимаются") from error
        except (ValueError, LookupError) as error:  # an encoding nobody knows
            raise Failure(f"файл не разобран: {error}") from error


class _Target:
    """What the parser calls."""

    def __init__(self, built: bool) -> None:
        self.root: dict[str, str] = {}
        self._built, self._depth, self._size, self._inside = built, 0, 0, False
        self._builder = TreeBuilder()
        self._done: list[Element] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = cml.local(tag)
        self._depth += 1
        if self._depth > DEEPEST:
            raise Failure(f"в файле больше {DEEPEST} уровней вложенности: это не CommerceML")
        if self._depth == 1:
            if name != cml.ROOT:
                raise Failure(f"корень файла {name[:80]}, а нужен {cml.ROOT}: выгружайте заказы в формате CommerceML")
            self.root = {cml.local(key): value for key, value in attributes.items()}
        elif self._depth == 2 and name in (cml.DOCUMENT, cml.CONTAINER):
            self._inside, self._size, self._builder = True, 0, TreeBuilder()
        if self._inside:
            self._count(tag)
            if self._built:
                self._builder.start(name, {cml.local(key): value for key, value in attributes.items()})

    def end(self, tag: str) -> None:
        if self._inside and self._built:
            self._builder.end(cml.local(tag))
            if self._depth == 2:
                self._done.append(self._builder.close())
        self._inside = self._inside and self._depth > 2
        self._depth -= 1

    def data(self, data: str) -> None:
        if self._inside:
            self._count(data)
            if self._built:
                self._builder.data(data)

    def close(self) -> None:
        pass

    def taken(self) -> list[Element]:
        done, self._done = self._done, []
        return done

    def _count(self, more: str) -> None:
        self._size += len(more)
        if self._size > LARGEST:
            raise Failure(f"в файле документ больше {LARGEST // 1024 // 1024} МБ: это не заказ")
