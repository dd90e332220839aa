"""Two machines and one account: processes that share a PostgreSQL database."""

from __future__ import annotations

import contextlib
import itertools
import json
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from modelslab_pony.batch import _saving
from modelslab_pony.batch._ledger import Ledger
from modelslab_pony.batch._rows import Checked
from modelslab_pony.batch._tables import postgres_url
from modelslab_pony.testing import Simulator
from modelslab_pony.testing.server import serving
from support import batches
from support.postgres import POSTGRES_IS_THERE, postgres

pytestmark = [POSTGRES_IS_THERE, pytest.mark.timeout(300)]
LIMIT = 10


def watched(eta: float) -> tuple[Simulator, list[int]]:
    """Return a simulator, and how many jobs its queue had after each request."""
    lengths: list[int] = []
    simulator = Simulator(
        eta=eta,
        workers=LIMIT,
        queue_limit=None,
        retention=10_000,
        balance=1000,
        log=lambda *_: lengths.append(simulator.queued),
    )
    return simulator, lengths


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as running:
        yield running.address


_names = itertools.count()


@pytest.fixture
def database(server: str) -> str:
    """An empty database of the test's own."""
    name = f"pony{next(_names)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return server.replace("/postgres", f"/{name}")


def _until(simulator: Simulator, count: int) -> None:
    deadline = time.monotonic() + 60
    while len(simulator.submissions) < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_two_workers_keep_one_limit(database: str, tmp_path: Path) -> None:
    """Over 500 items the service's queue never has more than the limit; both do their part; each is sent once."""
    output, rows = tmp_path / "out", batches.write_rows(tmp_path / "rows.jsonl", 500)
    simulator, lengths = watched(eta=0.3)
    with (
        serving(simulator) as url,
        batches.begun(url, "worker", "-o", output, "--database", database) as worker,
    ):
        batches.run(url, rows, "-o", output, "--database", database, "--limit", LIMIT)
        worker.send_signal(signal.SIGINT)
        said = worker.communicate(timeout=60)[1]
    assert worker.returncode == 130, said
    assert "nothing is lost; to go on: pony batch worker" in said
    there = batches.results(output)
    assert batches.seeds(there, "done") == set(range(500))
    assert set(batches.accepted(simulator).values()) == {1}
    assert max(lengths) == LIMIT
    shares = Counter(row["worker"] for row in there)
    assert len(shares) == 2
    assert min(shares.values()) > 50
    batches.check_images(output, there)


@pytest.mark.parametrize(
    ("victim", "number"),
    [("the worker", signal.SIGKILL), ("the one that began", signal.SIGKILL), ("the worker", signal.SIGINT)],
)
def test_what_a_process_began_that_ended_is_finished_by_the_other(
    victim: str, number: signal.Signals, database: str, tmp_path: Path
) -> None:
    """Its accepted jobs are fetched, what it was sending is unknown, the rest is made; the limit holds all along."""
    output, rows = tmp_path / "out", batches.write_rows(tmp_path / "rows.jsonl", 150)
    simulator, lengths = watched(eta=2.0)
    with serving(simulator) as url, contextlib.ExitStack() as stack:

        def begin(*arguments: object) -> subprocess.Popen[str]:
            return stack.enter_context(batches.begun(url, *arguments, "-o", output, "--database", database))

        first = begin(rows, "--limit", LIMIT)
        _until(simulator, 5)
        second = begin("worker", "--until-done")
        _until(simulator, 60)
        dead, alive = (second, first) if victim == "the worker" else (first, second)
        dead.send_signal(number)
        # What it may leave half written, left for certain. Nobody asks yet how it ended, so its number is still taken.
        half = [folder / f".pony-{dead.pid}-00-00.part" for folder in (output, output / "thumbnails")]
        for part in half if number == signal.SIGKILL else []:
            part.write_bytes(b"half")
        said = alive.communicate(timeout=120)[1]
        assert alive.returncode in {0, 40}, said
        batches.run(url, "gallery", "-o", output, "--database", database)
    there = batches.results(output)
    sent = batches.accepted(simulator)
    done, unknown = batches.seeds(there, "done"), batches.seeds(there, "unknown")
    assert done | unknown == set(range(150))
    assert len(unknown) <= (LIMIT if number == signal.SIGKILL else 0)
    assert set(sent.values()) == {1}
    assert set(sent) - done <= unknown
    assert max(lengths) <= LIMIT
    assert len({row["worker"] for row in there}) == 2
    batches.check_images(output, [row for row in there if row["status"] == "done"])


def test_two_batches_share_a_database_and_nothing_else(database: str, tmp_path: Path) -> None:
    """Each has its images in its own folder, whoever fetched them; one limit holds for both."""
    simulator, lengths = watched(eta=0.3)
    outputs = [tmp_path / "one", tmp_path / "two"]
    with serving(simulator) as url, contextlib.ExitStack() as stack:
        for place, output in enumerate(outputs):
            rows = batches.write_rows(tmp_path / f"rows{place}.jsonl", 60, track_id=f"batch {place}")
            options = ("-o", output, "--database", database, "--limit", LIMIT)
            stack.enter_context(batches.begun(url, rows, *options))
        _until(simulator, 100)
        for output in outputs:
            batches.run(url, "-o", output, "--database", database)
    for output in outputs:
        there = batches.results(output)
        assert batches.seeds(there, "done") == set(range(60))
        batches.check_images(output, there)
    assert set(batches.accepted(simulator).values()) == {2}
    assert max(lengths) <= LIMIT


@pytest.mark.parametrize("away", [0.0, 8.0])
def test_a_database_that_is_away_is_waited_for(away: float, tmp_path: Path) -> None:
    """Restarted in the middle, for a moment or for longer: nobody gives up, nothing is lost or sent twice."""
    output, rows = tmp_path / "out", batches.write_rows(tmp_path / "rows.jsonl", 60)
    simulator, lengths = watched(eta=1.0)
    with postgres() as server, serving(simulator) as url:
        address = ("-o", output, "--database", server.address)
        with (
            batches.begun(url, rows, *address, "--limit", LIMIT) as first,
            batches.begun(url, "worker", *address, "--until-done") as second,
        ):
            _until(simulator, 20)
            server.restart(away)
            for process in (first, second):
                said = process.communicate(timeout=150)[1]
                assert process.returncode in {0, 40}, said
                assert "Traceback" not in said
        batches.run(url, "gallery", *address)
    there = batches.results(output)
    sent = batches.accepted(simulator)
    done, unknown = batches.seeds(there, "done"), batches.seeds(there, "unknown")
    assert done | unknown == set(range(60)), [row for row in there if row["status"] not in {"done", "unknown"}]
    assert set(sent.values()) == {1}
    assert set(sent) - done <= unknown
    assert max(lengths) <= LIMIT
    batches.check_images(output, there)


def test_whoever_begins_twice_at_once_has_one_batch(database: str, tmp_path: Path) -> None:
    """The same command in the same folder, on two machines say."""
    output, rows = tmp_path / "out", batches.write_rows(tmp_path / "rows.jsonl", 10)
    simulator, _ = watched(eta=0.3)
    with serving(simulator) as url:
        options = (rows, "-o", output, "--database", database)
        with batches.begun(url, *options) as first, batches.begun(url, *options) as second:
            said = [process.communicate(timeout=60)[1] for process in (first, second)]
            assert (first.returncode, second.returncode) == (0, 0), said
    assert set(batches.accepted(simulator).values()) == {1}
    assert len(simulator.submissions) == 10


def test_a_folder_that_lost_its_name_is_not_begun_anew(database: str, tmp_path: Path) -> None:
    """All of it would be paid for again; by its name it goes on."""
    output, rows = tmp_path / "out", batches.write_rows(tmp_path / "rows.jsonl", 3)
    simulator, _ = watched(eta=0.0)
    with serving(simulator) as url:
        batches.run(url, rows, "-o", output, "--database", database)
        mark = output / ".batch" / "batch.json"
        name = json.loads(mark.read_text("utf-8"))["batch"]
        for broken in (None, "", "[]"):
            mark.unlink() if broken is None else mark.write_text(broken, "utf-8")
            said = batches.run(url, rows, "-o", output, "--database", database, code=10).stderr
            assert "this folder has had a batch" in said
        batches.run(url, rows, "-o", output, "--database", database, "--batch", name)
        assert "3 done of 3" in batches.run(url, "status", "-o", output, "--database", database).stdout
        said = batches.run(url, "status", "-o", output, "--database", database, "--batch", "no", code=11).stderr
        assert f"'no' is not in this database; there is {name}" in said
    assert len(simulator.submissions) == 3


def test_a_password_is_not_repeated(database: str, tmp_path: Path) -> None:
    """Wherever it stands in the address; nor is it in a file."""
    host = database.partition("@")[2]
    rows = batches.write_rows(tmp_path / "rows.jsonl", 1)
    simulator, _ = watched(eta=0.0)
    with serving(simulator) as url:
        for address in (f"postgresql://pony:secret-word@{host}", f"postgresql://{host}?user=pony&password=secret-word"):
            options = ("-o", tmp_path / "out", "--database", address)
            batches.run(url, rows, *options)
            done = batches.run(url, "cancel", *options)
            assert "secret-word" not in done.stdout + done.stderr
    for path in (tmp_path / "out").rglob("*"):
        assert not path.is_file() or b"secret-word" not in path.read_bytes(), path


def test_a_folder_is_one_wherever_it_is_mounted(database: str, tmp_path: Path) -> None:
    """Two machines have it at two paths, and a template that gives every row one name."""
    (tmp_path / "out").mkdir()
    (tmp_path / "mount").symlink_to(tmp_path / "out")
    url = "https://images.example/1.png"
    with _ledger(database) as ledger:
        names = [
            _saving._reserve(ledger, tmp_path / folder, item, "{name}.png", {"name": "x", "image": 0}, url, 0)
            for folder, item in zip(("out", "mount"), ledger.rows("b"), strict=True)
        ]
    assert names == ["x.png", "x-2.png"]


def test_the_input_is_taken_in_while_its_rows_are_settled(database: str) -> None:
    """Whoever settles a row has the batch's lock before the row's; so has whoever gives the input again."""
    with _ledger(database) as ledger, ThreadPoolExecutor(1) as pool, psycopg.connect(database) as other:
        other.execute("SET lock_timeout = '200ms'")  # it has no need to wait
        other.execute("UPDATE pony_batches SET serial = serial + 1")
        loading = pool.submit(ledger.load, "b", "https://service.example", {}, _rows("abc"))
        _until_waiting(database)
        other.execute("UPDATE pony_items SET serial = 1")
        other.commit()
        assert loading.result(30) == 0
        assert [row.name for row in ledger.rows("b")] == ["a", "b", "c"]


def test_the_input_is_taken_in_after_a_deadlock_too(database: str) -> None:
    """Workers lock a few rows in an order of their own; the input is not read again for that."""
    with _ledger(database) as ledger, ThreadPoolExecutor(1) as pool, psycopg.connect(database) as other:
        first, second = (row.id for row in ledger.rows("b"))
        other.execute("SET deadlock_timeout = '60s'")  # the other side finds out
        other.execute("UPDATE pony_items SET queued = true WHERE id = %s", [second])
        loading = pool.submit(ledger.load, "b", "https://service.example", {}, iter(_rows("abc")))
        _until_waiting(database)
        other.execute("UPDATE pony_items SET queued = true WHERE id = %s", [first])
        other.commit()
        assert loading.result(30) == 0
        assert [row.name for row in ledger.rows("b")] == ["a", "b", "c"]


@contextlib.contextmanager
def _ledger(database: str) -> Iterator[Ledger]:
    with contextlib.closing(Ledger(postgres_url(database))) as ledger:
        ledger.load("b", "https://service.example", {}, _rows("ab"))
        yield ledger


def _rows(names: str) -> list[Checked]:
    return [Checked(digest=name, name=name, document=json.dumps({"op": "text2img", "fields": {}})) for name in names]


def _until_waiting(database: str) -> None:
    """Wait until somebody waits for a lock."""
    deadline = time.monotonic() + 30
    with psycopg.connect(database, autocommit=True) as watching:
        while not watching.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchall():
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_rows_are_not_sent_to_another_service(database: str, tmp_path: Path) -> None:
    """A worker whose address is another one refuses to begin."""
    output, rows = tmp_path / "out", batches.write_rows(tmp_path / "rows.jsonl", 20)
    simulator, _ = watched(eta=5.0)
    other, _ = watched(eta=0.0)
    with serving(simulator) as url, serving(other) as elsewhere:
        options = ("-o", output, "--database", database)
        with batches.begun(url, rows, *options, "--limit", 2):
            _until(simulator, 2)
        said = batches.run(elsewhere, "worker", *options, "--until-done", code=10).stderr
    assert f"finish them with MODELSLAB_BASE_URL={url}" in said
    assert not other.submissions
