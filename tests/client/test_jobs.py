"""From submission to result: polling, resuming, and what happens when time is over."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import httpx
import pytest

from modelslab_pony import PollPolicy, TextToImage, errors
from modelslab_pony._experience import Beliefs
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
    """The captured eta is 12 s: asked a little before, then a step, two and four later."""
    service.answers("processing", PROCESSING, PROCESSING, PROCESSING, DONE)
    generation = colour.play(make, service, clock, poll=STEADY)
    assert generation.images[0].url == "https://images.example/f6.png"
    outlook = Beliefs().outlook(12.0)
    first, step = outlook.first - STEADY.lead, outlook.step
    assert 9 < first < 12
    assert 1 < step < 1.2
    assert service.asked_at == pytest.approx([0, first, first + step, first + 3 * step, first + 7 * step])
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

    answers = [PROCESSING] * (0 if timeout == 0 else 2)
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


def test_a_callback_that_cannot_be_called_costs_nothing(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """It is found before anything is sent."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.text2img("x", on_update="print"))

    with pytest.raises(errors.InvalidRequestError, match="on_update"):
        colour.play(story, service, clock)
    assert service.calls == []


def test_a_coroutine_function_is_no_callback_of_the_blocking_client(service: Service, clock: VirtualClock) -> None:
    """It would never run."""

    async def note(_: Any) -> None: ...

    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.text2img("x", on_update=note))

    with pytest.raises(errors.InvalidRequestError, match="on_update"):
        Colour("sync").play(story, service, clock)
