"""An OpenAPI document in words of ours: its operations, its schemas, its references, and where each stands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

Document = dict[str, Any]
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
# Below these stand values, which are nobody's schema and hold nobody's reference.
_VALUES = {"example", "examples", "default", "enum", "const"}
_ONE = ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames")
_MANY = ("allOf", "oneOf", "anyOf", "prefixItems")
_NAMED = ("properties", "patternProperties", "dependentSchemas", "$defs")


class SpecError(Exception):
    """The spec or the overlay cannot be used; the message names the place and the way out."""


def text_of(document: Document) -> str:
    """Return a document as it is kept: in its own order, two spaces, no newline at the end."""
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)


def operations(document: Document) -> Iterator[tuple[str, str, Document]]:
    """Yield (method, path, operation) for each operation, in the document's order."""
    for path, item in document.get("paths", {}).items():
        for method, operation in resolved(document, item).items():
            if method in METHODS:
                yield method, path, operation


def schemas(node: Any, place: str = "$", *, named: bool = False) -> Iterator[tuple[str, Document]]:
    """Yield (place, schema) for each outermost schema; a change to the schema is a change to the document."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from schemas(item, f"{place}[{index}]")
    elif isinstance(node, dict):
        for key, value in node.items():
            if named:
                yield from ((f"{place}.{key}", value),) if isinstance(value, dict) else ()
            elif key == "schema" and isinstance(value, dict):
                yield f"{place}.schema", value
            elif key not in _VALUES and not key.startswith("x-"):
                yield from schemas(value, f"{place}.{key}", named=place == "$.components" and key == "schemas")


def within(schema: Any, place: str) -> Iterator[tuple[str, Document]]:
    """Yield (place, schema) for a schema and all that it holds, innermost first; references are not followed."""
    if not isinstance(schema, dict):
        return
    for key in _ONE:
        yield from within(schema.get(key), f"{place}.{key}")
    for key in _MANY:
        for index, item in enumerate(_if(list, schema.get(key))):
            yield from within(item, f"{place}.{key}[{index}]")
    for key in _NAMED:
        for name, item in _if(dict, schema.get(key)).items():
            yield from within(item, f"{place}.{key}.{name}")
    yield place, schema


def references(node: Any, place: str = "$") -> Iterator[tuple[str, str]]:
    """Yield (place, reference) for each reference of a document."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from references(item, f"{place}[{index}]")
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref" and isinstance(value, str):
                yield place, value
            elif key not in {"example", "default", "enum", "const"} and not key.startswith("x-"):
                yield from references(value, f"{place}.{key}")


def resolved(document: Document, node: Any) -> Any:
    """Return what a node refers to, through every reference on the way; what stands beside one goes first."""
    seen = set()
    while isinstance(node, dict) and isinstance(node.get("$ref"), str):
        reference = node["$ref"]
        if reference in seen:
            raise SpecError(f"{reference} refers to itself: no schema is there")
        seen.add(reference)
        found = target(document, reference)
        beside = {key: value for key, value in node.items() if key != "$ref"}
        node = {**found, **beside} if beside and isinstance(found, dict) else found
    return node


def target(document: Document, reference: str) -> Any:
    """Return what a local reference points at."""
    node: Any = document
    for part in reference.removeprefix("#/").split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        try:
            node = node[int(name)] if isinstance(node, list) else node[name]
        except (KeyError, IndexError, TypeError, ValueError):
            raise SpecError(f"the reference {reference!r} leads nowhere") from None
    return node


def _if(kind: type, value: Any) -> Any:
    return value if isinstance(value, kind) else kind()
