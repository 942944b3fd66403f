"""BSL as a tree: enough of the language to run the kit's modules.

A node is a tuple whose first item names it. Names are in small letters.
"""

from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple

from tests.onec.kit.lexing import NotBsl, Token, tokens

Node = tuple[Any, ...]

COMPARING = {"=", "<>", "<", ">", "<=", ">="}
CONSTANTS = {"истина": True, "ложь": False, "неопределено": None, "null": None}


class Parameter(NamedTuple):
    """`own`: passed by value. `default` None: it must be given."""

    name: str
    own: bool
    default: Node | None


class Routine(NamedTuple):
    """A procedure or a function."""

    name: str
    parameters: list[Parameter]
    body: list[Node]


@cache
def routines(source: str) -> Mapping[str, Routine]:
    """A module's procedures and functions; read once, for every base runs the same modules."""
    parser = _Parser([*tokens(source), Token("end", "", 0, "")])
    found = {}
    while parser.now.kind != "end":
        routine = parser.routine()
        found[routine.name] = routine
    return found


class _Parser:
    def __init__(self, found: list[Token]) -> None:
        self._tokens, self._at = found, 0

    @property
    def now(self) -> Token:
        return self._tokens[self._at]

    def _take(self) -> Token:
        self._at += 1
        return self._tokens[self._at - 1]

    def _is(self, *values: str) -> bool:
        return self.now.kind in ("name", "sign") and self.now.value in values

    def _if(self, *values: str) -> bool:
        return self._is(*values) and bool(self._take())

    def _must(self, value: str) -> None:
        if not self._if(value):
            raise NotBsl(self.now.line, f"{value} expected, found {self.now.written}")

    def routine(self) -> Routine:
        self._take()
        name = self._take().value
        self._must("(")
        parameters = []
        while not self._if(")"):
            own = self._if("знач")
            parameter = self._take().value
            parameters.append(Parameter(parameter, own, self._expression() if self._if("=") else None))
            self._if(",")
        self._if("экспорт")
        body = self._block("конецпроцедуры", "конецфункции")
        self._take()
        return Routine(name, parameters, body)

    def _block(self, *ends: str) -> list[Node]:
        body = []
        while not self._is(*ends):
            body.append(self._statement())
            if not self._is(*ends):
                self._must(";")
            else:
                self._if(";")
        return body

    def _statement(self) -> Node:
        line = self.now.line
        if self._if("если"):
            return self._branches()
        if self._if("пока"):
            condition = self._expression()
            return ("while", condition, self._loop())
        if self._if("для"):
            return self._for()
        if self._if("попытка"):
            tried = self._block("исключение")
            self._take()
            caught = self._block("конецпопытки")
            self._take()
            return ("try", tried, caught)
        if self._if("возврат"):
            return ("return", None if self._is(";") else self._expression())
        if self._if("вызватьисключение"):
            return ("raise", None if self._is(";") else self._expression())
        if self._is("прервать", "продолжить"):
            return ("break",) if self._take().value == "прервать" else ("continue",)
        target = self._postfix()
        if self._if("="):
            return ("assign", target, self._expression(), line)
        return ("do", target, line)

    def _branches(self) -> Node:
        branches, otherwise = [], list[Node]()
        while True:
            condition = self._expression()
            self._must("тогда")
            branches.append((condition, self._block("иначеесли", "иначе", "конецесли")))
            if not self._if("иначеесли"):
                break
        if self._if("иначе"):
            otherwise = self._block("конецесли")
        self._must("конецесли")
        return ("if", branches, otherwise)

    def _for(self) -> Node:
        if self._if("каждого"):
            name = self._take().value
            self._must("из")
            return ("each", name, self._expression(), self._loop())
        name = self._take().value
        self._must("=")
        first = self._expression()
        self._must("по")
        return ("count", name, first, self._expression(), self._loop())

    def _loop(self) -> list[Node]:
        self._must("цикл")
        body = self._block("конеццикла")
        self._take()
        return body

    def _expression(self) -> Node:
        left = self._both()
        while self._if("или"):
            left = ("or", left, self._both())
        return left

    def _both(self) -> Node:
        left = self._not()
        while self._if("и"):
            left = ("and", left, self._not())
        return left

    def _not(self) -> Node:
        if self._if("не"):
            return ("not", self._not())
        left = self._sum()
        while self._is(*COMPARING):
            left = ("binary", self._take().value, left, self._sum())
        return left

    def _sum(self) -> Node:
        left = self._product()
        while self._is("+", "-"):
            left = ("binary", self._take().value, left, self._product())
        return left

    def _product(self) -> Node:
        left = self._unary()
        while self._is("*", "/", "%"):
            left = ("binary", self._take().value, left, self._unary())
        return left

    def _unary(self) -> Node:
        if self._if("-"):
            return ("minus", self._unary())
        return self._postfix()

    def _postfix(self) -> Node:
        node = self._primary()
        while True:
            if self._if("."):
                name = self._take().value
                node = ("method", node, name, self._arguments()) if self._is("(") else ("member", node, name)
            elif self._if("["):
                node = ("index", node, self._expression())
                self._must("]")
            else:
                return node

    def _primary(self) -> Node:
        token = self._take()
        if token.kind == "number":
            return ("value", Decimal(token.value) if "." in token.value else int(token.value))
        if token.kind == "text":
            return ("value", token.value)
        if token.value == "(":
            node = self._expression()
            self._must(")")
            return node
        if token.value == "?":
            condition, yes, no = self._arguments()
            return ("choice", condition, yes, no)
        if token.value in CONSTANTS:
            return ("value", CONSTANTS[token.value])
        if token.value == "новый":
            if self._is("("):
                return ("new", None, self._arguments())
            return ("new", self._take().value, self._arguments() if self._is("(") else [])
        if token.kind != "name":
            raise NotBsl(token.line, f"{token.written} begins no expression")
        return ("call", token.value, self._arguments()) if self._is("(") else ("name", token.value)

    def _arguments(self) -> list[Node | None]:
        self._must("(")
        found: list[Node | None] = []
        if self._if(")"):
            return found
        while True:
            found.append(None if self._is(",", ")") else self._expression())
            if self._if(")"):
                return found
            self._must(",")
