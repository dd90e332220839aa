"""Where the wrapper and a spec disagree about what can be asked for: one sentence a difference."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any, get_type_hints

from attrs import NOTHING, Attribute, fields

from modelslab_pony import _raw
from modelslab_pony._rules import Rule
from modelslab_pony.requests import (
    KINDS,
    ImageToImage,
    ImageToImageOptions,
    Inpaint,
    InpaintOptions,
    Request,
    TextToImage,
    TextToImageOptions,
    spec_fields,
)
from modelslab_pony.testing._spec import effective_spec, operations, servers

Facts = dict[str, Any]
"""What can be said of a field: its types, whether it takes null, and each keyword with its value."""

_TEXT: Facts = {"type": ["string"], "nullable": False}
# What the calls send that are no generation, beside the key; `client/test_reach.py` holds the clients to it.
CALLS: Mapping[str, Mapping[str, Facts]] = {
    "fetch": {"request_id": {**_TEXT, "minLength": 1}},
    "fetch_by_id": {},
    "model_reload": {"model_id": {**_TEXT, "minLength": 1}},
    "request_count": {},
    "wallet_balance": {},
    "base64_to_url": {"base64_string": {**_TEXT, "minLength": 1, "format": "base64-image"}},
}
# Required by the spec, with a default of ours.
_OURS = {"model_id"}
# The spec takes null for these; the wrapper leaves them out.
_NULLABLE = {"seed", "webhook", "track_id"}
_TYPES = {
    "text": "string",
    "url": "string",
    "image": "string",
    "flag": "string",
    "integer": "integer",
    "number": "number",
}
_SAYS_NOTHING = {"description", "title", "example", "examples", "deprecated"}
_BODY = {"type", "properties", "required", *_SAYS_NOTHING}


def disagreements(spec: dict[str, Any]) -> Iterator[str]:
    """Yield a sentence for each difference, which names operation and field."""
    known = {**KINDS, **CALLS}
    found = {operation["operationId"]: (method, path, operation) for method, path, operation in operations(spec)}
    yield from (
        f"{name}: the spec has this operation, the wrapper has not" for name in sorted(found.keys() - known.keys())
    )
    yield from (
        f"{name}: the wrapper has this operation, the spec has not" for name in sorted(known.keys() - found.keys())
    )
    lacking = (found.keys() & known.keys()) - _raw.OPERATIONS.keys()
    yield from (f"{name}: the wrapper has this operation, `_raw.OPERATIONS` has not" for name in sorted(lacking))
    for name, (method, path, operation) in found.items():
        if name in known and name not in lacking:
            yield from _place(spec, name, method, path, operation)
            yield from _body(spec, name, operation)


def _place(spec: dict[str, Any], name: str, method: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
    if method != "POST":
        yield f"{name}: the spec has it as {method}, the wrapper as POST"
    images, ours = spec["servers"][0]["url"], _raw.OPERATIONS[name].server
    expected = images if ours is None else images.removesuffix("/v6/images") + ours
    if servers(spec, path)[0] != expected:
        yield f"{name}: the spec has it below {servers(spec, path)[0]}, the wrapper below {expected}"
    given = [*spec["paths"][path].get("parameters", []), *operation.get("parameters", [])]
    theirs = {(item["in"], item["name"]) for item in (_resolved(spec, parameter) for parameter in given)}
    own = {("path", item) for item in _raw.OPERATIONS[name].path}
    yield from (
        f"{name}.{item}: the spec has this {place} parameter, the wrapper has not" for place, item in theirs - own
    )
    yield from (
        f"{name}.{item}: the wrapper has this {place} parameter, the spec has not" for place, item in own - theirs
    )


def _body(spec: dict[str, Any], name: str, operation: dict[str, Any]) -> Iterator[str]:
    content = _resolved(spec, operation.get("requestBody", {})).get("content", {})
    if set(content) != {"application/json"}:
        yield f"{name}: the spec's body is {sorted(content) or 'none'}, the wrapper's is application/json"
        return
    schema = _flat(spec, content["application/json"].get("schema", {}))
    for keyword in sorted(schema.keys() - _BODY):
        yield f"{name}: the spec's body has {keyword} {schema[keyword]!r}, which the wrapper does not know"
    theirs, required = schema.get("properties", {}), set(schema.get("required", []))
    ours = {"key": _TEXT} | (_of_class(name) if name in KINDS else dict(CALLS[name]))
    needed = {"key"} | (_needed(name) if name in KINDS else set(ours))
    for field in sorted(theirs.keys() | ours.keys() | required):
        if field not in ours:
            yield f"{name}.{field}: the spec has this field, the wrapper has not"
        elif field not in theirs:
            yield f"{name}.{field}: the wrapper has this field, the spec has not"
        else:
            facts = {**_facts(spec, theirs[field]), "required": field in required}
            yield from _compared(f"{name}.{field}", facts, {**ours[field], "required": field in needed})


def _compared(place: str, theirs: Facts, ours: Facts) -> Iterator[str]:
    for what in sorted(theirs.keys() | ours.keys()):
        if theirs.get(what) != ours.get(what):
            yield f"{place}: {what} is {theirs.get(what)!r} in the spec, {ours.get(what)!r} in the wrapper"


# --- the wrapper's side ----------------------------------------------------------------------


def _of_class(name: str) -> dict[str, Facts]:
    known = spec_fields(KINDS[name])
    return {rule.name or field: _of_rule(field, item, rule) for field, (item, rule) in known.items()}


def _needed(name: str) -> set[str]:
    known = spec_fields(KINDS[name])
    return {field for field, (item, _) in known.items() if item.default is NOTHING} | (_OURS & known.keys())


def _of_rule(field: str, item: Attribute[Any], rule: Rule) -> Facts:
    default = rule.spec_default if item.default in (NOTHING, None) or field in _OURS else item.default
    is_flag = rule.kind == "flag"
    facts = {
        "default": {True: "yes", False: "no"}[bool(default)] if is_flag else default,
        "minimum": rule.minimum,
        "maximum": rule.maximum,
        "multipleOf": rule.multiple_of,
        "minLength": rule.min_length or None,
        "format": "uri" if rule.kind in {"url", "image"} else None,
        "enum": ["no", "yes"] if is_flag else None,
    }
    said = {what: value for what, value in facts.items() if value is not None}
    return {"type": [_TYPES[rule.kind]], "nullable": field in _NULLABLE, **said}


# --- the spec's side -------------------------------------------------------------------------


def _facts(spec: dict[str, Any], schema: Any) -> Facts:
    if not isinstance(schema, dict):
        return {"schema": schema}
    flat = _flat(spec, schema)
    given = flat.pop("type", [])
    types = set(given if isinstance(given, list) else [given])
    facts = {what: value for what, value in flat.items() if what not in _SAYS_NOTHING}
    if isinstance(facts.get("enum"), list):
        types |= {"null"} if None in facts["enum"] else set()
        facts["enum"] = sorted((value for value in facts["enum"] if value is not None), key=str)
    return {**facts, "type": sorted(types - {"null"}), "nullable": "null" in types}


def _flat(spec: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema with its references, its allOf, and a choice between one schema and null written out."""
    flat = dict(_resolved(spec, schema))
    for branch in flat.pop("allOf", []):
        flat = _merged(flat, _flat(spec, branch))
    for choice in ("oneOf", "anyOf"):
        branches = [_flat(spec, branch) for branch in flat.get(choice, [])]
        others = [branch for branch in branches if branch.get("type") != "null"]
        if len(others) == 1:
            del flat[choice]
            flat = _merged(flat, others[0])
            if len(branches) > 1:
                own = flat.get("type", [])
                flat["type"] = [*(own if isinstance(own, list) else [own]), "null"]
    return flat


def _merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    both = {
        "properties": {**one.get("properties", {}), **other.get("properties", {})},
        "required": [*one.get("required", []), *other.get("required", [])],
    }
    return {**one, **other, **{what: value for what, value in both.items() if value}}


def _resolved(spec: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        found: Any = spec
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = {**found, **{key: value for key, value in node.items() if key != "$ref"}}
    return node


OPTIONS: Mapping[type[Request], tuple[Any, set[str]]] = {
    TextToImage: (TextToImageOptions, {"prompt"}),
    ImageToImage: (ImageToImageOptions, {"prompt", "init_image"}),
    Inpaint: (InpaintOptions, {"prompt", "init_image", "mask_image"}),
}
"""The keywords of each method beside those that it names."""


def unlisted() -> Iterator[str]:
    """Yield a sentence for each field of a request that editors are not told of, or of which they are told wrongly."""
    for kind, (options, named) in OPTIONS.items():
        hints, told = get_type_hints(kind), get_type_hints(options)
        ours = {item.name: hints[item.name] for item in fields(kind) if item.name not in named}
        for name in sorted(name for name in ours.keys() | told.keys() if ours.get(name) != told.get(name)):
            said = "lacks it" if name not in told else "has it with another type" if name in ours else "alone has it"
            yield f"{kind.operation}.{name}: {options.__name__} {said}"


if __name__ == "__main__":
    # `make regenerate` runs this beside a client that is not in its place yet.
    found = [*disagreements(effective_spec()), *unlisted()]
    print(*found, sep="\n")  # noqa: T201 - a program
    sys.exit(bool(found))
