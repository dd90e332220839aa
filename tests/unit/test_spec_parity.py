"""The wrapper's requests are the effective spec's: fields, defaults, bounds, required-ness."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, get_type_hints

import pytest
from attrs import fields

from modelslab_pony import _raw
from modelslab_pony.requests import (
    KINDS,
    ImageToImage,
    ImageToImageOptions,
    Inpaint,
    InpaintOptions,
    Request,
    TextToImage,
    TextToImageOptions,
)
from modelslab_pony.testing._spec import effective_spec, operations
from support.parity import disagreements

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
        lambda spec: properties(spec, "TextToImageRequest").update(vae={"type": "string"}),
        "text2img.vae: the spec has this field, the wrapper has not",
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
        lambda spec: properties(spec, "ImageToImageRequest")["seed"].update(oneOf=[{"type": "string"}]),
        "img2img.seed: type is {'string'} in the spec, {'integer'} in the wrapper",
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
        "base64_to_url.base64_string: the spec states a maxLength, the wrapper knows none",
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
    """With one sentence, which names the field; the test above fails with it."""
    spec = copy.deepcopy(effective_spec())
    change, said = EDITS[edit]
    change(spec)
    (sentence,) = disagreements(spec)
    assert sentence.startswith(said)


@pytest.mark.parametrize(
    ("kind", "options", "named"),
    [
        (TextToImage, TextToImageOptions, {"prompt"}),
        (ImageToImage, ImageToImageOptions, {"prompt", "init_image"}),
        (Inpaint, InpaintOptions, {"prompt", "init_image", "mask_image"}),
    ],
)
def test_the_keywords_of_a_method_are_the_fields(kind: type[Request], options: Any, named: set[str]) -> None:
    """An editor is told of every field beside those that the method names, with its type."""
    hints = get_type_hints(kind)
    expected = {item.name: hints[item.name] for item in fields(kind) if item.name not in named}
    assert get_type_hints(options) == expected


def test_every_generation_has_its_request_class() -> None:
    """By the operationId."""
    assert {name: kind.operation for name, kind in KINDS.items()} == {name: name for name in KINDS}
