"""Shipped spec + overlay → effective spec, with every fault an error.

oas-patch applies the actions. It passes silently over an action that matches nothing, and
nobody checks the examples that a mock server will serve; both are checked here.
"""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import yaml
from jsonpath_ng.ext.parser import parse as jsonpath
from jsonschema import Draft202012Validator
from oas_patch import apply_overlay, validate
from openapi_spec_validator import OpenAPIV31SpecValidator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Document = dict[str, Any]


class SpecError(Exception):
    """The spec or the overlay cannot be used; the message names the place."""


def effective_spec(shipped: Path, overlay: Path) -> Document:
    """Return the shipped spec with every action of the overlay applied, and checked."""
    spec = apply(json.loads(shipped.read_text("utf-8")), read_overlay(overlay))
    check_document(spec)
    check_examples(spec)
    return spec


def read_overlay(path: Path) -> Document:
    """Read an overlay whose every action has a reason and a source."""
    overlay: Document = yaml.safe_load(path.read_text("utf-8"))
    verdict = validate(overlay, "sh")
    if verdict != "Validation successful":
        message = f"{path.name} is not an OpenAPI Overlay 1.1 document: {verdict}"
        raise SpecError(message)
    for number, action in enumerate(overlay["actions"], 1):
        for field, meaning in (("description", "a reason"), ("x-source", "a source")):
            if not str(action.get(field) or "").strip():
                message = f"{path.name}, action {number} ({action['target']}) lacks {meaning}: add {field!r}"
                raise SpecError(message)
    return overlay


def apply(spec: Document, overlay: Document) -> Document:
    """Apply the actions in order; each must find its target in what the earlier ones left."""
    result = copy.deepcopy(spec)
    for number, action in enumerate(overlay["actions"], 1):
        if not jsonpath(action["target"]).find(result):
            message = (
                f"overlay action {number} matches nothing: {action['target']}\n"
                f"  its reason was: {action['description']}\n"
                "  correct the target, or drop the action if the spec no longer needs it"
            )
            raise SpecError(message)
        result = apply_overlay(result, {"actions": [copy.deepcopy(action)]})
    return result


def check_document(spec: Document) -> None:
    """Refuse what is not OpenAPI 3.1, and an operation without a name of its own."""
    for error in OpenAPIV31SpecValidator(spec).iter_errors():
        message = f"the effective spec is not valid OpenAPI 3.1: {error.message}"
        raise SpecError(message)
    for method, path, operation in operations(spec):
        if not operation.get("operationId"):
            message = f"{method.upper()} {path} has no operationId: add one to the overlay"
            raise SpecError(message)


def check_examples(spec: Document) -> None:
    """Every named example obeys the schema beside it: a mock server serves it unchecked."""
    for place, media in _media_types(spec):
        validator = Draft202012Validator({**media.get("schema", {}), "components": spec["components"]})
        for name, example in media.get("examples", {}).items():
            for error in validator.iter_errors(example["value"]):
                message = f"example {name!r} at {place} breaks its schema: {error.message}"
                raise SpecError(message)


def operations(spec: Document) -> Iterator[tuple[str, str, Document]]:
    """Yield (method, path, operation) for each operation, in the spec's order."""
    for path, item in spec["paths"].items():
        for method, operation in item.items():
            if method in {"get", "put", "post", "delete", "options", "head", "patch", "trace"}:
                yield method, path, operation


def _media_types(node: Any, place: str = "$") -> Iterator[tuple[str, Document]]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "content" and isinstance(value, dict):
                yield from ((f"{place}.content[{name}]", media) for name, media in value.items())
            yield from _media_types(value, f"{place}.{key}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _media_types(value, f"{place}[{index}]")
