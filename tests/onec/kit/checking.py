"""What can be said of BSL modules without 1C: brackets, blocks, and calls of one another's procedures."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.onec.kit.lexing import NotBsl, Token, tokens

BRACKETS = {")": "(", "]": "["}
BLOCKS = {
    "конецесли": "если",
    "конеццикла": "цикл",
    "конецпопытки": "попытка",
    "конецпроцедуры": "процедура",
    "конецфункции": "функция",
}
WITHIN = {"тогда": "если", "иначеесли": "если", "иначе": "если", "исключение": "попытка"}
RESERVED = frozenset({
    *BLOCKS, *BLOCKS.values(), *WITHIN, "для", "каждого", "из", "по", "пока", "возврат", "прервать", "продолжить",
    "новый", "и", "или", "не", "истина", "ложь", "неопределено", "null", "знач", "экспорт", "перем", "перейти",
    "выполнить", "вызватьисключение", "добавитьобработчик", "удалитьобработчик",
})  # fmt: skip


@dataclass(frozen=True)
class Method:
    """A procedure or function: how many arguments it takes at least and at most."""

    name: str
    exported: bool
    least: int
    most: int
    line: int


@dataclass(frozen=True)
class Call:
    """A call by name; `module` None: of the own module, or of the platform."""

    module: str | None
    name: str
    given: int
    line: int


def check(source: str) -> None:
    """Raises `NotBsl` where a bracket, a text or a block is not closed, or closed by another's end."""
    opened: list[Token] = []
    blocks: list[Token] = []
    for number, token in enumerate(found := tokens(source)):
        if token.kind == "sign":
            _bracket(token, opened)
        elif token.kind == "name" and not (number and found[number - 1].written == "."):
            _block(token, blocks, opened)
    for left in (*opened, *blocks):
        raise NotBsl(left.line, f"{left.written} is not closed")


def _bracket(token: Token, opened: list[Token]) -> None:
    if token.value in BRACKETS.values():
        opened.append(token)
    elif token.value in BRACKETS and (not opened or opened.pop().value != BRACKETS[token.value]):
        raise NotBsl(token.line, f"{token.value} closes nothing")
    elif token.value == ";" and opened:
        raise NotBsl(opened[-1].line, f"{opened[-1].value} is not closed")


def _block(token: Token, blocks: list[Token], opened: list[Token]) -> None:
    word = token.value
    if word in BLOCKS.values():
        blocks.append(token)
    elif word in BLOCKS and (not blocks or blocks.pop().value != BLOCKS[word]):
        raise NotBsl(token.line, f"{token.written} closes nothing")
    elif word in WITHIN and (not blocks or blocks[-1].value != WITHIN[word]):
        raise NotBsl(token.line, f"{token.written} outside of {WITHIN[word]}")
    if opened and (word in BLOCKS or word in BLOCKS.values()):
        raise NotBsl(opened[-1].line, f"{opened[-1].value} is not closed")


def methods(source: str) -> dict[str, Method]:
    """A module's own procedures and functions by name, in small letters."""
    found = tokens(source)
    made: dict[str, Method] = {}
    for number, token in enumerate(found):
        if token.value not in ("процедура", "функция") or found[number - 1].written == ".":
            continue
        name = found[number + 1]
        if name.value in RESERVED:
            raise NotBsl(name.line, f"{name.written} is a word of the language, no name")
        if name.value in made:
            raise NotBsl(name.line, f"{name.written} is here twice")
        end, parameters = _arguments(found, number + 2)
        optional = sum(any(part.written == "=" for part in parameter) for parameter in parameters)
        made[name.value] = Method(
            name.written, found[end + 1].value == "экспорт", len(parameters) - optional, len(parameters), name.line
        )
    return made


def calls(source: str, modules: Mapping[str, str]) -> list[Call]:
    """What a module calls; `modules`: the names of the kit's, in small letters, as they are written."""
    found = tokens(source)
    made: list[Call] = []
    for number, token in enumerate(found[:-1]):
        if token.kind != "name" or found[number + 1].written != "(" or token.value in RESERVED:
            continue
        before = [part.value for part in found[max(0, number - 3) : number]]
        if before[-1:] == ["процедура"] or before[-1:] == ["функция"] or before[-1:] == ["новый"]:
            continue
        owned = before[-1:] == ["."]
        module = modules.get(before[-2]) if owned and (len(before) < 3 or before[-3] != ".") else None
        if not owned or module is not None:
            made.append(Call(module, token.value, len(_arguments(found, number + 1)[1]), token.line))
    return made


def faults(sources: Mapping[str, str], platform: frozenset[str]) -> list[str]:
    """Calls of what is not there, not exported, or given too much or too little; `sources` by module name."""
    made = {module: methods(source) for module, source in sources.items()}
    names = {module.casefold(): module for module in sources}
    found = []
    for module, source in sources.items():
        for call in calls(source, names):
            method = made[call.module or module].get(call.name)
            at = f"{module}:{call.line}: {call.module + '.' if call.module else ''}{call.name}"
            if method is None:
                if call.module is not None or call.name not in platform:
                    found.append(f"{at} is not there")
            elif call.module is not None and not method.exported:
                found.append(f"{at} is not exported")
            elif not method.least <= call.given <= method.most:
                found.append(f"{at} takes {method.least} to {method.most} arguments, given {call.given}")
        used = {call.name for call in calls(source, names) if call.module is None}
        found += [
            f"{module}:{method.line}: nobody calls {method.name}"
            for name, method in made[module].items()
            if not method.exported and name not in used
        ]
    return found


def texts(source: str) -> set[str]:
    """Every text a module holds."""
    return {token.value for token in tokens(source) if token.kind == "text"}


def exported_comments(source: str) -> list[str]:
    """Exported procedures and functions that nothing is said of."""
    found = re.findall(r"(?:^|\n)([^\n]*)\n(?:Процедура|Функция) (\w+)\([^\n]*\) Экспорт", source)
    return [name for before, name in found if not before.startswith("//")]


def _arguments(found: Sequence[Token], opening: int) -> tuple[int, list[list[Token]]]:
    """Where the bracket at `opening` is closed, and the arguments within, each as its tokens."""
    depth, parts = 0, list[list[Token]]([[]])
    for number in range(opening, len(found)):
        sign = found[number].written
        if sign in ("(", "["):
            depth += 1
        elif sign in (")", "]"):
            depth -= 1
        if depth == 0:
            return number, parts if parts != [[]] else []
        if sign == "," and depth == 1:
            parts.append([])
        elif number > opening:
            parts[-1].append(found[number])
    raise NotBsl(found[opening].line, "( is not closed")
