"""What a schema lets through, whatever way it is written.

`nullable`, a null branch and a null in an enum are one thing; so are `const` and an enum of one, a
reference and what it refers to, `allOf` and its parts written out, a choice of one and that one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import frozen

from spec import Document, references, resolved, target
from spec_parts import ANNOTATIONS, BESIDE, both_of, mergeable, plain, unique

_SAID = {*BESIDE, "readOnly", "writeOnly"}
_CHOICES = ("oneOf", "anyOf")
_NULLS = ({"type": "null"}, {"type": ["null"]}, {"enum": [None]}, {"const": None}, {"type": "null", "enum": [None]})


@frozen
class Shape:
    """A schema, taken apart. `types` and `enum` are None where anything goes."""

    name: str | None
    """Of the component that it is, but for words and null."""
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
    """Whatever else it says; a reference in it is what it refers to."""

    @property
    def title(self) -> str | None:
        """What the generator names its class after; what has no fields has no class."""
        return self.keywords.get("title", self.name) if self.name and self.fields else None

    @property
    def alternatives(self) -> Sequence[Any]:
        """Its branches, each with what is said beside the choice; or the one that it is, where there is none."""
        if not self.branches and not self.name and self.own.keys() == {"type"} and isinstance(self.own["type"], list):
            return [{"type": kind} for kind in self.own["type"] if kind != "null"]
        if not self.branches:
            return [{"$ref": reference_to(self.name)} if self.name else self.own]
        beside = self.own.keys() - {"type"}
        return [{"allOf": [self.own, branch]} for branch in self.branches] if beside else self.branches


def name_of(node: Any) -> str | None:
    """Return the name of the component that a node refers to; a place within one is its own name."""
    reference = node.get("$ref") if isinstance(node, dict) else None
    if not isinstance(reference, str):
        return None
    parts = reference.split("/")
    return parts[3] if len(parts) == 4 else reference


def reference_to(name: str) -> str:
    """Return the reference that has a name."""
    return name if name.startswith("#/") else f"#/components/schemas/{name}"


def composite(schema: Any) -> str | None:
    """Return a key for a schema that is put together from references: it may lead to itself. None for another."""
    if isinstance(schema, dict) and schema.keys() & {"$ref", "allOf", *_CHOICES}:
        text = json.dumps(schema, sort_keys=True)
        return text if '"$ref"' in text else None
    return None


class Reader:
    """Takes the schemas of one document apart."""

    def __init__(self, document: Document) -> None:
        """Find out first what each reference comes to, also where schemas hold each other."""
        self.document = document
        self._flats: dict[str, tuple[str | None, Document]] = {}
        self._prints = dict.fromkeys((reference for _, reference in references(document)), "")
        # Each round tells apart what differs one reference deeper.
        known = -1
        while known < (known := len(set(self._prints.values()))):
            self._made: dict[str, str] = {}
            self._prints = {name: self.print(target(document, name)) for name in self._prints}
        self._made = {}

    def shape(self, schema: Any) -> Shape:
        """Take a schema apart."""
        name, flat = self._flat(schema)
        choice = next((key for key in _CHOICES if key in flat), None)
        branches = flat.pop(choice) if choice else []
        nullable = flat.pop("nullable", False)
        own = {key: value for key, value in flat.items() if key not in BESIDE}
        stated, required = flat.pop("type", None), frozenset(flat.pop("required", ()))
        enum = plain([flat.pop("const")] if "const" in flat else flat.pop("enum", None))
        fields, items = flat.pop("properties", {}), flat.pop("items", None)
        additional = flat.pop("additionalProperties", True)
        types = _types(stated, enum, fields=bool(fields or required), items=items is not None)
        if types is None and branches:
            types = _union(self.shape(branch).types for branch in branches)
        keywords = {key: value if key in ANNOTATIONS else plain(self.spelled(value)) for key, value in flat.items()}
        return Shape(
            name=name,
            types=types | {"null"} if types and nullable else types,
            enum=None if enum is None else frozenset(json.dumps(value) for value in enum if value is not None),
            fields=fields,
            required=required,
            items=None if items in ({}, True) else items,
            additional=True if additional == {} else additional,
            branches=branches,
            own=own,
            keywords={**keywords, **({"choice": choice} if choice else {})},
        )

    def tag(self, schema: Any) -> str | None:
        """Return the one value that tells a branch from the others, as `status` does."""
        for field, inner in self.shape(schema).fields.items():
            enum = self.shape(inner).enum
            if enum and len(enum) == 1:
                return f"{field} {next(iter(enum))}"
        return None

    def print(self, schema: Any) -> str:
        """Return a word that two schemas have in common if they let through the same."""
        key = composite(schema)
        if key is None:
            return self._print(schema)
        if len(schema) == 1 and "$ref" in schema:
            return self._prints[schema["$ref"]]
        if key not in self._made:
            self._made[key] = "itself"
            self._made[key] = self._print(schema)
        return self._made[key]

    def _print(self, schema: Any) -> str:
        found = self.shape(schema)
        several = found.alternatives if len(found.alternatives) > 1 else []
        keywords = {**({"choice": "anyOf"} if several else {}), **found.keywords}
        said = {
            "types": None if found.types is None else sorted(found.types),
            "enum": None if found.enum is None else sorted(found.enum),
            "fields": {name: self.print(inner) for name, inner in found.fields.items()},
            "required": sorted(found.required),
            "items": None if found.items is None else self.print(found.items),
            "additional": self.print(found.additional) if isinstance(found.additional, dict) else found.additional,
            "branches": sorted(self.print(branch) for branch in several),
            "keywords": {key: value for key, value in keywords.items() if key not in _SAID and key[:2] != "x-"},
        }
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:12]

    def spelled(self, value: Any) -> Any:
        """Return a value with each reference in it as what it comes to, for a comparison word by word."""
        if isinstance(value, list):
            return [self.spelled(item) for item in value]
        if not isinstance(value, dict):
            return value
        if isinstance(value.get("$ref"), str):
            return {**value, "$ref": f"{name_of(value)} ({self._prints.get(value['$ref'], '')})"}
        return {key: self.spelled(inner) for key, inner in value.items()}

    def _flat(self, schema: Any) -> tuple[str | None, Document]:
        """Return a schema with its reference, its parts and a choice of one written out, and its name if it has one."""
        if not isinstance(schema, dict):
            return None, {"type": []} if schema is False else {}
        rest = {key: value for key, value in schema.items() if key not in {"$ref", "allOf"}}
        parts = [{"$ref": schema["$ref"]}] if isinstance(schema.get("$ref"), str) else []
        parts = unique([*parts, *schema.get("allOf", [])])
        if len(schema) == 1 and parts and "$ref" in schema:
            return self._named(schema["$ref"])
        written = [self._flat(part) for part in parts]
        named = written[0][0] if len(parts) == 1 and rest.keys() <= BESIDE else None
        name, flat = self._chosen(rest)
        opaque = not mergeable([flat, *(each for _, each in written)])
        for _, each in written:
            flat = both_of(flat, each)
        if opaque:
            # Merged they would say another thing; what is kept beside tells that they differ.
            flat["parts"] = [self.spelled(part) for part in (rest, *parts)]
        return named or (name if not parts else None), flat

    def _chosen(self, schema: Document) -> tuple[str | None, Document]:
        """Write out a choice of one, and of one or null."""
        name, flat = None, dict(schema)
        for choice in [choice for choice in _CHOICES if choice in schema]:
            branches = flat.pop(choice)
            others = [branch for branch in branches if not _is_null(self.document, branch)]
            beside = flat.keys() - BESIDE
            if len(others) > 1 or not branches:
                flat[choice] = others
            else:
                only, written = self._flat(others[0]) if others else (None, {"type": "null"})
                name, flat = None if beside else only, both_of(flat, written)
            if len(others) < len(branches):
                if others:
                    flat["nullable"] = True  # a word of 3.0, which no spec here has any more
                if beside:
                    flat["parts"] = [self.spelled(schema)]
        return name, flat

    def _named(self, reference: str) -> tuple[str | None, Document]:
        if reference not in self._flats:
            name = name_of({"$ref": reference})
            inner, flat = self._flat(target(self.document, reference))
            # A component that is but another's name goes by the other's.
            self._flats[reference] = (inner or name, flat)
        name, flat = self._flats[reference]
        return name, dict(flat)


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


def _is_null(document: Document, schema: Any) -> bool:
    node = resolved(document, schema)
    return isinstance(node, dict) and {key: value for key, value in node.items() if key not in BESIDE} in _NULLS
