"""Batches as processes of their own, and what they left behind."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from modelslab_pony import read_recipe
from modelslab_pony.batch._row_book import Item
from modelslab_pony.testing import Simulator
from support.processes import beside

KEY = "sk-planted-0123456789"
BATCH = [sys.executable, "-m", "modelslab_pony.cli", "batch"]
ITEM = Item(
    id=11,
    batch="b",
    position=3,
    name="fox",
    document={"op": "text2img", "fields": {"prompt": "a fox", "width": 2048}},
    state="waiting",
    attempt=1,
    round=1,
    parked=False,
    token=None,
    worker=None,
    claimed_at=None,
    job_id=None,
    accepted_at=None,
    answer={},
    answered_at=None,
    files=(),
    error=None,
    settled_at=None,
    serial=None,
)
"""A row that waits."""


def environment(url: str) -> dict[str, str]:
    """Return the environment of a process that works at a base URL."""
    return {**os.environ, "MODELSLAB_BASE_URL": url, "MODELSLAB_API_KEY": KEY, "PYTHONUNBUFFERED": "1"}


def write_rows(path: Path, count: int, **fields: Any) -> Path:
    """Write so many different rows; the seed tells them apart."""
    rows = ({"prompt": f"a lighthouse, {number}", "seed": number, **fields} for number in range(count))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


@contextlib.contextmanager
def begun(url: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Start `pony batch`; it does not outlive the block."""
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with beside([*BATCH, *map(str, arguments)], env=environment(url), **streams) as process:
        yield process


def run(url: str, *arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run `pony batch` to its end."""
    command = [*BATCH, *map(str, arguments)]
    done = subprocess.run(command, env=environment(url), capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == code, (done.returncode, done.stdout[-2000:], done.stderr[-2000:])
    return done


def results(output: Path) -> list[dict[str, Any]]:
    """Return what results.jsonl says."""
    return [json.loads(line) for line in (output / "results.jsonl").read_text("utf-8").splitlines()]


def accepted(simulator: Simulator) -> Counter[int]:
    """Return how often the service accepted each seed."""
    return Counter(sent.request["seed"] for sent in simulator.submissions if sent.accepted)


def seeds(rows: Iterable[Mapping[str, Any]], status: str) -> set[int]:
    """Return the seeds of the rows in a state."""
    return {row["request"]["seed"] for row in rows if row["status"] == status}


def check_images(output: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Each row that is done has its images: whole, of its own job, with its own seed; nothing is half-written."""
    for row in rows:
        if row["status"] != "done":
            continue
        assert row["images"], row
        for image in row["images"]:
            recipe = read_recipe(output / image)
            assert recipe is not None
            assert (recipe.job_id, recipe.seed) == (row["job_id"], row["request"]["seed"])
    assert list(output.rglob("*.part")) == []
