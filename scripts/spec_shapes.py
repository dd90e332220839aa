"""What a schema lets through, whatever way it is written; and how one constraint stands to another.

`nullable`, a null branch and a null in an enum are one thing; so are `const` and an enum of one, a
reference and what it refers to, `allOf` and its parts written out, a choice of one and that one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from attrs import frozen

from spec import Document, resolved

ANNOTATIONS = {"title", "description", "example", "examples", "deprecated", "externalDocs", "xml", "$comment"}
"""Keywords that let through neither more nor less."""
BESIDE = {*ANNOTATIONS, "default"}
"""Keywords that belong to a whole choice, and not to its branches."""
_CHOICES = ("oneOf", "anyOf")
_LOWER = {"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains"}
_UPPER = {"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains"}
_ABSENT = {"minLength": 0, "minItems": 0, "minProperties": 0, "uniqueItems": False, "deprecated": False}
"""What a keyword says when it is not there, where that can be written."""
_TURNS = {"default": "default", "readOnly": "widened", "writeOnly": "widened", "discriminator": "widened"}


@frozen
class Shape:
    """A schema, taken apart. `types` and `enum` are None where anything goes."""

    name: str | None
    met: frozenset[str]
    """The names of every schema that it is put together from."""
    types: frozenset[str] | None
    enum: frozenset[str] | None
    """The values as JSON, without null."""
    fields: Mapping[str, Any]
    required: frozenset[str]
    items: Any
    additional: Any
    branches: Sequence[Any]
    """Empty where there is no choice."""
    own: Document
    """All of it but the choice, and what stands `BESIDE` one."""
    keywords: Mapping[str, Any]
    """Whatever else it says."""

    @property
    def title(self) -> str | None:
        """What the generator names its class after."""
        return self.keywords.get("title", self.name) if self.name else None

    @property
    def alternatives(self) -> Sequence[Any]:
        """Its branches, each with what is said beside the choice; or the one that it is, where there is none."""
        if not self.branches:
            return [{"$ref": f"#/components/schemas/{self.name}"} if self.name else self.own]
        beside = self.own.keys() - {"type"}
        return [{"allOf": [self.own, branch]} for branch in self.branches] if beside else self.branches


def shape(document: Document, schema: Any) -> Shape:
    """Take a schema apart."""
    met: set[str] = set()
    name, flat = _flat(document, schema, met)
    choice = next((key for key in _CHOICES if key in flat), None)
    branches = flat.pop(choice) if choice else []
    nullable = flat.pop("nullable", False)
    own = {key: value for key, value in flat.items() if key not in BESIDE}
    stated, required = flat.pop("type", None), frozenset(flat.pop("required", ()))
    enum = [flat.pop("const")] if "const" in flat else flat.pop("enum", None)
    fields, items = flat.pop("properties", {}), flat.pop("items", None)
    additional = flat.pop("additionalProperties", True)
    types = _types(stated, enum, fields=bool(fields or required), items=items is not None)
    if types is None and branches:
        types = _union(shape(document, branch).types for branch in branches)
    return Shape(
        name=name,
        met=frozenset(met),
        types=types | {"null"} if types and nullable else types,
        enum=None if enum is None else frozenset(json.dumps(value) for value in enum if value is not None),
        fields=fields,
        required=required,
        items=items,
        additional=True if additional == {} else additional,
        branches=branches,
        own=own,
        keywords={**flat, **({"choice": choice} if choice else {})},
    )


def name_of(schema: Any) -> str | None:
    """Return the name of the component that a schema refers to."""
    reference = schema.get("$ref") if isinstance(schema, dict) else None
    return reference.rpartition("/")[2] if isinstance(reference, str) else None


def tag(document: Document, schema: Any) -> str | None:
    """Return the one value that tells a branch from the others, as `status` does."""
    for field, inner in shape(document, schema).fields.items():
        enum = shape(document, inner).enum
        if enum and len(enum) == 1:
            return f"{field} {next(iter(enum))}"
    return None


# --- one constraint beside another --------------------------------------------------------------


def turn_of_sets(today: frozenset[str] | None, new: frozenset[str] | None) -> str:
    """Tell how a set of what is let through stands to another; None is everything."""
    if today is None or new is None:
        return "widened" if new is None else "narrowed"
    if today < new:
        return "widened"
    return "narrowed" if new < today else "changed"


def turn_of_keyword(keyword: str, today: Any, new: Any) -> str | None:
    """Tell how a keyword's value stands to another; None is not there, and returned where both mean the same."""
    today, new = (_ABSENT.get(keyword) if value is None else value for value in (today, new))
    if json.dumps(today, sort_keys=True) == json.dumps(new, sort_keys=True):
        return None
    if keyword in ANNOTATIONS or keyword.startswith("x-"):
        return "words"
    if keyword in _TURNS:
        return _TURNS[keyword]
    if keyword == "choice" and (today is None or new is None):
        return None  # the branches tell
    if today is None or new is None:
        return "widened" if new is None else "narrowed"
    return _turn_of_values(keyword, today, new)


def _turn_of_values(keyword: str, today: Any, new: Any) -> str | None:
    if keyword == "choice":
        return "widened" if new == "anyOf" else "narrowed"
    if keyword == "uniqueItems":
        return "narrowed" if new else "widened"
    if keyword not in {*_LOWER, *_UPPER, "multipleOf"}:
        return "changed"
    first, second = Fraction(str(today)), Fraction(str(new))
    if first == second:
        return None
    if keyword == "multipleOf":
        return "narrowed" if second % first == 0 else "widened" if first % second == 0 else "changed"
    return "narrowed" if (second > first) == (keyword in _LOWER) else "widened"


# --- one way of writing -------------------------------------------------------------------------


def _types(stated: Any, enum: Any, *, fields: bool, items: bool) -> frozenset[str] | None:
    if stated is None:
        if enum is not None:
            return frozenset(_type(value) for value in enum)
        return frozenset({"object"}) if fields else frozenset({"array"}) if items else None
    types = set(stated if isinstance(stated, list) else [stated])
    if "number" in types:
        types.add("integer")
    if enum is not None and None not in enum:
        types.discard("null")
    return frozenset(types)


def _union(found: Iterable[frozenset[str] | None]) -> frozenset[str] | None:
    sets = list(found)
    return None if None in sets else frozenset().union(*(part for part in sets if part))


def _type(value: Any) -> str:
    if value is None:
        return "null"
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}
    return kinds.get(type(value), "object")


def _flat(document: Document, schema: Any, met: set[str]) -> tuple[str | None, Document]:
    if not isinstance(schema, dict):
        return None, {} if schema in (True, None) else {"not": {}}
    name = name_of(schema)
    met |= {name} if name else set()
    flat = dict(resolved(document, schema))
    parts = flat.pop("allOf", [])
    for part in parts:
        inner, written = _flat(document, part, met)
        flat = _both(flat, written)
        # Many spell a reference with a description of its own as an allOf of one.
        name = name or (inner if len(parts) == 1 else None)
    for choice in _CHOICES:
        branches = flat.pop(choice, [])
        others = [branch for branch in branches if not _is_null(document, branch)]
        if len(others) == 1:
            inner, written = _flat(document, others[0], met)
            name, flat = name or inner, _both(flat, written)
        elif others:
            flat[choice] = others
        if len(others) < len(branches):
            flat["nullable"] = True  # a word of 3.0, which no spec here has any more
    return name, flat


def _is_null(document: Document, schema: Any) -> bool:
    node = resolved(document, schema)
    return isinstance(node, dict) and (node.get("type") in ("null", ["null"]) or node.get("enum") == [None])


def _both(one: Document, other: Document) -> Document:
    """Return what obeys both; where both have a word for the same, the second is kept beside the first."""
    both = {**other, **one}
    for key in one.keys() & other.keys():
        if key == "properties":
            shared = one[key].keys() & other[key].keys()
            both[key] = {
                **one[key],
                **other[key],
                **{name: {"allOf": [one[key][name], other[key][name]]} for name in shared},
            }
        elif key == "required":
            both[key] = [*one[key], *other[key]]
        elif key not in ANNOTATIONS and one[key] != other[key]:
            both[f"{key} as well"] = other[key]
    return both
