"""Money: how often a generation POST is sent, for every way in which it can go wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator
from typing import Any

import httpx
import pytest

from modelslab_pony import RetryPolicy, TextToImage, errors
from modelslab_pony._wire import prepare
from modelslab_pony.testing import VirtualClock
from support.both import KEY, Colour
from support.scripted import Service

NEVER_SENT = [
    httpx.ConnectError("refused"),
    httpx.ConnectTimeout("nobody there"),
    httpx.PoolTimeout("no connection free"),
    httpx.ProxyError("proxy refused"),
]
PERHAPS_SENT = [
    httpx.ReadTimeout("no answer"),
    httpx.ReadError("reset"),
    httpx.WriteError("reset"),
    httpx.WriteTimeout("stuck"),
    httpx.RemoteProtocolError("server disconnected without sending a response"),
    httpx.CloseError("closed"),
    httpx.DecodingError("bad gzip"),
]
REFUSED = ["error_400", "error_401", "error_402", "error_403", "error_200_invalid_key"]
UNCLEAR: list[Any] = ["error_500", "html_502", "html_200", "empty_200", "list_body", "no_status", "cloudflare_522"]
PATIENT = RetryPolicy(attempts=3, min_delay=1, max_delay=60)


def submit(pony: Any) -> Generator[Any, Any, Any]:
    return (yield pony.submit(TextToImage("a lighthouse", track_id="order-17")))


def make(pony: Any) -> Generator[Any, Any, Any]:
    return (yield pony.text2img("a lighthouse", track_id="order-17"))


@pytest.mark.parametrize("story", [submit, make])
@pytest.mark.parametrize("fault", PERHAPS_SENT, ids=lambda fault: type(fault).__name__)
def test_a_post_that_may_have_arrived_is_never_sent_again(
    fault: Exception, story: Any, colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """One POST, and an error that says what is not known."""
    with pytest.raises(errors.SubmissionUnknown, match="not sent again") as raised:
        colour.play(story, service.answers(fault), clock, retry=PATIENT)
    assert service.paths == ["text2img"]
    assert (raised.value.track_id, raised.value.job_id) == ("order-17", None)
    assert raised.value.__cause__ is raised.value.__context__ is None  # httpx's own error holds the body
    assert getattr(raised.value, "__notes__", []) == []  # its text says so already


@pytest.mark.parametrize("fault", NEVER_SENT, ids=lambda fault: type(fault).__name__)
def test_a_post_that_never_left_is_sent_again(
    fault: Exception, colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """Without a connection nothing can have been accepted."""
    job = colour.play(submit, service.answers(fault, fault, "processing"), clock, retry=PATIENT)
    assert (job.id, len(service.calls), clock.sleeps) == (70010006, 3, [1, 2])


def test_a_service_that_is_not_there_gives_up_after_the_tries(
    colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """It is an error of the transport and says that nothing was sent."""
    with pytest.raises(errors.TransportError, match="nothing was sent"):
        colour.play(submit, service.answers(*NEVER_SENT[:3]), clock, retry=PATIENT)
    assert len(service.calls) == 3


@pytest.mark.parametrize("reply", ["error_429", "error_200_rate_limit_tips"])
def test_a_rate_limit_refusal_is_waited_out(reply: str, colour: Colour, service: Service, clock: VirtualClock) -> None:
    """Under either HTTP status, for the 30 s that the answer states."""
    job = colour.play(submit, service.answers(reply, reply, "processing"), clock, retry=PATIENT)
    assert (job.id, clock.sleeps) == (70010006, [30, 30])


def test_a_rate_limit_beyond_the_policy_is_raised_at_once(
    colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """With the stated wait, so that the caller can plan."""
    with pytest.raises(errors.RateLimitError) as raised:
        colour.play(submit, service.answers("error_429"), clock, retry=RetryPolicy(max_delay=29))
    assert (raised.value.retry_after, clock.sleeps) == (30, [])


def test_a_rate_limit_is_not_waited_out_past_the_callers_own_limit(
    colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """`wait_timeout` covers the submission too."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.text2img("x", wait_timeout=20))

    with pytest.raises(errors.RateLimitError):
        colour.play(story, service.answers("error_429"), clock, retry=PATIENT)
    assert clock.time == 0


@pytest.mark.parametrize("reply", [*REFUSED, *UNCLEAR])
def test_any_other_answer_ends_it_after_one_post(
    reply: str, colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """What is refused for good, and what is unclear, is not sent again."""
    with pytest.raises(errors.APIError) as raised:
        colour.play(submit, service.answers(reply), clock, retry=PATIENT)
    assert service.paths == ["text2img"]
    assert isinstance(raised.value, errors.SubmissionUnknown) == (reply in UNCLEAR)


@pytest.mark.parametrize("code", [408, 409, 418, 425, 499])
@pytest.mark.parametrize("body", [{"status": "conflict", "message": "odd"}, {"message": "odd"}, "odd"], ids=str)
def test_a_code_that_the_service_does_not_document_is_no_proof_of_refusal(
    code: int, body: Any, colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """A gateway may say it when the service has the request already."""
    with pytest.raises(errors.SubmissionUnknown):
        colour.play(submit, service.answers(httpx.Response(code, json=body)), clock, retry=PATIENT)
    assert service.paths == ["text2img"]


@pytest.mark.parametrize(("code", "kind"), [(200, errors.NotFoundError), (409, errors.APIError)])
def test_a_request_that_the_service_says_failed_is_refused(
    code: int, kind: type[Exception], colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """In its own words, and with no id: nobody has to look whether it was accepted."""
    answer = httpx.Response(code, json={"status": "failed", "message": "Model not found"})
    with pytest.raises(kind) as raised:
        colour.play(submit, service.answers(answer), clock, retry=PATIENT)
    assert not isinstance(raised.value, errors.SubmissionUnknown)


def test_an_accepted_job_without_an_id_is_unknown(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """It cannot be asked about; the body is kept."""
    with pytest.raises(errors.UnknownResponseError) as raised:
        colour.play(submit, service.answers({"status": "processing", "eta": 3}), clock)
    assert raised.value.body == {"status": "processing", "eta": 3}


def test_an_odd_answer_with_an_id_keeps_it(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """The job exists, so that it is not unknown: it can be asked about."""
    with pytest.raises(errors.UnexpectedResponseError) as raised:
        colour.play(submit, service.answers({"status": "success", "id": 5, "output": ""}), clock)
    assert raised.value.job_id == 5
    assert not isinstance(raised.value, errors.SubmissionUnknown)


@pytest.mark.parametrize(
    "odd",
    [
        (429, {"status": "processing", "id": 5, "retry_after": 1}),
        (429, {"status": "error", "id": 5}),
        (200, {"status": "error", "id": 5, "message": "Rate limit exceeded"}),
    ],
    ids=str,
)
def test_a_rate_limit_that_names_a_job_is_no_proof_of_refusal(
    odd: tuple[int, Any], colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """An id says that something was accepted; it is kept, and nothing is sent again."""
    with pytest.raises(errors.APIError) as raised:
        colour.play(submit, service.answers(httpx.Response(odd[0], json=odd[1])), clock, retry=PATIENT)
    assert (raised.value.job_id, service.paths) == (5, ["text2img"])


def test_a_success_without_an_id_is_a_result(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """The images are there; nothing that was paid for is thrown away."""
    service.answers({"status": "success", "output": ["https://x.example/a.png"]})
    generation = colour.play(make, service, clock)
    assert (generation.id, len(generation.images)) == (None, 1)


def test_what_is_left_out_is_not_sent(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """The generated model has defaults of its own; a sampler without an algorithm type must not get one."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.text2img("x", sampler="Euler"))

    colour.play(story, service.answers("success"), clock)
    assert service.calls[0][1] == {"key": KEY, **prepare(TextToImage("x", sampler="Euler"), {}, strict=True).fields}
    assert "algorithm_type" not in service.calls[0][1]


def test_extra_fields_are_sent(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """Beside the others, as they are."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.text2img("x", extra={"zeta": "x", "upscale": 2}))

    colour.play(story, service.answers("success"), clock)
    assert (service.calls[0][1]["zeta"], service.calls[0][1]["upscale"]) == ("x", 2)


def test_a_redirect_to_a_host_that_cannot_be_is_our_own_error(
    colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """idna's error is no error of httpx."""
    service.answers(UnicodeError("label empty or too long"))
    with pytest.raises(errors.SubmissionUnknown, match="label empty"):
        colour.play(submit, service, clock)


def test_one_attempt_sends_once(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """`RetryPolicy(attempts=1)` holds for every call."""
    with pytest.raises(errors.TransportError):
        colour.play(submit, service.answers(NEVER_SENT[0]), clock, retry=RetryPolicy(attempts=1))
    assert len(service.calls) == 1


def test_a_redirect_is_not_followed(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """The body holds the key; it goes to the base URL and nowhere else."""
    moved = httpx.Response(307, headers={"location": "https://elsewhere.example/text2img"})
    with pytest.raises(errors.UnknownResponseError):
        colour.play(submit, service.answers(moved), clock)
    assert service.paths == ["text2img"]


class _Breaks(httpx.SyncByteStream, httpx.AsyncByteStream):
    """Gives its content, then fails: in reading on, or in closing."""

    def __init__(self, content: bytes, *, closing: bool) -> None:
        self._content, self._closing = content, closing

    def __iter__(self) -> Iterator[bytes]:
        yield self._content
        if not self._closing:
            raise httpx.RemoteProtocolError("peer closed connection without sending complete message body")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self:
            yield chunk

    def close(self) -> None:
        if self._closing:
            raise httpx.CloseError("closing failed")

    async def aclose(self) -> None:
        self.close()


@pytest.mark.parametrize("closing", [False, True])
def test_an_answer_that_came_whole_counts_whatever_broke_after_it(
    closing: bool, colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """The job's id is in it; one that was cut short proves nothing."""
    whole = b'{"status": "processing", "id": 777}'
    service.answers(lambda: httpx.Response(200, stream=_Breaks(whole, closing=closing)))
    assert colour.play(submit, service, clock).id == 777
    if not closing:
        service.answers(lambda: httpx.Response(200, stream=_Breaks(whole[:-1], closing=False)))
        with pytest.raises(errors.SubmissionUnknown):
            colour.play(submit, service, clock)


@pytest.mark.parametrize(
    "content",
    [
        b'<br />\n<b>Warning</b>: deprecated<br />\n{"status": "processing", "id": 777}',
        b'{"status": "processing", "id": 777, "message": "two\nlines"}',
        b'\xef\xbb\xbf{"status": "processing", "id": 777}',
    ],
)
def test_sloppy_json_still_gives_the_id(content: bytes, colour: Colour, service: Service, clock: VirtualClock) -> None:
    """A PHP warning above, a raw line break inside, a byte order mark."""
    assert colour.play(submit, service.answers(httpx.Response(200, content=content)), clock).id == 777


def test_what_cannot_be_written_as_json_was_not_sent(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """Nested so deep that it fits alone and not inside the request."""
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]

    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.text2img("x", extra={"deep": deep}))

    with pytest.raises(errors.InvalidRequestError, match="Nothing was sent"):
        colour.play(story, service, clock)
