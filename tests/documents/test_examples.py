"""Each program among the examples, against a simulator over real sockets."""

from __future__ import annotations

import json
import re
import runpy
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from modelslab_pony import errors, read_recipe
from modelslab_pony.testing import Simulator, faults
from modelslab_pony.testing.server import serving
from support.examples import EXAMPLES, LIMIT, begun, killed, run, runs, size, until

# --- quickstart ------------------------------------------------------------------------------------------------


@runs("quickstart.py")
def test_the_quickstart_makes_an_image(tmp_path: Path) -> None:
    """Paid once; it prints the path of a file that tells how it was made."""
    simulator = Simulator(eta=0)
    with serving(simulator) as url:
        done = run(tmp_path, url, EXAMPLES / "quickstart.py", "a harbour", "out/harbour")
    assert (done.returncode, done.stderr) == (0, "")
    (path,) = [tmp_path / line for line in done.stdout.splitlines()]
    assert size(path) == (1024, 1024)
    recipe = read_recipe(path)
    assert recipe is not None
    assert (recipe.options["prompt"], recipe.seed) == ("a harbour", 7)
    assert len(simulator.submissions) == 1


@pytest.mark.parametrize(
    ("options", "fault", "said", "jobs"),
    [
        ({"key": "another"}, None, "AuthenticationError.*Look at MODELSLAB_API_KEY", 0),
        ({"balance": 0}, None, "InsufficientCreditsError.*The account is empty", 0),
        ({"outcome": "failed"}, None, "GenerationFailed.*gave this job up", 1),
        ({}, (faults.RateLimited(900), "text2img"), "RateLimitError.*again in 900 s", 0),
        ({}, (faults.Drop("during"), "text2img"), "SubmissionUnknown.*account's history before", 1),
        (
            {},
            (faults.Reply(403, {"status": "error", "message": "no"}), "text2img"),
            "PermissionDeniedError.*it can be",
            0,
        ),
        ({}, (faults.Reply(401, {"status": "error", "message": "no"}), "fetch"), "pony fetch 70010001", 1),
    ],
)
def test_the_quickstart_says_what_to_do(
    options: dict[str, Any], fault: Any, said: str, jobs: int, tmp_path: Path
) -> None:
    """By the error's class; it sends nothing a second time."""
    simulator = Simulator(**{"eta": 0.1, **options})
    if fault is not None:
        simulator.faults.add(fault[0], on=fault[1])
    with serving(simulator) as url:
        done = run(tmp_path, url, EXAMPLES / "quickstart.py")
    assert (done.returncode, done.stdout) == (1, "")
    assert re.search(said, done.stderr, re.DOTALL), done.stderr
    assert "Traceback" not in done.stderr
    assert (len(simulator.submissions), len(simulator.jobs)) == (1, jobs)


AFTER_ACCEPTANCE = errors.SubmissionUnknown | errors.GenerationFailed | errors.JobTimeout | errors.DownloadError
"""What is raised only when the service accepted a job, or may have: with an id or without one."""


def test_the_quickstart_never_advises_to_pay_twice() -> None:
    """For no error that has a job, or may have one, does it say that nothing was accepted, or to send it again."""
    what_to_do = runpy.run_path(str(EXAMPLES / "quickstart.py"))["what_to_do"]
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.PonyError)]
    assert len(kinds) > 15
    for kind in kinds:
        error = kind("…")
        assert ("history before" in what_to_do(error)) == issubclass(kind, errors.SubmissionUnknown), kind
        if isinstance(error, AFTER_ACCEPTANCE):
            assert not re.search("Nothing was accepted|can be sent|Send it", what_to_do(error)), kind
        error.job_id = 5
        assert not re.search("Nothing was accepted|can be sent|Send it", what_to_do(error)), kind
        assert "fetch 5" in what_to_do(error) or isinstance(error, errors.SubmissionUnknown | errors.GenerationFailed)


def made_without_id(place: str) -> faults.Reply:
    """A success that names a picture and no job: it was accepted and is paid for."""
    return faults.Reply(200, {"status": "success", "output": [place]}, accepted=True)


def test_the_quickstart_knows_what_has_no_id_for_paid(tmp_path: Path) -> None:
    """A success without an id, whose picture cannot be had: it tells where the picture is."""
    simulator = Simulator()
    with serving(simulator) as url:
        simulator.faults.add(made_without_id(f"{url}/no-picture.png"), on="text2img")
        done = run(tmp_path, url, EXAMPLES / "quickstart.py")
    assert done.returncode == 1
    assert re.search(r"DownloadError.*\n.*paid for.*Do not send it again.*/no-picture\.png$", done.stderr), done.stderr
    assert "Nothing was accepted" not in done.stderr


# --- many at once ----------------------------------------------------------------------------------------------


@runs("async_gather.py")
def test_many_prompts_at_once(tmp_path: Path) -> None:
    """All of them, without a refusal by the queue of the smallest plan."""
    simulator = Simulator(eta=0.05)
    with serving(simulator) as url:
        done = run(tmp_path, url, EXAMPLES / "async_gather.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("8 of 8\n")
    assert [size(path) for path in (tmp_path / "pictures").iterdir()] == [(1024, 1024)] * 8
    assert [sent.accepted for sent in simulator.submissions] == [True] * 8


def test_one_failure_costs_no_other_image(tmp_path: Path) -> None:
    """One refused, one whose answer was lost; both are told, the others are saved, the exit code is 1."""
    simulator = Simulator(eta=0.05)
    refusal = faults.Reply(403, {"status": "error", "message": "not in your plan"})
    simulator.faults.script(None, refusal, faults.Drop("during"), on="text2img")
    with serving(simulator) as url:
        done = run(tmp_path, url, EXAMPLES / "async_gather.py", *"abcde")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "3 of 5")
    assert len([size(path) for path in (tmp_path / "pictures").iterdir()]) == 3
    assert re.search("PermissionDeniedError.*not in your plan", done.stderr)
    assert re.search("SubmissionUnknown.*\n.*account's history first", done.stderr)
    assert (len(simulator.submissions), len(simulator.jobs)) == (5, 4)


def test_an_image_that_is_paid_for_is_named(tmp_path: Path) -> None:
    """Where only asking for it failed."""
    simulator = Simulator(eta=0.05)
    simulator.faults.add(faults.Reply(401, {"status": "error", "message": "no"}), on="fetch")
    with serving(simulator) as url:
        done = run(tmp_path, url, EXAMPLES / "async_gather.py", "a harbour")
    assert done.returncode == 1
    assert "nothing is lost: pony fetch 70010001" in done.stderr


@pytest.mark.parametrize(
    ("options", "fault", "said"),
    [
        ({}, faults.Reply(200, {"status": "error", "id": 5, "message": "no"}), "paid for.*: pony fetch 5$"),
        ({}, faults.Reply(200, {"status": "failed", "id": 5}), "gave it up"),
        ({}, faults.Reply(200, {"status": "failed"}), "gave it up"),
        ({"outcome": "failed"}, None, "gave it up"),
        ({}, made_without_id("http://127.0.0.1:9/picture.png"), "paid for.*:9/picture.png$"),
        ({"balance": 0}, None, "not accepted"),
    ],
)
def test_each_failure_is_told_with_what_it_means_for_money(
    options: dict[str, Any], fault: Any, said: str, tmp_path: Path
) -> None:
    """An id that only the error has, what was given up, what has no id; each in its own words."""
    simulator = Simulator(**{"eta": 0.05, **options})
    simulator.faults.script(fault, on="text2img")
    with serving(simulator) as url:
        done = run(tmp_path, url, EXAMPLES / "async_gather.py", "a harbour")
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("  ")]
    assert re.search(said, line), done.stderr
    assert "gave it up" not in line or "pony fetch" not in line


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to another process there")
def test_ctrl_c_tells_what_it_leaves_behind(tmp_path: Path) -> None:
    """The id of what has one, the history for what is under way, and that the rest was not sent."""
    simulator = Simulator(eta=LIMIT)
    simulator.faults.script(None, *[faults.Late(LIMIT)] * 4, on="text2img")
    command = [EXAMPLES / "async_gather.py", *"abcdef"]
    with serving(simulator) as url, begun(tmp_path, url, *command, stderr=subprocess.PIPE) as program:
        assert program.stdout is not None
        assert program.stdout.readline().startswith("job 70010001: ")
        until(lambda: len(simulator.submissions) == 5)
        program.send_signal(signal.SIGINT)
        _, said = program.communicate(timeout=LIMIT)
    assert program.returncode not in {0, 1}
    assert "KeyboardInterrupt" in said
    assert len(re.findall(r"^[a-f]: may have been accepted: look at your account's history", said, re.MULTILINE)) == 4
    assert len(re.findall(r"^[a-f]: paid for.*: pony fetch 70010001$", said, re.MULTILINE)) == 1
    assert len(re.findall(r"^[a-f]: not sent$", said, re.MULTILINE)) == 1


# --- after a crash ---------------------------------------------------------------------------------------------

RESUME = EXAMPLES / "resume_after_crash.py"


@runs("resume_after_crash.py")
def test_killed_while_it_waits(tmp_path: Path) -> None:
    """The next run takes up the job: one is accepted, its picture is there. A third run asks nothing."""
    simulator = Simulator(eta=1)
    with serving(simulator) as url:
        with killed(tmp_path, url, RESUME) as first:
            assert first.stdout is not None
            assert first.stdout.readline() == "job 70010001\n"
        assert [path.name for path in (tmp_path / "lighthouse").iterdir()] == ["job.json"]
        again = run(tmp_path, url, RESUME)
        asked = len(simulator.requests)
        third = run(tmp_path, url, RESUME)
    assert (again.returncode, third.returncode) == (0, 0), again.stderr
    assert third.stdout == f"{Path('lighthouse', '0.png')}\n"
    assert size(tmp_path / "lighthouse" / "0.png") == (1024, 1024)
    assert (len(simulator.submissions), len(simulator.jobs), len(simulator.requests)) == (1, 1, asked)


def test_killed_while_the_request_is_under_way(tmp_path: Path) -> None:
    """Nobody can tell whether it was accepted: it was, and nothing is sent again. Its id, given by hand, goes on."""
    simulator = Simulator(eta=0)
    simulator.faults.add(faults.Late(LIMIT), on="text2img")
    state = tmp_path / "lighthouse" / "job.json"
    with serving(simulator) as url:
        with killed(tmp_path, url, RESUME):
            until(lambda: len(simulator.submissions) == 1)
        for _ in range(2):
            again = run(tmp_path, url, RESUME)
            assert (again.returncode, again.stdout) == (13, "")
            assert re.search("a lighthouse at dusk.*no answer is known\n.*your account's history", again.stderr)
        assert (len(simulator.submissions), len(simulator.jobs)) == (1, 1)
        state.write_text(json.dumps({**json.loads(state.read_text("utf-8")), "job_id": 70010001}), "utf-8")
        found = run(tmp_path, url, RESUME)
    assert found.returncode == 0, found.stderr
    assert size(tmp_path / "lighthouse" / "0.png") == (1024, 1024)
    assert len(simulator.submissions) == 1


@pytest.mark.parametrize("when", ["before", "during"])
def test_an_answer_that_never_came_is_remembered(when: Any, tmp_path: Path) -> None:
    """As a kill is: by the next run, too."""
    simulator = Simulator(eta=0)
    simulator.faults.add(faults.Drop(when), on="text2img")
    with serving(simulator) as url:
        codes = [run(tmp_path, url, RESUME).returncode for _ in range(2)]
    assert (codes, len(simulator.submissions)) == ([13, 13], 1)


def test_what_was_not_accepted_may_be_sent_again(tmp_path: Path) -> None:
    """An empty account leaves no trace; after it was filled, the same command makes the image."""
    simulator = Simulator(eta=0, balance=0)
    with serving(simulator) as url:
        first = run(tmp_path, url, RESUME)
        assert (first.returncode, list((tmp_path / "lighthouse").iterdir())) == (1, [])
        simulator.balance = 1
        assert run(tmp_path, url, RESUME).returncode == 0
    assert [sent.accepted for sent in simulator.submissions] == [False, True]


def test_what_the_service_gave_up_is_not_made_again_by_itself(tmp_path: Path) -> None:
    """It is told how."""
    simulator = Simulator(eta=0.1, outcome="failed")
    with serving(simulator) as url:
        done = [run(tmp_path, url, RESUME) for _ in range(2)]
    assert [one.returncode for one in done] == [1, 1]
    assert "job.json for another try" in done[1].stderr
    assert len(simulator.submissions) == 1


def test_what_was_given_up_without_an_id_is_not_made_again_by_itself(tmp_path: Path) -> None:
    """Every run says so, in the same words, until the file is deleted."""
    simulator = Simulator(eta=0)
    simulator.faults.add(faults.Reply(200, {"status": "failed", "message": "out of paint"}), on="text2img")
    with serving(simulator) as url:
        done = [run(tmp_path, url, RESUME) for _ in range(2)]
        assert [one.returncode for one in done] == [1, 1]
        assert done[0].stderr == done[1].stderr
        assert re.search(r"out of paint.*\nDelete .*job\.json for another try", done[1].stderr)
        assert len(simulator.submissions) == 1
        (tmp_path / "lighthouse" / "job.json").unlink()
        assert run(tmp_path, url, RESUME).returncode == 0


def test_what_was_made_without_an_id_is_named_by_each_run(tmp_path: Path) -> None:
    """By the address of its picture, which is all that is known of it."""
    simulator = Simulator(eta=0)
    with serving(simulator) as url:
        simulator.faults.add(made_without_id(f"{url}/no-picture.png"), on="text2img")
        done = [run(tmp_path, url, RESUME) for _ in range(2)]
    assert [one.returncode for one in done] == [1, 13]
    assert all("/no-picture.png" in one.stderr for one in done)
    assert len(simulator.submissions) == 1


def test_a_run_beside_another_is_not_told_to_delete_what_that_one_needs(tmp_path: Path) -> None:
    """While the first one is sending, the second cannot know it: it says what to look at."""
    simulator = Simulator(eta=0)
    simulator.faults.add(faults.Late(LIMIT), on="text2img")
    with serving(simulator) as url, killed(tmp_path, url, RESUME):
        until(lambda: len(simulator.submissions) == 1)
        second = run(tmp_path, url, RESUME)
    assert second.returncode == 13
    assert "if no other run is at it" in second.stderr
    assert len(simulator.submissions) == 1
