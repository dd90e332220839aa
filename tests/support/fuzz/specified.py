"""Answers that the effective spec documents, of every operation, drawn from their schemas."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from attrs import frozen

SPEC = Path(__file__).parents[3] / "generated" / "openapi.json"
WORDS = ["", "a lighthouse at dusk", "Try again", "Model not found: x", "Rate limit exceeded", "é€\N{PILE OF POO}"]


@frozen
class Documented:
    """One answer that an operation may give."""

    operation: str
    code: int
    schema: dict[str, Any]

    @property
    def name(self) -> str:
        return f"{self.operation} {self.code} {self.schema.get('$ref', '').rsplit('/', 1)[-1]}".strip()


@cache
def documented() -> list[Documented]:
    """Return each schema of each documented response; a choice counts once for each of its members."""
    found = []
    for item in _spec()["paths"].values():
        for code, given in item["post"]["responses"].items():
            response = _resolved(given)
            schema = response["content"]["application/json"]["schema"]
            found += [Documented(item["post"]["operationId"], int(code), one) for one in schema.get("oneOf", [schema])]
    return found


def value(schema: dict[str, Any], rng: Random) -> Any:
    """Return something that the schema allows."""
    schema = _resolved(schema)
    if "enum" in schema:
        return rng.choice(schema["enum"])
    if "oneOf" in schema:
        return value(rng.choice(schema["oneOf"]), rng)
    kind = schema.get("type", "object")
    if isinstance(kind, list):
        kind = rng.choice(kind)
    return _VALUES[kind](schema, rng)


def _object(schema: dict[str, Any], rng: Random) -> dict[str, Any]:
    required = schema.get("required", [])
    known = {
        name: value(field, rng)
        for name, field in schema.get("properties", {}).items()
        if name in required or rng.random() < 0.7
    }
    extra = schema.get("additionalProperties")
    if extra is True and not known:
        return {"seed": rng.randrange(2**32), "prompt": rng.choice(WORDS), "W": 1024}
    if isinstance(extra, dict):
        return {**known, "prompt": value(extra, rng)}
    return known


def _text(schema: dict[str, Any], rng: Random) -> str:
    return f"https://images.example/generations/{rng.randrange(999)}.png" if "format" in schema else rng.choice(WORDS)


def _list(schema: dict[str, Any], rng: Random) -> list[Any]:
    least = schema.get("minItems", 0)
    return [value(schema.get("items", {"type": "string"}), rng) for _ in range(rng.randint(least, least + 3))]


_VALUES: dict[str, Callable[[dict[str, Any], Random], Any]] = {
    "object": _object,
    "array": _list,
    "string": _text,
    "integer": lambda schema, rng: schema.get("minimum", 0) + rng.randrange(10**8),
    "number": lambda schema, rng: schema.get("minimum", 0) + rng.choice([0, 1, 1.87, 81.8557122048, 1e6]),
    "boolean": lambda _, rng: rng.random() < 0.5,
    "null": lambda _, __: None,
}


@cache
def _spec() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(SPEC.read_text("utf-8"))
    return found


def _resolved(given: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in given:
        reference, found = given["$ref"], _spec()
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
        given = found
    return given
