"""What came of a batch, and what is told of it while it runs."""

from __future__ import annotations

import io
import json
import shlex
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from attrs import evolve
from rich.console import Console

from modelslab_pony import InvalidRequestError
from modelslab_pony.batch import _outcome
from modelslab_pony.batch._events import SHARE, BatchEvent, Beat, Events, hand_on, teller
from modelslab_pony.batch._outcome import BatchError, BatchResult, replaced, result_of, status_of, write_results
from modelslab_pony.cli._batch import _seeds
from modelslab_pony.cli._batch_progress import WINDOW, BatchProgress, Pace
from support.batches import ITEM

DONE = evolve(
    ITEM,
    state="done",
    job_id=70010001,
    worker="w",
    accepted_at=100.0,
    answered_at=112.34567,
    settled_at=1_800_000_000.25,
    answer={"seed": 7, "generation_time": 2.5, "links": [{"url": "https://x.example/a.png", "proxy_url": None}]},
    files=("a/3.png", "a/3-2.png"),
)


# --- a row's result ----------------------------------------------------------------------------


def test_a_result_is_a_row_of_the_results_file(tmp_path: Path) -> None:
    """As JSON has it; paths are those below the output folder, on any system."""
    document = result_of(DONE, tmp_path).document(tmp_path)
    assert document == {
        "index": 3,
        "name": "fox",
        "status": "done",
        "op": "text2img",
        "job_id": 70010001,
        "seed": 7,
        "images": ["a/3.png", "a/3-2.png"],
        "urls": ["https://x.example/a.png"],
        "request": {"prompt": "a fox", "width": 2048},
        "omitted": [],
        "generation_time": 2.5,
        "seconds": 12.346,
        "sent_at": None,
        "settled_at": "2027-01-15T08:00:00.250+00:00",
        "attempt": 1,
        "worker": "w",
        "error": None,
    }
    assert json.loads(json.dumps(document)) == document


def test_a_row_that_waits_has_no_result_yet(tmp_path: Path) -> None:
    """What is not known is null."""
    document = result_of(ITEM, tmp_path).document(tmp_path)
    unknown = ("job_id", "seed", "generation_time", "seconds", "sent_at", "settled_at", "worker", "error")
    assert {name: document[name] for name in unknown} == dict.fromkeys(unknown)
    assert (document["images"], document["urls"], document["status"]) == ([], [], "waiting")


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("waiting", "waiting"),
        ("submitting", "running"),
        ("running", "running"),
        ("done", "done"),
        ("failed", "failed"),
        ("unknown", "unknown"),
        ("cancelled", "cancelled"),
    ],
)
def test_images_are_told_once_all_are_saved(state: Any, status: str, tmp_path: Path) -> None:
    """A name that was given out is no picture yet."""
    found = result_of(evolve(DONE, state=state), tmp_path)
    assert found.status == status
    assert bool(found.images) is (state == "done")


@pytest.mark.parametrize(
    ("told", "given", "seed"), [(7, 5, 7), (0, 5, 0), (None, 5, 5), (None, 0, 0), (None, None, None)]
)
def test_the_seed_is_the_one_that_was_used(told: int | None, given: int | None, seed: int | None) -> None:
    """By the service's word; else the one that was asked for."""
    fields = {"prompt": "a", "seed": given}
    item = evolve(ITEM, answer={"seed": told}, document={"op": "text2img", "fields": fields})
    assert result_of(item, Path()).seed == seed


def test_what_may_hold_a_token_is_left_out() -> None:
    """Of fields and of extra ones; their names are told."""
    secret = "https://hook.example/in?token=s3cr3t"
    fields = {"prompt": "a", "webhook": secret, "extra": {"lora": "x", "api_token": "s3cr3t"}}
    found = result_of(evolve(ITEM, document={"op": "text2img", "fields": fields}), Path())
    assert found.request == {"prompt": "a", "extra": {"lora": "x"}}
    assert found.omitted == ("webhook", "extra.api_token")
    assert "s3cr3t" not in json.dumps(found.document(Path())) + found.command() + repr(found)


def test_an_error_has_its_class_and_its_words() -> None:
    """Also of a row that is tried again."""
    error = {"type": "TransportError", "message": "offline"}
    found = result_of(evolve(ITEM, state="running", error=error), Path())
    assert found.error == BatchError(type="TransportError", message="offline")
    assert found.document(Path())["error"] == error


def result(op: str = "text2img", seed: int | None = None, **request: Any) -> BatchResult:
    return BatchResult(index=1, name=None, status="done", op=op, request=request, seed=seed)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (result(prompt="a fox"), ["pony", "text2img", "--", "a fox"]),
        (result(prompt="a", seed=7), ["pony", "text2img", "--seed=7", "--", "a"]),
        (result(prompt="--help; rm 'x'\n$HOME"), ["pony", "text2img", "--", "--help; rm 'x'\n$HOME"]),
        (
            result(prompt="a", safety_checker=False, use_karras_sigmas=True, negative_prompt="-b c"),
            ["pony", "text2img", "--no-safety-checker", "--use-karras-sigmas", "--negative-prompt=-b c", "--", "a"],
        ),
        (
            result("inpaint", init_image="/a b.png", mask_image="m.png", negative_prompt=None),
            ["pony", "inpaint", "--init-image=/a b.png", "--mask-image=m.png"],
        ),
        (
            result(prompt="a", extra={"lora": "x y", "w": [1, None]}),
            ["pony", "text2img", '--extra=lora="x y"', "--extra=w=[1, null]", "--", "a"],
        ),
    ],
)
def test_a_command_makes_it_again(made: BatchResult, words: list[str]) -> None:
    """A shell takes it apart into just these words."""
    assert shlex.split(made.command()) == words


def test_a_command_has_the_seed_that_was_used() -> None:
    """Not the one that was asked for, nor both."""
    assert shlex.split(result(prompt="a", seed=7).command()) == ["pony", "text2img", "--seed=7", "--", "a"]
    made = BatchResult(index=1, name=None, status="done", op="text2img", request={"seed": 1, "prompt": "a"}, seed=0)
    assert shlex.split(made.command()) == ["pony", "text2img", "--seed=0", "--", "a"]


# --- where the batch stands --------------------------------------------------------------------


def test_a_status_counts_every_row_once() -> None:
    """What is being sent runs; so does what was left to the next run, which is told as well."""
    counts = {"waiting": 1, "submitting": 2, "running": 4, "parked": 8, "done": 16, "failed": 32, "unknown": 64}
    found = status_of("b", counts | {"cancelled": 128}, former=3, limit=5, allowed=4)
    assert found.total == 255
    assert (found.waiting, found.running, found.left, found.done) == (1, 14, 8, 16)
    assert (found.failed, found.unknown, found.cancelled) == (32, 64, 128)
    assert (found.former, found.limit, found.allowed) == (3, 5, 4)
    assert found.total == found.waiting + found.running + found.done + found.failed + found.unknown + found.cancelled
    assert json.loads(json.dumps(found.document()))["running"] == 14


@pytest.mark.parametrize(
    ("counts", "is_complete"), [({"done": 2}, True), ({"done": 2, "unknown": 1}, False), ({}, True)]
)
def test_a_batch_is_complete_when_every_row_is_done(counts: dict[str, int], is_complete: bool) -> None:
    """A row without images is not."""
    assert status_of("b", counts).is_complete is is_complete


# --- files -------------------------------------------------------------------------------------


def test_results_are_written_in_order(tmp_path: Path) -> None:
    """A row of JSON for each; nothing else is left in the folder."""
    path = tmp_path / _outcome.RESULTS
    write_results(path, (result_of(evolve(DONE, position=place, name="é\n"), tmp_path) for place in (1, 2)))
    lines = path.read_bytes().decode().split("\n")
    assert [json.loads(line)["index"] for line in lines[:-1]] == [1, 2]
    assert lines[-1] == ""
    assert [entry.name for entry in tmp_path.iterdir()] == [_outcome.RESULTS]


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    """A fault half-way leaves it, and nothing beside it."""
    path = tmp_path / "a.txt"
    path.write_text("old")
    with replaced(path) as file:
        file.write("new\n")
        assert path.read_text() == "old"
    assert path.read_bytes() == b"new\n"

    def broken() -> Iterator[BatchResult]:
        yield result_of(DONE, tmp_path)
        raise ValueError("half-way")

    with pytest.raises(ValueError, match="half-way"):
        write_results(path, broken())
    assert path.read_text() == "new\n"
    assert list(tmp_path.iterdir()) == [path]


# --- events ------------------------------------------------------------------------------------


def test_events_come_in_order_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the thread that takes them; without a taker they are dropped."""
    monkeypatch.setattr(time, "time", lambda: 5.0)
    events: Events = Events()
    tell = teller(events)
    tell("accepted", {"index": 1})
    tell("done", {"index": 1})
    found: list[BatchEvent] = []
    hand_on(events, found.append)
    assert [(event.kind, dict(event.facts), event.at) for event in found] == [
        ("accepted", {"index": 1}, 5.0),
        ("done", {"index": 1}, 5.0),
    ]
    hand_on(events, found.append)
    assert len(found) == 2
    tell("done", {})
    hand_on(events, None)
    assert events.empty()


def test_a_taker_that_fails_ends_the_call() -> None:
    """Its fault is the caller's; the events after it are still there."""
    events: Events = Events()
    tell = teller(events)
    tell("one", {})
    tell("two", {})

    def broken(_: BatchEvent) -> None:
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        hand_on(events, broken)
    assert events.get_nowait().kind == "two"


class Monotonic:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ticks(monkeypatch: pytest.MonkeyPatch) -> Monotonic:
    """A clock that stands still until it is told to go on."""
    clock = Monotonic()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


def test_a_beat_comes_every_so_often(ticks: Monotonic) -> None:
    """Not at once, and not twice."""
    done: list[float] = []
    beat = Beat(lambda: done.append(ticks.now), 5.0)
    for _ in range(24):
        beat.now_and_then()
        ticks.now += 0.5
    assert done == [1005, 1010]


def test_what_takes_long_is_done_less_often(ticks: Monotonic) -> None:
    """It has a small share of the time at most."""
    done: list[float] = []

    def slow() -> None:
        done.append(ticks.now)
        ticks.now += 2

    beat = Beat(slow, 5.0)
    for _ in range(100):
        beat.now_and_then()
        ticks.now += 1
    assert done == [1005, 1007 + 2 * SHARE, 1049 + 2 * SHARE]


# --- progress ----------------------------------------------------------------------------------


def test_the_rate_is_known_after_two_rows() -> None:
    """Images a minute, between the first and the last; rows tell when it ends."""
    pace = Pace()
    assert (pace.per_minute(), pace.seconds_left(9)) == (None, None)
    pace.done(100.0, 4)
    assert (pace.per_minute(), pace.seconds_left(9)) == (None, None)
    pace.done(110.0, 4)
    pace.done(120.0, 2)
    assert pace.per_minute() == 18
    assert pace.seconds_left(9) == 90
    assert (pace.images, pace.rows) == (10, 3)


def test_rows_of_one_moment_have_no_rate() -> None:
    """Nothing is divided by nothing."""
    pace = Pace()
    pace.done(100.0, 1)
    pace.done(100.0, 1)
    assert (pace.per_minute(), pace.seconds_left(9)) == (None, None)


def test_the_rate_is_that_of_late() -> None:
    """What was fast an hour ago tells nothing now."""
    pace = Pace()
    for number in range(100):
        pace.done(number / 10, 1)
    for number in range(5):
        pace.done(1000.0 + 60 * number, 1)
    assert WINDOW == 120
    assert pace.per_minute() == 1


class Shown:
    """A batch's progress in a log, and what was printed."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.file = io.StringIO()
        self.progress = BatchProgress(Console(file=self.file, width=200), as_json=as_json)

    def take(self, kind: str, at: float = 0.0, **facts: Any) -> None:
        self.progress.take(BatchEvent(kind=kind, facts=facts, at=at))

    @property
    def lines(self) -> list[str]:
        return self.file.getvalue().splitlines()


def test_a_summary_says_where_the_batch_stands(ticks: Monotonic) -> None:
    """Rows, speed, time to go, money, and a queue that was slowed."""
    shown = Shown()
    assert shown.progress.summary() == ""
    shown.take("progress", **status_of("b", {"waiting": 9}, limit=5, allowed=5).document())
    assert shown.progress.summary() == "0 done, 9 waiting"
    shown.take("done", 100.0, images=2)
    shown.take("done", 160.0, images=2)
    shown.take("balance", balance=10.0, currency="USD")
    shown.take("balance", balance=8.75, currency="USD")
    counts = {"done": 2, "waiting": 60, "running": 10, "parked": 1, "unknown": 1, "failed": 3}
    shown.take("progress", **status_of("b", counts, limit=5, allowed=2).document())
    assert shown.progress.summary() == (
        "2 done, 11 running, 60 waiting, 3 failed, 1 unknown, 2 images/min, ETA 1:10:00, "
        "spent 1.25, 8.75 USD left, slowed to 2 of 5 at once"
    )
    assert ticks.now == 1000


@pytest.mark.parametrize(("rows", "eta"), [(1, "1:00"), (59, "59:00"), (60, "1:00:00"), (1500, "25:00:00")])
def test_the_time_to_go_is_a_clock_s(rows: int, eta: str) -> None:
    """With hours where there are some."""
    shown = Shown()
    shown.take("done", 0.0, images=1)
    shown.take("done", 60.0, images=1)
    shown.take("progress", **status_of("b", {"waiting": rows}).document())
    assert shown.progress.summary() == f"0 done, {rows} waiting, 1 images/min, ETA {eta}"


def test_a_log_gets_a_line_now_and_then(ticks: Monotonic) -> None:
    """Not one for each picture."""
    shown = Shown()
    status = status_of("b", {"waiting": 9}).document()
    for _ in range(31):
        shown.take("progress", **status)
        ticks.now += 1
    assert shown.lines == ["0 done, 9 waiting"] * 4


def test_every_lost_row_is_named(ticks: Monotonic) -> None:
    """On one line, without the control characters of whoever wrote it; rich takes no part of it for markup."""
    shown = Shown()
    for index in (1, 2):
        shown.take("failed", index=index, error={"type": "BadRequestError", "message": "bad\n\x1b[31m[red]words"})
    shown.take("unknown", index=3, error=None)
    shown.take("parked", index=4, error={"type": "TransportError", "message": "offline"})
    shown.take("stray", index=5, job_id=7)
    for index in (6, 7):
        shown.take("unwritten", batch="b", index=index, job_id=index, message="disk is full")
    assert [line.split(":")[0] for line in shown.lines] == [f"row {number}" for number in range(1, 8)]
    assert "\x1b" not in shown.file.getvalue()
    assert "[red]words" in shown.lines[0]
    assert shown.lines[3] == "row 4: left to the next run (TransportError: offline)"
    assert "pony fetch 7" in shown.lines[4]
    assert "job 6 was accepted and cannot be written down yet (disk is full)" in shown.lines[5]
    shown.take("accepted", batch="b", index=6, job_id=6)
    assert shown.progress.unwritten == {("b", 7): 7}
    assert ticks.now == 1000


def test_passing_troubles_are_told_now_and_then(ticks: Monotonic) -> None:
    """Each kind by itself."""
    shown = Shown()
    for _ in range(31):
        shown.take("slowed", allowed=2, limit=5)
        shown.take("delayed", index=1, wait=4.0)
        ticks.now += 1
    assert (
        shown.lines
        == [
            "the queue is full, 2 of 5 at once from now on",
            "row 1: tried again in 4 s",
        ]
        * 2
    )


def test_json_events_are_lines_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    """One document each, and nothing on the console."""
    shown = Shown(as_json=True)
    shown.take("done", 1.23456, index=1, path=Path("a.png"))
    shown.progress.say("a text")
    assert json.loads(capsys.readouterr().out) == {"event": "done", "at": 1.235, "index": 1, "path": "a.png"}
    assert shown.lines == []


# --- seeds of a grid ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("1..4", [1, 2, 3, 4]),
        ("1,5,9", [1, 5, 9]),
        (" 9 , 1 .. 2 ,", [9, 1, 2]),
        ("0", [0]),
        ("7..7", [7]),
        ("-2..1", [-2, -1, 0, 1]),
    ],
)
def test_seeds_are_ranges_and_numbers(text: str, seeds: list[int]) -> None:
    """In the order in which they were given."""
    assert _seeds(text) == seeds


@pytest.mark.parametrize(
    "text", ["", ",", "x", "1..", "..4", "4..1", "1...4", "1,1", "1..3,2", "1.5", "1..99999999999"]
)
def test_what_are_no_seeds_is_refused(text: str) -> None:
    """None at all, twice the same, or more than a page has room for."""
    with pytest.raises(InvalidRequestError) as raised:
        _seeds(text)
    assert list(cast("dict[str, Any]", raised.value.errors)) == ["seeds"]


def test_a_range_has_at_most_ten_thousand() -> None:
    """Before its numbers are written down."""
    assert len(_seeds("1..10000")) == 10_000
    with pytest.raises(InvalidRequestError, match=r"1\.\.10001"):
        _seeds("1..10001")
