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

from spec import Document, SpecError, media_types, operations, resolved
from spec_source import read_yaml
from spec_valid import check, upgraded

_NOTHING = object()


@frozen
class Overlap:
    """A place of which the spec says something already."""

    path: tuple[str, ...]
    """Below the action's target."""
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
        if odd := _unknown(action.get("x-replaces", {}), action.get("update")):
            raise SpecError(f"{name}, action {number} ({action['target']}): x-replaces has {odd}, which update has not")
    return overlay


def _unknown(replaced: Any, update: Any) -> str | None:
    """Return the first key of what is replaced that is not among what replaces it."""
    if isinstance(update, dict) and update and not isinstance(replaced, dict):
        return repr(replaced)
    if not isinstance(replaced, dict) or not isinstance(update, dict):
        return None
    inner = (_unknown(value, update[key]) if key in update else repr(key) for key, value in replaced.items())
    return next(filter(None, inner), None)


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
        try:
            found = jsonpath(action["target"]).find(result)
            if not found or ("copy" in action and not jsonpath(action["copy"]).find(result)):
                problems.append(Problem(number, _missing(number, action), droppable=False))
                continue
            update = _update(action, result)
            overlaps = [_overlaps_of(action, update, match) for match in found]
            if not any(overlaps):
                result = apply_overlay(result, {"actions": [copy.deepcopy(action)]})
                continue
            lefts = [_without(update, {overlap.path for overlap in each}) for each in overlaps]
            droppable = not any(map(_adds, lefts)) and all(overlap.same for each in overlaps for overlap in each)
            problems.append(Problem(number, _overlapping(number, action, overlaps, droppable=droppable), droppable))
            for match, left in zip(found, lefts, strict=True):
                if _adds(left):
                    part = {**action, "target": f"$.{match.full_path}", "update": copy.deepcopy(left)}
                    result = apply_overlay(result, {"actions": [part]})
        except SpecError:
            raise
        except Exception as error:  # noqa: BLE001 - the libraries stumble in many ways over a path, or what is there
            raise SpecError(f"{_named(number, action)} cannot be applied: {error}") from None
    return result, problems


def _update(action: Document, spec: Document) -> Any:
    """Return what an action puts in the place of its target, or adds to it; nothing, for one that removes."""
    if "copy" in action:
        return jsonpath(action["copy"]).find(spec)[0].value
    return action.get("update", _NOTHING)


def _overlaps_of(action: Document, update: Any, match: Any) -> list[Overlap]:
    if update is _NOTHING:
        return []
    if "copy" in action:
        return [Overlap((), update, match.value, same=_same(update, match.value))]
    return list(_overlaps(match.value, update, action.get("x-replaces", _NOTHING), ()))


def _overlaps(base: Any, update: Any, replaced: Any, path: tuple[str, ...]) -> Iterator[Overlap]:
    """Yield each place where an update meets what is there, as oas-patch would merge it."""
    stated = None if replaced is _NOTHING else replaced
    if isinstance(base, dict) and isinstance(update, dict):
        inner = replaced if isinstance(replaced, dict) else {}
        for key, value in update.items():
            if key in base:
                yield from _overlaps(base[key], value, inner.get(key, _NOTHING), (*path, key))
            elif key in inner:
                yield Overlap((*path, key), value, _NOTHING, same=False, stated=inner[key])
        if not update and path:
            yield Overlap(path, update, base, same=True)
    elif isinstance(base, list) and (not path or isinstance(update, list)) and replaced is _NOTHING:
        items = update if isinstance(update, list) else [update]
        there = [item for item in items if any(_same(item, other) for other in base)]
        if there or not items:
            yield Overlap(path, update, base, same=len(there) == len(items))
    elif _same(base, update):
        yield Overlap(path, update, base, same=True)
    elif replaced is _NOTHING or isinstance(base, list) or not _same(base, replaced):
        yield Overlap(path, update, base, same=False, stated=stated)


def _without(update: Any, paths: set[tuple[str, ...]], path: tuple[str, ...] = ()) -> Any:
    """Return an update without what it says of some places."""
    if path in paths:
        return _NOTHING
    if not isinstance(update, dict):
        return update
    inner = {key: _without(value, paths, (*path, key)) for key, value in update.items()}
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


def _overlapping(number: int, action: Document, overlaps: list[list[Overlap]], *, droppable: bool) -> str:
    found = list(dict.fromkeys(_told(action, overlap) for each in overlaps for overlap in each))
    own = any(overlap.same for each in overlaps for overlap in each)
    lines = [f"{_named(number, action)} {'says what the vendor now ships itself' if own else 'contradicts the vendor'}"]
    lines += [f"  its reason was: {action['description']}", *found]
    if droppable:
        return "\n".join([*lines, "  nothing else is in it: ACCEPT=overlay drops it, or drop it by hand"])
    lines += ["  take out of the action what the vendor has; it adds, or corrects, what is missing or wrong"]
    if any(not overlap.same for each in overlaps for overlap in each):
        stated = json.dumps(_stated(overlaps[0]), ensure_ascii=False)
        lines += [
            f"  to keep a correction that is still right, say in the action what it corrects: x-replaces: {stated}"
        ]
    return "\n".join(lines)


def _stated(overlaps: list[Overlap]) -> Any:
    """Return what the vendor says at the places of an action, shaped as its update."""
    stated: Any = {}
    for overlap in overlaps:
        if overlap.same or overlap.theirs is _NOTHING:
            continue
        if not overlap.path:
            return overlap.theirs
        inner = stated
        for key in overlap.path[:-1]:
            inner = inner.setdefault(key, {})
        inner[overlap.path[-1]] = overlap.theirs
    return stated


def _told(action: Document, overlap: Overlap) -> str:
    place, ours = ".".join([action["target"], *overlap.path]), _short(json.dumps(overlap.ours, ensure_ascii=False))
    if overlap.same:
        return f"  the same at {place}: {ours}"
    nothing = overlap.theirs is _NOTHING
    theirs = "nothing" if nothing else _short(json.dumps(overlap.theirs, ensure_ascii=False))
    told = f"  another at {place}: the vendor has {theirs}, the action {ours}"
    if overlap.stated is None:
        return told
    return f"{told}\n    the action was written to replace {_short(json.dumps(overlap.stated))}"


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
    for place, media in media_types(spec):
        if not isinstance(media.get("schema"), dict):
            continue
        validator = Draft202012Validator({**media["schema"], "components": spec["components"]})
        for name, given in media.get("examples", {}).items():
            example = resolved(spec, given)
            error = best_match(validator.iter_errors(example["value"])) if "value" in example else None
            if error:
                said = f"{error.json_path.removeprefix('$.')}: {_short(error.message)}"
                raise SpecError(f"example {name!r} at {place} breaks its schema: {said}: correct it in the overlay")
