"""The official OpenAPI of Yandex Market, as a judge of single calls.

The documents lie beside the checkout (`../shared/specs`, or where OKNO_SPECS says). Without them bodies are not judged,
and `Spec.load` says so by returning None.
"""

import datetime as dt
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

BUNDLE = Path("yandex_market") / "openapi.orders.bundle.json"
NOTIFICATIONS = Path("yandex_market") / "notification-api.bundle.json"


def _date(value: object) -> bool:
    if not isinstance(value, str):
        return True
    dt.date.fromisoformat(value)
    return len(value) == len("2026-01-31")


def _date_time(value: object) -> bool:
    if not isinstance(value, str):
        return True
    return "T" in value and dt.datetime.fromisoformat(value).tzinfo is not None


FORMATS = FormatChecker(formats=())
FORMATS.checks("date", raises=ValueError)(_date)
FORMATS.checks("date-time", raises=ValueError)(_date_time)


def specs_dir() -> Path:
    """Where the official documents are expected."""
    return Path(os.environ.get("OKNO_SPECS") or Path(__file__).parents[3] / "shared" / "specs")


def _as_json_schema(node: Any, strict: bool) -> Any:
    """OpenAPI 3.0 to JSON Schema: `nullable` becomes a null type; strict closes every object."""
    if isinstance(node, list):
        return [_as_json_schema(item, strict) for item in node]
    if not isinstance(node, dict):
        return node
    out = {key: _as_json_schema(value, strict) for key, value in node.items() if key not in ("example", "examples")}
    if node.get("nullable") is True and isinstance(node.get("type"), str):
        out["type"] = [node["type"], "null"]
    if strict and isinstance(node.get("properties"), dict) and "additionalProperties" not in node:
        out["additionalProperties"] = False
    return out


@dataclass(frozen=True)
class Operation:
    """One method of the API: its name, whether it is being switched off, what its bodies look like."""

    id: str
    method: str
    template: str
    pattern: re.Pattern[str]
    deprecated: bool
    request: Draft202012Validator | None
    request_required: bool
    response: Draft202012Validator | None
    query: frozenset[str]

    def path(self, path: str) -> dict[str, str]:
        """The ids in the path."""
        match = self.pattern.fullmatch(path)
        return match.groupdict() if match else {}


class Spec:
    """Finds the operation of a call and the faults of its body."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._raw = document
        self._strict = _as_json_schema(document["components"], strict=True)
        self._open = _as_json_schema(document["components"], strict=False)
        self.operations = [
            self._operation(template, method, op)
            for template, methods in document["paths"].items()
            for method, op in methods.items()
            if isinstance(op, dict) and "operationId" in op
        ]

    @classmethod
    def load(cls, which: Path = BUNDLE) -> "Spec | None":
        path = specs_dir() / which
        return cls(json.loads(path.read_text("utf-8"))) if path.exists() else None

    def find(self, method: str, path: str) -> Operation | None:
        return next((op for op in self.operations if op.method == method and op.pattern.fullmatch(path)), None)

    def by_id(self, name: str) -> Operation:
        return next(op for op in self.operations if op.id == name)

    def request_faults(self, op: Operation, body: bytes, content_type: str, query: set[str]) -> list[str]:
        """What the official schema says against this request; empty when nothing."""
        faults = [f"unknown query parameter {name}" for name in sorted(query - op.query)]
        if op.request is None or (not body and not op.request_required):
            return faults
        if content_type != "application/json":
            faults.append(f"content type {content_type!r} instead of application/json")
        if len(body) > 512 * 1024:
            faults.append("the request is too big")
        try:
            value = json.loads(body)
        except ValueError as error:
            return [*faults, f"body is not JSON: {error}"]
        return faults + [f"{e.json_path}: {e.message[:160]}" for e in op.request.iter_errors(value)]

    def schema_faults(self, name: str, value: Any) -> list[str]:
        """What a named schema says against a value."""
        schema = {"$ref": f"#/components/schemas/{name}", "components": self._strict}
        errors = Draft202012Validator(schema, format_checker=FORMATS).iter_errors(value)
        return [f"{e.json_path}: {e.message[:160]}" for e in errors]

    def response_faults(self, op: Operation, body: Any) -> list[str]:
        """What the official schema says against an answer of 200; empty when nothing."""
        errors = op.response.iter_errors(body) if op.response else ()
        return [f"{e.json_path}: {e.message[:160]}" for e in errors]

    def _operation(self, template: str, method: str, op: dict[str, Any]) -> Operation:
        names = "".join(
            f"(?P<{part[1:-1]}>[^/]+)" if part.startswith("{") else re.escape(part)
            for part in re.split(r"(\{[^}]+\})", template)
        )
        body = self._deref(op.get("requestBody") or {})
        answer = self._deref(op.get("responses", {}).get("200") or {})
        parameters = [self._deref(p) for p in op.get("parameters", [])]
        return Operation(
            id=op["operationId"], method=method.upper(), template=template, pattern=re.compile(names),
            deprecated=bool(op.get("deprecated")), request=self._validator(body, self._strict, strict=True),
            request_required=bool(body.get("required")), response=self._validator(answer, self._open, strict=False),
            query=frozenset(p["name"] for p in parameters if p["in"] == "query"),
        )  # fmt: skip

    def _deref(self, node: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in node:
            target: Any = self._raw
            for part in node["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            node = target
        return node

    def _validator(self, holder: dict[str, Any], parts: Any, *, strict: bool) -> Draft202012Validator | None:
        content = holder.get("content", {}).get("application/json")
        if content is None:
            return None
        schema = {"allOf": [_as_json_schema(content["schema"], strict)], "components": parts}
        return Draft202012Validator(schema, format_checker=FORMATS)
