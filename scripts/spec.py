"""An OpenAPI document in words of ours: its operations, its schemas, its references, and where each stands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

Document = dict[str, Any]
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
# Below these stand values, and names of other things.
_VALUES = {"example", "examples", "default", "enum", "const", "value", "mapping", "scopes", "securitySchemes"}
# The keys below these are names that somebody chose, and no words of the format.
_MAPS = {"paths", "webhooks", "responses", "headers", "content", "encoding", "links", "callbacks", "pathItems"}
_MAPS |= {"parameters", "requestBodies", "variables", "schemas"}
_ONE = ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames")
_RARE = ("unevaluatedItems", "unevaluatedProperties", "contentSchema")
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


def schemas(node: Any, place: str = "$") -> Iterator[tuple[str, Document]]:
    """Yield (place, schema) for each outermost schema; a change to the schema is a change to the document."""
    for here, key, value in _parts(node, place):
        if key == "schema":
            yield here, value


def media_types(node: Any) -> Iterator[tuple[str, Document]]:
    """Yield (place, media type) for each kind of content that is sent or answered."""
    for here, key, value in _parts(node, "$"):
        if key == "content":
            yield here, value


def _parts(node: Any, place: str) -> Iterator[tuple[str, str, Document]]:
    """Yield (place, "schema" or "content", part), wherever the format has one: names of all kinds may be `content`."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from _parts(item, f"{place}[{index}]")
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in _MAPS and isinstance(value, dict):
                yield from _named(value, f"{place}.{key}", key)
            elif key == "schema" and isinstance(value, dict):
                yield f"{place}.{key}", key, value
            elif key not in _VALUES and not key.startswith("x-"):
                yield from _parts(value, f"{place}.{key}")


def _named(items: Document, place: str, key: str) -> Iterator[tuple[str, str, Document]]:
    for name, item in items.items():
        if key == "content" and isinstance(item, dict):
            yield f"{place}[{name}]", key, item
        if key == "schemas" and isinstance(item, dict):
            yield f"{place}.{name}", "schema", item
        else:
            yield from _parts(item, f"{place}.{name}")


def within(schema: Any, place: str) -> Iterator[tuple[str, Document]]:
    """Yield (place, schema) for a schema and all that it holds, innermost first; references are not followed."""
    if not isinstance(schema, dict):
        return
    for key in (*_ONE, *_RARE):
        yield from within(schema.get(key), f"{place}.{key}")
    for key in _MANY:
        for index, item in enumerate(_if(list, schema.get(key))):
            yield from within(item, f"{place}.{key}[{index}]")
    for key in _NAMED:
        for name, item in _if(dict, schema.get(key)).items():
            yield from within(item, f"{place}.{key}.{name}")
    yield place, schema


def references(node: Any, place: str = "$") -> Iterator[tuple[str, str]]:
    """Yield (place, reference) for whatever looks like one, also in values: nothing else may follow it."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from references(item, f"{place}[{index}]")
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref" and isinstance(value, str):
                yield place, value
            else:
                yield from references(value, f"{place}.{key}")


def resolved(document: Document, node: Any) -> Any:
    """Return what a node refers to, through every reference on the way; what stands beside one is left out."""
    seen = set()
    while isinstance(node, dict) and isinstance(node.get("$ref"), str):
        reference = node["$ref"]
        if reference in seen:
            raise SpecError(f"{reference} refers to itself: no schema is there")
        seen.add(reference)
        node = target(document, reference)
    return node


def target(document: Document, reference: str) -> Any:
    """Return what a local reference points at."""
    node: Any = document
    for part in reference.removeprefix("#/").split("/"):
        name = unquote(part).replace("~1", "/").replace("~0", "~")
        if isinstance(node, list) and name.isdecimal() and int(name) < len(node):
            node = node[int(name)]
        elif isinstance(node, dict) and name in node:
            node = node[name]
        else:
            raise SpecError(f"the reference {reference!r} leads nowhere")
    return node


def _if(kind: type, value: Any) -> Any:
    return value if isinstance(value, kind) else kind()
