"""A batch in an application: what is sent, what is not, and what is told."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import json
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy.exc
from dbos._core import execute_dequeued_workflow
from dbos._event_loop import BackgroundEventLoop

from modelslab_pony import (
    AsyncPonyClient,
    AuthenticationError,
    ConfigurationError,
    DownloadError,
    InsufficientCreditsError,
    InvalidRequestError,
    NotFoundError,
    RetryPolicy,
    TextToImage,
    _disk,
    read_recipe,
)
from modelslab_pony.batch import AsyncBatch, Batch, BatchEvent, Worker, _session
from modelslab_pony.batch._ledger import Ledger
from modelslab_pony.batch._work import Work
from modelslab_pony.testing import Simulator, VirtualClock, faults
from support import batches
from support.pictures import PICTURE, picture

ROWS = [TextToImage(f"a lighthouse, {number}", seed=number) for number in range(6)]

FULL = sqlalchemy.exc.OperationalError("INSERT", {}, sqlite3.OperationalError("database or disk is full"))
ONCE = RetryPolicy(attempts=1)
"""As a batch's own client: each try is the batch's."""


@pytest.fixture
def simulator() -> Simulator:
    return Simulator(eta=0.1, workers=5, queue_limit=5)


def sent(simulator: Simulator) -> list[int]:
    """Return the seeds that were accepted, in order of the rows."""
    return sorted(batches.accepted(simulator).elements())


def test_every_row_has_its_image(simulator: Simulator, tmp_path: Path) -> None:
    """Named by row and seed, with its recipe inside; results.jsonl has the rows in their order."""
    status = Batch(tmp_path / "out", ROWS, connect=simulator.async_client).run()
    assert status.is_complete
    assert (status.total, status.done) == (6, 6)
    there = batches.results(tmp_path / "out")
    assert [row["images"] for row in there] == [[f"0000{number + 1}-{number}.png"] for number in range(6)]
    batches.check_images(tmp_path / "out", there)
    recipe = read_recipe(tmp_path / "out" / "00003-2.png")
    assert recipe is not None
    assert recipe.request().prompt == "a lighthouse, 2"
    assert (tmp_path / "out" / "index.html").is_file()


def test_results_come_as_they_finish(simulator: Simulator, tmp_path: Path) -> None:
    """And a second iteration sends nothing, and gives the same."""
    first = list(Batch(tmp_path / "out", ROWS, connect=simulator.async_client))
    assert {result.index for result in first} == {1, 2, 3, 4, 5, 6}
    assert all(result.status == "done" and result.images[0].is_file() for result in first)
    again = list(Batch(tmp_path / "out", ROWS, connect=simulator.async_client))
    assert again == first
    assert sent(simulator) == [0, 1, 2, 3, 4, 5]


def test_whoever_breaks_off_goes_on_later(simulator: Simulator, tmp_path: Path) -> None:
    """With a loop left half way, by its own batch or another one, without rows even."""
    for _ in Batch(tmp_path / "out", ROWS, connect=simulator.async_client, limit=1):
        break
    assert len(sent(simulator)) < 6
    assert Batch(tmp_path / "out", connect=simulator.async_client).run().is_complete
    assert sent(simulator) == [0, 1, 2, 3, 4, 5]


def test_a_changed_row_is_sent_and_no_other(simulator: Simulator, tmp_path: Path) -> None:
    """Rows may be changed, added, moved, named and taken away; what is done stays done, and no image is replaced."""
    output = tmp_path / "out"
    Batch(output, ROWS, connect=simulator.async_client).run()
    before = {path: path.read_bytes() for path in output.glob("*.png")}
    changed: list[Any] = [ROWS[3], {"prompt": "new", "seed": 100}, {"prompt": ROWS[0].prompt, "seed": 0, "name": "n"}]
    status = Batch(output, [*changed, *ROWS[4:], ROWS[5]], connect=simulator.async_client).run()
    assert (status.total, status.done, status.former) == (6, 6, 2)
    assert sent(simulator) == [0, 1, 2, 3, 4, 5, 5, 100]
    there = batches.results(output)
    assert [row["request"]["seed"] for row in there] == [3, 100, 0, 4, 5, 5]
    assert there[2]["name"] == "n"
    assert {path: path.read_bytes() for path in before} == before
    assert len({image for row in there for image in row["images"]}) == 6


def test_nothing_is_sent_unless_all_rows_are_right(simulator: Simulator, tmp_path: Path) -> None:
    """The error names each row and field, and what is wrong with it."""
    rows: list[Any] = [ROWS[0], {"prompt": "x", "width": 1000}, {"promt": "y"}, {"op": "img2img", "prompt": "z"}, 7]
    with pytest.raises(InvalidRequestError) as raised:
        Batch(tmp_path / "out", rows, connect=simulator.async_client).run()
    assert set(raised.value.errors) == {
        "row 2: width",
        "row 3: promt",
        "row 3: prompt",
        "row 4: init_image",
        "row 5: row",
    }
    assert not simulator.submissions
    assert Batch(tmp_path / "out", ROWS[:1], connect=simulator.async_client).run().total == 1


@pytest.mark.parametrize("lost", [faults.Drop(), faults.HTML(502), faults.CutShort()])
def test_what_may_have_been_accepted_is_unknown(lost: faults.Fault, simulator: Simulator, tmp_path: Path) -> None:
    """It is listed, not sent again by a run, and sent again by a retry on purpose: that one alone."""
    simulator.faults.add(lost, on="submission")
    batch = Batch(tmp_path / "out", ROWS, connect=simulator.async_client)
    status = batch.run()
    assert (status.done, status.unknown) == (5, 1)
    (unknown,) = (result for result in batch.results() if result.status == "unknown")
    assert unknown.error is not None
    assert "may have been accepted" in unknown.error.message
    assert batch.run().unknown == 1
    assert len(simulator.submissions) == 6
    assert batch.retry(unknown=True) == 1
    assert batch.run().is_complete
    assert [sent.request["seed"] for sent in list(simulator.submissions)[6:]] == [unknown.seed]


def test_a_failed_row_is_tried_again_on_purpose(simulator: Simulator, tmp_path: Path) -> None:
    """By the service's own word; a run leaves it alone."""
    simulator.outcome = "failed"
    batch = Batch(tmp_path / "out", ROWS[:2], connect=simulator.async_client)
    assert batch.run().failed == 2
    assert all(result.error and result.error.type == "GenerationFailed" for result in batch.results())
    simulator.outcome = "success"
    assert batch.run().failed == 2
    assert batch.retry(failed=True) == 2
    assert batch.run().is_complete
    assert [result.attempt for result in batch.results()] == [2, 2]


@pytest.mark.parametrize(
    ("on", "fault"),
    [
        ("fetch", faults.HTML(502)),
        ("fetch", faults.RateLimited(0.2)),
        ("fetch", faults.Drop()),
        ("output", faults.HTML(404)),
        ("output", faults.CutShort()),
        ("output", faults.ContentType()),
    ],
)
def test_what_was_accepted_is_fetched_to_the_end(
    on: str, fault: faults.Fault, simulator: Simulator, tmp_path: Path
) -> None:
    """Whatever goes wrong while it is asked about or downloaded."""
    simulator.faults.add(fault, on=on, times=3)
    status = Batch(tmp_path / "out", ROWS[:3], connect=lambda: simulator.async_client(retry=ONCE)).run()
    assert status.is_complete
    assert sent(simulator) == [0, 1, 2]
    batches.check_images(tmp_path / "out", batches.results(tmp_path / "out"))


def test_a_full_queue_slows_it_down(tmp_path: Path) -> None:
    """429 for a limit that the plan does not have: fewer at once from then on, and every row is made."""
    simulator = Simulator(eta=0.3, workers=2, queue_limit=2)
    told: list[BatchEvent] = []
    batch = Batch(tmp_path / "out", ROWS, connect=lambda: simulator.async_client(retry=ONCE), limit=5)
    status = batch.run(told.append)
    assert status.is_complete
    assert status.allowed is not None
    assert 1 <= status.allowed < 5
    slowed = [event.facts for event in told if event.kind == "slowed"]
    assert slowed
    assert all(facts["limit"] == 5 and facts["error"]["type"] == "RateLimitError" for facts in slowed)
    assert sent(simulator) == [0, 1, 2, 3, 4, 5]


def test_no_credits_stop_it_and_fail_nothing(simulator: Simulator, tmp_path: Path) -> None:
    """What was accepted is kept; the others wait for the next run."""
    simulator.balance = 2 * simulator.price
    batch = Batch(tmp_path / "out", ROWS, connect=simulator.async_client, limit=1)
    with pytest.raises(InsufficientCreditsError):
        batch.run()
    status = batch.status()
    assert (status.failed, status.unknown) == (0, 0)
    assert status.waiting >= 4
    simulator.balance = 10
    assert batch.run().is_complete
    assert sent(simulator) == [0, 1, 2, 3, 4, 5]


def test_a_wrong_key_stops_it(simulator: Simulator, tmp_path: Path) -> None:
    """At once, for every row."""
    simulator.key = "another-key-0123"
    batch = Batch(tmp_path / "out", ROWS, connect=simulator.async_client)
    with pytest.raises(AuthenticationError):
        batch.run()
    assert batch.status().waiting == 6


def test_it_is_cancelled_from_elsewhere(simulator: Simulator, tmp_path: Path) -> None:
    """Nothing more is sent, what was accepted is fetched; the next run takes the rest up again."""
    simulator.eta = 1.0
    batch = Batch(tmp_path / "out", ROWS, connect=simulator.async_client, limit=2)

    def cancel(event: BatchEvent) -> None:
        if event.kind == "accepted":
            Batch(tmp_path / "out").cancel()

    status = batch.run(cancel)
    assert status.done >= 1
    assert status.done + status.cancelled == 6
    assert status.cancelled >= 3
    assert len(sent(simulator)) == status.done
    assert Batch(tmp_path / "out", connect=simulator.async_client).run().cancelled == status.cancelled
    assert len(sent(simulator)) == status.done
    assert batch.run().is_complete  # with its rows, which asks for them


def test_it_is_stopped_from_another_thread(simulator: Simulator, tmp_path: Path) -> None:
    """`run` returns soon, no row is unknown, and the next run goes on."""
    simulator.eta = 30.0
    batch = Batch(tmp_path / "out", ROWS, connect=simulator.async_client, limit=2)
    threading.Timer(0.01, lambda: _when(lambda: bool(simulator.submissions), batch.stop)).start()
    status = batch.run()
    assert status.running >= 1
    assert status.unknown == 0


def test_one_at_a_time_works_in_a_folder(simulator: Simulator, tmp_path: Path) -> None:
    """Another one is refused, and may look on."""
    batch = Batch(tmp_path / "out", ROWS, connect=simulator.async_client)
    results = iter(batch)
    next(results)
    with pytest.raises(ConfigurationError, match="another process works"):
        Batch(tmp_path / "out", ROWS, connect=simulator.async_client).run()
    assert Batch(tmp_path / "out").status().total == 6
    assert len(list(results)) == 5


def test_an_image_of_this_machine_is_uploaded_once(simulator: Simulator, tmp_path: Path) -> None:
    """Given as bytes or as a path; what counts is what is in it."""
    path = tmp_path / "first.png"
    path.write_bytes(PICTURE)
    rows = [{"op": "img2img", "prompt": "a", "init_image": given, "seed": 1} for given in (PICTURE, str(path))]
    status = Batch(tmp_path / "out", rows, connect=simulator.async_client).run()
    assert status.is_complete
    moved = tmp_path / "moved.png"
    path.rename(moved)
    rows = [{"op": "img2img", "prompt": "a", "init_image": str(moved), "seed": 1}] * 2
    assert Batch(tmp_path / "out", rows, connect=simulator.async_client).run().is_complete
    assert sent(simulator) == [1, 1]
    assert len([exchange for exchange in simulator.requests if exchange.operation == "base64_to_url"]) == 1


def test_the_key_is_in_no_file(simulator: Simulator, tmp_path: Path) -> None:
    """Nor in an event; a row that holds it is refused."""
    key = "sk-planted-0123456789"
    told: list[BatchEvent] = []
    simulator.faults.add(faults.HTML(502), on="submission")
    Batch(tmp_path / "out", ROWS, connect=lambda: simulator.async_client(api_key=key)).run(told.append)
    for path in (tmp_path / "out").rglob("*"):
        assert not path.is_file() or key.encode() not in path.read_bytes(), path
    assert key not in repr(told)
    with pytest.raises(InvalidRequestError, match="row 1: row holds the API key"):
        Batch(tmp_path / "no", [{"prompt": f"a {key}"}], connect=lambda: simulator.async_client(api_key=key)).run()


def test_awaited_it_is_the_same(simulator: Simulator, tmp_path: Path) -> None:
    """The loop goes on meanwhile; a cancelled task stops the batch, and it goes on later."""

    async def story() -> None:
        batch = AsyncBatch(tmp_path / "out", ROWS, connect=simulator.async_client, limit=1)
        simulator.eta = 0.3
        task = asyncio.create_task(batch.run())
        while not simulator.submissions:  # noqa: ASYNC110 - the simulator sets no event
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await batch.status()).unknown == 0
        seeds = [result.seed async for result in batch]
        assert sorted(seeds, key=lambda seed: seed or 0) == [0, 1, 2, 3, 4, 5]
        assert [result.seed for result in await batch.results()] == [0, 1, 2, 3, 4, 5]
        assert await batch.retry(failed=True, unknown=True) == 0
        assert await batch.cancel() == 0
        await batch.write_report()

    asyncio.run(story())
    assert sent(simulator) == [0, 1, 2, 3, 4, 5]


def test_a_blocking_batch_runs_inside_a_loop(simulator: Simulator, tmp_path: Path) -> None:
    """DBOS would take the caller's loop, which waits."""

    async def story() -> None:
        assert Batch(tmp_path / "out", ROWS[:1], connect=simulator.async_client).run().is_complete

    asyncio.run(story())


def test_rows_may_be_made_as_they_are_read(simulator: Simulator, tmp_path: Path) -> None:
    """A generator is read once; what it raises comes out, and nothing is sent."""

    def rows() -> Iterator[TextToImage]:
        yield ROWS[0]
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        Batch(tmp_path / "out", rows(), connect=simulator.async_client).run()
    assert not simulator.submissions
    assert Batch(tmp_path / "out", (row for row in ROWS[:2]), connect=simulator.async_client).run().done == 2


def test_an_application_is_tested_without_waiting(tmp_path: Path) -> None:
    """With the simulator's virtual clock, jobs that take an hour take no time."""
    simulator = Simulator(eta=3600.0, clock=VirtualClock())
    with simulator.takeover():
        status = Batch(tmp_path / "out", ROWS[:2]).run()
    assert status.is_complete
    assert simulator.now() >= 3600


def test_files_are_named_by_a_template(simulator: Simulator, tmp_path: Path) -> None:
    """With folders, names made harmless, and a number where a name is taken."""
    rows = [
        {"prompt": "a", "seed": 1, "name": "../up: <x>", "samples": 2},
        {"prompt": "b", "seed": 1, "name": "../up: <x>"},
    ]
    batch = Batch(tmp_path / "out", rows, connect=simulator.async_client, template="{op}/{name}-{seed}.png")
    assert batch.run().is_complete
    files = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out" / "text2img").iterdir())
    assert files == ["text2img/_up_ _x_-1-2.png", "text2img/_up_ _x_-1-3.png", "text2img/_up_ _x_-1.png"]


@pytest.mark.parametrize(
    "options",
    [
        {"limit": 0},
        {"limit": True},
        {"template": "{index}"},
        {"template": "../{index}.png"},
        {"template": "{prompt}.png"},
        {"template": "{index:q}.png"},
        {"template": "{name:/>4}/{index}.png"},
        {"template": "thumbnails/{index}.png"},
        {"template": None},
        {"database": "mysql://x/y"},
        {"database": "no address"},
    ],
)
def test_what_cannot_work_is_refused_at_once(options: dict[str, Any], tmp_path: Path) -> None:
    """Before anything is read or made."""
    with pytest.raises(ConfigurationError):
        Batch(tmp_path / "out", ROWS, **options)
    assert not (tmp_path / "out").exists()


def test_a_worker_needs_a_shared_database(tmp_path: Path) -> None:
    """SQLite is one machine's."""
    with pytest.raises(ConfigurationError, match="postgresql"):
        Worker(tmp_path / "out", database="sqlite:///x.sqlite")


def test_events_can_be_written_down(simulator: Simulator, tmp_path: Path) -> None:
    """Each is JSON; the last progress is the end's, and the money is told."""
    told: list[BatchEvent] = []
    Batch(tmp_path / "out", ROWS, connect=simulator.async_client).run(told.append)
    kinds = [event.kind for event in told]
    assert kinds.count("accepted") == kinds.count("done") == 6
    assert [event.facts["done"] for event in told if event.kind == "progress"][-1] == 6
    assert [event.facts["balance"] for event in told if event.kind == "balance"][-1] == pytest.approx(25 - 0.06)
    assert json.loads(json.dumps([dict(event.facts) for event in told]))


def test_a_callback_that_raises_ends_the_run(simulator: Simulator, tmp_path: Path) -> None:
    """Its error comes out, nothing is sent after that, and the batch can be run again in this process."""
    simulator.faults.add(faults.Late(0.5), on="submission", times=None)

    def on_event(event: BatchEvent) -> None:
        if event.kind in {"progress", "stopping"}:
            raise LookupError(event.kind)

    with pytest.raises(LookupError):
        Batch(tmp_path / "out", ROWS, connect=simulator.async_client, limit=2).run(on_event)
    count = len(simulator.submissions)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("pony-feeder")]
    simulator.faults.clear()
    assert Batch(tmp_path / "out", connect=simulator.async_client).run().is_complete
    assert len(simulator.submissions) == 6 >= count

    async def story() -> None:
        with pytest.raises(LookupError):
            await AsyncBatch(tmp_path / "two", ROWS, connect=simulator.async_client).run(on_event)

    asyncio.run(story())


def test_a_task_that_is_cancelled_before_its_turn_sends_nothing(simulator: Simulator, tmp_path: Path) -> None:
    """Also where it had no time to begin."""

    async def story() -> None:
        batch = AsyncBatch(tmp_path / "out", ROWS, connect=simulator.async_client)
        task = asyncio.create_task(batch.run())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(story())
    assert not simulator.submissions


def test_an_iteration_that_was_left_is_ended_by_the_next(simulator: Simulator, tmp_path: Path) -> None:
    """Python ends it only when it comes to it."""

    async def story() -> None:
        batch = AsyncBatch(tmp_path / "out", ROWS, connect=simulator.async_client)
        async for _ in batch:
            break
        assert (await batch.run()).is_complete

    asyncio.run(story())


def test_no_workflow_is_begun_on_a_loop_that_has_ended(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DBOS ends its loop before the threads that begin workflows on it; here one is about to when the end comes."""
    is_over = threading.Event()
    begun: list[str] = []
    end_loop, begin = BackgroundEventLoop.stop, execute_dequeued_workflow

    def end(loop: BackgroundEventLoop) -> None:
        end_loop(loop)
        is_over.set()

    def begin_late(instance: Any, status: Any, owner: str) -> Any:
        if begun:
            is_over.wait(1)
        begun.append("over" if is_over.is_set() else "running")
        return begin(instance, status, owner)

    monkeypatch.setattr(BackgroundEventLoop, "stop", end)
    monkeypatch.setattr("dbos._queue.execute_dequeued_workflow", begin_late)
    results = iter(Batch(tmp_path / "out", ROWS, connect=simulator.async_client))
    next(results)
    del results
    gc.collect()
    assert is_over.is_set()
    assert len(begun) > 1
    assert set(begun) == {"running"}


def test_an_application_keeps_its_own_dbos(tmp_path: Path) -> None:
    """DBOS is one to a process: the batch is refused, and the application's goes on."""
    program = f"""
import sys
from dbos import DBOS
DBOS(config={{"name": "host", "system_database_url": "sqlite:///{tmp_path}/host.sqlite", "log_level": "CRITICAL"}})
@DBOS.workflow()
def mine() -> str:
    return "still here"
DBOS.launch()
from modelslab_pony import ConfigurationError
from modelslab_pony.batch import Batch
try:
    Batch("{tmp_path}/out", [{{"prompt": "a"}}], api_key="k" * 20).run()
except ConfigurationError as error:
    print(error)
print(mine())
DBOS.destroy()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert "uses DBOS for itself" in done.stdout, done.stderr
    assert done.stdout.splitlines()[-1] == "still here"


def test_unknown_rows_that_left_the_input_are_still_told(simulator: Simulator, tmp_path: Path) -> None:
    """They may have been paid for."""
    simulator.faults.add(faults.Drop(), on="submission")
    Batch(tmp_path / "out", ROWS[:1], connect=simulator.async_client).run()
    batch = Batch(tmp_path / "out", ROWS[1:], connect=simulator.async_client)
    status = batch.run()
    assert (status.total, status.unknown, status.former, status.former_unknown) == (5, 0, 1, 1)
    (lost,) = batch.former()
    assert (lost.index, lost.status, lost.seed) == (0, "unknown", 0)


def test_files_of_others_are_left_alone(simulator: Simulator, tmp_path: Path) -> None:
    """What looks half-written and is not this batch's; what a process that is gone left is removed."""
    (tmp_path / "project").mkdir()
    foreign = [
        tmp_path / "project" / ".download.part",
        tmp_path / ".download.part",
        tmp_path / ".pony-1-00-00.part",
    ]
    dead = tmp_path / f".pony-{2**22 + 1}-00-00.part"  # no process has that number
    for path in (*foreign, dead):
        path.write_bytes(b"half")
    Batch(tmp_path, ROWS[:1], connect=simulator.async_client).run()
    assert all(path.exists() for path in foreign)
    assert not dead.exists()


def test_a_full_disk_is_said_in_a_sentence(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run ends with the reason, and the next one finishes it."""
    kept = _disk._File.write

    def full(*_: object) -> None:
        raise _disk.DiskError("cannot write the file: [Errno 28] No space left on device")

    monkeypatch.setattr(_disk._File, "write", full)
    batch = Batch(tmp_path / "out", ROWS, connect=simulator.async_client)
    with pytest.raises(DownloadError, match="No space left"):
        batch.run()
    assert batch.status().failed == 0
    monkeypatch.setattr(_disk._File, "write", kept)
    assert batch.run().is_complete
    assert sent(simulator) == [0, 1, 2, 3, 4, 5]


def test_nothing_is_sent_where_there_is_no_room(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is accepted has to be written down."""
    usage = shutil.disk_usage
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(path)._replace(free=2**20))
    batch = Batch(tmp_path / "out", ROWS, connect=simulator.async_client)
    with pytest.raises(DownloadError, match=r"1\.0 MiB are left .* make room"):
        batch.run()
    assert len(simulator.submissions) == 0
    assert batch.status().waiting == 6
    monkeypatch.setattr(shutil, "disk_usage", usage)
    assert batch.run().is_complete


def test_a_job_that_never_could_be_written_down_is_in_the_error(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next run has its row as unknown, and does not send it again."""
    with monkeypatch.context() as patch:
        patch.setattr("modelslab_pony.batch._engine.LONGEST_STOP", 0.3)
        patch.setattr("modelslab_pony.batch._work.DATABASE_PATIENCE", 0.3)
        claim = Ledger.claim
        first: list[int] = []

        def claim_one(ledger: Ledger, id: int, *rest: Any) -> Any:
            first.append(id)
            if id != first[0]:
                raise FULL
            return claim(ledger, id, *rest)

        def full(*_: Any) -> bool:
            raise FULL

        patch.setattr(Ledger, "claim", claim_one)
        patch.setattr(Ledger, "accepted", full)
        batch = Batch(tmp_path / "out", ROWS, connect=simulator.async_client)
        with pytest.raises(ConfigurationError, match=r"rows \d were accepted.* unknown; .*`pony fetch`: 70010001"):
            batch.run()
    status = batch.run()
    assert (status.done, status.unknown) == (5, 1)
    assert len(simulator.submissions) == 6


@pytest.mark.parametrize("lost", ["the ledger", "all books"])
def test_a_folder_that_lost_its_books_is_not_begun_anew(simulator: Simulator, tmp_path: Path, lost: str) -> None:
    """All of it would be paid for again."""
    batch = Batch(tmp_path / "out", ROWS, connect=simulator.async_client)
    batch.run()
    if lost == "the ledger":
        (tmp_path / "out" / ".batch" / "ledger.sqlite").write_bytes(b"")
    else:
        shutil.rmtree(tmp_path / "out" / ".batch")
    for _ in range(2):
        with pytest.raises(ConfigurationError, match=r"books .* are gone"):
            batch.run()
    assert len(simulator.submissions) == 6
    (tmp_path / "out" / "results.jsonl").unlink()
    assert batch.run().is_complete


def test_cancelled_rows_that_are_wanted_again_are_not_unknown(tmp_path: Path) -> None:
    """Their former workflows are still about, and leave them to the new ones; a full queue slows those down."""
    simulator = Simulator(eta=3, workers=9, queue_limit=9)
    batch = Batch(tmp_path / "out", ROWS, connect=simulator.async_client, limit=1)
    batch.run(lambda event: batch.stop() if event.kind == "accepted" else None)
    batch.cancel()
    simulator.eta = 0.1
    simulator.faults.add(faults.Late(0.3), on="submission", times=None)
    simulator.faults.add(faults.RateLimited(0.2), on="submission", times=3)
    events: list[BatchEvent] = []
    again = Batch(tmp_path / "out", ROWS, connect=simulator.async_client, limit=9)
    assert again.run(events.append).is_complete
    assert "unknown" not in {event.kind for event in events}
    assert sent(simulator) == [0, 1, 2, 3, 4, 5]


def test_the_last_results_come_after_a_fault_too(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database does not answer just when the last row was settled."""
    is_open, settled = Ledger.is_open, Ledger.settled
    is_over: list[bool] = []

    def watched(ledger: Ledger, id: str) -> bool:
        found = is_open(ledger, id)
        if not found:
            is_over.append(True)
        return found

    def away(ledger: Ledger, id: str, since: int) -> Iterator[Any]:
        if len(is_over) == 1:
            raise FULL
        return settled(ledger, id, since)

    monkeypatch.setattr(Ledger, "is_open", watched)
    monkeypatch.setattr(Ledger, "settled", away)
    monkeypatch.setattr("modelslab_pony.batch._batch.PROGRESS_EVERY", 0.1)
    found = [result.index for result in Batch(tmp_path / "out", ROWS, connect=simulator.async_client)]
    assert sorted(found) == [1, 2, 3, 4, 5, 6]


def test_a_task_that_is_cancelled_twice_leaves_nothing_running(simulator: Simulator, tmp_path: Path) -> None:
    """Answers on their way are waited for, however impatient the caller."""
    simulator.faults.add(faults.Late(0.5), on="submission", times=None)

    async def story() -> None:
        batch = AsyncBatch(tmp_path / "out", ROWS, connect=simulator.async_client)
        task = asyncio.create_task(batch.run())
        while not simulator.submissions:  # noqa: ASYNC110 - the simulator tells nobody
            await asyncio.sleep(0.02)
        for _ in range(2):
            task.cancel()
            await asyncio.sleep(0.05)
        with pytest.raises(asyncio.CancelledError):
            await task
        Batch(tmp_path / "out").retry(failed=True)  # which is refused while anybody is at work
        assert (await batch.run()).is_complete

    asyncio.run(story())
    assert sent(simulator) == [0, 1, 2, 3, 4, 5]


def test_the_same_no_to_every_row_stops_it(tmp_path: Path) -> None:
    """A wrong address, say: it is not about the rows, and most of them are not even tried."""
    simulator = Simulator(eta=0.0, models={"another"})
    rows = [TextToImage("a lighthouse", seed=number) for number in range(60)]
    batch = Batch(tmp_path / "out", rows, connect=simulator.async_client)
    with pytest.raises(NotFoundError):
        batch.run()
    status = batch.status()
    assert 20 <= status.failed < 40
    assert status.waiting == 60 - status.failed


def test_what_comes_at_the_end_stops_nothing(simulator: Simulator, tmp_path: Path) -> None:
    """Items of another batch find their connections closed then; this one is complete all the same."""
    events: list[str] = []

    class Closing(Work):
        async def close(self) -> None:
            self.halt(ConfigurationError("this client is closed"))
            events.append("closed")
            await super().close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_session, "Work", Closing)
        assert Batch(tmp_path / "out", ROWS[:1], connect=simulator.async_client).run().is_complete
    assert events == ["closed"]


def test_the_limit_is_kept_by_the_folder(simulator: Simulator, tmp_path: Path) -> None:
    """Whoever goes on need not know it."""
    assert Batch(tmp_path / "out", ROWS[:1], connect=simulator.async_client, limit=15).run().limit == 15
    assert Batch(tmp_path / "out", connect=simulator.async_client).run().limit == 15


def test_jobs_are_looked_for_where_they_are(simulator: Simulator, tmp_path: Path) -> None:
    """Another service does not know them; without jobs the address may change."""
    simulator.eta = 30.0
    batch = Batch(tmp_path / "out", ROWS, connect=simulator.async_client, limit=1)
    batch.run(lambda event: batch.stop() if event.kind == "accepted" else None)
    elsewhere = "https://elsewhere.example/api/v6/images"
    with pytest.raises(ConfigurationError, match="finish them with MODELSLAB_BASE_URL"):
        Batch(tmp_path / "out", api_key="k" * 20, base_url=elsewhere).run()
    simulator.eta = 0.0
    with pytest.raises(ConfigurationError, match="none are given"):
        Batch(tmp_path / "out", template="{name}.png")
    with pytest.raises(ConfigurationError, match="a folder has its own"):
        Batch(tmp_path / "out", batch="name")


def test_nothing_is_left_open(simulator: Simulator, tmp_path: Path) -> None:
    """A client that was made is closed, whatever came before the work."""
    made: list[AsyncPonyClient] = []

    def connect() -> AsyncPonyClient:
        made.append(AsyncPonyClient("k" * 20))
        return made[-1]

    rows: list[dict[str, Any]] = [{"prompt": "a", "width": 1}]
    with pytest.raises(InvalidRequestError):
        Batch(tmp_path / "out", rows, connect=connect).run()
    with pytest.raises(InvalidRequestError):
        Batch(tmp_path / "none", connect=connect).run()
    assert [client._httpx.is_closed for client in made] == [True, True]
    assert not simulator.submissions


def test_a_damaged_database_is_said_in_a_sentence(simulator: Simulator, tmp_path: Path) -> None:
    """And which file it is."""
    output = tmp_path / "out"
    Batch(output, ROWS[:1], connect=simulator.async_client).run()
    for name in ("workflows.sqlite", "lock", "ledger.sqlite"):
        path = output / ".batch" / name
        before = path.read_bytes()
        for rest in path.parent.glob(f"{name}-*"):
            rest.unlink()
        path.write_bytes(b"no database at all" * 1000)
        with pytest.raises(ConfigurationError, match=r"cannot be used|is damaged"):
            Batch(output, connect=simulator.async_client).run()
        path.write_bytes(before)
    with pytest.raises(InvalidRequestError, match="has no batch"):
        Batch(tmp_path / "none").status()


@pytest.mark.parametrize("kind", [sqlalchemy.exc.OperationalError, sqlalchemy.exc.InternalError])
def test_a_database_that_is_away_costs_no_job(
    kind: type[sqlalchemy.exc.DBAPIError], simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The id of what was accepted is told, once, and written down when the database is back."""
    kept, faults_left = Ledger.accepted, {1: 2, 2: 2}

    def accepted(self: Ledger, id: int, *rest: Any) -> bool:
        if faults_left[id]:
            faults_left[id] -= 1
            raise kind("insert", {}, Exception("the database is starting up"))
        return kept(self, id, *rest)

    monkeypatch.setattr(Ledger, "accepted", accepted)
    told: list[BatchEvent] = []
    batch = Batch(tmp_path / "out", ROWS[:2], connect=simulator.async_client)
    assert batch.run(told.append).is_complete
    away = [event.facts for event in told if event.kind == "database"]
    assert away == [{"message": "the database is starting up"}] * 4
    ids = sorted((event.facts["index"], event.facts["job_id"]) for event in told if event.kind == "unwritten")
    assert ids == [(result.index, result.job_id) for result in batch.results()]


def test_a_recipe_tells_what_was_sent(simulator: Simulator, tmp_path: Path) -> None:
    """Also where the image that it began with is another one by now."""
    path = tmp_path / "first.png"
    path.write_bytes(PICTURE)
    rows = [{"op": "img2img", "prompt": "a", "init_image": str(path), "seed": 1}]
    batch = Batch(tmp_path / "out", rows, connect=simulator.async_client)
    changed = picture("PNG", (64, 64))
    batch.run(lambda event: path.write_bytes(changed) if event.kind == "accepted" else None)
    recipe = read_recipe(tmp_path / "out" / "00001-1.png")
    assert recipe is not None
    assert recipe.digests == {"init_image": hashlib.sha256(PICTURE).hexdigest()}


def test_a_folder_that_was_moved_stops_it(simulator: Simulator, tmp_path: Path) -> None:
    """Images would go where nobody looks for them; in its new place it goes on."""
    simulator.eta = 5.0
    told: list[str] = []

    def move(event: BatchEvent) -> None:
        if event.kind == "accepted" and not told:
            told.append("moved")
            (tmp_path / "out").rename(tmp_path / "elsewhere")

    with pytest.raises(ConfigurationError, match="was the folder moved"):
        Batch(tmp_path / "out", ROWS, connect=simulator.async_client, limit=1).run(move)
    assert not (tmp_path / "out").exists()
    simulator.eta = 0.0
    assert Batch(tmp_path / "elsewhere", connect=simulator.async_client).run().is_complete
    assert sent(simulator) == [0, 1, 2, 3, 4, 5]
    batches.check_images(tmp_path / "elsewhere", batches.results(tmp_path / "elsewhere"))


def _when(true: Any, then: Any) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    then()
