"""A process that is killed, over and over: nothing accepted is lost, nothing is sent twice."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from modelslab_pony.testing import Simulator, faults
from modelslab_pony.testing.server import serving
from support import batches

ROWS, KILLS = 200, 50


@pytest.mark.timeout(600)
def test_fifty_kills_lose_nothing_and_send_nothing_twice(tmp_path: Path) -> None:
    """Every accepted job's image is there in the end, or its row says that nobody knows; none is sent again."""
    chance = random.Random(20_261_123)  # noqa: S311 - chance that can be repeated
    output, rows = tmp_path / "out", batches.write_rows(tmp_path / "rows.jsonl", ROWS)
    simulator = Simulator(eta=2.2, workers=4, queue_limit=20, retention=10_000, balance=1000)
    simulator.faults.add(faults.Late(0.1), on="submission", times=None)  # many are killed while they wait for an answer
    with serving(simulator) as url:
        for _ in range(KILLS):
            with batches.begun(url, rows, "-o", output, "--limit", 4) as process:
                time.sleep(chance.uniform(0.5, 3.5))  # the moment is what is tested; no answer depends on it
                assert process.poll() is None, process.communicate()[1]
        batches.run(url, rows, "-o", output, "--limit", 4, code=40 if _unknown(output) else 0)
    there = batches.results(output)
    sent = batches.accepted(simulator)
    assert [row["index"] for row in there] == list(range(1, ROWS + 1))
    assert set(sent.values()) == {1}
    done, unknown = batches.seeds(there, "done"), batches.seeds(there, "unknown")
    assert done | unknown == set(range(ROWS))
    batches.check_images(output, there)
    assert {row["job_id"] for row in there if row["status"] == "done"} <= set(simulator.jobs)
    # The answers that never came, or came and were not written down.
    assert set(sent) - done <= unknown
    # Whoever is killed after the entry in the books and before the first byte cannot know it: that is a moment.
    assert len(unknown - set(sent)) <= 2


def _unknown(output: Path) -> bool:
    """Tell whether the last run ends with unknown rows: some are known by now, others are only found by it."""
    import sqlite3

    with sqlite3.connect(output / ".batch" / "ledger.sqlite") as ledger:
        (count,) = ledger.execute("select count(*) from pony_items where state in ('unknown', 'submitting')").fetchone()
    ledger.close()
    return bool(count)
