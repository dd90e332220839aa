"""What can go wrong after a job was accepted, and that it is never lost."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from itertools import pairwise
from typing import Any

import httpx
import pytest

from modelslab_pony import AsyncPonyClient, PollPolicy, RetryPolicy, errors
from modelslab_pony._experience import Beliefs
from modelslab_pony.testing import VirtualClock
from support.both import Colour
from support.scripted import Service

STEADY = PollPolicy(min_delay=1, max_delay=15, growth=2, jitter=0, lead=0.5)
PROCESSING = {"status": "processing", "id": 70010006}
DONE = {"status": "success", "id": 70010006, "output": ["https://images.example/f6.png"]}


def make(pony: Any, **options: Any) -> Generator[Any, Any, Any]:
    return (yield pony.text2img("a lighthouse", **options))


@pytest.mark.parametrize(
    "fault",
    [
        "html_502",
        "html_200",
        "empty_200",
        "error_429",
        "error_500",
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("cut"),
    ],
    ids=str,
)
def test_a_passing_fault_while_waiting_is_got_over(
    fault: Any, colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """Asking again costs nothing, so one bad answer does not end the wait."""
    assert colour.play(make, service.answers("processing", fault, fault, DONE), clock).id == 70010006
    assert service.paths.count("text2img") == 1


def test_a_lasting_fault_ends_the_wait_and_names_the_job(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """After the policy's number of tries in a row, with all that is needed to resume."""
    service.answers("processing", PROCESSING, *["html_502"] * 3)
    with pytest.raises(errors.ServerError) as raised:
        colour.play(make, service, clock, retry=RetryPolicy(attempts=3))
    assert (raised.value.job_id, raised.value.status_code, len(service.calls)) == (70010006, 502, 5)


@pytest.mark.parametrize("reply", ["error_401", "failed_request_not_found", "error_400"])
def test_a_refused_fetch_ends_the_wait_at_once(
    reply: str, colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """Polling on after an error would never end well; the job is named."""
    with pytest.raises(errors.APIError) as raised:
        colour.play(make, service.answers("processing", reply), clock)
    assert raised.value.job_id == 70010006


def test_a_fault_at_the_last_look_is_a_timeout(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """The time is over either way; the fault is its cause."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.job(7).wait(timeout=0))

    with pytest.raises(errors.JobTimeout) as raised:
        colour.play(story, service.answers("html_502"), clock)
    assert isinstance(raised.value.__cause__, errors.ServerError)


def test_a_stated_wait_beyond_the_policy_is_not_waited_for(
    colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """An absurd `retry_after` raises at once, with the id."""
    absurd = {"status": "error", "message": "Rate limit exceeded", "retry_after": 1e9}
    with pytest.raises(errors.RateLimitError) as raised:
        colour.play(make, service.answers("processing", absurd), clock)
    assert (raised.value.retry_after, raised.value.job_id) == (1e9, 70010006)
    assert clock.time < 15


def fetch(pony: Any) -> Generator[Any, Any, Any]:
    return (yield pony.fetch(70010006))


def test_a_single_fetch_is_tried_again_and_not_for_ever(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """By the policy's number, with its delays."""
    assert colour.play(fetch, service.answers("html_502", PROCESSING), clock).status == "processing"
    with pytest.raises(errors.ServerError) as raised:
        colour.play(fetch, service.answers(*["html_502"] * 3), clock, retry=RetryPolicy(attempts=3))
    assert (len(service.calls), clock.sleeps, raised.value.job_id) == (5, [1, 1, 2], 70010006)


def test_the_wait_that_a_refused_fetch_states_is_kept(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """30 s once; after that the job is asked about as before."""
    service.answers("processing", "error_429", PROCESSING, PROCESSING, DONE)
    colour.play(make, service, clock, poll=STEADY)
    waits = [later - earlier for earlier, later in pairwise(service.asked_at)]
    step = Beliefs().outlook(12.0).step
    assert waits[1:] == pytest.approx([30, 2 * step, 4 * step])


def test_no_stated_wait_goes_past_the_deadline(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """The last look is at the deadline, and not 30 s later."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.text2img("x", wait_timeout=20))

    with pytest.raises(errors.JobTimeout):
        colour.play(story, service.answers("processing", "error_429", PROCESSING), clock, poll=STEADY)
    assert service.asked_at == pytest.approx([0, Beliefs().outlook(12.0).first - STEADY.lead, 20])


def test_a_good_answer_forgets_the_faults_before_it(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """Only faults in a row count."""
    bad = ["html_502"] * 2
    service.answers("processing", *bad, PROCESSING, *bad, PROCESSING, *bad, DONE)
    assert colour.play(make, service, clock, retry=RetryPolicy(attempts=3)).id == 70010006


def test_an_error_after_acceptance_does_not_ask_for_a_second_payment(
    colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """Whatever went wrong while asking, the text says that the job is there and how to get it."""
    service.answers("processing", httpx.ConnectError("refused"))
    with pytest.raises(
        errors.TransportError, match=r"client\.job\(70010006\)\.wait\(\).*do not submit it again"
    ) as raised:
        colour.play(make, service, clock, retry=RetryPolicy(attempts=1))
    assert "nothing was sent" not in str(raised.value)
    with pytest.raises(errors.InsufficientCreditsError, match="do not submit it again"):
        colour.play(make, service.answers("processing", "error_402"), clock)


@pytest.mark.parametrize("fault", [KeyboardInterrupt(), ZeroDivisionError()], ids=lambda fault: type(fault).__name__)
def test_whatever_ends_a_wait_is_told_the_job(fault: BaseException, service: Service, clock: VirtualClock) -> None:
    """Ctrl-C, or a callback that raises: the job's id stands in a note."""

    def fail(_: Any) -> None:
        raise fault

    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.text2img("x", on_update=fail))

    with pytest.raises(type(fault)) as raised:
        Colour("sync").play(story, service.answers("processing"), clock)
    assert "job 70010006 was accepted" in raised.value.__notes__[0]


def test_a_cancelled_task_is_told_the_job(service: Service) -> None:
    """And its place at the gate is free again."""

    async def run() -> None:
        accepted = asyncio.Event()
        http = httpx.AsyncClient(transport=httpx.MockTransport(service.answers("processing")))
        async with http, AsyncPonyClient("k", http_client=http, max_in_flight=1) as pony:
            task = asyncio.create_task(pony.text2img("x", on_update=lambda _: accepted.set()))
            await accepted.wait()
            await asyncio.sleep(0)  # into its sleep
            task.cancel()
            with pytest.raises(asyncio.CancelledError) as raised:
                await task
            assert "job 70010006 was accepted" in raised.value.__notes__[0]
            assert not pony._calls.gate.locked()

    asyncio.run(run())


@pytest.mark.parametrize("code", [401, 403, 404])
def test_a_gateways_page_says_nothing_about_the_job(
    code: int, colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """One refusal in the middle, HTML or JSON without a status, does not end the wait; the service's own would."""
    page = httpx.Response(code, text="<html>nginx</html>")
    assert colour.play(make, service.answers("processing", page, DONE), clock).id == 70010006
    words = httpx.Response(code, json={"message": "Forbidden"})
    assert colour.play(make, service.answers("processing", words, DONE), clock).id == 70010006
    own = httpx.Response(404, json={"status": "error", "message": "Request not found"})
    with pytest.raises(errors.NotFoundError):
        colour.play(make, service.answers("processing", own), clock)


def test_an_error_about_another_job_gets_a_note_about_this_one(service: Service, clock: VirtualClock) -> None:
    """A callback that asks about a second job must not hide the first."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.text2img("x", on_update=lambda _: pony.fetch(99)))

    with pytest.raises(errors.NotFoundError) as raised:
        Colour("sync").play(story, service.answers("processing", "failed_request_not_found"), clock)
    assert raised.value.job_id == 99
    assert "job 70010006 was accepted" in raised.value.__notes__[0]


def test_an_exception_that_takes_no_notes_stays_what_it_is(service: Service, clock: VirtualClock) -> None:
    """Frozen ones refuse."""

    class Frozen(Exception):
        def __setattr__(self, name: str, value: object) -> None:
            raise AttributeError(name)

    def fail(_: Any) -> None:
        raise Frozen

    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.text2img("x", on_update=fail))

    with pytest.raises(Frozen):
        Colour("sync").play(story, service.answers("processing"), clock)
