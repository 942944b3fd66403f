"""The API's description, made from the table of its routes and the msgspec types they return."""

from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import msgspec

from service.web.schemas import Problem

if TYPE_CHECKING:
    from service.web.routes import Route

REF: Final = "#/components/schemas/{name}"


class CloudEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A CloudEvent 1.0 as 1C sends it; `subject` is the order's key."""

    type: str
    subject: str
    specversion: str = "1.0"
    id: str | None = None
    source: str | None = None
    time: str | None = None
    data: dict[str, Any] = {}


CLOUDEVENTS: Final = CloudEvent | list[CloudEvent]
MEDIA: Final = ("application/cloudevents+json", "application/cloudevents-batch+json", "application/json")


def document(routes: Sequence["Route"]) -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    shapes = (
        [route.returns for route in routes] + [route.body for route in routes if route.body is not None] + [Problem]
    )
    schemas, components = msgspec.json.schema_components(shapes, ref_template=REF)
    returns = dict(zip(map(id, routes), schemas, strict=False))
    bodies = iter(schemas[len(routes) : -1])
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        body = next(bodies) if route.body is not None else None
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(
            route, returns[id(route)], body, schemas[-1]
        )
    paths["/hooks/{channel}/{secret}/{tail}"] = {"post": _hook()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Okno", "version": version("okno"), "description": "Orders between 1C and marketplaces."},
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
        "paths": paths,
    }


def _operation(route: "Route", returns: Any, body: Any, problem: Any) -> dict[str, Any]:
    about = (route.handler.__doc__ or "").strip()
    operation: dict[str, Any] = {
        "operationId": route.handler.__name__,
        "summary": about.rpartition("`: ")[2] or about,
        "responses": {
            str(route.status): {"description": "as asked", "content": {route.media: {"schema": returns}}},
            "default": {"description": "what is wrong", "content": {"application/problem+json": {"schema": problem}}},
        },
    }
    parameters = [_parameter(name, "path", "", required=True) for name in _names(route.path)]
    parameters += [_parameter(name, "query", about, required=False) for name, about in route.query.items()]
    if parameters:
        operation["parameters"] = parameters
    if body is not None:
        media = MEDIA if route.body is CLOUDEVENTS else MEDIA[-1:]
        operation["requestBody"] = {"required": True, "content": {one: {"schema": body} for one in media}}
    if route.roles is None:
        operation["security"] = []
    else:
        operation["description"] = f"Roles: {', '.join(dict.fromkeys((*route.roles, 'admin')))}."
    return operation


def _hook() -> dict[str, Any]:
    return {
        "operationId": "hook",
        "summary": "a marketplace's own callback, answered as that marketplace requires",
        "parameters": [_parameter(name, "path", "", required=True) for name in ("channel", "secret", "tail")],
        "requestBody": {"content": {"application/json": {"schema": {}}}},
        "responses": {"200": {"description": "durable"}, "default": {"description": "not taken"}},
        "security": [],
    }


def _parameter(name: str, place: str, about: str, *, required: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"name": name, "in": place, "required": required, "schema": {"type": "string"}}
    return found | ({"description": about} if about else {})


def _names(path: str) -> list[str]:
    return [part[1:-1] for part in path.split("/") if part.startswith("{")]
