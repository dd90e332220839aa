"""Reads test cases off a spec: nothing here names a field."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from modelslab_pony.testing._spec import operations
from prism_image import ROOT

SHIPPED: dict[str, Any] = json.loads((ROOT / "openapi.json").read_text("utf-8"))
EFFECTIVE: dict[str, Any] = json.loads((ROOT / "generated" / "openapi.json").read_text("utf-8"))


def properties(spec: dict[str, Any], schema: str) -> dict[str, Any]:
    """Return the fields of a request, without the key: that is the client's."""
    return {name: value for name, value in spec["components"]["schemas"][schema]["properties"].items() if name != "key"}


def values(spec: dict[str, Any], schema: str) -> Iterator[tuple[str, Any]]:
    """Yield (field, value) for each bound, enum value and default that a request allows."""
    for name, field in properties(spec, schema).items():
        found = [field[key] for key in ("minimum", "maximum", "default") if key in field]
        found += field.get("enum", [])
        types = [branch.get("type") for branch in field.get("oneOf", [field])]
        if "integer" in types and not found:
            found = [0, 2**32 - 1]
        elif "minimum" in field and "maximum" not in field:
            found += [2**31 - 1]
        elif not found:
            found = ["https://hook.example/x"] if field.get("format") == "uri" else ["a text"]
        yield from ((name, value) for value in dict.fromkeys(found))


def as_keyword(value: Any) -> Any:
    """Return a value of the spec as the wrapper takes it."""
    return {"yes": True, "no": False}.get(value, value) if isinstance(value, str) else value


def documented(spec: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield (operationId, code, example name) for each example of each answer; "" where there is none."""
    for _, path, operation in operations(spec):
        for code, response in operation["responses"].items():
            media = resolved(spec, response)["content"]["application/json"]
            for name in media.get("examples", {"": None}):
                yield operation.get("operationId", path), code, name


def example(spec: dict[str, Any], operation: str, code: str, name: str) -> Any:
    """Return the body of a named example."""
    (found,) = [found for _, _, found in operations(spec) if found["operationId"] == operation]
    return resolved(spec, found["responses"][code])["content"]["application/json"]["examples"][name]["value"]


def resolved(spec: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """Follow a $ref."""
    if "$ref" not in node:
        return node
    found: Any = spec
    for part in node["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return resolved(spec, found)
