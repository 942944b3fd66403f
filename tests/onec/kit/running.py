"""Runs BSL: a module's procedures, over whatever stands in for 1C's platform.

What the platform is made of are Python objects whose members are named as in 1C, in small letters. An error of 1C's is
`Raised`, which a `Попытка` catches; any other is a fault of the stand-in or of the module, and ends the test.
"""

import operator
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from tests.onec.kit.language import Node, Routine, routines
from tests.onec.kit.lexing import NotBsl

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "-": operator.sub, "*": operator.mul, "%": operator.mod, "=": operator.eq, "<>": operator.ne, "<": operator.lt,
    ">": operator.gt, "<=": operator.le, ">=": operator.ge,
}  # fmt: skip


class Raised(Exception):
    """An error of 1C's own."""


class _Returned(Exception):
    def __init__(self, value: Any) -> None:
        self.value = value


class _Break(Exception):
    pass


class _Continue(Exception):
    pass


class Fields:
    """Something with named fields; a name nobody declared is a fault."""

    def __init__(self, fields: Mapping[str, Any] | None = None) -> None:
        self.fields: dict[str, Any] = {}
        self.names: dict[str, str] = {}
        for name, value in (fields or {}).items():
            self.declare(name, value)

    def declare(self, name: str, value: Any) -> None:
        """Adds a field."""
        self.fields[name.casefold()] = value
        self.names[name.casefold()] = name


Scope = dict[str, Any]


class Machine:
    """`modules`: sources by name. `globals`: functions, objects and types (`new`) of the platform."""

    def __init__(
        self, modules: Mapping[str, str], given: Mapping[str, Any], new: Mapping[str, Callable[..., Any]]
    ) -> None:
        self._modules = {name.casefold(): routines(source) for name, source in modules.items()}
        self._globals = {name.casefold(): value for name, value in given.items()}
        self._types = {name.casefold(): make for name, make in new.items()}
        self.error: Raised | None = None

    def call(self, module: str, name: str, *arguments: Any) -> Any:
        """Calls a procedure of a module, as its platform would."""
        routine = self._modules[module.casefold()][name.casefold()]
        return self._run(module.casefold(), routine, list(arguments))[0]

    def _run(self, module: str, routine: Routine, given: list[Any]) -> tuple[Any, Scope]:
        scope: Scope = {"": module}
        for number, parameter in enumerate(routine.parameters):
            if number < len(given) and given[number] is not _MISSING:
                scope[parameter.name] = given[number]
            elif parameter.default is not None:
                scope[parameter.name] = self._value(parameter.default, scope)
            else:
                raise NotBsl(0, f"{routine.name} is not given {parameter.name}")
        try:
            self._block(routine.body, scope)
        except _Returned as returned:
            return returned.value, scope
        return None, scope

    def _block(self, body: list[Node], scope: Scope) -> None:
        for statement in body:
            getattr(self, f"_do_{statement[0]}")(scope, *statement[1:])

    def _do_if(self, scope: Scope, branches: list[tuple[Node, list[Node]]], otherwise: list[Node]) -> None:
        for condition, body in branches:
            if self._truth(condition, scope):
                self._block(body, scope)
                return
        self._block(otherwise, scope)

    def _do_while(self, scope: Scope, condition: Node, body: list[Node]) -> None:
        while self._truth(condition, scope):
            if not self._round(body, scope):
                return

    def _do_each(self, scope: Scope, name: str, of: Node, body: list[Node]) -> None:
        for item in list(self._value(of, scope)):
            scope[name] = item
            if not self._round(body, scope):
                return

    def _do_count(self, scope: Scope, name: str, first: Node, last: Node, body: list[Node]) -> None:
        for number in range(self._value(first, scope), self._value(last, scope) + 1):
            scope[name] = number
            if not self._round(body, scope):
                return

    def _round(self, body: list[Node], scope: Scope) -> bool:
        try:
            self._block(body, scope)
        except _Break:
            return False
        except _Continue:
            pass
        return True

    def _do_try(self, scope: Scope, tried: list[Node], caught: list[Node]) -> None:
        try:
            self._block(tried, scope)
        except Raised as error:
            outer, self.error = self.error, error
            try:
                self._block(caught, scope)
            finally:
                self.error = outer

    def _do_return(self, scope: Scope, value: Node | None) -> None:
        raise _Returned(self._value(value, scope) if value is not None else None)

    def _do_raise(self, scope: Scope, what: Node | None) -> None:
        if what is not None:
            raise Raised(str(self._value(what, scope)))
        assert self.error is not None
        raise self.error

    def _do_break(self, scope: Scope) -> None:
        raise _Break

    def _do_continue(self, scope: Scope) -> None:
        raise _Continue

    def _do_do(self, scope: Scope, what: Node, line: int) -> None:
        if what[0] not in ("call", "method"):
            raise NotBsl(line, "an expression that does nothing")
        self._value(what, scope)

    def _do_assign(self, scope: Scope, target: Node, what: Node, line: int) -> None:
        value = self._value(what, scope)
        if target[0] == "name":
            scope[target[1]] = value
        elif target[0] == "member":
            self._set(self._value(target[1], scope), target[2], value)
        else:
            raise NotBsl(line, "only a name or a member can be set")

    def _set(self, owner: Any, name: str, value: Any) -> None:
        if not isinstance(owner, Fields):
            setattr(owner, name, value)
        elif name not in owner.fields:
            raise AttributeError(f"{type(owner).__name__} has no field {name}")
        else:
            owner.fields[name] = value

    def _truth(self, node: Node, scope: Scope) -> bool:
        value = self._value(node, scope)
        if not isinstance(value, bool):
            raise TypeError(f"{value!r} is neither Истина nor Ложь, in {node}")
        return value

    def _value(self, node: Node, scope: Scope) -> Any:
        return node[1] if node[0] == "value" else getattr(self, f"_{node[0]}")(scope, *node[1:])

    def _or(self, scope: Scope, left: Node, right: Node) -> bool:
        return self._truth(left, scope) or self._truth(right, scope)

    def _and(self, scope: Scope, left: Node, right: Node) -> bool:
        return self._truth(left, scope) and self._truth(right, scope)

    def _not(self, scope: Scope, node: Node) -> bool:
        return not self._truth(node, scope)

    def _minus(self, scope: Scope, node: Node) -> Any:
        return -self._value(node, scope)

    def _choice(self, scope: Scope, condition: Node, yes: Node, no: Node) -> Any:
        return self._value(yes if self._truth(condition, scope) else no, scope)

    def _binary(self, scope: Scope, sign: str, left: Node, right: Node) -> Any:
        first, second = self._value(left, scope), self._value(right, scope)
        if sign == "+":
            return first + (self._globals["строка"](second) if isinstance(first, str) else second)
        if sign == "/":
            return Decimal(first) / Decimal(second)
        return OPERATORS[sign](first, second)

    def _member(self, scope: Scope, of: Node, name: str) -> Any:
        owner = self._value(of, scope)
        if isinstance(owner, Fields):
            if name not in owner.fields:
                raise AttributeError(f"{type(owner).__name__} has no field {name}")
            return owner.fields[name]
        return getattr(owner, name)

    def _index(self, scope: Scope, of: Node, at: Node) -> Any:
        return self._value(of, scope)[self._value(at, scope)]

    def _name(self, scope: Scope, name: str) -> Any:
        if name in scope:
            return scope[name]
        if name in self._globals:
            return self._globals[name]
        raise NameError(f"{name} is nothing here, in {scope['']}")

    def _new(self, scope: Scope, kind: str | None, arguments: list[Node | None]) -> Any:
        given = self._given(arguments, scope, None)
        return self._types[kind or given.pop(0).casefold()](*given)

    def _call(self, scope: Scope, name: str, arguments: list[Node | None]) -> Any:
        own = self._modules[scope[""]].get(name)
        if own is not None:
            return self._routine(scope, scope[""], own, arguments)
        return self._globals[name](*self._given(arguments, scope, None))

    def _method(self, scope: Scope, of: Node, name: str, arguments: list[Node | None]) -> Any:
        if of[0] == "name" and of[1] in self._modules and of[1] not in scope:
            return self._routine(scope, of[1], self._modules[of[1]][name], arguments)
        method = getattr(self._value(of, scope), name)
        given = self._given(arguments, scope, None)
        if not getattr(method, "gives", ()):
            return method(*given)
        result, *out = method(*given)
        for number, value in zip(method.gives, out, strict=True):
            scope[arguments[number][1]] = value
        return result

    def _routine(self, scope: Scope, module: str, routine: Routine, arguments: list[Node | None]) -> Any:
        result, inner = self._run(module, routine, self._given(arguments, scope, _MISSING))
        for parameter, node in zip(routine.parameters, arguments, strict=False):
            if node is not None and node[0] == "name" and not parameter.own and node[1] in scope:
                scope[node[1]] = inner[parameter.name]  # by reference, as the language has it
        return result

    def _given(self, arguments: list[Node | None], scope: Scope, missing: Any) -> list[Any]:
        return [missing if node is None else self._value(node, scope) for node in arguments]


_MISSING = object()
