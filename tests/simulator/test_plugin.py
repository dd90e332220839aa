"""What an application's own test-suite gets from the package."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from modelslab_pony import (
    AsyncPonyClient,
    ConfigurationError,
    JobTimeout,
    PonyClient,
    PonyError,
    RateLimitError,
    TextToImage,
)
from modelslab_pony.testing import Simulator, VirtualClock, faults


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
