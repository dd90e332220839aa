"""Both dialects say the same: one as the spec has it, one as the service was seen to."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from typing import Any, Literal

import pytest

from modelslab_pony import TextToImage, errors
from modelslab_pony.testing import Simulator, VirtualClock
from support.both import Colour
from support.scripted import captured

BASE = "https://modelslab.com/api/v6/images"
BODY = {"key": "k", "model_id": "m", "prompt": "p"}
Dialect = Literal["spec", "observed"]


@pytest.fixture
def observed(clock: VirtualClock) -> Simulator:
    return Simulator(dialect="observed", eta=3, queue_limit=None, clock=clock)


def ask(simulator: Simulator, operation: str = "text2img", **change: Any) -> Any:
    answer = simulator.answer("POST", f"{BASE}/{operation}", json.dumps({**BODY, **change}).encode())
    assert answer.status_code == 200
    return json.loads(answer.content)


def kinds(value: Any) -> str:
    return type(value).__name__ + ("" if value or isinstance(value, dict | int) else ", empty")


def test_a_few_jobs_show_every_oddity_of_a_waiting_one(observed: Simulator) -> None:
    """Words, types and hosts, as in the captured replies."""
    answers = [ask(observed) for _ in range(6)]
    assert {name for answer in answers for name in answer} >= {"message", "messege", "tip", "tip_1", "fetch_result"}
    assert not any({"message", "messege"} <= answer.keys() for answer in answers)
    assert {kinds(answer["id"]) for answer in answers} == {"int", "str"}
    assert {kinds(answer["eta"]) for answer in answers} == {"int", "float", "str"}
    assert {kinds(answer["output"]) for answer in answers} == {"list, empty", "str, empty", "NoneType, empty"}
    assert any("meta" not in answer for answer in answers)
    assert {answer["fetch_result"].split("/")[2] for answer in answers} == {"other-host.example"}


def test_a_few_jobs_show_every_oddity_of_a_finished_one(observed: Simulator, clock: VirtualClock) -> None:
    """`proxy_links` as list, nothing or object; what was told at once is not told again."""
    ids = [ask(observed)["id"] for _ in range(6)]
    clock.sleep(30)
    fetched = [ask(observed, "fetch", request_id=str(name)) for name in ids]
    assert {kinds(answer["proxy_links"]) for answer in fetched} == {"list", "dict", "NoneType, empty"}
    assert all(isinstance(answer["output"], list) and answer["output"] for answer in fetched)
    assert not any({"meta", "generationTime"} & answer.keys() for answer in fetched)
    observed.eta = 0
    assert {"meta", "generationTime"} <= ask(observed).keys()


@pytest.mark.parametrize(
    ("change", "options", "reply"),
    [
        ({"key": "wrong"}, {"key": "right"}, "error_200_invalid_key"),
        ({}, {"models": {"other"}}, "error_model_not_found"),
        ({"prompt": None, "width": 8}, {}, "error_200_validation_object"),
        ({}, {"queue_limit": 1}, "error_200_rate_limit_tips"),
        ({}, {"outcome": "failed", "eta": 0}, "failed_try_again"),
    ],
    ids=["key", "model", "fields", "limit", "failed"],
)
def test_refusals_have_the_shape_that_was_captured(
    change: dict[str, Any], options: dict[str, Any], reply: str, clock: VirtualClock
) -> None:
    """Under HTTP 200: the same names, and values of the same types."""
    simulator = Simulator(**{"dialect": "observed", "clock": clock, **options})
    if "queue_limit" in options:
        ask(simulator)
    answer, seen = ask(simulator, **change), captured(reply).body
    assert {name: kinds(value) for name, value in answer.items()} == {n: kinds(value) for n, value in seen.items()}
    if isinstance(seen["message"], dict):
        assert answer["message"] == seen["message"]


def test_a_job_that_nobody_knows_failed(observed: Simulator) -> None:
    """Word for word as it was captured."""
    assert ask(observed, "fetch", request_id="1") == captured("failed_request_not_found").body


def test_numerals_in_texts_and_null_are_taken(observed: Simulator) -> None:
    """The vendor's own example sends them; what is no numeral is refused all the same."""
    sent: dict[str, Any] = {"width": "1152", "guidance_scale": "7.5"}
    assert observed.jobs[ask(observed, seed="7")["id"]].seed == 7
    sent |= {"seed": None, "webhook": None, "track_id": None, "height": None}
    assert observed.jobs[ask(observed, **sent)["id"]].size == (1152, 1024)
    assert ask(observed, width="wide")["message"] == {"width": ["The width must be of another type: integer."]}
    assert ask(observed, width="8")["message"] == {"width": ["The width must be at least 1024."]}


def test_an_image_to_come_is_404_or_a_page(observed: Simulator) -> None:
    """And its second address calls it a text once it is there."""
    for kind in ("text/plain; charset=utf-8", "text/html"):
        answer = observed.answer("GET", ask(observed)["future_links"][0])
        assert answer.content_type == kind
    observed.eta = 0


def test_the_second_address_of_an_image_calls_it_a_text(observed: Simulator, clock: VirtualClock) -> None:
    """As the CDN was seen to."""
    job = observed.jobs[ask(observed)["id"]]
    clock.sleep(3)
    first, second = (observed.answer("GET", job.image_urls(path)[0]) for path in ("/images", "/cdn"))
    assert (first.content_type, second.content_type) == ("image/png", "text/plain")
    assert first.content == second.content


def told(simulator: Simulator, colour: Colour, clock: VirtualClock) -> dict[str, Any]:
    """Everything that a client makes of three jobs, of refusals, and of the account."""
    found: dict[str, Any] = {}

    def story(pony: Any) -> Generator[Any, Any, Any]:
        for number in range(3):
            job = yield pony.submit(TextToImage(f"number {number}", seed=number, samples=2))
            found[f"submitted {number}"] = job.status, float(job.eta)
            status = yield job.refresh()
            found[f"refreshed {number}"] = status.status
            made = yield job.wait()
            first, second = made.images
            seed = number if made.seed is None else made.seed  # some are told neither at once nor later
            found[f"made {number}"] = seed, made.nsfw_content_detected or False, len(made.images)
            found[f"read {number}"] = (yield first.read())[:100], (yield second.read())[:100]
        found["balance"] = (yield pony.balance()).balance
        found["queued"] = yield pony.queued()
        found["model"] = (yield pony.reload_model("m")).status
        calls: dict[str, Callable[[], Any]] = {
            "unknown job": lambda: pony.fetch("1"),
            "unknown model": lambda: pony.text2img("p", model_id="no-such-model"),
            "bad width": lambda: pony.text2img("p", width=8),
        }
        for name, call in calls.items():
            try:
                found[name] = yield call()
            except errors.APIError as error:
                found[name] = type(error)
        simulator.key = "another"
        try:
            yield pony.text2img("p")
        except errors.APIError as error:
            found["wrong key"] = type(error)

    colour.play_on(story, simulator.transport(), clock, strict=False)
    return found


def test_both_mean_the_same_to_both_clients(colour: Colour) -> None:
    """Jobs, images, refusals, the account: nothing that was said oddly is lost or misread."""
    means = {}
    for dialect in ("spec", "observed"):
        clock = VirtualClock()
        simulator = Simulator(dialect=dialect, models={"pony-realism", "m"}, clock=clock)
        means[dialect] = told(simulator, colour, clock)
    assert means["spec"] == means["observed"]
    assert means["spec"]["wrong key"] is errors.AuthenticationError


def test_a_full_queue_is_understood_in_both(colour: Colour, clock: VirtualClock) -> None:
    """The wait stands in the body, or in a hint."""
    for dialect in ("spec", "observed"):
        simulator = Simulator(dialect=dialect, eta=12, queue_limit=1, clock=clock)

        def story(pony: Any) -> Generator[Any, Any, Any]:
            yield pony.submit(TextToImage("first"))
            yield pony.submit(TextToImage("second"))

        began = clock.time
        colour.play_on(story, simulator.transport(), clock)
        assert clock.time - began == pytest.approx(12, abs=3)
        assert len(simulator.jobs) == 2


def test_which_oddity_depends_on_the_jobs_number(observed: Simulator) -> None:
    """Every third id is a text."""
    assert [type(ask(observed)["id"]) for _ in range(6)] == [int, int, str, int, int, str]


def test_hints_and_sentences(clock: VirtualClock) -> None:
    """Waits are rounded up, limits are named."""
    simulator = Simulator(dialect="observed", eta=2.5, queue_limit=1, clock=clock)
    ask(simulator)
    assert "wait for 3 seconds" in ask(simulator)["tips"]
    said = ask(simulator, width=5000, samples=0, safety_checker="maybe")["message"]
    assert said == {
        "width": ["The width may not be greater than 2048."],
        "samples": ["The samples must be at least 1."],
        "safety_checker": ["The selected safety checker is invalid."],
    }
