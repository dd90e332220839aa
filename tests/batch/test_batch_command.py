"""`pony batch` as people and scripts use it: processes of their own, over real HTTP."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from modelslab_pony.testing import Simulator, faults
from modelslab_pony.testing.server import serving
from support import batches


@pytest.fixture
def simulator() -> Simulator:
    return Simulator(eta=0.2, workers=5)


@pytest.fixture
def url(simulator: Simulator) -> Iterator[str]:
    with serving(simulator) as base_url:
        yield base_url


def until(true: Callable[[], object], process: subprocess.Popen[str]) -> None:
    """Wait for something that a process does."""
    deadline = time.monotonic() + 30
    while not true():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_lines_become_images(url: str, simulator: Simulator, tmp_path: Path) -> None:
    """A log without a terminal, the page's path on standard output, and nothing to do the second time."""
    rows = tmp_path / "prompts.txt"
    rows.write_text("a lighthouse\n\n  a harbour\r\n", "utf-8")
    done = batches.run(url, rows, "-o", tmp_path / "out", "--set", "seed=7")
    assert done.stdout.split() == [str(tmp_path / "out" / "index.html")]
    assert "2 done of 2" in done.stderr
    assert "images/min" not in done.stderr.splitlines()[0]
    there = batches.results(tmp_path / "out")
    assert [row["request"] for row in there] == [
        {"prompt": "a lighthouse", "seed": 7},
        {"prompt": "a harbour", "seed": 7},
    ]
    batches.check_images(tmp_path / "out", there)
    batches.run(url, "-o", tmp_path / "out", rows, "--set", "seed=7")
    batches.run(url, "-o", tmp_path / "out")
    assert len(simulator.submissions) == 2


def test_columns_are_fields(url: str, simulator: Simulator, tmp_path: Path) -> None:
    """As a spreadsheet saves them: a byte order mark, quotes, empty cells."""
    rows = tmp_path / "rows.CSV"
    rows.write_bytes(
        b"\xef\xbb\xbfname,prompt,seed,samples,safety_checker,extra.lora\r\n"
        b'one,"a lighthouse, at ""dusk""",7,2,no,{"a": 1}\r\nzwei,"two\nlines",,,,\r\n'
    )
    batches.run(url, rows, "-o", tmp_path / "out", "--template", "{name}.png")
    first, second = (sent.request for sent in sorted(simulator.submissions, key=lambda sent: -len(sent.request)))
    assert first["prompt"] == 'a lighthouse, at "dusk"'
    assert (first["seed"], first["samples"], first["safety_checker"], first["lora"]) == (7, 2, "no", {"a": 1})
    assert second["prompt"] == "two\nlines"
    files = sorted(path.name for path in (tmp_path / "out").glob("*.png"))
    assert files == ["one-2.png", "one.png", "zwei.png"]


def test_bad_rows_are_named_and_nothing_is_sent(url: str, simulator: Simulator, tmp_path: Path) -> None:
    """All of them at once, by row and field, in words and as JSON."""
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"prompt": "a", "width": 1000}\nno json\n{"promt": "b"}\n{"prompt": "right"}\n', "utf-8")
    done = batches.run(url, rows, "-o", tmp_path / "out", code=11)
    for said in (
        "3 of 4 rows cannot be sent",
        "row 1: width must be from 1024",
        "row 2: row is no JSON",
        "row 3: promt",
    ):
        assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "to go on" not in done.stderr
    told = json.loads(batches.run(url, rows, "-o", tmp_path / "out", "--json", code=11).stdout)
    assert (told["event"], told["error"]["type"], told["error"]["exit_code"]) == ("error", "InvalidRequestError", 11)
    assert not simulator.submissions


def test_what_is_unknown_is_listed_and_sent_again_on_purpose(url: str, simulator: Simulator, tmp_path: Path) -> None:
    """Exit code 40 says that a row has no image."""
    simulator.faults.add(faults.Drop("during"), on="submission")
    rows = batches.write_rows(tmp_path / "rows.jsonl", 3)
    where = ("-o", tmp_path / "out")
    done = batches.run(url, rows, *where, code=40)
    assert "2 done, 1 unknown of 3" in done.stderr
    listed = batches.run(url, "status", *where).stdout
    (row,) = re.findall(r"^row (\d), unknown: SubmissionUnknown: ", listed, re.MULTILINE)
    assert f"pony batch retry --unknown -o {tmp_path / 'out'}" in listed
    told = json.loads(batches.run(url, "status", *where, "--json").stdout)
    assert [found["index"] for found in told["rows"]] == [int(row)]
    assert told["batch"]["unknown"] == 1
    batches.run(url, rows, *where, code=40)
    assert len(simulator.submissions) == 3
    assert "1 row is tried again" in batches.run(url, "retry", "--unknown", *where).stderr
    assert [sent.request["seed"] for sent in list(simulator.submissions)[3:]] == [int(row) - 1]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_it_cleanly(
    number: signal.Signals, code: int, url: str, simulator: Simulator, tmp_path: Path
) -> None:
    """Answers on their way are waited for, so that no row is unknown; it says how to go on, and does."""
    simulator.faults.add(faults.Late(1.0), on="submission", times=None)
    rows = batches.write_rows(tmp_path / "rows.jsonl", 8)
    with batches.begun(url, rows, "-o", tmp_path / "out", "--limit", 2) as process:
        until(lambda: simulator.submissions, process)
        process.send_signal(number)
        said = process.communicate(timeout=30)[1]
    assert process.returncode == code, said
    assert f"stopped, and nothing is lost; to go on: pony batch -o {tmp_path / 'out'}" in said
    simulator.faults.clear()
    told = json.loads(batches.run(url, "status", "-o", tmp_path / "out", "--json").stdout)
    assert told["batch"]["unknown"] == 0
    batches.run(url, "-o", tmp_path / "out")
    assert set(batches.accepted(simulator).values()) == {1}
    assert len(simulator.submissions) == 8


def test_a_second_signal_does_not_wait(url: str, simulator: Simulator, tmp_path: Path) -> None:
    """What was being sent is unknown then."""
    simulator.faults.add(faults.Late(60.0), on="submission", times=None)
    rows = batches.write_rows(tmp_path / "rows.jsonl", 3)
    with batches.begun(url, rows, "-o", tmp_path / "out", "--limit", 2) as process:
        until(lambda: len(simulator.submissions) == 2, process)
        process.send_signal(signal.SIGINT)
        time.sleep(1.0)  # the first is being obeyed
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == 130
    simulator.faults.clear()
    batches.run(url, "-o", tmp_path / "out", code=40)
    there = batches.results(tmp_path / "out")
    assert [row["status"] for row in there].count("unknown") == 2
    assert len(simulator.submissions) == 3


def test_what_a_killed_process_was_sending_is_unknown(url: str, simulator: Simulator, tmp_path: Path) -> None:
    """Nobody can know whether it was accepted; the next run sends the others, and not those."""
    simulator.faults.add(faults.Late(60.0), on="submission", times=None)
    rows = batches.write_rows(tmp_path / "rows.jsonl", 3)
    with batches.begun(url, rows, "-o", tmp_path / "out", "--limit", 2) as process:
        until(lambda: len(simulator.submissions) == 2, process)
    simulator.faults.clear()
    batches.run(url, "-o", tmp_path / "out", "--limit", 3, code=40)
    there = batches.results(tmp_path / "out")
    assert sorted(row["status"] for row in there) == ["done", "unknown", "unknown"]
    assert all("the process ended" in row["error"]["message"] for row in there if row["error"])
    assert len(simulator.submissions) == 3


def test_what_was_taken_unchecked_goes_on_unchecked(url: str, simulator: Simulator, tmp_path: Path) -> None:
    """A community model's size is beyond the spec's bounds, for the run that goes on too."""
    simulator.key = "another-key-0123"
    rows = batches.write_rows(tmp_path / "rows.jsonl", 3, width=512)
    batches.run(url, rows, "-o", tmp_path / "out", "--no-strict", code=22)
    simulator.key = None
    batches.run(url, "-o", tmp_path / "out", code=40)  # the simulator keeps to the spec, and says so
    assert [sent.request["width"] for sent in simulator.submissions][-2:] == [512, 512]
    assert {row["error"]["type"] for row in batches.results(tmp_path / "out")} == {"BadRequestError"}


def test_events_are_a_line_each(url: str, simulator: Simulator, tmp_path: Path) -> None:
    """JSON for programs, with nothing else on standard output."""
    rows = batches.write_rows(tmp_path / "rows.jsonl", 3)
    lines = [json.loads(line) for line in batches.run(url, rows, "-o", tmp_path / "out", "--json").stdout.splitlines()]
    kinds = [line["event"] for line in lines]
    assert kinds.count("accepted") == kinds.count("done") == 3
    assert {line["index"] for line in lines if line["event"] == "done"} == {1, 2, 3}
    assert (kinds[-1], lines[-1]["exit_code"], lines[-1]["done"]) == ("finished", 0, 3)
    assert simulator.submissions


def test_a_wrong_key_is_said_and_no_row_fails(simulator: Simulator, url: str, tmp_path: Path) -> None:
    """With the way to go on."""
    simulator.key = "another-key-0123"
    rows = batches.write_rows(tmp_path / "rows.jsonl", 3)
    done = batches.run(url, rows, "-o", tmp_path / "out", code=22)
    assert "AuthenticationError" in done.stderr
    assert f"to go on afterwards: pony batch -o {tmp_path / 'out'}" in done.stderr
    simulator.key = None
    batches.run(url, "-o", tmp_path / "out")


def test_one_process_works_and_others_look_on(url: str, simulator: Simulator, tmp_path: Path) -> None:
    """A second one is refused; status, gallery and cancel work beside it."""
    simulator.eta = 3.0
    rows = batches.write_rows(tmp_path / "rows.jsonl", 8)
    where = ("-o", tmp_path / "out")
    with batches.begun(url, rows, *where, "--limit", 2) as process:
        until(lambda: simulator.submissions, process)
        assert "another process works on the batch" in batches.run(url, rows, *where, code=10).stderr
        assert "another process works on the batch" in batches.run(url, "retry", "--failed", *where, code=10).stderr
        assert "of 8" in batches.run(url, "status", *where).stdout
        assert batches.run(url, "gallery", *where).stdout.split() == [str(tmp_path / "out" / "index.html")]
        assert re.search(r"(rows are|1 row is) not sent", batches.run(url, "cancel", *where).stdout)
        assert process.wait(timeout=60) == 0
    there = batches.results(tmp_path / "out")
    assert {row["status"] for row in there} == {"done", "cancelled"}
    assert len(simulator.submissions) == [row["status"] for row in there].count("done")


def test_variants_are_a_batch(url: str, simulator: Simulator, tmp_path: Path) -> None:
    """Each seed with each sampler, and the page in a grid."""
    options = ("--seeds", "1..2,9", "--samplers", "Euler a, DPM++ 2M Karras", "-o", tmp_path / "compare")
    batches.run(url, "compare", *options, "a lighthouse", "--set", "num_inference_steps=20")
    assert {(sent.request["seed"], sent.request["scheduler"]) for sent in simulator.submissions} == {
        (seed, scheduler)
        for seed in (1, 2, 9)
        for scheduler in ("EulerAncestralDiscreteScheduler", "DPMSolverMultistepScheduler")
    }
    assert {sent.request["num_inference_steps"] for sent in simulator.submissions} == {20}
    page = (tmp_path / "compare" / "index.html").read_text("utf-8")
    assert '"axes":{"x":{"name":"seed","values":[1,2,9]}' in page


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["compare", "--seeds", "4..1", "--samplers", "Euler", "x"], 11, "seeds"),
        (["compare", "--seeds", "a", "--samplers", "Euler", "x"], 11, "as in 1..4"),
        (["compare", "--seeds", "1", "--samplers", " , ", "x"], 11, "samplers"),
        (["compare", "--seeds", "1", "--samplers", "Eular", "x"], 11, "did you mean"),
        (["status"], 11, "has no batch"),
        (["retry"], 11, "--unknown, --failed"),
        (["cancel"], 11, "has no batch"),
        ([], 2, "Usage"),
        (["missing.jsonl"], 11, "missing.jsonl"),
        (["--limit", "5"], 11, "has no batch"),
        (["worker", "--database", "mysql://a/b"], 10, "postgresql://"),
        (["--database", "postgresql://me:secret-word@127.0.0.1:1/x"], 10, "cannot be used"),
        (["x.txt", "--template", "{prompt}.png"], 10, "{prompt} is not known"),
        (["--template", "{name}.png"], 10, "none are given"),
        (["statsu"], 11, "did you mean `pony batch status`?"),
        (["--batch", "b"], 10, "a folder has its own"),
        (["x.txt", "--set", "bogus=1"], 11, "set names no field of a request: bogus"),
    ],
)
def test_what_cannot_work_is_said(
    arguments: list[str], code: int, said: str, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a sentence, with its exit code; a password is not repeated."""
    monkeypatch.chdir(tmp_path)
    done = batches.run(url, *arguments, code=code)
    assert said in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    assert "secret-word" not in done.stderr + done.stdout


def test_the_key_is_nowhere(url: str, simulator: Simulator, tmp_path: Path) -> None:
    """In no file, no line; also where the service repeats it."""
    simulator.faults.add(faults.HTML(502), on="submission")
    simulator.faults.add(faults.HTML(503), on="fetch")
    rows = batches.write_rows(tmp_path / "rows.jsonl", 4)
    done = batches.run(url, rows, "-o", tmp_path / "out", "--json", code=40)
    assert batches.KEY not in done.stdout + done.stderr
    for path in (tmp_path / "out").rglob("*"):
        assert not path.is_file() or batches.KEY.encode() not in path.read_bytes(), path
