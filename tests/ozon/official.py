"""The official OpenAPI of Ozon's Seller API, as a judge of answers.

It lies beside the checkout (`../shared/specs`, or where OKNO_SPECS says). Where its own examples differ from it, the
examples count as well: any field may be null, an int64 is a number or text, and what `SLIPS` names. Objects are closed:
a field it does not know is a fault.
"""

import json
from functools import lru_cache
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.acceptance.spec import FORMATS, specs_dir

FOLDER = specs_dir() / "ozon"

SLIPS: dict[tuple[str, str], str] = {
    ("/v2/fbs/posting/delivering", "error"): "array",
    ("/v2/fbs/posting/last-mile", "error"): "array",
    ("/v2/fbs/posting/delivered", "error"): "array",
    ("/v2/returns/rfbs/list", "returns"): "array",
}
"""Fields whose example has another type than the schema."""
UNLISTED = {
    "/v3/posting/fbs/get": {
        "is_click_and_collect", "is_presortable", "destination_place_id", "destination_place_name",
    },
    "/v2/returns/rfbs/get": {"action"},
}  # fmt: skip
"""Fields that are in the example only."""


@lru_cache
def _document() -> Any:
    path = FOLDER / "openapi.json"
    if not path.exists():
        pytest.skip(f"no official OpenAPI of Ozon in {path}: answers are NOT checked")
    return json.loads(path.read_text("utf-8"))


def sample(name: str) -> Any:
    """One of the samples; skips where they are not."""
    path = FOLDER / "samples" / name
    if not path.exists():
        pytest.skip(f"no sample of Ozon's in {path}: forms are NOT checked", allow_module_level=True)
    return json.loads(path.read_text("utf-8"))


def answer_faults(path: str, body: Any) -> list[str]:
    """What is wrong with an answer of 200; empty when nothing."""
    errors = _judge(path).iter_errors(body)
    return [f"{path} {error.json_path}: {error.message[:160]}" for error in errors]


@lru_cache
def _judge(path: str) -> Draft202012Validator:
    content = _document()["paths"][path]["post"]["responses"]["200"].get("content", {})
    schema = content["application/json"]["schema"] if content else {}
    return Draft202012Validator(_open(schema, path, ""), format_checker=FORMATS)


def _open(node: Any, path: str, name: str) -> Any:
    """OpenAPI 3.0 with all its slips to JSON Schema, references put in place."""
    while "$ref" in node:
        found = _document()
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = found
    types = {"integer", "string", "null"} if node.get("format") == "int64" else {node.get("type", "null"), "null"}
    out: dict[str, Any] = {}
    if "properties" in node:
        fields = {field: _open(value, path, field) for field, value in node["properties"].items()}
        unlisted: dict[str, Any] = {field: {} for field in UNLISTED.get(path, ())}
        out = {"properties": fields | unlisted, "additionalProperties": False}
        types.add("object")
    if "items" in node:
        out["items"] = _open(node["items"], path, name)
        types |= {"array"} if node.get("type") in (None, "array") else set()
    if (path, name) in SLIPS:
        types.add(SLIPS[path, name])
    if node.get("format") == "date-time":
        out["format"] = "date-time"
    known = types & {"object", "array", "string", "number", "integer", "boolean", "null"}
    return out if known == {"null"} else {**out, "type": sorted(known)}
