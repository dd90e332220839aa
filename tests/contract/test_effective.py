"""The effective spec: every operation, every documented answer, chosen by name."""

from __future__ import annotations

import base64
from collections.abc import Generator
from typing import Any

import pytest

from modelslab_pony import ImageToImage, RetryPolicy, errors
from modelslab_pony.requests import KINDS
from modelslab_pony.testing import VirtualClock
from modelslab_pony.testing._spec import operations
from support import cases
from support.both import Colour, Story
from support.scripted import PNG
from support.wire import Wire, post

ANSWERS = list(cases.documented(cases.EFFECTIVE))
SCHEMAS = {"text2img": "TextToImageRequest", "img2img": "ImageToImageRequest", "inpaint": "InpaintRequest"}
VALUES = [
    (operation, name, value)
    for operation, schema in SCHEMAS.items()
    for name, value in cases.values(cases.EFFECTIVE, schema)
]

Meaning = str | type[errors.PonyError]
REFUSED: dict[tuple[str, str], Meaning] = {
    ("200", "error"): errors.AuthenticationError,
    ("401", "authentication"): errors.AuthenticationError,
    ("500", "server_error"): errors.ServerError,
}
BAD: dict[tuple[str, str], Meaning] = {("400", "bad_request"): errors.BadRequestError}
RATE: dict[tuple[str, str], Meaning] = {("429", "rate_limit"): errors.RateLimitError}
NO_MODEL: dict[tuple[str, str], Meaning] = {("404", "model_not_found"): errors.NotFoundError}
GENERATED: dict[tuple[str, str], Meaning] = {
    **REFUSED,
    **BAD,
    **RATE,
    **NO_MODEL,
    ("200", "success"): "success",
    ("200", "processing"): "processing",
    ("200", "failed"): errors.GenerationFailed,
    ("402", "insufficient_credits"): errors.InsufficientCreditsError,
    ("500", "server_error"): errors.UnknownServerError,  # nobody knows whether it failed before it accepted
    ("403", "permission_denied"): errors.PermissionDeniedError,
}
FROM_IMAGE: dict[tuple[str, str], Meaning] = {**GENERATED, ("400", "unreachable_image"): errors.BadRequestError}
FETCHED: dict[tuple[str, str], Meaning] = {
    **REFUSED,
    **BAD,
    **RATE,
    ("200", "success"): "success",
    ("200", "processing"): "processing",
    ("200", "failed"): "failed",
    ("200", "not_found"): errors.NotFoundError,
    ("404", "not_found"): errors.NotFoundError,
}
# What each documented answer becomes: the story's own word for it, or exactly this error.
BY_OPERATION: dict[str, dict[tuple[str, str], Meaning]] = {
    "text2img": GENERATED,
    "img2img": FROM_IMAGE,
    "inpaint": FROM_IMAGE,
    "fetch": FETCHED,
    "fetch_by_id": FETCHED,
    "wallet_balance": {**REFUSED, ("200", "success"): "17.25 USD"},
    "request_count": {**REFUSED, **RATE, ("200", "success"): "3"},
    "model_reload": {
        **REFUSED,
        **BAD,
        **NO_MODEL,
        ("200", "success"): "success: Model is loaded",
        ("200", "processing"): "processing: Model is being loaded",
    },
    "base64_to_url": {**REFUSED, **BAD, **RATE, ("200", "success"): "success"},
}
MEANINGS = {
    (operation, code, name): meaning
    for operation, meanings in BY_OPERATION.items()
    for (code, name), meaning in meanings.items()
}
# Fields of a request that go by another name here.
OUR_NAMES = {("inpaint", "steps"): "num_inference_steps"}
URL = "https://images.example/input.png"
NEEDED: dict[str, dict[str, Any]] = {
    "text2img": {"prompt": "a lighthouse"},
    "img2img": {"prompt": "a lighthouse", "init_image": URL},
    "inpaint": {"init_image": URL, "mask_image": URL},
}


@pytest.fixture
def wire(colour: Colour, effective_url: str) -> Wire:
    return Wire(colour, effective_url)


def submitting(operation: str, **options: Any) -> Story:
    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.submit(KINDS[operation](**{**NEEDED[operation], **options})))

    return story


text2img = submitting("text2img")


def submitted(operation: str) -> Story:
    def story(pony: Any) -> Generator[Any, Any, Any]:
        job = yield from submitting(operation)(pony)
        assert job.id == cases.example(cases.EFFECTIVE, operation, "200", job.status)["id"]
        return job.status

    return story


def fetch(pony: Any) -> Generator[Any, Any, Any]:
    found = yield pony.fetch(70010006)
    assert found.id == 70010006
    return found.status


def balance(pony: Any) -> Generator[Any, Any, Any]:
    found = yield pony.balance()
    return f"{found.balance} {found.currency}"


def queued(pony: Any) -> Generator[Any, Any, Any]:
    return str((yield pony.queued()))


def reload_model(pony: Any) -> Generator[Any, Any, Any]:
    found = yield pony.reload_model("pony-realism")
    return f"{found.status}: {found.message}"


def upload(pony: Any) -> Generator[Any, Any, Any]:
    return (yield pony.submit(ImageToImage("a lighthouse", PNG))).status


STORIES: dict[str, Story] = {
    **{operation: submitted(operation) for operation in SCHEMAS},
    "fetch": fetch,
    "fetch_by_id": fetch,
    "wallet_balance": balance,
    "request_count": queued,
    "model_reload": reload_model,
    "base64_to_url": upload,
}
PATHS = {
    operation["operationId"]: path.replace("{id}", "70010006") for _, path, operation in operations(cases.EFFECTIVE)
}


def test_every_documented_answer_is_tested_here() -> None:
    """An answer that the overlay or the vendor adds fails this until it is thought about."""
    assert set(ANSWERS) == set(MEANINGS)


@pytest.mark.parametrize(("operation", "code", "name"), ANSWERS, ids=["-".join(answer) for answer in ANSWERS])
def test_each_documented_answer_has_its_meaning(operation: str, code: str, name: str, wire: Wire) -> None:
    """Through both clients, with the example's body kept; the request breaks nothing."""
    story, meaning = STORIES[operation], MEANINGS[operation, code, name]
    body = cases.example(cases.EFFECTIVE, operation, code, name)
    chosen: dict[str, Any] = {"prefer": f"code={code}, example={name}", "retry": RetryPolicy(attempts=1)}
    if operation == "fetch_by_id":
        chosen["gone"] = "/fetch"  # only then is the other form asked for
    if isinstance(meaning, str):
        assert wire.play(story, **chosen) == meaning
    else:
        with pytest.raises(meaning) as raised:
            wire.play(story, **chosen)
        assert type(raised.value) is meaning
        if isinstance(raised.value, errors.APIError):
            assert (raised.value.status_code, raised.value.body) == (int(code), body)
    assert wire.violations == []
    # An upload that went well is followed by the request that it was for.
    follows = [PATHS["img2img"]] if operation == "base64_to_url" and meaning == "success" else []
    assert wire.paths == [PATHS[operation], *follows]


def test_an_upload_becomes_the_image_of_the_request(wire: Wire) -> None:
    """The URL that the service answered, and not the image itself; what was sent is a data URI of the bytes."""
    wire.play(upload, prefer="example=success")
    first, second = wire.sent
    assert first["base64_string"] == f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    assert [second["init_image"]] == cases.example(cases.EFFECTIVE, "base64_to_url", "200", "success")["output"]
    assert wire.violations == []


def test_a_success_says_which_image_and_which_copy(wire: Wire) -> None:
    """`output` and `proxy_links` are not mixed up; facts come out under our names."""
    body = cases.example(cases.EFFECTIVE, "text2img", "200", "success")

    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.text2img("a lighthouse"))

    generation = wire.play(story, prefer="example=success")
    assert [image.url for image in generation.images] == body["output"]
    assert [image.proxy_url for image in generation.images] == body["proxy_links"]
    assert (generation.seed, generation.meta) == (body["meta"]["seed"], body["meta"])
    assert generation.generation_time == body["generationTime"]
    assert generation.nsfw_content_detected is body["nsfw_content_detected"]


def test_a_processing_answer_gives_id_and_eta(wire: Wire) -> None:
    """All that is needed to wait."""
    body = cases.example(cases.EFFECTIVE, "text2img", "200", "processing")
    job = wire.play(text2img, prefer="example=processing")
    assert (job.id, job.eta) == (body["id"], body["eta"])


def test_the_stated_wait_of_a_rate_limit_is_read(wire: Wire) -> None:
    """It stands in the body."""
    body = cases.example(cases.EFFECTIVE, "text2img", "429", "rate_limit")
    with pytest.raises(errors.RateLimitError) as raised:
        wire.play(text2img, prefer="code=429", retry=RetryPolicy(attempts=1))
    assert raised.value.retry_after == body["retry_after"]


@pytest.mark.parametrize(
    ("operation", "name", "value"), VALUES, ids=[f"{operation}-{name}={value}" for operation, name, value in VALUES]
)
def test_each_field_is_sent_as_the_spec_has_it(operation: str, name: str, value: Any, wire: Wire) -> None:
    """At each bound that the overlay adds, too, under the spec's name."""
    ours = OUR_NAMES.get((operation, name), name)
    wire.play(submitting(operation, **{ours: cases.as_keyword(value)}), prefer="example=success")
    assert wire.violations == []
    assert wire.sent[0][name] == value
    assert type(wire.sent[0][name]) is type(value)


@pytest.mark.parametrize("operation", SCHEMAS)
def test_what_is_sent_has_the_specs_fields_alone(operation: str, wire: Wire) -> None:
    """With everything given: all of them, and none that the spec does not know."""
    everything = {
        OUR_NAMES.get((operation, name), name): cases.as_keyword(value) for of, name, value in VALUES if of == operation
    }
    wire.play(submitting(operation, **everything), prefer="example=success")
    assert set(wire.sent[0]) == {*cases.properties(cases.EFFECTIVE, SCHEMAS[operation]), "key"}


@pytest.mark.parametrize("job_id", [7, "abc123-def456"])
def test_ids_of_both_kinds_are_sent_as_text(job_id: int | str, wire: Wire, clock: VirtualClock) -> None:
    """As the spec of fetch has it."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.job(job_id).wait())

    assert wire.play(story, prefer="example=success", clock=clock).id == job_id
    assert wire.violations == []
    assert wire.sent[0]["request_id"] == str(job_id)


@pytest.mark.parametrize("operation", SCHEMAS)
@pytest.mark.parametrize("change", [{"width": 1020}, {"init_image": 5, "prompt": ""}, {"samples": 0}], ids=str)
def test_this_prism_sees_what_the_overlay_forbids(operation: str, change: dict[str, Any], effective_url: str) -> None:
    """Otherwise the tests above would prove nothing."""
    body = {"key": "k", "model_id": "m", **NEEDED[operation], **change}
    answer = post(f"{effective_url}/{operation}", body)
    assert (answer.status_code, "sl-violations" in answer.headers) == (400, True)
