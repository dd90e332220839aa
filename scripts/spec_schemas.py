"""Where two schemas differ: walked together, through every reference."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Any

from attrs import frozen
from deepdiff import DeepDiff

from spec import Document, resolved
from spec_parts import BESIDE
from spec_shapes import Reader, Shape, composite, name_of
from spec_turns import of_keyword, of_sets

Found = Iterator["Difference"]
_ALIKE = 0.6
"""How much of two names has to be the same for the one to be taken for the other's new name."""
_PAIRS = 400
"""Beyond so many, what was renamed is told as removed and added."""


@frozen
class Difference:
    """One difference; None is what is not there."""

    side: str
    """request: what we send. answer: what we read. call: how it is made. document: the rest."""
    place: str
    """`Schema.field`, or the operation."""
    what: str
    """Which word of the spec: `maximum`, `required`, `field` …"""
    turn: str
    """narrowed, widened, changed, or one of the other kinds of `spec_changes.RULES`."""
    today: Any
    new: Any

    @property
    def key(self) -> tuple[str, str, str]:
        """What it is about, whatever the values are."""
        return self.side, self.place, self.what


class Schemas:
    """Two documents; a pair of named schemas is compared once for each side."""

    def __init__(self, today: Document, new: Document, readers: tuple[Reader, Reader] | None = None) -> None:
        """Begin a walk; nothing is compared yet. With `readers`, it is one within another."""
        self.documents = (today, new)
        self.readers = readers or (Reader(today), Reader(new))
        self.compared: set[tuple[str, str, str]] = set()
        self.skipped = 0
        self.within = readers is not None

    def schema(self, side: str, place: str, today: Any, new: Any) -> Found:
        """Compare what two schemas let through; where they differ and nothing is found, that is said."""
        if self.known(side, today, new):
            return
        skipped, said = self.skipped, False
        for found in self.apart(side, place, today, new):
            said = said or found.turn not in {"words", "default"}
            yield found
        if not said and skipped == self.skipped and self.readers[0].print(today) != self.readers[1].print(new):
            yield Difference(side, place, "schema", "unknown", today, new)

    def apart(self, side: str, place: str, today: Any, new: Any) -> Found:
        """Compare two schemas, taken apart."""
        first, second = self.shapes(today, new)
        became_choice = bool(first.branches) != bool(second.branches)
        place = place if became_choice else second.name or first.name or place
        if first.title != second.title and not became_choice:
            yield Difference(side, place, "name", "named", first.title, second.title)
        if first.types != second.types:
            turn = of_sets(first.types, second.types)
            yield Difference(side, place, "type", turn, _types(first), _types(second))
            if first.types and second.types and not (first.types & second.types) - {"null"}:
                return  # nothing below can be compared
        if first.enum != second.enum:
            turn = of_sets(first.enum, second.enum)
            yield Difference(side, place, "enum", turn, _values(first), _values(second))
        for keyword in dict.fromkeys([*first.keywords, *second.keywords]):
            if not became_choice or keyword in BESIDE:
                values = first.keywords.get(keyword), second.keywords.get(keyword)
                if turn_of := of_keyword(side, keyword, *values):
                    yield Difference(side, place, keyword, turn_of, *values)
        if became_choice:
            yield from self.branches(side, place, first.alternatives, second.alternatives)
        elif not self.met(side, (first.name or composite(today), today), (second.name or composite(new), new)):
            yield from self.inside(side, place, first, second)

    def inside(self, side: str, place: str, first: Shape, second: Shape) -> Found:
        """Compare what two schemas hold."""
        yield from self.fields(side, place, first, second)
        if first.items is not None or second.items is not None:
            yield from self.schema(side, f"{place}[]", first.items, second.items)
        yield from self.additional(side, place, first.additional, second.additional)
        yield from self.branches(side, place, first.branches, second.branches)

    def fields(self, side: str, place: str, first: Shape, second: Shape) -> Found:
        """Compare the fields of two objects."""
        today, new = _fields(first), _fields(second)
        gone, come = [name for name in today if name not in new], [name for name in new if name not in today]
        if not self.within and len(gone) * len(come) <= _PAIRS:
            for name in gone:
                alike = [other for other in come if self.same_field(name, today[name], other, new[other])]
                if len(alike) == 1:
                    yield Difference(side, f"{place}.{name}", "field", "field renamed", name, alike[0])
                    come.remove(alike[0])
                    del today[name], new[alike[0]]
        for name in dict.fromkeys([*today, *new]):
            yield from self.field(side, f"{place}.{name}", today.get(name), new.get(name))
            if name not in today:
                yield from self.open(side, f"{place}.{name}", first, new[name]["schema"])

    def open(self, side: str, place: str, today: Shape, new: Any) -> Found:
        """Compare a field that came with what was said of fields without a name."""
        if isinstance(today.additional, dict):
            yield from self.schema(side, place, today.additional, new)
        if "patternProperties" in today.keywords:
            yield Difference(side, place, "patternProperties", "changed", today.keywords["patternProperties"], None)

    def field(self, side: str, place: str, today: Any, new: Any) -> Found:
        """Compare a field, or a parameter: {schema, required}; None is one that is not there."""
        if new is None:
            yield Difference(side, place, "field", "field removed", self.kind(0, today), None)
        elif today is None:
            turn = "required field added" if new.get("required") else "field added"
            yield Difference(side, place, "field", turn, None, self.kind(1, new))
        else:
            yield from required(side, place, *(self.needed(side, *pair) for pair in enumerate((today, new))))
            yield from self.schema(side, place, today.get("schema"), new.get("schema"))

    def needed(self, side: str, index: int, field: Document) -> Document:
        """Return whether a field has to be there on a side: one that goes the other way only has not."""
        one_way = self.readers[index].shape(field.get("schema")).keywords
        other = one_way.get("readOnly" if side == "request" else "writeOnly")
        return {"required": field.get("required") and not other}

    def same_field(self, name: str, today: Document, other: str, new: Document) -> bool:
        """Tell whether a field that went and one that came are one: described alike, and called or bounded alike."""
        if today["required"] != new["required"]:
            return False
        inner = Schemas(*self.documents, self.readers)
        found = list(inner.schema("request", "", today["schema"], new["schema"]))
        if not found and self.readers[0].shape(today["schema"]).keywords:
            return True
        return all(item.turn == "words" for item in found) and SequenceMatcher(a=name, b=other).ratio() >= _ALIKE

    def additional(self, side: str, place: str, today: Any, new: Any) -> Found:
        """Compare what is said of fields that are not named."""
        if isinstance(today, dict) and isinstance(new, dict):
            yield from self.schema(side, f"{place}.*", today, new)
        elif today != new:
            turn = "narrowed" if today is True or new is False else "widened"
            yield Difference(side, place, "additionalProperties", turn, today, new)

    def branches(self, side: str, place: str, today: Sequence[Any], new: Sequence[Any]) -> Found:
        """Compare two choices: each branch with the one that it became."""
        gone, come = list(today), list(new)
        for same in (_named_alike, self.tagged_alike, _written_alike, self.typed_alike, self.left_over):
            for one in list(gone):
                for other in [other for other in come if same(one, other, gone, come)][:1]:
                    gone.remove(one)
                    come.remove(other)
                    yield from self.schema(side, f"{place} ({self.label(1, other)})", one, other)
        if gone and come and 1 in (len(today), len(new)):
            # What was one form is several, none of them its own: each is what it became.
            for one, other in ((one, other) for one in gone for other in come):
                yield from self.schema(side, f"{place} ({self.label(1, other)})", one, other)
            return
        for one in gone:
            yield Difference(side, place, "branch", "branch removed", self.label(0, one), None)
        for other in come:
            turn = "changed" if side == "request" and self.overlaps(other, new) else "branch added"
            yield Difference(side, place, "branch", turn, None, self.label(1, other))

    def overlaps(self, new: Any, branches: Sequence[Any]) -> bool:
        """Tell whether a value may be of a new branch and of another one: where it has to be one, it is none."""
        reader, others = self.readers[1], [other for other in branches if other is not new]
        types, tag = reader.shape(new).types, reader.tag(new)
        for other in others:
            known = reader.shape(other).types
            apart = types is not None and known is not None and not types & known
            if not apart and (tag is None or reader.tag(other) in {None, tag}):
                return True
        return False

    def tagged_alike(self, one: Any, other: Any, *_: Any) -> bool:
        """Tell whether the same value marks both, as `status` does."""
        first, second = (reader.tag(node) for reader, node in zip(self.readers, (one, other), strict=True))
        return first is not None and first == second

    def typed_alike(self, one: Any, other: Any, *_: Any) -> bool:
        """Tell whether both are of the same type, and none of the types that have fields."""
        first, second = (found.types for found in self.shapes(one, other))
        return first is not None and first == second and "object" not in first

    def left_over(self, one: Any, other: Any, gone: list[Any], come: list[Any]) -> bool:
        """One on each side: the one became the other, if they can be compared at all."""
        first, second = (found.types for found in self.shapes(one, other))
        return len(gone) == len(come) == 1 and (first is None or second is None or bool(first & second))

    def label(self, index: int, node: Any) -> str:
        """Return words for a branch of today's (0) or the new (1) document."""
        return name_of(node) or self.readers[index].tag(node) or self.kind(index, {"schema": node})

    def kind(self, index: int, field: Document) -> str:
        """Return words for the types of a field."""
        return " or ".join(_types(self.readers[index].shape(field.get("schema"))) or ["anything"])

    # --- references ---------------------------------------------------------------------------

    def known(self, side: str, today: Any, new: Any) -> bool:
        """Tell whether two references, with nothing beside them, were compared before; and note it."""
        if not all(isinstance(node, dict) and len(node) == 1 and "$ref" in node for node in (today, new)):
            return False
        return self.noted(side, today["$ref"], new["$ref"])

    def met(self, side: str, *pair: tuple[str | None, Any]) -> bool:
        """Tell whether what two schemas hold was compared before: they may be written out, and lead to themselves."""
        if not any(name for name, _ in pair):
            return False
        first, second = (name or json.dumps(schema, sort_keys=True) for name, schema in pair)
        return self.noted(f"{side} inside", first, second)

    def noted(self, side: str, today: str, new: str) -> bool:
        """Tell whether a pair was compared before, and note it."""
        known = (side, today, new) in self.compared
        self.compared.add((side, today, new))
        self.skipped += known
        return known

    def shapes(self, today: Any, new: Any) -> list[Shape]:
        """Take two schemas apart, each in its document."""
        return [reader.shape(node) for reader, node in zip(self.readers, (today, new), strict=True)]

    def both(self, today: Any, new: Any) -> list[Any]:
        """Return what two nodes refer to, each in its document."""
        return [resolved(document, node) for document, node in zip(self.documents, (today, new), strict=True)]

    def raw(self, side: str, place: str, turn: str, today: Any, new: Any) -> Found:
        """Compare word by word; a reference is what it comes to."""
        first, second = (reader.spelled(node) for reader, node in zip(self.readers, (today, new), strict=True))
        yield from raw(side, place, turn, first, second)


def raw(side: str, place: str, turn: str, today: Any, new: Any) -> Found:
    """Yield each difference of what is compared word by word."""
    tree = DeepDiff(today, new, view="tree", threshold_to_diff_deeper=0, ignore_private_variables=False)
    for kind in sorted(tree):
        for item in tree[kind]:
            where = ".".join(map(str, item.path(output_format="list"))) or "value"
            values = (json.loads(json.dumps(value, default=lambda _: None)) for value in (item.t1, item.t2))
            yield Difference(side, place, where, turn, *values)


def required(side: str, place: str, today: Document, new: Document) -> Found:
    """Compare whether something has to be there."""
    first, second = bool(today.get("required")), bool(new.get("required"))
    if first != second:
        yield Difference(side, place, "required", "narrowed" if second else "widened", first, second)


def _fields(found: Shape) -> dict[str, Document]:
    """Return the fields by name; a name that is only required is a field of any kind."""
    return {
        name: {"schema": found.fields.get(name, {}), "required": name in found.required}
        for name in dict.fromkeys([*found.fields, *sorted(found.required)])
    }


def _types(found: Shape) -> list[str] | None:
    if found.types is None:
        return None
    return sorted(found.types - ({"integer"} if "number" in found.types else set()))


def _values(found: Shape) -> list[Any] | None:
    return None if found.enum is None else [json.loads(value) for value in sorted(found.enum)]


def _named_alike(one: Any, other: Any, *_: Any) -> bool:
    return name_of(one) is not None and name_of(one) == name_of(other)


def _written_alike(one: Any, other: Any, *_: Any) -> bool:
    return bool(one == other)
