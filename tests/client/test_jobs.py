"""From submission to result: polling, resuming, and what happens when time is over."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import Any

import httpx
import pytest

from modelslab_pony import AsyncPonyClient, PollPolicy, RetryPolicy, TextToImage, errors
from modelslab_pony.testing import VirtualClock
from support.both import Colour
from support.scripted import Service

STEADY = PollPolicy(min_delay=1, max_delay=15, growth=2, jitter=0, lead=0.5)
PROCESSING = {"status": "processing", "id": 70010006}
DONE = {"status": "success", "id": 70010006, "output": ["https://images.example/f6.png"]}


def make(pony: Any, **options: Any) -> Generator[Any, Any, Any]:
    return (yield pony.text2img("a lighthouse", **options))


def test_a_job_is_asked_about_near_its_eta_and_then_at_growing_intervals(
    colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """The captured eta is 12 s: asked at 11.5, then 1, 2 and 4 s later."""
    service.answers("processing", PROCESSING, PROCESSING, PROCESSING, DONE)
    generation = colour.play(make, service, clock, poll=STEADY)
    assert generation.images[0].url == "https://images.example/f6.png"
    assert service.asked_at == [0, 11.5, 12.5, 14.5, 18.5]
    assert service.paths == ["text2img", "fetch", "fetch", "fetch", "fetch"]


def test_what_only_the_first_answer_tells_is_kept(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """A fetched success lacks `meta`; seed and meta come from the submission's answer."""
    generation = colour.play(make, service.answers("processing", "fetch_success_minimal"), clock)
    assert generation.seed == 869792001
    assert generation.meta == {"seed": 869792001, "file_prefix": "f6"}
    assert generation.id == 70010006


def test_a_job_that_succeeded_at_once_is_not_asked_about(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """`submit` then `wait` and `refresh`: one call in all."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        job = yield pony.submit(TextToImage("a lighthouse"))
        assert (yield job.refresh()).done
        return (yield job.wait())

    generation = colour.play(story, service.answers("success"), clock)
    assert (generation.id, len(service.calls), clock.sleeps) == (70010001, 1, [])


def test_a_job_is_taken_up_by_its_id_in_another_process(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """All that is needed is the id; it travels as a text, as the spec has it."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.job(70010006).wait())

    generation = colour.play(story, service.answers(PROCESSING, DONE), clock)
    assert (generation.id, service.calls[0][1]["request_id"]) == (70010006, "70010006")


def test_updates_are_told_in_order(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """From the first answer to the last; on a job they also change what it knows of itself."""
    seen: list[tuple[str, float | None]] = []

    def story(pony: Any) -> Generator[Any, Any, Any]:
        job = yield pony.submit(TextToImage("a lighthouse"))
        assert (job.id, job.status, job.eta, job.request.prompt) == (70010006, "processing", 12.0, "a lighthouse")
        generation = yield job.wait(on_update=lambda status: seen.append((status.status, status.eta)))
        assert (job.status, (yield job.wait())) == ("success", generation)

    colour.play(story, service.answers("processing", PROCESSING, DONE), clock)
    assert seen == [("processing", 12.0), ("processing", None), ("success", None)]


def test_an_asynchronous_client_awaits_a_coroutine_callback(service: Service, clock: VirtualClock) -> None:
    """So that a callback may itself send something."""
    seen: list[str] = []

    async def note(status: Any) -> None:
        seen.append(status.status)

    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.text2img("x", on_update=note))

    Colour("async").play(story, service.answers("processing", DONE), clock)
    assert seen == ["processing", "success"]


def test_a_job_that_never_ends_times_out_and_is_not_lost(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """The last look is at the deadline; the error has the id and says how to go on."""
    service.answers("processing", *[PROCESSING] * 10)

    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.text2img("x", wait_timeout=30))

    with pytest.raises(errors.JobTimeout, match="pony fetch 70010006") as raised:
        colour.play(story, service, clock, poll=STEADY)
    assert raised.value.job_id == 70010006
    assert clock.time == service.asked_at[-1] == 30
    assert isinstance(raised.value, TimeoutError)


@pytest.mark.parametrize("timeout", [0, 5])
def test_the_last_look_can_still_find_the_result(
    timeout: float, colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """An eta past the deadline does not keep a finished job from being found."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        job = yield pony.submit(TextToImage("x"))
        return (yield job.wait(timeout=timeout))

    answers = [PROCESSING] * (0 if timeout == 0 else 3)
    generation = colour.play(story, service.answers("processing", *answers, DONE), clock, poll=STEADY)
    assert (generation.id, clock.time) == (70010006, timeout)


def test_the_same_job_can_be_waited_for_again(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """A timeout cancels nothing."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        job = yield pony.submit(TextToImage("x"))
        try:
            yield job.wait(timeout=0)
        except errors.JobTimeout:
            return (yield job.wait())

    assert colour.play(story, service.answers("processing", PROCESSING, DONE), clock).id == 70010006


def test_a_generation_that_failed_says_so_with_its_id(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """The answer's own id is empty; the job's is kept."""
    with pytest.raises(errors.GenerationFailed, match="Failed, Try Again") as raised:
        colour.play(make, service.answers("processing", "failed_try_again"), clock)
    assert raised.value.job_id == 70010006


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


def test_a_fetched_answer_without_id_or_with_another_keeps_the_one_asked_for(
    colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """The handle stays what it was."""
    service.answers("processing", {**PROCESSING, "id": ""}, {**DONE, "id": "70010006"})
    assert colour.play(make, service, clock).id == 70010006


@pytest.mark.parametrize("bad", [-1, float("nan"), "60"])
def test_a_time_limit_that_is_none_is_refused_before_anything_is_sent(
    bad: Any, colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """A job that is paid for must not fail on its way out of the client."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.text2img("x", wait_timeout=bad))

    with pytest.raises(errors.InvalidRequestError, match="wait_timeout"):
        colour.play(story, service, clock)
    assert service.calls == []


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
    assert clock.sleeps == [11.5, 30, 2, 4]


def test_no_stated_wait_goes_past_the_deadline(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """The last look is at the deadline, and not 30 s later."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.text2img("x", wait_timeout=20))

    with pytest.raises(errors.JobTimeout):
        colour.play(story, service.answers("processing", "error_429", PROCESSING), clock, poll=STEADY)
    assert service.asked_at == [0, 11.5, 20]


def test_a_good_answer_forgets_the_faults_before_it(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """Only faults in a row count."""
    bad = ["html_502"] * 2
    service.answers("processing", *bad, PROCESSING, *bad, PROCESSING, *bad, DONE)
    assert colour.play(make, service, clock, retry=RetryPolicy(attempts=3)).id == 70010006


def test_the_time_that_submitting_took_counts(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """30 of 40 seconds are gone when the job is accepted."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.text2img("x", wait_timeout=40))

    with pytest.raises(errors.JobTimeout):
        colour.play(story, service.answers("error_429", "processing", *[PROCESSING] * 9), clock, poll=STEADY)
    assert service.asked_at[-1] == 40


def test_after_a_slow_look_past_the_deadline_there_is_no_other(colour: Colour, clock: VirtualClock) -> None:
    """A look that takes 8 s is the last one, if 5 s were left."""
    calls: list[float] = []

    def slow(request: httpx.Request) -> httpx.Response:
        calls.append(clock.time)
        if request.url.path.endswith("fetch"):
            clock.time += 8
        return httpx.Response(200, json=PROCESSING)

    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.text2img("x", wait_timeout=5))

    with pytest.raises(errors.JobTimeout):
        colour.play(story, slow, clock, poll=STEADY)
    assert calls == [0, 1]


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
            assert not pony._gate.locked()

    asyncio.run(run())


def test_a_callback_that_cannot_be_called_costs_nothing(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """It is found before anything is sent."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.text2img("x", on_update="print"))

    with pytest.raises(errors.InvalidRequestError, match="on_update"):
        colour.play(story, service, clock)
    assert service.calls == []


@pytest.mark.parametrize("code", [401, 403, 404])
def test_a_gateways_page_says_nothing_about_the_job(
    code: int, colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """One HTML refusal in the middle does not end the wait; the service's own would."""
    page = httpx.Response(code, text="<html>nginx</html>")
    assert colour.play(make, service.answers("processing", page, DONE), clock).id == 70010006
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


def test_a_coroutine_function_is_no_callback_of_the_blocking_client(service: Service, clock: VirtualClock) -> None:
    """It would never run."""

    async def note(_: Any) -> None: ...

    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.text2img("x", on_update=note))

    with pytest.raises(errors.InvalidRequestError, match="on_update"):
        Colour("sync").play(story, service, clock)
