"""How one constraint stands to another: what it lets through is less, more, or something else."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from spec_parts import ANNOTATIONS, LOWER, UPPER

# What lets through less where it is there than where it is not; of any other keyword nobody knows.
_ASSERTIONS = {*LOWER, *UPPER, "multipleOf", "pattern", "uniqueItems", "not", "contains", "propertyNames"}
_ASSERTIONS |= {"dependentRequired", "dependentSchemas"}
_ABSENT = {"minLength": 0, "minItems": 0, "minProperties": 0, "uniqueItems": False, "deprecated": False}
"""What a keyword says when it is not there, where that can be written."""


def of_sets(today: frozenset[str] | None, new: frozenset[str] | None) -> str:
    """Tell how a set of what is let through stands to another; None is everything."""
    if today is None or new is None:
        return "widened" if new is None else "narrowed"
    if today < new:
        return "widened"
    return "narrowed" if new and new < today else "changed"


def of_keyword(side: str, keyword: str, today: Any, new: Any) -> str | None:
    """Tell how a keyword's value stands to another; None is not there, and returned where both mean the same."""
    today, new = (_ABSENT.get(keyword) if value is None else value for value in (today, new))
    if json.dumps(today, sort_keys=True) == json.dumps(new, sort_keys=True):
        return None
    if keyword in ANNOTATIONS or keyword.startswith("x-"):
        return "words"
    if keyword in _OWN:
        return _OWN[keyword](side, today, new)
    if keyword not in _ASSERTIONS:
        return "changed"
    if today is None or new is None:
        return "widened" if new is None else "narrowed"
    return _of_values(keyword, today, new)


def _of_choice(_: str, today: Any, new: Any) -> str | None:
    """One of them, or any of them; beside no choice at all the branches tell."""
    return None if today is None or new is None else "widened" if new == "anyOf" else "narrowed"


def _of_format(side: str, today: Any, new: Any) -> str:
    """The generator reads a date where it read a text: more than the answer is another."""
    if today is None:
        return "widened" if side == "answer" else "narrowed"
    return "widened" if new is None else "changed"


def _of_way(on: str) -> Callable[[str, Any, Any], str]:
    """A field that may go one way only is as good as removed on the other."""
    return lambda side, _, new: "words" if side != on else "changed" if new else "widened"


_OWN = {
    "default": lambda *_: "default",
    "choice": _of_choice,
    "format": _of_format,
    "readOnly": _of_way("request"),
    "writeOnly": _of_way("answer"),
}


def _of_values(keyword: str, today: Any, new: Any) -> str | None:
    if keyword == "uniqueItems":
        return "narrowed" if new else "widened"
    if keyword not in {*LOWER, *UPPER, "multipleOf"}:
        return "changed"
    first, second = Fraction(str(today)), Fraction(str(new))
    if first == second:
        return None
    if keyword == "multipleOf":
        return "narrowed" if second % first == 0 else "widened" if first % second == 0 else "changed"
    return "narrowed" if (second > first) == (keyword in LOWER) else "widened"
