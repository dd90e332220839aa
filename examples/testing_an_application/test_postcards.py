"""What the fixtures of `modelslab-pony[testing]` are good for. Run with `pytest`: no key, no network, no waiting."""

import asyncio
from pathlib import Path
from typing import Any

import postcards
import pytest
from PIL import Image

from modelslab_pony import (
    APIError,
    AsyncPonyClient,
    AuthenticationError,
    InsufficientCreditsError,
    JobTimeout,
    PermissionDeniedError,
    PonyClient,
    SubmissionUnknown,
)
from modelslab_pony.testing import Simulator, VirtualClock, faults


@pytest.fixture(params=["spec", "observed"])
def pony_simulator_options(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Run every test twice: with a service as it is specified, and as it was seen to be."""
    return {"dialect": request.param, "eta": 20}


def test_a_postcard_is_a_wide_picture(pony_client: PonyClient, tmp_path: Path) -> None:
    """The simulator draws one for each prompt and seed."""
    with Image.open(postcards.postcard(pony_client, "Bergen", tmp_path)) as picture:
        assert picture.size == (1536, 1024)


def test_a_bad_gateway_costs_nothing(pony_client: PonyClient, pony_simulator: Simulator, tmp_path: Path) -> None:
    """Asking goes on, and nothing is asked for a second time."""
    pony_simulator.faults.add(faults.HTML(502), on="fetch", times=2)
    postcards.postcard(pony_client, "Bergen", tmp_path)
    pony_simulator.faults.assert_used()
    assert len(pony_simulator.jobs) == 1


def test_a_lost_answer_is_not_sent_again(pony_client: PonyClient, pony_simulator: Simulator, tmp_path: Path) -> None:
    """The service took it before the connection broke: a second try would be paid for, too."""
    pony_simulator.faults.add(faults.Drop("during"), on="text2img")
    with pytest.raises(SubmissionUnknown):
        postcards.postcard(pony_client, "Bergen", tmp_path)
    assert [sent.accepted for sent in pony_simulator.submissions] == [True]


def test_a_late_postcard_is_fetched_later(pony_client: PonyClient, pony_clock: VirtualClock, tmp_path: Path) -> None:
    """A minute passes on the clock of the test, and nowhere else."""
    with pytest.raises(JobTimeout):
        postcards.postcard(pony_client, "Bergen", tmp_path, patience=5)
    pony_clock.sleep(60)
    assert [path.name for path in postcards.unfinished(pony_client, tmp_path)] == ["Bergen.png"]
    assert postcards.unfinished(pony_client, tmp_path) == []


@pytest.mark.parametrize("code", [401, 404])
def test_one_postcard_that_cannot_be_had_keeps_no_other_from_being_fetched(
    code: int, pony_client: PonyClient, pony_simulator: Simulator, tmp_path: Path
) -> None:
    """It is named, and its note stays for the next time."""
    for town in ("Bergen", "Lisbon"):
        with pytest.raises(JobTimeout):
            postcards.postcard(pony_client, town, tmp_path, patience=5)
    pony_simulator.faults.add(faults.Reply(code, {"status": "error", "message": "no"}), on="fetch")
    assert [path.name for path in postcards.unfinished(pony_client, tmp_path)] == ["Lisbon.png"]
    assert [path.name for path in postcards.unfinished(pony_client, tmp_path)] == ["Bergen.png"]


def test_what_is_there_or_paid_for_is_not_made_again(
    pony_takeover: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first run has an id and no picture, the second may not fetch it, the third does, the fourth has it."""
    monkeypatch.chdir(tmp_path)
    pony_takeover.faults.add(faults.Reply(401, {"status": "error", "message": "no"}), on="fetch", times=2)
    with pytest.raises(AuthenticationError):
        postcards.main(["Bergen"])
    for _ in range(3):
        postcards.main(["Bergen"])
    assert [path.name for path in tmp_path.iterdir()] == ["Bergen.png"]
    assert len(pony_takeover.jobs) == 1


def test_an_error_that_names_a_job_leaves_its_note(
    pony_client: PonyClient, pony_simulator: Simulator, tmp_path: Path
) -> None:
    """Whatever the answer says beside it."""
    pony_simulator.faults.add(faults.Reply(200, {"status": "error", "id": 7, "message": "no"}), on="text2img")
    with pytest.raises(APIError):
        postcards.postcard(pony_client, "Bergen", tmp_path)
    assert (tmp_path / "Bergen.job").read_text("utf-8") == "7"


def test_one_failure_costs_no_other_postcard(
    async_pony_client: AsyncPonyClient, pony_simulator: Simulator, tmp_path: Path
) -> None:
    """All are under way before the first is done."""
    pony_simulator.faults.script(None, faults.Reply(403, {"status": "error", "message": "not in your plan"}))
    made = asyncio.run(postcards.series(async_pony_client, ["Bergen", "Lisbon", "Riga"], tmp_path))
    (failed,) = [town for town, result in made.items() if isinstance(result, PermissionDeniedError)]
    assert {path.stem for path in tmp_path.iterdir()} == made.keys() - {failed}
    first, second = pony_simulator.jobs.values()
    assert second.accepted_at < first.ready_at


def test_the_program_makes_a_client_of_its_own(
    pony_takeover: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which speaks with the simulator meanwhile; money runs out after the first."""
    monkeypatch.chdir(tmp_path)
    pony_takeover.balance = 0.01
    with pytest.raises(InsufficientCreditsError):
        postcards.main(["Bergen", "Lisbon"])
    assert [path.name for path in tmp_path.iterdir()] == ["Bergen.png"]
