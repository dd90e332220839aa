"""What the wrapper has to learn before it goes with another generated client; nothing is changed.

The wrapper and the tests are put beside the new client in a temporary folder, by links; there mypy reads
them, and the parity test compares every request class with the new spec.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from spec import SpecError


def lessons(root: Path, generated: Path) -> list[str]:
    """Return a sentence for each thing that the wrapper in `root` has to learn of a new client."""
    with tempfile.TemporaryDirectory(prefix="wrapper-check-") as folder:
        stage = Path(folder)
        for name in ("pyproject.toml", "wrapper", "tests"):
            (stage / name).symlink_to(root / name)
        (stage / "generated").symlink_to(generated)
        return [*_parity(stage), *_types(stage)]


def _parity(stage: Path) -> list[str]:
    done = _python(stage, "-m", "support.parity")
    if done.returncode == 0:
        return []
    # What was printed are sentences; an import that fails says so in the last line of its traceback.
    return done.stdout.splitlines() or [f"the wrapper cannot be imported: {_last(done.stderr, stage)}"]


def _last(text: str, stage: Path) -> str:
    return (text.strip().splitlines() or ["it ended without a word"])[-1].replace(f"{stage}/", "")


def _types(stage: Path) -> list[str]:
    # A cache of other states may remember modules that are not there.
    done = _python(stage, "-m", "mypy", "wrapper", "--no-error-summary", "--hide-error-context", *cache(stage))
    if done.returncode not in {0, 1}:
        raise SpecError(f"mypy could not read the wrapper:\n{done.stdout}{done.stderr}".rstrip())
    return done.stdout.splitlines()


def cache(stage: Path) -> list[str]:
    """Return mypy's options for a cache of its own; tests, which are many, begin with one of today's state."""
    return ["--cache-dir", str(stage / "cache")]


def _python(stage: Path, *command: str) -> subprocess.CompletedProcess[str]:
    places = os.pathsep.join(str(stage / name) for name in ("generated", "wrapper", "tests"))
    environment = {**os.environ, "PYTHONPATH": places, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *command], cwd=stage, env=environment, capture_output=True, text=True, check=False
    )
