"""Whether a spec can be used at all: OpenAPI 3.0 or 3.1, whole, and nothing that the generator would drop."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import SchemaError, ValidationError
from openapi_spec_validator import OpenAPIV30SpecValidator, OpenAPIV31SpecValidator

from spec import Document, SpecError, operations, references, resolved, schemas, target, within

_PLACED = ("$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef")


def _anything(*_: Any) -> tuple[()]:
    """Find nothing wrong."""
    return ()


# A pattern of a stranger's can take for ever.
_WITHOUT_PATTERNS = validators.extend(  # type: ignore[no-untyped-call]  # jsonschema has no types for it
    Draft202012Validator, {"pattern": _anything, "patternProperties": _anything}
)
_KEPT = 200
"""Characters of a validator's sentence, which may quote the whole spec."""


def check(document: Document) -> None:
    """Refuse a shipped spec that nothing sound can be made of; the message names the place and the way out."""
    version = _version(document)
    validator = {"3.0": OpenAPIV30SpecValidator, "3.1": OpenAPIV31SpecValidator}[version]
    # Its form comes first: all that follows relies on it.
    _refuse_first(version, validator.schema_validator.iter_errors(document))
    _check_references(document)
    if not any(operations(document)):
        raise SpecError("the spec has no operation: is it the right page, and whole?")
    bare = upgraded(document)
    for place, schema in schemas(bare):
        _check_schema(place, schema)
    ended: set[str] = set()
    for place, schema in schemas(bare):
        _check_ends(bare, place, schema, (), ended)
    for place, inner in [found for outermost, schema in schemas(bare) for found in within(schema, outermost)]:
        _check_default(bare, place, inner)
        inner.pop("default", None)  # checked, and of no use below
    try:
        _refuse_first(version, OpenAPIV31SpecValidator(bare).iter_errors())
    except RecursionError:
        raise SpecError("the spec has a schema that leads to itself in a way that no validator follows") from None


def _refuse_first(version: str, errors: Iterator[ValidationError]) -> None:
    for error in errors:
        place = ".".join(map(str, ["$", *error.absolute_path]))
        raise SpecError(f"not valid OpenAPI {version}: {_short(error.message.splitlines()[0])} (at {place})")


def upgraded(document: Document) -> Document:
    """Return a spec in the words of OpenAPI 3.1: 3.0 has null, and exclusive bounds, in another form.

    A 3.1 document that says `nullable` is read likewise: the generator takes it so, a JSON Schema
    validator does not, and the two must not differ.
    """
    result = copy.deepcopy(document)
    old = str(result.get("openapi")).startswith("3.0")
    for outermost, schema in schemas(result):
        for _, inner in list(within(schema, outermost)):
            _upgrade(inner)
            if old and "$ref" in inner:
                # In 3.0 nothing counts that stands beside a reference.
                for key in inner.keys() - {"$ref", "description"}:
                    del inner[key]
    if old:
        result["openapi"] = "3.1.0"
    return result


def _upgrade(schema: Document) -> None:
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if isinstance(schema.get(exclusive), bool) and schema.pop(exclusive) and bound in schema:
            schema[exclusive] = schema.pop(bound)
    if schema.pop("nullable", False) is not True:
        return
    null = {"type": "null"}
    if isinstance(schema.get("enum"), list) and None not in schema["enum"]:
        schema["enum"] = [*schema["enum"], None]
    if "type" in schema:
        stated = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        schema["type"] = [*stated, *(["null"] if "null" not in stated else [])]
    elif choice := next((name for name in ("oneOf", "anyOf") if isinstance(schema.get(name), list)), None):
        schema[choice] = [*schema[choice], *([null] if null not in schema[choice] else [])]
    elif "$ref" in schema or "allOf" in schema:
        meant = {key: schema.pop(key) for key in ("$ref", "allOf") if key in schema}
        schema["oneOf"] = [meant, null]


def _version(document: Document) -> str:
    if "swagger" in document:
        raise SpecError(
            f"this is Swagger {document['swagger']}; OpenAPI 3.0 or 3.1 is needed: convert it, or ask the vendor"
        )
    version = document.get("openapi")
    if not isinstance(version, str) or not version.startswith(("3.0.", "3.1.")):
        raise SpecError(f"openapi is {version!r}; 3.0.x and 3.1.x can be read")
    return version[:3]


def _check_references(document: Document) -> None:
    for place, reference in references(document):
        if not reference.startswith("#/"):
            raise SpecError(f"{place} refers to {reference!r}, which is not in the document: it has to be whole")
        try:
            resolved(document, {"$ref": reference})
        except SpecError as error:
            raise SpecError(f"{place}: {error}") from None


def _check_ends(document: Document, place: str, schema: Any, path: tuple[str, ...], ended: set[str]) -> None:
    """Refuse a schema that is, by references and choices alone, made of itself; one with a field between is fine."""
    if not isinstance(schema, dict):
        return
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference not in ended:
        if reference in path:
            raise SpecError(f"{place}: {reference} is made of itself: no value can ever obey it")
        _check_ends(document, place, target(document, reference), (*path, reference), ended)
        ended.add(reference)
    inner = [item for key in ("allOf", "oneOf", "anyOf") for item in schema.get(key) or ()]
    for item in (*inner, *(schema.get(key) for key in ("not", "if", "then", "else"))):
        _check_ends(document, place, item, path, ended)


def _check_schema(place: str, schema: Document) -> None:
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = ".".join([place, *map(str, error.absolute_path)])
        raise SpecError(f"{where} is no JSON Schema: {_short(error.message)}") from None
    for where, inner in within(schema, place):
        if odd := [key for key in _PLACED if isinstance(inner.get(key), str)]:
            raise SpecError(f"{where} has {odd[0]}, which changes what references mean; only plain ones can be read")
        for name in inner.get("required", ()):
            if _closed(inner) and name not in inner.get("properties", {}):
                raise SpecError(f"{where} requires {name!r} and allows no such field: tell the vendor")


def _check_default(document: Document, place: str, schema: Document) -> None:
    if "default" not in schema:
        return
    rest = {key: value for key, value in schema.items() if key != "default"}
    whole = {**rest, "components": document.get("components", {})}
    for error in _WITHOUT_PATTERNS(whole).iter_errors(schema["default"]):
        # The generator leaves out the operations of such a schema, with no more than a warning.
        raise SpecError(
            f"{place} has a default that its own schema refuses: {_short(error.message)}\n"
            "  the service cannot mean both: ask the vendor which it is"
        )


def _closed(schema: Document) -> bool:
    return schema.get("additionalProperties") is False and not any(
        key in schema for key in ("$ref", "allOf", "oneOf", "anyOf", "patternProperties")
    )


def _short(message: str) -> str:
    return message if len(message) <= _KEPT else f"{message[: _KEPT - 1]}…"
