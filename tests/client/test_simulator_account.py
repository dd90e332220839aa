"""The simulator's account: its queue, its money, its models, and what it remembers."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Generator
from typing import Any

import httpx
import pytest

from modelslab_pony import RetryPolicy, TextToImage, errors
from modelslab_pony.testing import Simulator, VirtualClock, faults
from support.both import Colour
from support.scripted import PNG

BASE = "https://modelslab.com/api/v6/images"
UPLOAD = "https://modelslab.com/api/v6/base64_to_url"
BODY = {"key": "k", "model_id": "pony-realism", "prompt": "a lighthouse"}


def ask(simulator: Simulator, operation: str = "text2img", **change: Any) -> tuple[int, Any]:
    body = {name: value for name, value in {**BODY, **change}.items() if value is not None}
    answer = simulator.answer("POST", f"{BASE}/{operation}", json.dumps(body).encode())
    return answer.status_code, json.loads(answer.content)


def submit(simulator: Simulator, **change: Any) -> Any:
    status_code, answer = ask(simulator, **change)
    assert status_code == 200, answer
    return simulator.jobs[answer["id"]]


# --- the queue -------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [5, 10, 15])
def test_a_full_queue_is_429_and_says_when_there_is_a_place(limit: int, clock: VirtualClock) -> None:
    """The wait stands in the body, in whole seconds; after it, and not before, the next is taken."""
    simulator = Simulator(eta=7.5, queue_limit=limit, clock=clock)
    for _ in range(limit):
        submit(simulator)
    clock.sleep(0.25)
    status_code, answer = ask(simulator)
    assert (status_code, answer["status"], answer["retry_after"]) == (429, "error", 8)
    assert answer["message"] == f"Rate limit exceeded. Maximum {limit} queued requests allowed."
    clock.sleep(7.24)
    assert ask(simulator)[0] == 429
    clock.sleep(0.01)
    assert ask(simulator)[0] == 200
    assert len(simulator.jobs) == limit + 1


def test_jobs_are_worked_on_first_in_first_out(clock: VirtualClock) -> None:
    """One after the other, also when a later one is shorter; the eta counts the wait."""
    simulator = Simulator(eta=10, clock=clock)
    first = submit(simulator)
    simulator.eta = 1
    second = submit(simulator)
    assert ask(simulator, "fetch", request_id=str(second.id))[1]["eta"] == 11
    assert [job.status(clock.time) for job in (first, second)] == ["processing", "queued"]
    assert simulator.queued == 2
    clock.sleep(10)
    assert [job.status(clock.time) for job in (first, second)] == ["success", "processing"]
    clock.sleep(1)
    assert [job.status(clock.time) for job in (first, second)] == ["success", "success"]
    assert simulator.queued == 0


def test_several_may_be_worked_on_at_once(clock: VirtualClock) -> None:
    """Then the third begins when the first of two ends."""
    simulator = Simulator(eta=10, workers=2, clock=clock)
    first, second = submit(simulator), submit(simulator)
    clock.sleep(4)
    third = submit(simulator)
    assert [(job.started_at, job.ready_at) for job in (first, second, third)] == [(0, 10), (0, 10), (10, 20)]


def test_an_idle_account_begins_at_once(clock: VirtualClock) -> None:
    """Nothing is carried over from before."""
    simulator = Simulator(eta=2, clock=clock)
    submit(simulator)
    clock.sleep(100)
    assert submit(simulator).ready_at == 102


def test_a_limit_that_is_lowered_holds_until_enough_are_done(clock: VirtualClock) -> None:
    """And None lifts it."""
    simulator = Simulator(eta=1, queue_limit=4, clock=clock)
    for _ in range(4):
        submit(simulator)
    simulator.queue_limit = 2
    assert ask(simulator)[1]["retry_after"] == 3
    simulator.queue_limit = None
    assert ask(simulator)[0] == 200


def test_a_client_that_waits_as_told_gets_its_turn(colour: Colour, clock: VirtualClock) -> None:
    """Both clients, from the body's retry_after; no image is made twice."""
    simulator = Simulator(eta=20, queue_limit=1, clock=clock)

    def story(pony: Any) -> Generator[Any, Any, Any]:
        yield pony.submit(TextToImage("first"))
        second = yield pony.submit(TextToImage("second"))
        return (yield second.wait())

    colour.play_on(story, simulator.transport(), clock, retry=RetryPolicy(attempts=2, max_delay=60))
    assert [job.prompt for job in simulator.jobs.values()] == ["first", "second"]
    assert [submission.status_code for submission in simulator.submissions] == [200, 429, 200]


def test_many_tasks_at_once_are_all_served(clock: VirtualClock) -> None:
    """Each gets its own image."""
    simulator = Simulator(eta=3, queue_limit=None, clock=clock)

    async def story() -> list[Any]:
        async with simulator.async_client() as pony:
            return await asyncio.gather(*(pony.text2img(f"number {number}") for number in range(30)))

    made = asyncio.run(story())
    assert [generation.meta["prompt"] for generation in made] == [f"number {number}" for number in range(30)]
    assert len({generation.id for generation in made}) == 30


# --- money, models, keys ---------------------------------------------------------------------------------


def test_an_image_costs(clock: VirtualClock) -> None:
    """Each sample, from acceptance on; a refused request costs nothing; without money nothing is made."""
    simulator = Simulator(balance=0.1, price=0.03, clock=clock)
    ask(simulator, samples=5)
    assert simulator.balance == 0.1
    submit(simulator, samples=3)
    assert ask(simulator, "../../wallet_balance")[0] == 404
    answer = simulator.answer("POST", "https://modelslab.com/api/wallet_balance", b'{"key": "k"}')
    assert json.loads(answer.content) == {"status": "success", "data": {"balance": 0.01, "currency": "USD"}}
    status_code, refused = ask(simulator)
    assert (status_code, refused["message"]) == (402, "Insufficient credits. Please add more credits to continue.")
    assert len(simulator.jobs) == 1
    simulator.balance = 0.03
    submit(simulator)
    assert simulator.balance == pytest.approx(0)


@pytest.mark.parametrize("operation", ["text2img", "model_reload"])
def test_an_unknown_model(operation: str, clock: VirtualClock) -> None:
    """Where models are named, no other is there."""
    simulator = Simulator(models={"pony-realism"}, clock=clock)
    assert ask(simulator, operation)[0] == 200
    status_code, answer = ask(simulator, operation, model_id="no-such-model")
    assert (status_code, answer) == (404, {"status": "error", "message": "Model not found: no-such-model"})


def test_a_model_takes_two_minutes_to_load_and_is_put_away_after_a_week(clock: VirtualClock) -> None:
    """The vendor's figures; what a generation uses is loaded."""
    simulator = Simulator(clock=clock)

    def reload() -> str:
        status_code, answer = ask(simulator, "model_reload", prompt=None)
        assert status_code == 200
        return str(answer["status"])

    assert reload() == "processing"
    clock.sleep(119.9)
    assert reload() == "processing"
    clock.sleep(0.1)
    assert reload() == "success"
    clock.sleep(7 * 24 * 3600 - 1)
    submit(simulator)
    clock.sleep(7 * 24 * 3600 - 1)
    assert reload() == "success"
    clock.sleep(7 * 24 * 3600)
    assert reload() == "processing"


def test_the_count_may_be_asked_thirty_times_a_minute(clock: VirtualClock) -> None:
    """The vendor's limit; then 429, with the wait."""
    simulator = Simulator(clock=clock)
    url = "https://modelslab.com/api/v6/processing/request_count"
    for _ in range(30):
        assert simulator.answer("POST", url, b'{"key": "k"}').status_code == 200
        clock.sleep(1)
    answer = simulator.answer("POST", url, b'{"key": "k"}')
    assert (answer.status_code, json.loads(answer.content)["retry_after"]) == (429, 30)
    clock.sleep(30)
    assert simulator.answer("POST", url, b'{"key": "k"}').status_code == 200


@pytest.mark.parametrize("operation", ["processing/request_count", "../wallet_balance"])
def test_where_the_spec_knows_no_400_only_the_key_can_be_wrong(operation: str, clock: VirtualClock) -> None:
    """No key, a bad one, no JSON: 401."""
    url = {"processing/request_count": "v6/processing/request_count", "../wallet_balance": "wallet_balance"}[operation]
    for body in (b"{}", b'{"key": 1}', b"[]", b"{", b'{"key": NaN}'):
        assert Simulator(clock=clock).answer("POST", f"https://modelslab.com/api/{url}", body).status_code == 401


# --- images ------------------------------------------------------------------------------------------------


def test_the_safety_checker_withholds_what_is_unsafe(colour: Colour, clock: VirtualClock) -> None:
    """A black picture and a flag; not where it is switched off, and not for a part of a word."""
    simulator = Simulator(eta=0, unsafe_words={"explicit"}, clock=clock)

    def story(pony: Any) -> Generator[Any, Any, Any]:
        checked = yield pony.text2img("An EXPLICIT lighthouse", seed=1)
        unchecked = yield pony.text2img("An EXPLICIT lighthouse", seed=1, safety_checker=False)
        harmless = yield pony.text2img("explicitly a lighthouse", seed=1)
        found = []
        for made in (checked, unchecked, harmless):
            picture = yield made.images[0].to_pil()
            found.append((made.nsfw_content_detected, picture.convert("RGB").getextrema()))
        return found

    checked, unchecked, harmless = colour.play_on(story, simulator.transport(), clock)
    assert checked == (True, ((0, 0), (0, 0), (0, 0)))
    assert (unchecked[0], harmless[0]) == (False, False)
    assert unchecked[1] != checked[1] != harmless[1]


def test_image_urls_expire(clock: VirtualClock) -> None:
    """Both copies, so long after the job was done; the job itself is still known."""
    simulator = Simulator(eta=5, image_life=60, clock=clock)
    job = submit(simulator)
    urls = job.image_urls() + job.image_urls("/cdn")
    clock.sleep(64.9)
    assert [simulator.answer("GET", url).status_code for url in urls] == [200, 200]
    clock.sleep(0.1)
    assert [simulator.answer("GET", url).status_code for url in urls] == [404, 404]
    assert ask(simulator, "fetch", request_id=str(job.id))[1]["status"] == "success"


def test_head_tells_of_an_image_without_it(clock: VirtualClock) -> None:
    """Its type and its length."""
    simulator = Simulator(eta=0, clock=clock)
    (url,) = submit(simulator).image_urls()
    whole, head = simulator.answer("GET", url), simulator.answer("HEAD", url)
    assert (list(head.pieces()), head.head()) == ([], whole.head())
    with httpx.Client(transport=simulator.transport()) as client:
        assert (client.head(url).content, client.get(url).content) == (b"", whole.content)


# --- what it remembers ---------------------------------------------------------------------------------------


def test_submissions_are_what_was_asked_for(clock: VirtualClock) -> None:
    """Accepted or not, in order, without the key."""
    simulator = Simulator(eta=0, clock=clock)
    submit(simulator, key="sk-secret-0123", seed=3)
    ask(simulator, key="sk-secret-0123", prompt=None)
    simulator.answer("POST", f"{BASE}/img2img", b"no JSON")
    ask(simulator, "fetch", request_id="70010001")
    made, refused, unread = simulator.submissions
    assert made.request == {"model_id": "pony-realism", "prompt": "a lighthouse", "seed": 3}
    assert (made.operation, made.status_code, made.job_id, made.accepted) == ("text2img", 200, 70010001, True)
    assert (refused.status_code, refused.job_id, refused.accepted) == (400, None, False)
    assert (unread.operation, unread.request) == ("img2img", {})
    assert "sk-secret" not in repr((simulator.submissions, simulator.requests))


def test_the_oldest_finished_jobs_are_forgotten(clock: VirtualClock) -> None:
    """Never one that is not done; ids go on."""
    simulator = Simulator(eta=1, retention=2, queue_limit=None, clock=clock)
    for _ in range(4):
        submit(simulator)
    assert len(simulator.jobs) == 4
    clock.sleep(10)
    simulator.eta = 0
    last = submit(simulator)
    assert list(simulator.jobs) == [70010004, 70010005]
    assert last.id == 70010005
    assert ask(simulator, "fetch", request_id="70010001")[0] == 404
    assert len(simulator.submissions) == 2


# --- what it cannot be --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("eta", -1),
        ("eta", "3"),
        ("eta", float("nan")),
        ("eta", float("inf")),
        ("eta", True),
        ("outcome", "bad"),
        ("dialect", "latin"),
        ("key", b"sk-secret"),
        ("models", "pony-realism"),
        ("models", [1]),
        ("queue_limit", 0),
        ("queue_limit", 2.5),
        ("queue_limit", True),
        ("workers", 0),
        ("price", -0.1),
        ("balance", "much"),
        ("unsafe_words", "nsfw"),
        ("image_life", -1),
        ("webhook_hosts", "app"),
        ("retention", 0),
    ],
)
def test_an_option_that_cannot_be_is_refused(option: str, value: Any) -> None:
    """When it is made, and when it is changed; the message names it and the value."""
    options: Any = {option: value}
    with pytest.raises(ValueError, match=f"{option} must be") as raised:
        Simulator(**options)
    assert repr(value) in str(raised.value) or option == "key"
    if option not in {"workers", "webhook_hosts", "retention"}:
        simulator = Simulator()
        with pytest.raises(ValueError, match=f"{option} must be"):
            setattr(simulator, option, value)


def test_numbers_that_json_cannot_give_back_are_refused(clock: VirtualClock) -> None:
    """Neither NaN nor what is beyond a float; the answer stays JSON."""
    for number in ("NaN", "Infinity", "-Infinity", "1e999"):
        body = f'{{"key": "k", "model_id": "m", "prompt": "p", "extra": {number}}}'.encode()
        assert Simulator(clock=clock).answer("POST", f"{BASE}/text2img", body).status_code == 400


def test_a_generation_that_failed_is_told_by_both_clients(colour: Colour, clock: VirtualClock) -> None:
    """With the job's id, in both dialects."""
    for dialect in ("spec", "observed"):
        simulator = Simulator(outcome="failed", dialect=dialect, clock=clock)

        def story(pony: Any) -> Generator[Any, Any, Any]:
            return (yield pony.text2img("a lighthouse"))

        with pytest.raises(errors.GenerationFailed) as raised:
            colour.play_on(story, simulator.transport(), clock)
        assert raised.value.job_id in simulator.jobs


# --- smaller facts ---------------------------------------------------------------------------------------------


def test_a_fraction_of_a_cent_counts(clock: VirtualClock) -> None:
    """To nine digits, without drift."""
    simulator = Simulator(eta=0, price=0.001, clock=clock)
    for _ in range(7):
        submit(simulator)
    assert simulator.balance == 24.993


def test_asking_for_a_model_is_use(clock: VirtualClock) -> None:
    """A reload on the sixth day keeps it for another week."""
    simulator = Simulator(clock=clock)
    ask(simulator, "model_reload")
    for days, status in ((1, "success"), (6, "success"), (6, "success"), (8, "processing")):
        clock.sleep(days * 24 * 3600)
        assert ask(simulator, "model_reload")[1]["status"] == status


def test_a_new_job_is_not_forgotten_in_favour_of_one_that_waits(clock: VirtualClock) -> None:
    """Though it is the only one that is done, and one too many."""
    simulator = Simulator(eta=100, workers=2, retention=1, clock=clock)
    submit(simulator)
    simulator.eta = 0
    job = submit(simulator)
    assert ask(simulator, "fetch", request_id=str(job.id))[1]["status"] == "success"


def test_meta_uses_the_services_names(clock: VirtualClock) -> None:
    """W, H, steps and n_samples in the place of ours; no key."""
    meta = submit(Simulator(eta=0, clock=clock), samples=2, width=1152, height=1032, num_inference_steps=21).meta()
    assert (meta["n_samples"], meta["W"], meta["H"], meta["steps"]) == (2, 1152, 1032, 21)
    assert not {"samples", "width", "height", "num_inference_steps", "key"} & meta.keys()


def test_accepted_is_what_was_paid_for(clock: VirtualClock) -> None:
    """Whatever the status says: a refusal under 200 was not, a lost answer was."""
    simulator = Simulator(dialect="observed", key="right", clock=clock)
    ask(simulator, key="wrong")
    simulator.faults.add(faults.Drop())
    simulator.answer("POST", f"{BASE}/text2img", json.dumps({**BODY, "key": "right"}).encode())
    refused, lost = simulator.submissions
    assert (refused.status_code, refused.accepted, refused.said) == (200, False, "error (Invalid Api Key)")
    assert (lost.status_code, lost.accepted, lost.job_id) == (None, True, 70010001)


def test_the_time_that_a_job_took_is_without_its_wait(clock: VirtualClock) -> None:
    """In the queue it took none."""
    simulator = Simulator(eta=3, clock=clock)
    submit(simulator)
    second = submit(simulator)
    clock.sleep(6)
    assert ask(simulator, "fetch", request_id=str(second.id))[1]["generationTime"] == 3


def test_each_problem_is_told(clock: VirtualClock) -> None:
    """In one answer; an empty text is none that was left out, a text is no URI; the key is never shown."""
    simulator = Simulator(clock=clock)
    message = ask(simulator, prompt="", width=8, samples=9)[1]["message"]
    assert all(said in message for said in ("prompt: ", "width: ", "samples: "))
    status_code, answer = ask(simulator, "img2img", init_image="not a uri")
    assert (status_code, "init_image: " in answer["message"]) == (400, True)
    assert ask(simulator, webhook="")[0] == 200
    assert "sk-secret" not in repr(Simulator(key="sk-secret")._core.options)


@pytest.mark.parametrize(("levels", "status_code"), [(511, 200), (512, 400)])
def test_json_may_be_512_levels_deep(levels: int, status_code: int, clock: VirtualClock) -> None:
    """The body is the first of them."""
    body = json.dumps(BODY)[:-1] + ', "deep": ' + "[" * levels + "]" * levels + "}"
    assert Simulator(clock=clock).answer("POST", f"{BASE}/text2img", body.encode()).status_code == status_code


def test_what_is_no_base64_is_refused_whole(clock: VirtualClock) -> None:
    """Not read past its mistakes; two images are two uploads."""
    simulator = Simulator(clock=clock)
    urls = []
    for content in (PNG, PNG + b"another"):
        text = base64.b64encode(content).decode()
        answer = simulator.answer("POST", UPLOAD, json.dumps({"key": "k", "base64_string": text}).encode())
        urls.append(json.loads(answer.content)["output"][0])
        spoilt = json.dumps({"key": "k", "base64_string": text[:8] + "!" + text[8:]}).encode()
        assert simulator.answer("POST", UPLOAD, spoilt).status_code == 400
    assert [simulator.answer("GET", url).content for url in urls] == [PNG, PNG + b"another"]


def test_the_defaults(clock: VirtualClock) -> None:
    """Five in the queue, a day for an image, a word that is unsafe, seeds that a seed decides."""
    simulator = Simulator(eta=0, clock=clock)
    job = submit(simulator, prompt="a NSFW lighthouse")
    assert (job.nsfw, simulator.queue_limit, simulator.key, simulator.balance) == (True, 5, None, 24.99)
    clock.sleep(24 * 3600 - 1)
    assert simulator.answer("GET", job.image_urls()[0]).status_code == 200
    clock.sleep(1)
    assert simulator.answer("GET", job.image_urls()[0]).status_code == 404
    seeds = [submit(Simulator(seed=seed, clock=clock)).seed for seed in (1, 1, 2)]
    assert seeds[0] == seeds[1] != seeds[2]


def test_a_clock_may_begin_anywhere() -> None:
    """Before its zero, too."""
    assert ask(Simulator(eta=3, clock=VirtualClock(start=-1000)))[1]["eta"] == 3
