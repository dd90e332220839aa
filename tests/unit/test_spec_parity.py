"""The wrapper's requests are the effective spec's: fields, defaults, bounds, required-ness."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, get_type_hints

import pytest

from modelslab_pony import _raw
from modelslab_pony.requests import KINDS, TextToImage, TextToImageOptions
from modelslab_pony.testing._spec import effective_spec, operations
from support import parity
from support.parity import OPTIONS, disagreements, unlisted

Edit = Callable[[dict[str, Any]], object]


def test_wrapper_and_spec_agree() -> None:
    """For every operation; what differs is said field by field."""
    found = list(disagreements(effective_spec()))
    assert not found, "\n".join(["the wrapper has to learn:", *found])


def test_every_operation_can_be_sent() -> None:
    """The raw client's functions by operationId."""
    assert {operation["operationId"] for _, _, operation in operations(effective_spec())} == set(_raw.OPERATIONS)


def properties(spec: dict[str, Any], schema: str) -> dict[str, Any]:
    found: dict[str, Any] = spec["components"]["schemas"][schema]["properties"]
    return found


EDITS: dict[str, tuple[Edit, str]] = {
    "a new optional field": (
        lambda spec: properties(spec, "TextToImageRequest").update(zeta={"type": "string"}),
        "text2img.zeta: the spec has this field, the wrapper has not",
    ),
    "a changed maximum": (
        lambda spec: properties(spec, "ImageToImageRequest")["width"].update(maximum=4096),
        "img2img.width: maximum is 4096 in the spec, 2048 in the wrapper",
    ),
    "a dropped enum value": (
        lambda spec: properties(spec, "InpaintRequest")["safety_checker"].update(enum=["yes"]),
        "inpaint.safety_checker: enum is ['yes'] in the spec, ['no', 'yes'] in the wrapper",
    ),
    "a changed default": (
        lambda spec: properties(spec, "InpaintRequest")["steps"].update(default=30),
        "inpaint.steps: default is 30 in the spec, 21 in the wrapper",
    ),
    "a default that is gone": (
        lambda spec: properties(spec, "ImageToImageRequest")["height"].pop("default"),
        "img2img.height: default is None in the spec, 2048 in the wrapper",
    ),
    "a default decided late": (
        lambda spec: properties(spec, "TextToImageRequest")["use_karras_sigmas"].update(default="no"),
        "text2img.use_karras_sigmas: default is 'no' in the spec, 'yes' in the wrapper",
    ),
    "a field that became required": (
        lambda spec: spec["components"]["schemas"]["InpaintRequest"]["required"].append("prompt"),
        "inpaint.prompt: required is True in the spec, False in the wrapper",
    ),
    "a field that became optional": (
        lambda spec: spec["components"]["schemas"]["InpaintRequest"]["required"].remove("mask_image"),
        "inpaint.mask_image: required is False in the spec, True in the wrapper",
    ),
    "a field that is gone": (
        lambda spec: properties(spec, "TextToImageRequest").pop("clip_skip"),
        "text2img.clip_skip: the wrapper has this field, the spec has not",
    ),
    "another type": (
        lambda spec: properties(spec, "ImageToImageRequest")["seed"].update(
            oneOf=[{"type": "string"}, {"type": "null"}]
        ),
        "img2img.seed: type is ['string'] in the spec, ['integer'] in the wrapper",
    ),
    "another step": (
        lambda spec: properties(spec, "TextToImageRequest")["width"].update(multipleOf=64),
        "text2img.width: multipleOf is 64 in the spec, 8 in the wrapper",
    ),
    "a bound of a new kind": (
        lambda spec: properties(spec, "TextToImageRequest")["prompt"].update(maxLength=2000),
        "text2img.prompt: maxLength is 2000 in the spec, None in the wrapper",
    ),
    "a new enum": (
        lambda spec: properties(spec, "TextToImageRequest")["scheduler"].update(enum=["DDIMScheduler"]),
        "text2img.scheduler: enum is ['DDIMScheduler'] in the spec, None in the wrapper",
    ),
    "a new field of a call that makes nothing": (
        lambda spec: properties(spec, "ModelReloadRequest").update(force={"type": "boolean"}),
        "model_reload.force: the spec has this field, the wrapper has not",
    ),
    "a bound of a call that makes nothing": (
        lambda spec: properties(spec, "Base64ToUrlRequest")["base64_string"].update(maxLength=9),
        "base64_to_url.base64_string: maxLength is 9 in the spec, None in the wrapper",
    ),
    "another type in a call that makes nothing": (
        lambda spec: properties(spec, "FetchRequest")["request_id"].update(type="integer"),
        "fetch.request_id: type is ['integer'] in the spec, ['string'] in the wrapper",
    ),
    "a field of a call that became optional": (
        lambda spec: spec["components"]["schemas"]["ModelReloadRequest"]["required"].remove("model_id"),
        "model_reload.model_id: required is False in the spec, True in the wrapper",
    ),
    "a bound within a choice": (
        lambda spec: properties(spec, "TextToImageRequest")["seed"]["oneOf"][0].update(maximum=2**32),
        "text2img.seed: maximum is 4294967296 in the spec, None in the wrapper",
    ),
    "a null that is gone": (
        lambda spec: properties(spec, "TextToImageRequest")["seed"].update(oneOf=[{"type": "integer"}]),
        "text2img.seed: nullable is False in the spec, True in the wrapper",
    ),
    "a null that is new": (
        lambda spec: properties(spec, "TextToImageRequest")["width"].update(type=["integer", "null"]),
        "text2img.width: nullable is True in the spec, False in the wrapper",
    ),
    "a null in an enum": (
        lambda spec: properties(spec, "TextToImageRequest")["safety_checker"].update(enum=["yes", "no", None]),
        "text2img.safety_checker: nullable is True in the spec, False in the wrapper",
    ),
    "a new required field in a part of the schema": (
        lambda spec: spec["components"]["schemas"]["TextToImageRequest"].update(
            allOf=[{"required": ["plan"], "properties": {"plan": {"type": "string"}}}]
        ),
        "text2img.plan: the spec has this field, the wrapper has not",
    ),
    "a required name that is described nowhere": (
        lambda spec: spec["components"]["schemas"]["TextToImageRequest"]["required"].append("plan"),
        "text2img.plan: the spec has this field, the wrapper has not",
    ),
    "a rule for the whole body": (
        lambda spec: spec["components"]["schemas"]["TextToImageRequest"].update(additionalProperties=False),
        "text2img: the spec's body has additionalProperties False, which the wrapper does not know",
    ),
    "a field that may be anything": (
        lambda spec: properties(spec, "TextToImageRequest").update(clip_skip=True),
        "text2img.clip_skip: ",
    ),
    "a default where ours is": (
        lambda spec: properties(spec, "TextToImageRequest")["model_id"].update(default="other"),
        "text2img.model_id: default is 'other' in the spec, None in the wrapper",
    ),
    "a model that became optional": (
        lambda spec: spec["components"]["schemas"]["InpaintRequest"]["required"].remove("model_id"),
        "inpaint.model_id: required is False in the spec, True in the wrapper",
    ),
    "a key that is gone": (
        lambda spec: properties(spec, "KeyRequest").pop("key"),
        "fetch_by_id.key: the wrapper has this field, the spec has not",
    ),
    "a parameter in the query": (
        lambda spec: spec["paths"]["/text2img"]["post"].update(parameters=[{"in": "query", "name": "tier"}]),
        "text2img.tier: the spec has this query parameter, the wrapper has not",
    ),
    "a header of a path": (
        lambda spec: spec["paths"]["/img2img"].update(parameters=[{"in": "header", "name": "x-key"}]),
        "img2img.x-key: the spec has this header parameter, the wrapper has not",
    ),
    "another name in the path": (
        lambda spec: spec["paths"]["/fetch/{id}"]["post"]["parameters"][0].update(name="job"),
        "fetch_by_id.job: the spec has this path parameter, the wrapper has not",
    ),
    "another method": (
        lambda spec: spec["paths"]["/img2img"].update(put=spec["paths"]["/img2img"].pop("post")),
        "img2img: the spec has it as PUT, the wrapper as POST",
    ),
    "another kind of body": (
        lambda spec: spec["paths"]["/img2img"]["post"]["requestBody"].update(content={"multipart/form-data": {}}),
        "img2img: the spec's body is ['multipart/form-data'], the wrapper's is application/json",
    ),
    "no body": (
        lambda spec: spec["paths"]["/img2img"]["post"].pop("requestBody"),
        "img2img: the spec's body is none, the wrapper's is application/json",
    ),
    "a new operation": (
        lambda spec: spec["paths"].update({"/upscale": {"post": {"operationId": "upscale"}}}),
        "upscale: the spec has this operation, the wrapper has not",
    ),
    "an operation that is gone": (
        lambda spec: spec["paths"].pop("/inpaint"),
        "inpaint: the wrapper has this operation, the spec has not",
    ),
    "an operation that moved": (
        lambda spec: spec["paths"]["/wallet_balance"].update(servers=[{"url": "https://modelslab.com/api/v7"}]),
        "wallet_balance: the spec has it below https://modelslab.com/api/v7, the wrapper below",
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_of_the_spec_is_found(edit: str) -> None:
    """With a sentence that names the field; the test above fails with it."""
    spec = copy.deepcopy(effective_spec())
    change, said = EDITS[edit]
    change(spec)
    found = list(disagreements(spec))
    assert any(sentence.startswith(said) for sentence in found), found


def test_another_place_of_an_operation_is_no_difference() -> None:
    """The generated client knows its path; a schema may be written in other ways."""
    spec = copy.deepcopy(effective_spec())
    spec["paths"]["/make"] = spec["paths"].pop("/text2img")
    schemas = spec["components"]["schemas"]
    schemas["InpaintRequest"] = {"allOf": [schemas["InpaintRequest"]], "description": "the same"}
    properties(spec, "ImageToImageRequest")["seed"] = {"type": ["integer", "null"]}
    assert list(disagreements(spec)) == []


def test_the_keywords_of_a_method_are_the_fields() -> None:
    """An editor is told of every field beside those that the method names, with its type."""
    assert list(unlisted()) == []
    assert set(OPTIONS) == set(KINDS.values())


def test_a_keyword_that_is_not_told_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that is told wrongly."""
    hints = {name: hint for name, hint in get_type_hints(TextToImageOptions).items() if name != "width"}
    told = type("told", (), {"__annotations__": {**hints, "height": str, "new": int}})
    monkeypatch.setitem(parity.OPTIONS, TextToImage, (told, {"prompt"}))
    said = set(unlisted())
    assert {"text2img.width: told lacks it", "text2img.height: told has it with another type"} <= said
    assert "text2img.new: told alone has it" in said


def test_every_generation_has_its_request_class() -> None:
    """By the operationId."""
    assert {name: kind.operation for name, kind in KINDS.items()} == {name: name for name in KINDS}
