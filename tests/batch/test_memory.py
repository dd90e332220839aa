"""A large input takes no more memory than a small one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from modelslab_pony.testing import Simulator
from modelslab_pony.testing.server import serving
from support import batches

PROGRAM = """
import resource, sys
from modelslab_pony.batch import Batch
batch = Batch(sys.argv[2], sys.argv[1], limit=5)
done = 0
for result in batch:
    done += 1
    if done == 40:
        break
print(batch.status().total, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak(url: str, folder: Path, count: int) -> int:
    """Return the most memory, in the system's unit, that a run of so many rows takes: check, send, save, report."""
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
    assert len(batches.results(folder / "out")) == count
    return memory


def test_memory_is_flat_from_a_thousand_to_fifty_thousand_rows(tmp_path: Path) -> None:
    """Rows are read, kept, sent and reported a few at a time."""
    with serving(Simulator(eta=0.1, workers=5, balance=1000)) as url:
        small, large = (peak(url, tmp_path / str(count), count) for count in (1_000, 50_000))
        again = peak(url, tmp_path / "50000", 50_000)
    assert max(large, again) < 1.2 * small, (small, large, again)
