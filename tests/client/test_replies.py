"""Every captured reply, through both clients, as the answer to a submission and to a fetch."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from modelslab_pony import PonyError, RetryPolicy, TextToImage, errors
from modelslab_pony.testing import VirtualClock
from support.both import Colour
from support.meanings import MEANINGS
from support.scripted import ANSWERS, Captured, Service

ONCE = RetryPolicy(attempts=1)

# A fetch only reads: what the answer says is what it gives.
FETCHED: dict[str, str | type[PonyError]] = {**MEANINGS}

# A submission that got such an answer may have been accepted; a generation that failed is an error.
SUBMITTED: dict[str, str | type[PonyError]] = {
    **MEANINGS,
    **dict.fromkeys(("cloudflare_522", "error_500", "html_502"), errors.UnknownServerError),
    **dict.fromkeys(("empty_200", "html_200", "list_body", "no_status"), errors.UnknownResponseError),
    "failed_try_again": errors.GenerationFailed,
}


def submit(pony: Any) -> Generator[Any, Any, Any]:
    return (yield pony.submit(TextToImage("a lighthouse")))


def fetch(pony: Any) -> Generator[Any, Any, Any]:
    return (yield pony.fetch(70010099))


def outcome(colour: Colour, story: Any, service: Service, clock: VirtualClock) -> Any:
    try:
        return colour.play(story, service, clock, retry=ONCE)
    except PonyError as error:
        return error


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer.name)
def test_a_submission_gets_its_meaning(answer: Captured, colour: Colour, service: Service, clock: VirtualClock) -> None:
    """A job, or an error that keeps the body; one POST either way."""
    got = outcome(colour, submit, service.answers(answer.name), clock)
    meaning = SUBMITTED[answer.name]
    assert service.paths == ["text2img"]
    if isinstance(meaning, str):
        assert (got.status, got.id) == (meaning, answer.body["id"])
    else:
        assert type(got) is meaning
        if isinstance(got, errors.APIError):
            assert (got.status_code, got.body) == (answer.http_status, answer.body)
        if isinstance(got, errors.SubmissionUnknown):
            assert got.request == TextToImage("a lighthouse")


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer.name)
def test_a_fetch_gets_its_meaning(answer: Captured, colour: Colour, service: Service, clock: VirtualClock) -> None:
    """A status, or an error that keeps the body and names the job that was asked for."""
    got = outcome(colour, fetch, service.answers(answer.name), clock)
    meaning = FETCHED[answer.name]
    assert service.calls[0][0] == "fetch"
    assert service.calls[0][1]["request_id"] == "70010099"
    if isinstance(meaning, str):
        assert (got.status, got.id) == (meaning, 70010099)
        assert (got.generation is not None) == (meaning == "success")
        assert got.done == (meaning != "processing")
    else:
        assert type(got) is meaning
        assert isinstance(got, errors.APIError)
        assert (got.status_code, got.body, got.job_id) == (answer.http_status, answer.body, 70010099)


def test_a_generation_shows_what_the_service_said(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """Images in order, flags, seed and the answer itself."""
    job = outcome(colour, submit, service.answers("success_four_samples"), clock)
    assert job.status == "success"

    def wait(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.text2img("x", samples=4))

    generation = outcome(colour, wait, service.answers("success_four_samples"), clock)
    assert [image.url[-8:] for image in generation.images] == ["b2-0.png", "b2-1.png", "b2-2.png", "b2-3.png"]
    assert [image.index for image in generation.images] == [0, 1, 2, 3]
    assert (generation.seed, generation.nsfw_content_detected, generation.generation_time) == (12, True, 9.2)
    assert generation.raw["meta"] == {"seed": 12, "n_samples": 4}
