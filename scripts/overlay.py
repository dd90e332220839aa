"""Shipped spec + overlay → effective spec, with every fault an error.

oas-patch applies the actions. It passes silently over an action that matches nothing, writes over what
the vendor says, and nobody checks the examples that a mock server will serve; all that is checked here.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import frozen
from jsonpath_ng.ext.parser import parse as jsonpath
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from oas_patch import apply_overlay, validate

from spec import Document, SpecError, operations
from spec_source import read_yaml
from spec_valid import check, upgraded

_NOTHING = object()


@frozen
class Overlap:
    """A place of which the spec says something already."""

    place: str
    ours: Any
    theirs: Any
    same: bool
    """Whether both say the same; for a list: whether all that is added stands in it."""
    stated: Any = None
    """What the action says that it replaces; None if it says nothing."""


@frozen
class Problem:
    """Why an action cannot stand as it is."""

    number: int
    """Counted from 1."""
    said: str
    droppable: bool
    """Whether the spec has, without the action, all that the action adds."""


def effective_spec(shipped: Path, overlay: Path) -> Document:
    """Return the shipped spec with every action of the overlay applied, and checked."""
    spec = apply(
        upgraded(json.loads(shipped.read_text("utf-8"))), read_overlay(overlay.name, overlay.read_text("utf-8"))
    )
    check_document(spec)
    check_examples(spec)
    return spec


def read_overlay(name: str, text: str) -> Document:
    """Read an overlay whose every action has a reason and a source."""
    overlay: Document = read_yaml(name, text)
    verdict = validate(overlay, "sh")
    if verdict != "Validation successful":
        raise SpecError(f"{name} is not an OpenAPI Overlay 1.1 document: {verdict}")
    for number, action in enumerate(overlay["actions"], 1):
        for field, meaning in (("description", "a reason"), ("x-source", "a source")):
            if not str(action.get(field) or "").strip():
                raise SpecError(f"{name}, action {number} ({action['target']}) lacks {meaning}: add {field!r}")
    return overlay


def apply(spec: Document, overlay: Document) -> Document:
    """Apply the actions in order; each must find its target in what the earlier ones left, and be needed there."""
    result, problems = examine(spec, overlay)
    if problems:
        raise SpecError("\n".join(problem.said for problem in problems))
    return result


def examine(spec: Document, overlay: Document) -> tuple[Document, list[Problem]]:
    """Return the spec with all that can be applied, the vendor's word before ours, and what cannot."""
    result, problems = copy.deepcopy(spec), []
    for number, action in enumerate(overlay["actions"], 1):
        found = jsonpath(action["target"]).find(result)
        if not found:
            problems.append(Problem(number, _missing(number, action), droppable=False))
            continue
        applied = copy.deepcopy(action)
        if "update" in action:
            overlaps = [
                overlap
                for match in found
                for overlap in _overlaps(
                    match.value, action["update"], action.get("x-replaces", _NOTHING), action["target"]
                )
            ]
            applied["update"] = _without(applied["update"], {overlap.place for overlap in overlaps}, action["target"])
            if overlaps:
                droppable = all(overlap.same for overlap in overlaps) and not _adds(applied["update"])
                problems.append(Problem(number, _overlapping(number, action, overlaps, droppable=droppable), droppable))
            if overlaps and not _adds(applied["update"]):
                continue
        result = apply_overlay(result, {"actions": [applied]})
    return result, problems


def _overlaps(base: Any, update: Any, replaced: Any, place: str) -> Iterator[Overlap]:
    """Yield each place where an update meets what is there, as oas-patch would merge it."""
    if isinstance(base, dict) and isinstance(update, dict):
        stated = replaced if isinstance(replaced, dict) else {}
        for key, value in update.items():
            if key in base:
                yield from _overlaps(base[key], value, stated.get(key, _NOTHING), f"{place}.{key}")
            elif key in stated:
                yield Overlap(f"{place}.{key}", value, None, same=False, stated=stated[key])
    elif isinstance(base, list):
        items = update if isinstance(update, list) else [update]
        if there := [item for item in items if item in base]:
            yield Overlap(place, update, base, same=len(there) == len(items))
    elif _same(base, update):
        yield Overlap(place, update, base, same=True)
    elif replaced is _NOTHING or not _same(base, replaced):
        yield Overlap(place, update, base, same=False, stated=None if replaced is _NOTHING else replaced)


def _without(update: Any, places: set[str], place: str) -> Any:
    """Return an update without what it says of some places."""
    if place in places:
        return _NOTHING
    if not isinstance(update, dict):
        return update
    inner = {key: _without(value, places, f"{place}.{key}") for key, value in update.items()}
    kept = {key: value for key, value in inner.items() if value is not _NOTHING}
    return kept if kept or not update else _NOTHING


def _adds(update: Any) -> bool:
    return update is not _NOTHING


def _same(one: Any, other: Any) -> bool:
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


# --- what to do about it ------------------------------------------------------------------------


def _named(number: int, action: Document) -> str:
    return f"overlay action {number}, {action['target']},"


def _missing(number: int, action: Document) -> str:
    return (
        f"{_named(number, action)} matches nothing\n"
        f"  its reason was: {action['description']}\n"
        "  correct the target, or drop the action if the spec no longer needs it"
    )


def _overlapping(number: int, action: Document, overlaps: list[Overlap], *, droppable: bool) -> str:
    what = (
        "says what the vendor now ships itself"
        if any(overlap.same for overlap in overlaps)
        else "contradicts the vendor"
    )
    lines = [f"{_named(number, action)} {what}"]
    lines += [f"  its reason was: {action['description']}"]
    for overlap in overlaps:
        ours, theirs = (json.dumps(value, ensure_ascii=False) for value in (overlap.ours, overlap.theirs))
        if overlap.same:
            lines.append(f"  the same at {overlap.place}: {_short(ours)}")
            continue
        lines.append(f"  another at {overlap.place}: the vendor has {_short(theirs)}, the action {_short(ours)}")
        if overlap.stated is not None:
            lines.append(f"    the action was written to replace {_short(json.dumps(overlap.stated))}")
    if droppable:
        return "\n".join([*lines, "  nothing else is in it: ACCEPT=overlay drops it, or drop it by hand"])
    lines += ["  take out of the action what the vendor has; it adds, or corrects, what is missing or wrong"]
    if not all(overlap.same for overlap in overlaps):
        lines += ["  a correction that is still right says what it corrects: `x-replaces`, shaped as `update` is"]
    return "\n".join(lines)


def _short(text: str) -> str:
    return text if len(text) <= 100 else f"{text[:99]}…"


# --- what comes out of it -----------------------------------------------------------------------


def check_document(spec: Document) -> None:
    """Refuse what nothing sound can be made of, and an operation without a name."""
    try:
        check(spec)
    except SpecError as error:
        raise SpecError(f"with the overlay: {error}") from None
    for method, path, operation in operations(spec):
        if not operation.get("operationId"):
            raise SpecError(f"{method.upper()} {path} has no operationId: add one to the overlay")


def check_examples(spec: Document) -> None:
    """Every named example obeys the schema beside it: a mock server serves it unchecked."""
    for place, media in _media_types(spec):
        validator = Draft202012Validator({**media.get("schema", {}), "components": spec["components"]})
        for name, example in media.get("examples", {}).items():
            if error := best_match(validator.iter_errors(example["value"])):
                said = f"{error.json_path.removeprefix('$.')}: {_short(error.message)}"
                raise SpecError(f"example {name!r} at {place} breaks its schema: {said}: correct it in the overlay")


def _media_types(node: Any, place: str = "$") -> Iterator[tuple[str, Document]]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "content" and isinstance(value, dict):
                yield from ((f"{place}.content[{name}]", media) for name, media in value.items())
            yield from _media_types(value, f"{place}.{key}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _media_types(value, f"{place}[{index}]")
