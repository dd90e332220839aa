"""The effective spec: every operation, every documented answer, chosen by name."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from contract import cases
from modelslab_pony import RetryPolicy, TextToImage, errors
from modelslab_pony.testing import VirtualClock
from support.both import Colour
from support.wire import Wire, post

ANSWERS = list(cases.documented(cases.EFFECTIVE))
VALUES = list(cases.values(cases.EFFECTIVE, "TextToImageRequest"))

# What each documented answer becomes: a status, or exactly this error.
MEANINGS: dict[tuple[str, str, str], str | type[errors.PonyError]] = {
    ("text2img", "200", "success"): "success",
    ("text2img", "200", "processing"): "processing",
    ("text2img", "200", "failed"): errors.GenerationFailed,
    ("text2img", "200", "error"): errors.AuthenticationError,
    ("text2img", "400", "bad_request"): errors.BadRequestError,
    ("text2img", "401", "authentication"): errors.AuthenticationError,
    ("text2img", "402", "insufficient_credits"): errors.InsufficientCreditsError,
    ("text2img", "403", "permission_denied"): errors.PermissionDeniedError,
    ("text2img", "404", "model_not_found"): errors.NotFoundError,
    ("text2img", "429", "rate_limit"): errors.RateLimitError,
    ("text2img", "500", "server_error"): errors.ServerError,
    ("fetch", "200", "success"): "success",
    ("fetch", "200", "processing"): "processing",
    ("fetch", "200", "failed"): "failed",
    ("fetch", "200", "not_found"): errors.NotFoundError,
    ("fetch", "200", "error"): errors.AuthenticationError,
    ("fetch", "400", "bad_request"): errors.BadRequestError,
    ("fetch", "401", "authentication"): errors.AuthenticationError,
    ("fetch", "404", "not_found"): errors.NotFoundError,
    ("fetch", "429", "rate_limit"): errors.RateLimitError,
    ("fetch", "500", "server_error"): errors.ServerError,
}


@pytest.fixture
def wire(colour: Colour, effective_url: str) -> Wire:
    return Wire(colour, effective_url)


def text2img(pony: Any) -> Generator[Any, Any, Any]:
    return (yield pony.submit(TextToImage("a lighthouse")))


def fetch(pony: Any) -> Generator[Any, Any, Any]:
    return (yield pony.fetch(70010006))


STORIES = {"text2img": text2img, "fetch": fetch}


def test_every_documented_answer_is_tested_here() -> None:
    """An answer that the overlay or the vendor adds fails this until it is thought about."""
    assert set(ANSWERS) == set(MEANINGS)


@pytest.mark.parametrize(("operation", "code", "name"), ANSWERS, ids=["-".join(answer) for answer in ANSWERS])
def test_each_documented_answer_has_its_meaning(operation: str, code: str, name: str, wire: Wire) -> None:
    """Through both clients, with the example's body kept; the request breaks nothing."""
    story, meaning = STORIES[operation], MEANINGS[operation, code, name]
    body = cases.example(cases.EFFECTIVE, operation, code, name)
    once = RetryPolicy(attempts=1)
    if isinstance(meaning, str):
        got = wire.play(story, prefer=f"code={code}, example={name}", retry=once)
        assert (got.status, got.id) == (meaning, body.get("id") or 70010006)
    else:
        with pytest.raises(meaning) as raised:
            wire.play(story, prefer=f"code={code}, example={name}", retry=once)
        assert type(raised.value) is meaning
        if isinstance(raised.value, errors.APIError):
            assert (raised.value.status_code, raised.value.body) == (int(code), body)
    assert wire.violations == []
    assert len(wire.sent) == 1


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


@pytest.mark.parametrize(("name", "value"), VALUES, ids=[f"{name}={value}" for name, value in VALUES])
def test_each_field_is_sent_as_the_spec_has_it(name: str, value: Any, wire: Wire) -> None:
    """At each bound that the overlay adds, too."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.text2img(**{"prompt": "a lighthouse", name: cases.as_keyword(value)}))

    wire.play(story, prefer="example=success")
    assert wire.violations == []
    assert wire.sent[0][name] == value


@pytest.mark.parametrize("job_id", [7, "abc123-def456"])
def test_ids_of_both_kinds_are_sent_as_text(job_id: int | str, wire: Wire, clock: VirtualClock) -> None:
    """As the spec of fetch has it."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.job(job_id).wait())

    assert wire.play(story, prefer="example=success", clock=clock).id == job_id
    assert wire.violations == []
    assert wire.sent[0]["request_id"] == str(job_id)


@pytest.mark.parametrize("change", [{"width": 1028}, {"prompt": ""}, {"samples": 0}], ids=str)
def test_this_prism_sees_what_the_overlay_forbids(change: dict[str, Any], effective_url: str) -> None:
    """Otherwise the tests above would prove nothing."""
    body = {"key": "k", "model_id": "m", "prompt": "p", **change}
    answer = post(f"{effective_url}/text2img", body)
    assert (answer.status_code, "sl-violations" in answer.headers) == (400, True)
