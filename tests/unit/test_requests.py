"""Requests: what is sent, what is refused, and that both agree with the effective spec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from modelslab_pony import ImageToImage, Inpaint, InvalidRequestError, TextToImage, _raw
from modelslab_pony._wire import LocalImage, prepare
from modelslab_pony.requests import KINDS, Request, spec_fields

URL = "https://images.example/a.png"
NEEDED: dict[str, dict[str, Any]] = {
    "text2img": {"prompt": "x"},
    "img2img": {"prompt": "x", "init_image": URL},
    "inpaint": {"init_image": URL, "mask_image": URL},
}
"""The shortest request of each operation."""
BOUNDED = [
    (operation, name, bound, value)
    for operation, kind in KINDS.items()
    for name, (_, rule) in spec_fields(kind).items()
    for bound, value in (("minimum", rule.minimum), ("maximum", rule.maximum))
    if value is not None
]


def wire(request: Request, *, strict: bool) -> Mapping[str, Any]:
    return prepare(request, {}, strict=strict).fields


def made(operation: str, **options: Any) -> Request:
    return KINDS[operation](**{**NEEDED[operation], **options})


def refused(**options: Any) -> dict[str, list[str]]:
    with pytest.raises(InvalidRequestError) as raised:
        wire(TextToImage(options.pop("prompt", "a lighthouse"), **options), strict=True)
    assert "Nothing was sent" in str(raised.value)
    return {name: list(texts) for name, texts in raised.value.errors.items()}


# --- what is sent ----------------------------------------------------------------------------


def test_defaults_are_sent_and_none_is_left_out() -> None:
    """The wire form is explicit, says yes and no in the service's words, and has no key."""
    assert wire(TextToImage("a lighthouse"), strict=True) == {
        "prompt": "a lighthouse",
        "model_id": "pony-realism",
        "width": 1024,
        "height": 1024,
        "samples": 1,
        "num_inference_steps": 30,
        "guidance_scale": 7.5,
        "safety_checker": "yes",
        "scheduler": "DPMSolverMultistepScheduler",
        "use_karras_sigmas": "yes",
        "algorithm_type": "sde-dpmsolver++",
        "clip_skip": 2,
    }


def test_a_sampler_sets_three_fields() -> None:
    """`DPM++ 2M Karras` in any case; a sampler without an algorithm type leaves the field out."""
    fields_sent = wire(TextToImage("x", sampler="dpm++ 2m KARRAS"), strict=True)
    assert fields_sent["scheduler"] == "DPMSolverMultistepScheduler"
    assert fields_sent["use_karras_sigmas"] == "yes"
    assert "algorithm_type" not in fields_sent


def test_extra_fields_pass_as_they_are() -> None:
    """What the spec does not know goes through untouched."""
    assert wire(TextToImage("x", extra={"lora_model": "a", "upscale": 2}), strict=True)["upscale"] == 2


def test_extra_fields_keep_their_order() -> None:
    """So that the same request is the same bytes."""
    extra = {f"field_{number}": number for number in (7, 3, 9, 1, 8, 2)}
    sent = _raw.encode("text2img", prepare(TextToImage("x", extra=extra), {}, strict=True).fields, "k" * 20)["json"]
    assert [name for name in sent if name in extra] == list(extra)


def test_without_strict_any_bound_may_be_broken() -> None:
    """Community models on the same URL have other bounds."""
    assert wire(TextToImage("x", width=512, guidance_scale=0), strict=False)["width"] == 512


SCHEDULED: list[tuple[dict[str, Any], str]] = [
    ({}, "yes"),
    ({"scheduler": "LMSDiscreteScheduler"}, "yes"),
    ({"scheduler": "KDPM2AncestralDiscreteScheduler"}, "yes"),
    ({"scheduler": "DPMSolverSinglestepScheduler"}, "yes"),
    ({"scheduler": "EulerDiscreteScheduler"}, "no"),
    ({"scheduler": "DDIMScheduler"}, "no"),
    ({"scheduler": "BrandNewScheduler"}, "no"),
    ({"scheduler": "EulerDiscreteScheduler", "use_karras_sigmas": True}, "yes"),
    ({"use_karras_sigmas": False}, "no"),
    ({"sampler": "Euler"}, "no"),
    ({"sampler": "Euler", "use_karras_sigmas": True}, "yes"),
    ({"sampler": "DPM++ 2M"}, "no"),
    ({"sampler": "DPM++ 2M", "use_karras_sigmas": True}, "yes"),
    ({"sampler": "DPM++ 2M Karras"}, "yes"),
    ({"sampler": "DPM++ 2M Karras", "use_karras_sigmas": True}, "yes"),
]


@pytest.mark.parametrize("operation", KINDS)
@pytest.mark.parametrize(("options", "expected"), SCHEDULED, ids=[str(options) for options, _ in SCHEDULED])
def test_karras_is_asked_for_where_it_is_honoured(options: dict[str, Any], expected: str, operation: str) -> None:
    """Unless the caller says otherwise."""
    assert wire(made(operation, **options), strict=True)["use_karras_sigmas"] == expected


def test_inpainting_sends_its_steps_under_the_specs_name() -> None:
    """And nothing under ours; its defaults and bounds are its own."""
    sent = wire(made("inpaint", num_inference_steps=7), strict=True)
    assert (sent["steps"], sent["width"], sent["height"]) == (7, 512, 512)
    assert "num_inference_steps" not in sent
    assert "prompt" not in sent


def test_a_local_image_is_not_among_the_fields() -> None:
    """Its URL is put there once it has one."""
    image = LocalImage(b"", "image/png")
    prepared = prepare(made("img2img", init_image=b""), {"init_image": image}, strict=True)
    assert (dict(prepared.local), "init_image" in prepared.fields) == ({"init_image": image}, False)


def test_a_request_shows_no_image() -> None:
    """Megabytes in a log help nobody."""
    assert len(repr(ImageToImage("x", bytes(10**6)))) < 500
    assert "<1000000 bytes>" in repr(Inpaint(init_image=URL, mask_image=bytes(10**6)))


@pytest.mark.parametrize(
    "webhook",
    ["https://my.example/hooks/s3cret", "https://u:s3cret@my.example/", "https://my.example?t=s3cret", "s3cret", 3, []],
)
def test_a_webhook_is_shown_without_its_token(webhook: Any) -> None:
    """Its path may let somebody in; the host is shown, so that a wrong one is seen."""
    assert "s3cret" not in repr(TextToImage("x", webhook=webhook))
    assert "webhook=None" in repr(TextToImage("x"))
    assert "https://my.example/…" in repr(TextToImage("x", webhook="https://my.example/hooks/s3cret"))


# --- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(("operation", "name", "bound", "value"), BOUNDED)
def test_each_bound_is_allowed_and_one_step_past_it_is_not(operation: str, name: str, bound: str, value: Any) -> None:
    """Both ends of every range of every operation, with a sentence that names field, range and value."""
    rule = spec_fields(KINDS[operation])[name][1]
    step = rule.multiple_of or 1
    assert wire(made(operation, **{name: value}), strict=True)[rule.name or name] == value
    past = value - step if bound == "minimum" else value + step
    with pytest.raises(InvalidRequestError) as raised:
        wire(made(operation, **{name: past}), strict=True)
    assert list(raised.value.errors) == [name]
    (text,) = raised.value.errors[name]
    assert str(past) in text
    assert str(value) in text
    assert (rule.name or name) in wire(made(operation, **{name: past}), strict=False)


def test_a_width_of_1023_is_refused_and_1025_gets_its_neighbours() -> None:
    """Not in the range, and not divisible by 8."""
    assert refused(width=1023) == {"width": ["must be from 1024 to 2048, not 1023"]}
    assert refused(width=1025) == {"width": ["must be divisible by 8, not 1025; try 1024 or 1032"]}
    assert refused(width=2047)["width"] == ["must be divisible by 8, not 2047; try 2040 or 2048"]


def test_all_fields_are_checked_at_once() -> None:
    """Nobody corrects one field to learn of the next."""
    assert set(refused(prompt=" ", width=8, samples=5, webhook="not a url")) == {
        "prompt",
        "width",
        "samples",
        "webhook",
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("width", "1024"),
        ("width", 1024.0),
        ("samples", True),
        ("guidance_scale", "7"),
        ("guidance_scale", float("nan")),
        ("safety_checker", "yes"),
        ("safety_checker", 1),
        ("seed", "7"),
        ("prompt", None),
        ("prompt", b"x"),
        ("model_id", ""),
        ("webhook", "ftp://x.example/"),
        ("webhook", "https://"),
        ("webhook", "http://[broken"),
        ("negative_prompt", 5),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_by_name(name: str, value: Any) -> None:
    """The service takes some of these by chance; the spec takes none."""
    assert name in refused(**{name: value})


def test_an_unknown_keyword_is_refused_with_the_near_one() -> None:
    """A typing slip is named; a field that is really meant has a way through."""
    assert "did you mean 'width'" in refused(widht=1024)["widht"][0]
    assert "extra={'lora_model': ...}" in refused(lora_model="x")["lora_model"][0]


def test_an_unknown_sampler_is_refused_with_the_near_ones() -> None:
    """Also without strict: there is nothing that could be sent for it."""
    with pytest.raises(InvalidRequestError, match="did you mean 'Euler a'"):
        wire(TextToImage("x", sampler="Euler aa"), strict=False)


def test_a_sampler_and_one_of_its_fields_contradict_each_other() -> None:
    """Which one was meant cannot be told."""
    assert set(refused(sampler="Euler", scheduler="DDIMScheduler")) == {"scheduler"}


def test_a_karras_sampler_without_karras_contradicts_itself() -> None:
    """Its name says what the field denies."""
    assert set(refused(sampler="DPM++ 2M Karras", use_karras_sigmas=False)) == {"use_karras_sigmas"}


def test_what_is_missing_is_refused_at_once() -> None:
    """As every other mistake, and not as a TypeError."""
    with pytest.raises(InvalidRequestError) as raised:
        Inpaint(init_imag=URL)  # type: ignore[call-arg]  # that is the point
    assert set(raised.value.errors) == {"init_imag", "init_image", "mask_image"}


def test_extra_takes_no_field_of_the_spec() -> None:
    """What the spec does not know goes through, also under a name that is ours."""
    with pytest.raises(InvalidRequestError, match="give it as the keyword num_inference_steps"):
        wire(made("inpaint", extra={"steps": 5}), strict=False)
    assert wire(made("inpaint", extra={"num_inference_steps": 5}), strict=True)["num_inference_steps"] == 5


@pytest.mark.parametrize("name", ["clip_skip", "scheduler", "num_inference_steps", "guidance_scale", "samples"])
def test_without_strict_what_the_spec_does_not_need_can_be_left_out(name: str) -> None:
    """A community model may know no such field."""
    left_out: dict[str, Any] = {name: None}
    assert name not in wire(TextToImage("x", **left_out), strict=False)
    assert name in refused(**{name: None})


def test_a_sampler_and_the_very_field_that_it_sets_agree() -> None:
    """Said twice is not contradicted."""
    for options in ({"algorithm_type": None}, {"scheduler": "EulerDiscreteScheduler"}):
        assert "algorithm_type" not in wire(TextToImage("x", sampler="Euler", **options), strict=True)


@pytest.mark.parametrize("name", ["key", "width"])
def test_extra_takes_neither_the_key_nor_a_known_field(name: str) -> None:
    """A key among the fields would end up in logs and journals."""
    with pytest.raises(InvalidRequestError):
        wire(TextToImage("x", extra={name: "v"}), strict=False)


@pytest.mark.parametrize("value", [object(), float("inf"), {1, 2}, "\ud800"])
def test_what_is_no_json_is_refused_before_it_is_sent(value: Any) -> None:
    """Also without strict; the field is named."""
    with pytest.raises(InvalidRequestError) as raised:
        wire(TextToImage("x", extra={"odd": value}), strict=False)
    assert list(raised.value.errors) == ["extra.odd"]


@pytest.mark.parametrize("kind", [TextToImage, ImageToImage])
def test_a_field_that_has_a_place_is_missed_as_any_other(kind: Any) -> None:
    """Not as a TypeError."""
    with pytest.raises(InvalidRequestError, match="must be given"):
        kind()


def test_no_image_of_an_inpainting_is_shown() -> None:
    """Neither of the two."""
    shown = repr(Inpaint(init_image=bytes(10**6), mask_image=bytes(10**6)))
    assert shown.count("<1000000 bytes>") == 2
    assert len(shown) < 800


def test_a_sampler_contradicts_an_algorithm_type() -> None:
    """As it does a scheduler."""
    assert set(refused(sampler="Euler", algorithm_type="dpmsolver++")) == {"algorithm_type"}


@pytest.mark.parametrize("name", ["Euler", "DPM++ 2M"])
def test_a_sampler_without_karras_may_say_so_twice(name: str) -> None:
    """It is no contradiction."""
    assert wire(TextToImage("x", sampler=name, use_karras_sigmas=False), strict=True)["use_karras_sigmas"] == "no"


def test_a_local_mask_does_not_give_the_size() -> None:
    """The picture does; one at a URL is not looked at."""
    header = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\x0dIHDR" + (1024).to_bytes(4, "big") + (768).to_bytes(4, "big")
    mask = LocalImage(header, "image/png")
    request = Inpaint(init_image=URL, mask_image=b"")
    assert prepare(request, {"mask_image": mask}, strict=True).fields["width"] == 512


def test_a_scheduler_that_is_no_text_is_sent_without_strict() -> None:
    """The service decides."""
    odd: Any = ["EulerDiscreteScheduler"]
    assert wire(TextToImage("x", scheduler=odd), strict=False)["use_karras_sigmas"] == "no"
