"""Where the wrapper and a spec disagree about what can be asked for: one sentence a difference."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attrs import NOTHING, Attribute

from modelslab_pony import _raw
from modelslab_pony._rules import Rule
from modelslab_pony.requests import KINDS, Request, spec_fields
from modelslab_pony.testing._spec import operations, servers

# What the calls send that are no generation, beside the key; `client/test_reach.py` holds the clients to it.
CALLS: dict[str, set[str]] = {
    "fetch": {"request_id"},
    "fetch_by_id": set(),
    "model_reload": {"model_id"},
    "request_count": set(),
    "wallet_balance": set(),
    "base64_to_url": {"base64_string"},
}
# Required by the spec, with a default of ours.
OURS = {"model_id"}
_TYPES = {
    "text": {"string"},
    "url": {"string"},
    "image": {"string"},
    "flag": {"string"},
    "integer": {"integer"},
    "number": {"number"},
}
_UNCHECKED = {"type", "oneOf", "description", "title", "example", "examples", "deprecated"}


def disagreements(spec: dict[str, Any]) -> Iterator[str]:
    """Yield a sentence for each difference, which names operation and field."""
    known = {**KINDS, **CALLS}
    found = {operation["operationId"]: (path, operation) for _, path, operation in operations(spec)}
    yield from (f"{name}: the spec has this operation, the wrapper has not" for name in found.keys() - known.keys())
    yield from (f"{name}: the wrapper has this operation, the spec has not" for name in known.keys() - found.keys())
    for name, (path, operation) in found.items():
        if name not in known:
            continue
        schema = _resolved(spec, operation["requestBody"]["content"]["application/json"]["schema"])
        yield from _server(name, servers(spec, path), servers(spec, "/text2img"))
        if name in KINDS:
            yield from _generation(name, schema, KINDS[name])
        else:
            yield from _names(name, set(schema["properties"]) - {"key"}, CALLS[name])
            yield from (
                f"{name}.{field}: the spec states a {bound}, the wrapper knows none"
                for field, described in schema["properties"].items()
                for bound in described.keys() & {"minimum", "maximum", "enum", "maxLength", "pattern", "default"}
            )


def _server(name: str, theirs: list[str], images: list[str]) -> Iterator[str]:
    root = images[0].removesuffix("/v6/images")
    ours = _raw.OPERATIONS[name].server
    expected = images[0] if ours is None else root + ours
    if theirs[0] != expected:
        yield f"{name}: the spec has it below {theirs[0]}, the wrapper below {expected}"


def _names(name: str, theirs: set[str], ours: set[str]) -> Iterator[str]:
    yield from (f"{name}.{field}: the spec has this field, the wrapper has not" for field in sorted(theirs - ours))
    yield from (f"{name}.{field}: the wrapper has this field, the spec has not" for field in sorted(ours - theirs))


def _generation(name: str, schema: dict[str, Any], kind: type[Request]) -> Iterator[str]:
    theirs = {field: value for field, value in schema["properties"].items() if field != "key"}
    ours = {rule.name or field: (item, rule) for field, (item, rule) in spec_fields(kind).items()}
    yield from _names(name, set(theirs), set(ours))
    for field in theirs.keys() & ours.keys():
        item, rule = ours[field]
        required = field in schema.get("required", [])
        for what, spec_has, we_have in _compared(theirs[field], required, item, rule):
            if spec_has != we_have:
                yield f"{name}.{field}: {what} is {spec_has!r} in the spec, {we_have!r} in the wrapper"


def _compared(
    schema: dict[str, Any], required: bool, item: Attribute[Any], rule: Rule
) -> Iterator[tuple[str, object, object]]:
    """Yield (what, the spec's, ours) for everything that can be said of a field."""
    has_default = item.default not in (NOTHING, None)
    default = item.default if has_default else rule.spec_default
    is_flag = rule.kind == "flag"
    ours = {
        "default": {True: "yes", False: "no"}.get(bool(default)) if is_flag else default,
        "minimum": rule.minimum,
        "maximum": rule.maximum,
        "multipleOf": rule.multiple_of,
        "minLength": rule.min_length or None,
        "format": "uri" if rule.kind in {"url", "image"} else None,
        "enum": ["no", "yes"] if is_flag else None,
    }
    theirs = {what: schema.get(what) for what in schema.keys() | ours.keys() if what not in _UNCHECKED}
    theirs["enum"] = sorted(schema["enum"]) if "enum" in schema else None
    if item.name in OURS:
        theirs["default"] = default
    else:
        yield "required", required, item.default is NOTHING
    yield "type", _types(schema) - {"null"}, _TYPES[rule.kind]
    for what in sorted(theirs):
        yield what, theirs[what], ours.get(what)


def _types(schema: dict[str, Any]) -> set[str]:
    branches = schema.get("oneOf", [schema])
    found: set[str] = set()
    for branch in branches:
        given = branch.get("type")
        found |= set(given if isinstance(given, list) else [given])
    return found


def _resolved(spec: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = spec["components"]["schemas"][name] if name else schema
    return found
