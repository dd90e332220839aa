"""A spec that nothing sound can be made of is refused; 3.0's words become those of 3.1."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from prism_image import ROOT
from spec import SpecError
from spec_valid import check, upgraded

Spec = dict[str, Any]
SHIPPED: Spec = json.loads((ROOT / "openapi.json").read_text("utf-8"))


def fields(spec: Spec) -> Spec:
    found: Spec = spec["components"]["schemas"]["TextToImageRequest"]["properties"]
    return found


def test_the_shipped_spec_is_sound() -> None:
    """And has nothing of 3.0 in it."""
    check(SHIPPED)
    assert upgraded(SHIPPED) == SHIPPED


PLACE = r"\$\.components\.schemas\.TextToImageRequest"
FAULTS: dict[str, tuple[Callable[[Spec], object], str]] = {
    "Swagger": (lambda s: s.update(swagger="2.0"), "this is Swagger 2.0"),
    "no version": (lambda s: s.pop("openapi"), "openapi is None"),
    "a version that is a number": (lambda s: s.update(openapi=3.1), "openapi is 3.1;"),
    "a version to come": (lambda s: s.update(openapi="3.2.0"), "openapi is '3.2.0'; 3.0.x and 3.1.x"),
    "no paths": (lambda s: s.pop("paths"), "has no operation"),
    "a default of another type": (
        lambda s: fields(s)["width"].update(default="1024"),
        rf"{PLACE}\.properties\.width has a default that its own schema refuses: '1024' is not of type 'integer'",
    ),
    "a default out of bounds": (lambda s: fields(s)["width"].update(default=8), "8 is less than the minimum of 1024"),
    "a default deep inside": (
        lambda s: fields(s).update(a={"type": "array", "items": {"type": "integer", "default": "x"}}),
        rf"{PLACE}\.properties\.a\.items has a default",
    ),
    "a default of what is referred to": (
        lambda s: fields(s).update(a={"$ref": "#/components/schemas/ImageGenerationErrorResponse", "default": {}}),
        rf"{PLACE}\.properties\.a has a default that its own schema refuses: 'status' is a required",
    ),
    "a default of a parameter": (
        lambda s: s["paths"]["/text2img"]["post"].update(
            parameters=[{"name": "n", "in": "query", "schema": {"type": "integer", "default": "x"}}]
        ),
        r"parameters\[0\]\.schema has a default",
    ),
    "a null default": (lambda s: fields(s)["width"].update(default=None), "None is not of type 'integer'"),
    "a type that is none": (
        lambda s: fields(s)["width"].update(type="int"),
        rf"{PLACE}\.properties\.width\.type is no JSON",
    ),
    "a bound that is a text": (lambda s: fields(s)["width"].update(minimum="1"), r"width\.minimum is no JSON Schema"),
    "required by one name": (lambda s: fields(s)["width"].update(required=True), r"width\.required is no JSON Schema"),
    "a reference to nowhere": (lambda s: fields(s).update(a={"$ref": "#/components/schemas/A"}), "leads nowhere"),
    "a reference to elsewhere": (
        lambda s: fields(s).update(a={"$ref": "https://x.example/a.json"}),
        "'https://x.example/a.json', which is not in",
    ),
    "a round of references": (
        lambda s: s["components"]["schemas"].update(
            A={"$ref": "#/components/schemas/B"}, B={"$ref": "#/components/schemas/A"}
        ),
        "refers to itself",
    ),
    "a schema that is its own part": (
        lambda s: s["components"]["schemas"].update(A={"allOf": [{"$ref": "#/components/schemas/A"}]}),
        "#/components/schemas/A is made of itself",
    ),
    "a schema that is what it is not": (
        lambda s: s["components"]["schemas"].update(A={"not": {"$ref": "#/components/schemas/A"}, "default": 1}),
        "is made of itself",
    ),
    "a schema with a place of its own": (
        lambda s: fields(s)["width"].update({"$id": "https://x.example/a"}),
        r"width has \$id, which changes what references mean",
    ),
    "paths that are none": (lambda s: s.update(paths=None), r"not valid OpenAPI 3\.1"),
    "parts that are none": (lambda s: fields(s)["width"].update(allOf=5), r"width\.allOf is no JSON Schema"),
    "a local file under a name like a word": (
        lambda s: fields(s).update(default={"$ref": "file:///etc/hostname"}),
        "refers to 'file:///etc/hostname', which is not in the document",
    ),
    "a required field that may not be": (
        lambda s: s["components"]["schemas"]["ImageGenerationErrorResponse"].update(
            required=["code"], additionalProperties=False
        ),
        "requires 'code' and allows no such field",
    ),
    "a title that is a number": (
        lambda s: s["info"].update(title=5),
        r'not valid OpenAPI 3\.1: 5 is not of type "string" \(at \$\.info\.title\)',
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_refused(name: str) -> None:
    """With its place."""
    edit, said = FAULTS[name]
    spec = copy.deepcopy(SHIPPED)
    edit(spec)
    with pytest.raises(SpecError, match=said):
        check(spec)


def test_no_pattern_of_a_stranger_is_tried() -> None:
    """It may take for ever."""
    spec = copy.deepcopy(SHIPPED)
    fields(spec)["prompt"].update(pattern="^(a+)+$", default="a" * 40 + "!")
    check(spec)


def test_parts_of_parts_are_checked_in_time() -> None:
    """Each once."""
    spec = copy.deepcopy(SHIPPED)
    for number in range(8):
        part = {"$ref": f"#/components/schemas/D{number + 1}"}
        spec["components"]["schemas"][f"D{number}"] = {"allOf": [part, part]}
    spec["components"]["schemas"]["D8"] = {"type": "object"}
    check(spec)


def test_a_schema_may_hold_itself_in_a_field() -> None:
    """A tree is one."""
    spec = copy.deepcopy(SHIPPED)
    fields(spec).update(
        child={"$ref": "#/components/schemas/TextToImageRequest"},
        children={"type": "array", "items": {"oneOf": [{"$ref": "#/components/schemas/TextToImageRequest"}]}},
    )
    check(spec)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
        ({"type": ["string", "null"], "nullable": True}, {"type": ["string", "null"]}),
        ({"type": "string", "nullable": False}, {"type": "string"}),
        ({"type": "string", "enum": ["a"], "nullable": True}, {"type": ["string", "null"], "enum": ["a", None]}),
        ({"$ref": "#/x", "nullable": True}, {"oneOf": [{"$ref": "#/x"}, {"type": "null"}]}),
        (
            {"allOf": [{}], "nullable": True, "description": "d"},
            {"description": "d", "oneOf": [{"allOf": [{}]}, {"type": "null"}]},
        ),
        ({"oneOf": [{"type": "string"}], "nullable": True}, {"oneOf": [{"type": "string"}, {"type": "null"}]}),
        ({"anyOf": [{"type": "null"}], "nullable": True}, {"anyOf": [{"type": "null"}]}),
        ({"nullable": True}, {}),
        ({"minimum": 1, "exclusiveMinimum": True}, {"exclusiveMinimum": 1}),
        ({"maximum": 1, "exclusiveMaximum": False}, {"maximum": 1}),
        ({"exclusiveMaximum": 5}, {"exclusiveMaximum": 5}),
        ({"properties": {"nullable": {"type": "string"}}}, {"properties": {"nullable": {"type": "string"}}}),
        (
            {"properties": {"a": {"type": "string", "nullable": True}}},
            {"properties": {"a": {"type": ["string", "null"]}}},
        ),
        (
            {"default": {"nullable": True}, "example": {"nullable": True}},
            {"default": {"nullable": True}, "example": {"nullable": True}},
        ),
    ],
)
def test_the_words_of_30_become_those_of_31(old: Spec, new: Spec) -> None:
    """In a document of either version; values are left alone."""
    for version in ("3.0.3", "3.1.0"):
        spec = {"openapi": version, "paths": {}, "components": {"schemas": {"A": old}}}
        kept = copy.deepcopy(spec)
        assert upgraded(spec) == {"openapi": "3.1.0", "paths": {}, "components": {"schemas": {"A": new}}}
        assert spec == kept
