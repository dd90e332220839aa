"""A large input takes no more memory than a small one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from modelslab_pony.testing import Simulator
from modelslab_pony.testing.server import serving
from support import batches

PROGRAM = """
import re, sys
from modelslab_pony.batch import Batch
batch = Batch(sys.argv[2], sys.argv[1], limit=5)
done = 0
for result in batch:
    done += 1
    if done == 40:
        break
# Its own peak: what getrusage tells begins with that of the process that started it.
print(batch.status().total, re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
"""


def peak(url: str, folder: Path, count: int) -> int:
    """Return the most memory, in KiB, that a run of so many rows takes: check, send, ask, report."""
    folder.mkdir(exist_ok=True)
    rows = batches.write_rows(folder / "rows.jsonl", count, negative_prompt="blurry, " * 20)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(rows), str(folder / "out")],
        env=batches.environment(url),
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    total, memory = map(int, done.stdout.split())
    assert total == count
    with (folder / "out" / "results.jsonl").open(encoding="utf-8") as file:
        assert sum(1 for _ in file) == count
    return memory


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells a process's own peak")
def test_memory_is_flat_from_a_thousand_to_fifty_thousand_rows(tmp_path: Path) -> None:
    """Rows are read, kept, sent and reported a few at a time."""
    # Without images: how many are in memory at once is chance, and has nothing to do with the input.
    with serving(Simulator(eta=0.1, workers=5, balance=1000, outcome="failed")) as url:
        small, large = (peak(url, tmp_path / str(count), count) for count in (1_000, 50_000))
        again = peak(url, tmp_path / "50000", 50_000)
    assert max(large, again) < 1.2 * small, (small, large, again)
