"""Two machines and one account: processes that share a PostgreSQL database."""

from __future__ import annotations

import contextlib
import itertools
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

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
    with postgres() as address:
        yield address


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


@pytest.mark.parametrize("victim", ["the worker", "the one that began"])
def test_what_a_killed_process_began_is_finished_by_the_other(victim: str, database: str, tmp_path: Path) -> None:
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
        dead.kill()
        said = alive.communicate(timeout=120)[1]
        assert alive.returncode in {0, 40}, said
        batches.run(url, "gallery", "-o", output, "--database", database)
    there = batches.results(output)
    sent = batches.accepted(simulator)
    done, unknown = batches.seeds(there, "done"), batches.seeds(there, "unknown")
    assert done | unknown == set(range(150))
    assert len(unknown) <= LIMIT
    assert set(sent.values()) == {1}
    assert set(sent) - done <= unknown
    assert max(lengths) <= LIMIT
    assert len({row["worker"] for row in there}) == 2
    batches.check_images(output, [row for row in there if row["status"] == "done"])
