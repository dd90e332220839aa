"""What schemas say together that all have to be obeyed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from spec import Document

ANNOTATIONS = {"title", "description", "example", "examples", "deprecated", "externalDocs", "xml", "$comment"}
"""Keywords that let through neither more nor less."""
BESIDE = {*ANNOTATIONS, "default"}
"""Keywords that belong to a whole choice, and not to its branches."""
LOWER = {"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"}
UPPER = {"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"}
_AS_WELL = " as well"
# Words that mean the same beside others' as alone. `additionalProperties` is none: it knows its own fields only.
_FREE = {"type", "properties", "required", "multipleOf", "pattern", "format", "uniqueItems", "readOnly", "writeOnly"}
_FREE |= {*LOWER, *UPPER, "enum", "const"}


def mergeable(parts: Sequence[Document]) -> bool:
    """Tell whether schemas that all have to be obeyed can be written as one."""
    constraining = [part for part in parts if part.keys() - BESIDE]
    return len(constraining) < 2 or not any(part.keys() - BESIDE - _FREE for part in constraining)


def both_of(one: Document, other: Document) -> Document:
    """Return what obeys both; where both have a word for the same, each is kept."""
    both = {**other, **one}
    for key in one.keys() & other.keys():
        if key in ANNOTATIONS or same(one[key], other[key]):
            continue
        if key == "properties":
            shared = one[key].keys() & other[key].keys()
            twice = {
                name: {"allOf": [one[key][name], other[key][name]]}
                for name in shared
                if not same(one[key][name], other[key][name])
            }
            both[key] = {**one[key], **other[key], **twice}
        elif key == "required":
            both[key] = [*one[key], *other[key]]
        elif key in LOWER | UPPER:
            both[key] = (max if key in LOWER else min)(one[key], other[key])
        elif key == "parts":
            both[key] = unique([*one[key], *other[key]])
        elif key.endswith(_AS_WELL):
            both[key] = sorted(unique([*one[key], *other[key]]), key=json.dumps)
        else:
            well = key + _AS_WELL
            both[well] = sorted(unique([*both.get(well, []), one[key], other[key]]), key=json.dumps)
            both[key] = both[well][0]
    return both


def unique(items: Sequence[Any]) -> list[Any]:
    """Return each value once."""
    return list({json.dumps(item, sort_keys=True): item for item in items}.values())


def same(one: Any, other: Any) -> bool:
    """Tell whether two values are the same JSON: 1 is not true."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def plain(value: Any) -> Any:
    """Return a value with 1.0 as 1, which is the same number."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
