"""What an application's own test-suite gets from the package."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from modelslab_pony import (
    AsyncPonyClient,
    AuthenticationError,
    ConfigurationError,
    JobTimeout,
    PonyClient,
    PonyError,
    RateLimitError,
    TextToImage,
)
from modelslab_pony.testing import Simulator, VirtualClock, faults
from modelslab_pony.testing.server import serving


def test_the_fixtures_belong_together(
    pony_simulator: Simulator, pony_client: PonyClient, async_pony_client: AsyncPonyClient, pony_clock: VirtualClock
) -> None:
    """One simulator, one clock, both clients."""
    pony_client.text2img("a lighthouse")
    asyncio.run(async_pony_client.text2img("a harbour"))
    assert [submission.request["prompt"] for submission in pony_simulator.submissions] == ["a lighthouse", "a harbour"]
    assert pony_simulator.clock is pony_clock
    assert pony_clock.time >= 6


def test_each_test_has_its_own(pony_simulator: Simulator) -> None:
    """Nothing is left of the one before."""
    assert pony_simulator.submissions == []


@pytest.mark.parametrize("pony_simulator_options", [{"eta": 0, "dialect": "observed"}])
def test_options_are_a_fixture(pony_simulator: Simulator, pony_client: PonyClient, pony_clock: VirtualClock) -> None:
    """That a project, or a test, may replace."""
    assert pony_client.text2img("a lighthouse").images
    assert (pony_simulator.dialect, pony_clock.time) == ("observed", 0)


def test_a_client_that_the_application_makes_is_taken_over(
    pony_takeover: Simulator, pony_clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of both kinds; with the key of the environment, in no time, and with the defaults of a real one."""
    monkeypatch.setenv("MODELSLAB_BASE_URL", "http://127.0.0.1:9/api/v6/images")
    with PonyClient() as pony:
        made = pony.text2img("a lighthouse", wait_timeout=10)

    async def story() -> Any:
        async with AsyncPonyClient() as pony:
            return await pony.text2img("a harbour", wait_timeout=10)

    assert asyncio.run(story()).images
    assert [job.prompt for job in pony_takeover.jobs.values()] == ["a lighthouse", "a harbour"]
    assert pony_clock.time >= 6
    with pytest.raises(ConfigurationError, match="closed"):
        made.images[0].read()


def test_after_a_takeover_all_is_as_before(clock: VirtualClock) -> None:
    """No key, and the real service's address."""
    with Simulator(clock=clock).takeover() as simulator:
        assert PonyClient().balance().balance == 25
    assert len(simulator.requests) == 1
    with pytest.raises(ConfigurationError, match="no API key"):
        PonyClient()
    assert PonyClient("a-key-0123")._now is not clock.now


def test_a_takeover_does_not_ask_where_the_environment_points(
    clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A developer's own address is set aside, and set again afterwards."""
    monkeypatch.setenv("MODELSLAB_BASE_URL", "http://127.0.0.1:9")
    with Simulator(clock=clock).takeover(), PonyClient() as pony:
        assert pony.text2img("a lighthouse").images
    assert os.environ["MODELSLAB_BASE_URL"] == "http://127.0.0.1:9"


def test_takeovers_may_overlap(clock: VirtualClock) -> None:
    """The later one decides; when the last is over, in whatever order, all is as before."""
    one, two = Simulator(clock=clock), Simulator(eta=0)
    first, second = one.takeover(), two.takeover()
    first.__enter__()
    second.__enter__()
    assert PonyClient()._now is time.monotonic
    PonyClient().balance()
    first.__exit__(None, None, None)
    PonyClient().balance()
    second.__exit__(None, None, None)
    assert (len(one.requests), len(two.requests)) == (0, 2)
    with pytest.raises(ConfigurationError, match="no API key"):
        PonyClient()


def test_a_client_knows_the_key_that_the_simulator_was_made_with(clock: VirtualClock) -> None:
    """One that is changed later is another: so a wrong key is tried."""
    simulator = Simulator(key="sk-own-0123", clock=clock)
    with simulator.client() as pony, simulator.takeover(), PonyClient() as taken:
        assert pony.balance() == taken.balance()
        simulator.key = "sk-another-0123"
        for client in (pony, taken):
            with pytest.raises(AuthenticationError):
                client.balance()


def test_the_simulators_clients_are_as_patient_as_real_ones(pony_simulator: Simulator, pony_client: PonyClient) -> None:
    """A slow answer is waited for; a closed one is closed."""
    pony_simulator.faults.add(faults.Late(100), on="text2img")
    with pony_client:
        job = pony_client.submit(TextToImage("a lighthouse"))
    with pytest.raises(ConfigurationError, match="closed"):
        job.refresh()


# --- the clock ------------------------------------------------------------------------------------------


def test_tasks_sleep_side_by_side(clock: VirtualClock) -> None:
    """As in real time: the shortest wakes first, and the time goes to the longest."""
    woke: list[tuple[float, float]] = []

    async def one(seconds: float) -> None:
        await clock.sleep_async(seconds)
        woke.append((seconds, clock.time))
        await clock.sleep_async(seconds)
        woke.append((seconds, clock.time))

    async def story() -> None:
        await asyncio.gather(*(one(seconds) for seconds in (5, 2, 3)))

    asyncio.run(story())
    assert woke == [(2, 2), (3, 3), (2, 4), (5, 5), (3, 6), (5, 10)]


def test_a_sleeper_that_is_cancelled_holds_nobody_up(clock: VirtualClock) -> None:
    """Nor does the time go to where it would have woken."""

    async def story() -> None:
        short = asyncio.ensure_future(clock.sleep_async(1))
        long = asyncio.ensure_future(clock.sleep_async(5))
        await asyncio.sleep(0)
        short.cancel()
        await long

    asyncio.run(story())
    assert clock.time == 5


def test_a_sleep_goes_forward(clock: VirtualClock) -> None:
    """In both colours."""
    for seconds in (-1, float("nan")):
        with pytest.raises(ValueError, match="seconds must be 0 or more"):
            clock.sleep(seconds)
        with pytest.raises(ValueError, match="seconds must be 0 or more"):
            asyncio.run(clock.sleep_async(seconds))
    assert clock.time == 0


def test_a_crowd_meets_the_limits_that_it_would_really_meet(clock: VirtualClock) -> None:
    """Ten at once, one after the other, five seconds each is willing to wait: five get their image."""
    simulator = Simulator(eta=1, queue_limit=None, clock=clock)

    async def story() -> list[Any]:
        async with simulator.async_client() as pony:
            calls = (pony.text2img(f"number {number}", wait_timeout=5) for number in range(10))
            return await asyncio.gather(*calls, return_exceptions=True)

    found = asyncio.run(story())
    assert [type(one) is JobTimeout for one in found] == [False] * 5 + [True] * 5


def test_a_crowd_fills_the_queue(clock: VirtualClock) -> None:
    """And is refused beyond it; as many are accepted as were told so."""
    simulator = Simulator(eta=30, clock=clock)

    async def story() -> list[Any]:
        async with simulator.async_client() as pony:
            calls = (pony.submit(TextToImage(f"number {number}")) for number in range(15))
            return await asyncio.gather(*calls, return_exceptions=True)

    found = asyncio.run(story())
    refused = [one for one in found if isinstance(one, RateLimitError)]
    assert len(simulator.jobs) == len(found) - len(refused)
    assert refused


# --- small things -----------------------------------------------------------------------------------------------


def test_a_simulator_says_what_it_holds(pony_simulator: Simulator, pony_client: PonyClient) -> None:
    """In a failed assertion, for instance."""
    pony_simulator.faults.add(faults.HTML(503), on="fetch", times=2)
    pony_client.submit(TextToImage("a lighthouse"))
    held = "1 jobs, 1 queued, balance 24.99"
    to_come = "HTML(status_code=503, accepted=False), 2 times on fetch"
    assert repr(pony_simulator) == f"<Simulator spec: {held}; faults: {to_come}>"


@pytest.mark.parametrize("name", ["queue_limits", "workers", "webhook_hosts", "retention"])
def test_what_would_change_nothing_cannot_be_set(name: str, pony_simulator: Simulator) -> None:
    """A misspelt option, or one that is decided at the beginning; the others are named."""
    with pytest.raises(AttributeError, match=f"'{name}' cannot be set.* queue_limit"):
        setattr(pony_simulator, name, 3)


def test_a_job_is_found_by_any_form_of_its_id(clock: VirtualClock) -> None:
    """A number, the same as a text, and the texts of the observed dialect."""
    simulator = Simulator(eta=0, dialect="observed", clock=clock)
    with simulator.client() as pony:
        ids = [pony.text2img("a lighthouse").id for _ in range(3)]
    for id in ids:
        assert simulator.job(id) is simulator.job(str(id)) is simulator.jobs[id]  # type: ignore[index]  # no None here
    with pytest.raises(KeyError, match="no job 5; there are 70010001"):
        simulator.job(5)


def test_faults_that_befell_nothing_are_told(pony_simulator: Simulator, pony_client: PonyClient) -> None:
    """Also those without end that never applied; not those that did."""
    pony_simulator.faults.add(faults.HTML(502), on="inpaint")
    pony_simulator.faults.add(faults.Late(1), on="upload", times=None)
    pony_simulator.faults.add(faults.Late(1), on="text2img", times=None)
    pony_client.text2img("a lighthouse")
    with pytest.raises(AssertionError, match=r"HTML.* on inpaint; Late\(seconds=1\), always on upload$"):
        pony_simulator.faults.assert_used()
    assert len(pony_simulator.faults) == 3


def test_a_webhooks_fault_waits_for_a_webhook(pony_simulator: Simulator, pony_client: PonyClient) -> None:
    """And a request's for a request, whatever the function says."""
    pony_simulator.faults.script(faults.WebhookNever(), on=lambda _: True)
    pony_simulator.faults.script(faults.Reply(500, {"status": "error", "message": "no"}), on=lambda _: True)
    with pytest.raises(PonyError):
        pony_client.submit(TextToImage("a lighthouse", webhook="http://127.0.0.1:9/"))
    assert str(pony_simulator.faults).startswith("WebhookNever()")
    pony_client.submit(TextToImage("a lighthouse", webhook="http://127.0.0.1:9/"))
    assert len(pony_simulator.faults) == 0


# --- in a project of its own -------------------------------------------------------------------------------------


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_a_project_gets_the_fixtures_by_itself(tmp_path: Path) -> None:
    """Without a conftest or an import; it replaces the options by a fixture of its own."""
    (tmp_path / "test_app.py").write_text(
        """
import pytest

@pytest.fixture
def pony_simulator_options():
    return {"eta": 0}

def test_app(pony_client, pony_simulator, async_pony_client, pony_takeover):
    assert pony_client.text2img("a lighthouse").images
    assert [submission.accepted for submission in pony_simulator.submissions] == [True]
""",
        "utf-8",
    )
    done = python(tmp_path, "-m", "pytest", "-q", "-W", "error")
    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done.stdout + done.stderr


def test_a_project_that_does_not_use_it_pays_nothing(tmp_path: Path) -> None:
    """pytest loads the plugin, and nothing that the simulator or the client needs."""
    (tmp_path / "test_nothing.py").write_text(
        """
import sys

def test_nothing(request):
    assert request.config.pluginmanager.hasplugin("modelslab_pony")
    heavy = {"httpx", "attrs", "attr", "PIL", "starlette", "uvicorn", "jsonschema", "modelslab_pony_raw"}
    assert heavy & set(sys.modules) == set()
    ours = {name for name in sys.modules if name.startswith("modelslab_pony")}
    assert ours == {"modelslab_pony", "modelslab_pony.testing", "modelslab_pony.testing.plugin"}
""",
        "utf-8",
    )
    others = [f"-p no:{name}" for name in ("hypothesispytest", "schemathesis", "anyio", "respx", "docker", "timeout")]
    done = python(tmp_path, "-m", "pytest", "-q", *" ".join(others).split())
    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done.stdout + done.stderr


def test_a_refusal_in_force_has_befallen_somebody(pony_simulator: Simulator, pony_client: PonyClient) -> None:
    """On the wire, where it lasts; and what lets a request pass is no fault that could be left."""
    pony_simulator.faults.script(faults.HTML(502), None, on="text2img")
    with pytest.raises(PonyError):
        pony_client.submit(TextToImage("a lighthouse"))
    pony_simulator.faults.assert_used()
    with serving(pony_simulator):
        pony_simulator.faults.add(faults.Refuse(60))
        pony_simulator.faults.assert_used()


def test_several_options_change_or_none(pony_simulator: Simulator) -> None:
    """What cannot be leaves the others as they were."""
    pony_simulator.change(eta=9, queue_limit=2)
    with pytest.raises(ValueError, match="outcome must be"):
        pony_simulator.change(eta=1, outcome="bad")
    for name in ("workers", "etas", "answer"):
        with pytest.raises(AttributeError, match=f"'{name}' cannot be set"):
            pony_simulator.change(eta=1, **{name: 2})
    assert (pony_simulator.eta, pony_simulator.queue_limit, pony_simulator.outcome) == (9, 2, "success")


def test_a_crowd_of_sleepers_is_woken_in_time(clock: VirtualClock) -> None:
    """Each at its own; the same clock serves one loop after the other."""

    async def one(seconds: float) -> float:
        await clock.sleep_async(seconds)
        return clock.time

    async def story(begin: float) -> None:
        woke = await asyncio.gather(*(one(number / 10) for number in range(1000)))
        assert woke == pytest.approx([begin + number / 10 for number in range(1000)])

    asyncio.run(story(0))
    asyncio.run(story(99.9))


def test_somebody_who_waits_with_open_eyes_is_not_waited_for_for_ever(clock: VirtualClock) -> None:
    """A loop that looks at the clock until a sleeper is done."""

    async def story() -> None:
        sleeper = asyncio.ensure_future(clock.sleep_async(5))
        while not sleeper.done():
            clock.now()
            await asyncio.sleep(0)

    asyncio.run(story())
    assert clock.time == 5


def test_time_never_goes_back(clock: VirtualClock) -> None:
    """Though somebody blocks for longer than a sleeper sleeps."""

    async def story() -> None:
        sleeper = asyncio.ensure_future(clock.sleep_async(1))
        await asyncio.sleep(0)
        clock.sleep(10)
        await sleeper

    asyncio.run(story())
    assert clock.time == 10


def test_who_looks_at_the_clock_is_awake(clock: VirtualClock) -> None:
    """And is waited for before the time goes on."""
    seen: list[float] = []

    async def busy() -> None:
        for _ in range(50):
            seen.append(clock.now())
            await asyncio.sleep(0)

    async def story() -> None:
        await asyncio.gather(clock.sleep_async(5), busy())

    asyncio.run(story())
    assert seen == [0] * 50


def test_a_client_with_an_httpx_client_of_its_own_is_left_alone(pony_takeover: Simulator) -> None:
    """It goes where its owner sends it, in its owner's time."""
    with httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(500))) as inner:
        pony = PonyClient("a-key-0123", http_client=inner)
        assert pony._now is time.monotonic
        with pytest.raises(PonyError):
            pony.submit(TextToImage("a lighthouse"))
    assert len(pony_takeover.requests) == 0
