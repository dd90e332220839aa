"""The effective spec, as the package carries it."""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import unquote, urlsplit

BASE_PATH = "/api/v6/images"
"""The path of the first server: where a client's base URL ends."""
_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


@cache
def effective_spec() -> dict[str, Any]:
    """Return the OpenAPI document that the generated client was made from."""
    package = files("modelslab_pony_raw")
    # Beside the modules when installed; one folder up in a checkout (see pyproject.toml, force-include).
    for place in (package.joinpath("openapi.json"), package.joinpath("..", "openapi.json")):
        if place.is_file():
            spec: dict[str, Any] = json.loads(place.read_text("utf-8"))
            return spec
    raise FileNotFoundError("the effective spec is missing: run `make generate`, or install modelslab-pony again")


def operations(spec: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """Return (method, path, operation) for each operation; a path item holds other things too."""
    return [
        (method.upper(), path, item[method])
        for path, item in spec["paths"].items()
        for method in _METHODS
        if method in item
    ]


def servers(spec: dict[str, Any], path: str) -> list[str]:
    """Return the URLs below which a path is: its own, else the document's."""
    return [server["url"] for server in spec["paths"][path].get("servers", spec["servers"])]


@cache
def body_schema(operation_id: str) -> dict[str, Any]:
    """Return the schema of an operation's body, without a reference at its top."""
    schema: dict[str, Any] = _operation(operation_id)["requestBody"]["content"]["application/json"]["schema"]
    name = schema.get("$ref", "").rpartition("/")[2]
    return effective_spec()["components"]["schemas"][name] if name else schema


def types(schema: dict[str, Any]) -> set[str]:
    """Return the types that a field may have."""
    stated = schema.get("type", [])
    own = {stated} if isinstance(stated, str) else set(stated)
    return own.union(*(types(branch) for branch in schema.get("oneOf", [])))


@cache
def documented(operation_id: str) -> frozenset[str]:
    """Return the HTTP statuses that an operation may answer."""
    return frozenset(_operation(operation_id)["responses"])


def _operation(operation_id: str) -> dict[str, Any]:
    (found,) = [found for _, _, found in operations(effective_spec()) if found["operationId"] == operation_id]
    return found


def allowed_methods(path: str) -> list[str]:
    """Return the methods of the operations at a path; none where there is nothing."""
    return [method for method, pattern, _ in _routes() if pattern.fullmatch(path)]


def route(method: str, path: str) -> tuple[str, dict[str, str]] | None:
    """Return the operationId that a request calls, and what stands in its path; None for no operation."""
    for known, pattern, operation_id in _routes():
        found = pattern.fullmatch(path) if method == known else None
        if found:
            return operation_id, {name: unquote(value) for name, value in found.groupdict().items()}
    return None


@cache
def _routes() -> list[tuple[str, re.Pattern[str], str]]:
    """Each operation below its own server; and below the first one, as a proxy has it that knows paths alone."""
    spec = effective_spec()
    base = urlsplit(spec["servers"][0]["url"]).path
    return [
        (
            method,
            re.compile(place + re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(path))),
            operation["operationId"],
        )
        for method, path, operation in operations(spec)
        for place in dict.fromkeys([*(urlsplit(url).path for url in servers(spec, path)), base])
    ]
