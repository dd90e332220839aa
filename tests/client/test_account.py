"""The calls that make no image: what their answers mean, and that they may be made again."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import httpx
import pytest

from modelslab_pony import RetryPolicy, errors
from modelslab_pony.testing import VirtualClock
from support.both import Colour, Story
from support.scripted import Service

PATIENT = RetryPolicy(attempts=3, min_delay=1, max_delay=60)
BALANCE: dict[str, Any] = {"status": "success", "data": {"balance": 43.6, "currency": "USD"}}


def balance(pony: Any) -> Generator[Any, Any, Any]:
    found = yield pony.balance()
    return found.balance, found.currency


def queued(pony: Any) -> Generator[Any, Any, Any]:
    return (yield pony.queued())


def reload_model(pony: Any) -> Generator[Any, Any, Any]:
    return (yield pony.reload_model("pony-realism")).status


MEANINGS: list[tuple[Story, Any, Any]] = [
    (balance, BALANCE, (43.6, "USD")),
    (balance, {"status": "success", "data": {"balance": "43.60", "currency": "USD"}}, (43.6, "USD")),
    (balance, {"status": "success", "data": {"balance": "-0.5", "currency": None}}, (-0.5, "")),
    (balance, {"status": "success", "data": {"balance": -3}}, (-3, "")),
    (balance, {"status": "SUCCESS", "balance": 0, "currency": "EUR"}, (0, "EUR")),
    (queued, {"status": "success", "processing_count": 0, "message": "m"}, 0),
    (queued, {"status": "success", "processing_count": "12"}, 12),
    (reload_model, {"status": "success", "messege": "loaded"}, "success"),
    (reload_model, {"status": "processing"}, "processing"),
]


@pytest.mark.parametrize(("story", "answer", "meaning"), MEANINGS, ids=range(len(MEANINGS)))
def test_an_answer_is_read(
    story: Story, answer: Any, meaning: Any, colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """Also with a numeral in a string, and without what need not be there."""
    assert colour.play(story, service.answers(answer), clock) == meaning


ODD: list[Any] = [
    {"status": "success"},
    {"status": "success", "data": [], "processing_count": None},
    {"status": "success", "data": {"balance": True}, "processing_count": "many"},
    {"status": "success", "data": {"balance": False}, "processing_count": False},
    {"status": "success", "data": {"balance": float("nan")}, "processing_count": -1},
    {"status": "queued", "id": 5, "data": {"balance": 1}, "processing_count": 1},
    {"data": {"balance": 1}, "processing_count": 1},
    [1],
    "html_200",
    "empty_200",
    "list_body",
]


@pytest.mark.parametrize("story", [balance, queued])
@pytest.mark.parametrize("answer", ODD, ids=range(len(ODD)))
def test_an_odd_answer_is_our_own_error(
    story: Story, answer: Any, colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """With the body kept, and no id: there is no job."""
    reply = httpx.Response(200, json=answer) if isinstance(answer, list) else answer
    if isinstance(answer, dict) and "nan" in str(answer):
        reply = httpx.Response(200, content=b'{"status": "success", "data": {"balance": NaN}, "processing_count": NaN}')
    with pytest.raises(errors.UnexpectedResponseError) as raised:
        colour.play(story, service.answers(reply), clock, retry=RetryPolicy(attempts=1))
    assert raised.value.body is not None
    assert raised.value.job_id is None


REFUSALS: dict[str, type[errors.APIError]] = {
    "error_401": errors.AuthenticationError,
    "error_200_invalid_key": errors.AuthenticationError,
    "error_402": errors.InsufficientCreditsError,
    "error_model_not_found": errors.NotFoundError,
    "error_429": errors.RateLimitError,
    "error_500": errors.ServerError,
    "cloudflare_522": errors.ServerError,
    "html_502": errors.ServerError,
}


@pytest.mark.parametrize("story", [balance, queued, reload_model])
@pytest.mark.parametrize("reply", REFUSALS)
def test_a_refusal_is_its_class(
    story: Story, reply: str, colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """Exactly, and never one that speaks of a submission."""
    with pytest.raises(REFUSALS[reply]) as raised:
        colour.play(story, service.answers(reply), clock, retry=RetryPolicy(attempts=1))
    assert type(raised.value) is REFUSALS[reply]


@pytest.mark.parametrize("fault", [httpx.ReadTimeout("slow"), "html_502", "error_429", "html_200"], ids=str)
def test_a_passing_fault_is_tried_again(fault: Any, colour: Colour, service: Service, clock: VirtualClock) -> None:
    """Nothing is paid for by asking twice."""
    assert colour.play(balance, service.answers(fault, BALANCE), clock, retry=PATIENT) == (43.6, "USD")
    with pytest.raises(errors.PonyError):
        colour.play(balance, service.answers(fault, fault, fault), clock, retry=PATIENT)


@pytest.mark.parametrize("model_id", ["", " ", None, 5, "a\nb"])
def test_a_model_id_that_is_none(model_id: Any, colour: Colour, service: Service, clock: VirtualClock) -> None:
    """Refused before it is sent."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        yield pony.reload_model(model_id)

    with pytest.raises(errors.InvalidRequestError, match="model_id must be"):
        colour.play(story, service, clock)


# --- both forms of fetch ---------------------------------------------------------------------


def fetch(pony: Any) -> Generator[Any, Any, Any]:
    return (yield pony.fetch("abc/1"))


GONE = httpx.Response(404, html="<h1>Not Found</h1>")


@pytest.mark.parametrize("status_code", [404, 405])
def test_where_fetch_is_not_known_the_id_goes_into_the_path(
    status_code: int, colour: Colour, clock: VirtualClock
) -> None:
    """As `fetch_result` has it, below our own base URL; the id is one part of the path, whatever it holds."""
    urls: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        urls.append(str(request.url))
        if request.url.path.endswith("/fetch"):
            return httpx.Response(status_code, json={"message": "The route could not be found."})
        return httpx.Response(200, json={"status": "success", "id": 9, "output": ["https://x.example/a.png"]})

    assert colour.play(fetch, answer, clock).id == "abc/1"
    base = "https://modelslab.com/api/v6/images"
    assert urls == [f"{base}/fetch", f"{base}/fetch/abc%2F1"]


@pytest.mark.parametrize("reply", ["failed_request_not_found", "error_model_not_found"])
def test_an_id_that_the_service_does_not_know_is_not_asked_twice(
    reply: str, colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """Those are the service's own words."""
    with pytest.raises(errors.NotFoundError):
        colour.play(fetch, service.answers(reply), clock, retry=PATIENT)
    assert service.paths == ["fetch"]


def test_where_neither_form_is_known_the_job_is_not_lost(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """A gateway's page says nothing about it."""
    with pytest.raises(errors.UnexpectedResponseError) as raised:
        colour.play(fetch, service.answers(GONE, GONE), clock, retry=RetryPolicy(attempts=1))
    assert raised.value.job_id == "abc/1"


def test_waiting_takes_the_other_form_too(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """At each look."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.text2img("a lighthouse"))

    service.answers("processing", GONE, "processing", GONE, "success")
    assert colour.play(story, service, clock).id == 70010006
    assert service.paths == ["text2img", "fetch", "70010006", "fetch", "70010006"]


WORDLESS: dict[int, type[errors.APIError]] = {
    500: errors.ServerError,
    502: errors.ServerError,
    429: errors.RateLimitError,
}


@pytest.mark.parametrize("code", WORDLESS)
def test_an_http_code_counts_without_a_status(code: int, colour: Colour, service: Service, clock: VirtualClock) -> None:
    """A gateway's JSON; and a code of failure is none of success, whatever the body holds."""
    bodies: list[Any] = [{"message": "nope"}, {"status": "success", "data": {"balance": 1}}]
    for body in bodies[: 2 if code >= 500 else 1]:
        with pytest.raises(WORDLESS[code]) as raised:
            colour.play(balance, service.answers(httpx.Response(code, json=body)), clock, retry=RetryPolicy(attempts=1))
        assert type(raised.value) is WORDLESS[code]


@pytest.mark.parametrize("story", [balance, queued, reload_model])
def test_each_question_is_asked_again(story: Story, colour: Colour, service: Service, clock: VirtualClock) -> None:
    """None of them costs anything."""
    answer = {"status": "success", "data": {"balance": 3, "currency": "USD"}, "processing_count": 3}
    assert colour.play(story, service.answers("html_502", answer), clock, retry=PATIENT)
    assert len(service.calls) == 2
