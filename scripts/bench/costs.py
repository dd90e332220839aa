"""What the tools cost: a batch, an item; the harness and a regeneration, in seconds."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
from attrs import frozen

import bench_batch
from bench._measure import ROOT
from bench._report import Section, Table
from bench._same import sent_json
from support import checkout, prism

ITEMS, LIMIT = 200, 15
"""Of a batch: in all, and under way at once."""


@frozen
class Costs:
    """What was found; seconds by what was done."""

    batch: bench_batch.Cost | None
    """None in a quick run."""
    seconds: Mapping[str, float]


def measure(*, quick: bool) -> Costs:
    """Do it all once; a quick run leaves out what takes longest."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        place = Path(folder)
        acts: dict[str, Callable[[], object]] = {
            "Prism started, to its first answer": _first_answer,
            "`generate.py --check`": lambda: _script("generate.py", "--check"),
            "`regenerate.py`, the spec unchanged": lambda: _regenerate(place / "unchanged", lambda _: None),
        }
        if not quick:
            acts = {
                "`make setup` in a fresh copy": lambda: _fresh(place / "fresh"),
                **acts,
                "`regenerate.py`, a word of the spec changed": lambda: _regenerate(place / "changed", _another_word),
                "the contract suites, Prism through npm": _contract,
            }
        batch = None if quick else bench_batch.measure(ITEMS, LIMIT)
        return Costs(batch, {name: _seconds(act) for name, act in acts.items()})


def _seconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def _first_answer() -> None:
    with prism.running(prism.mock_arguments(ROOT / "generated" / "openapi.json")) as url:
        httpx.post(f"{url}/text2img", json=sent_json(), timeout=30).raise_for_status()


def _regenerate(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    root = checkout.make(folder)
    spec = json.loads((ROOT / "openapi.json").read_text("utf-8"))
    edit(spec)
    source = folder.with_suffix(".json")
    source.write_text(json.dumps(spec), "utf-8")
    _script("regenerate.py", str(source), "--root", str(root))


def _another_word(spec: dict[str, Any]) -> None:
    spec["paths"]["/text2img"]["post"]["summary"] = "Another word"


def _contract() -> None:
    suites = ["tests/contract/test_shipped.py", "tests/contract/test_effective.py"]
    _run(sys.executable, "-m", "pytest", "-q", *suites, PRISM="npm")


def _fresh(folder: Path) -> None:
    """Set up a copy of what is under version control, or could be."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    _run("make", "setup", cwd=folder)


def _script(name: str, *arguments: str) -> None:
    _run(sys.executable, f"scripts/{name}", *arguments)


def _run(*command: str, cwd: Path = ROOT, **more: str) -> None:
    # A make that is above would hand its own flags to one below.
    environment = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL"}}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        command, cwd=cwd, env={**environment, **more}, capture_output=True, text=True, check=False, timeout=900
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")


def section(found: Costs) -> Section:
    """Tell it."""
    parts: list[str | Table] = []
    if (batch := found.batch) is not None:
        rows = [
            ("the client alone", 1000 * batch.bare, 1000 * batch.bare_cpu, 1.0),
            ("`Batch`", 1000 * batch.batch, 1000 * batch.batch_cpu, batch.batch_cpu / batch.bare_cpu),
        ]
        said = f"{ITEMS} items that the simulator makes at once, {LIMIT} at a time; an item's part. A batch keeps its "
        said += "books on the disk before and after each request, and makes the small copy for its gallery."
        parts += [said, Table(("", "ms an item", "ms of CPU", "beside the client alone"), rows)]
    seconds = Table(("", "s"), [(name, seconds) for name, seconds in found.seconds.items()])
    parts += ["The harness, and regenerating: each once, in seconds, with warm caches.", seconds]
    return Section("Batch, harness, regenerating", parts)
