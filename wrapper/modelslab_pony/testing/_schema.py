"""Holds requests to the effective spec."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from attrs import frozen
from jsonschema import Draft202012Validator, FormatChecker

from modelslab_pony.testing._spec import body_schema, effective_spec, types

DEEPEST = 512
"""Levels of a request's JSON, as PHP has it; far below what an answer that repeats it could not be written with."""
MESSAGE_MOST = 200
"""Characters of the validator's words that are repeated."""
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})*")


@frozen
class Problem:
    """What is wrong with one field of a request."""

    field: str
    keyword: str
    """What was broken, as JSON Schema calls it."""
    limit: Any
    """What the keyword states."""
    message: str
    """A sentence."""


def problems(operation: str, body: Any) -> list[Problem]:
    """Return what breaks the spec in a request; the key is never repeated."""
    errors = _validator(operation).iter_errors(_without_empty(operation, body))
    return [problem for error in errors for problem in _told(error)]


def _without_empty(operation: str, body: Any) -> Any:
    """Leave out empty texts where null may stand: servers that take null take them for it, whatever their format."""
    if not isinstance(body, dict):
        return body
    fields = body_schema(operation)["properties"]
    nullable = {name for name, field in fields.items() if "null" in types(field)}
    return {name: value for name, value in body.items() if value != "" or name not in nullable}


def read_json(content: bytes) -> Any:
    """Return what JSON says. Raises `ValueError` where it is none, or what could not be said again in an answer."""
    try:
        found = json.loads(content, parse_constant=_finite, parse_float=_finite)
    except RecursionError:
        raise ValueError("nested too deep") from None
    level, depth = [found], 0
    while level:
        level, depth = [inner for outer in level for inner in _inside(outer)], depth + 1
        if depth > DEEPEST:
            raise ValueError("nested too deep")
    return found


def _inside(outer: Any) -> Iterable[Any]:
    return outer.values() if isinstance(outer, dict) else outer if isinstance(outer, list) else ()


def _finite(numeral: str) -> float:
    found = float(numeral)
    if not math.isfinite(found):
        raise ValueError(f"{numeral} is not a finite number")
    return found


def _told(error: Any) -> Iterator[Problem]:
    name = ".".join(map(str, error.absolute_path))
    if error.validator == "required" and not name:
        missing = error.message.split("'")[1]
        yield Problem(missing, "required", True, f"{missing} is required")
    elif not name:
        yield Problem("body", error.validator, error.validator_value, "the body must be a JSON object")
    elif name == "key":
        yield Problem(name, error.validator, error.validator_value, "key must be a text")
    else:
        yield Problem(name, error.validator, error.validator_value, f"{name}: {error.message}"[:MESSAGE_MOST])


@cache
def _validator(operation_id: str) -> Draft202012Validator:
    schema = {**body_schema(operation_id), "components": effective_spec()["components"]}
    return Draft202012Validator(schema, format_checker=_FORMATS)


_FORMATS = FormatChecker(formats=())


@_FORMATS.checks("uri")
def _is_uri(value: Any) -> bool:
    """Tell whether a text is a URI, in the characters that one may have (RFC 3986)."""
    return not isinstance(value, str) or _URI.fullmatch(value) is not None
