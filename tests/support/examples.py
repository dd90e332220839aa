"""Runs the examples as somebody would who copied them: in processes of their own, with an environment of their own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from PIL import Image

from prism_image import ROOT
from support.processes import beside

EXAMPLES = ROOT / "examples"
BIN = Path(sys.executable).parent
KEY = "examples-key-0123"
LIMIT = 100.0
"""Seconds that anything may take here."""
TestT = TypeVar("TestT", bound=Callable[..., None])


def files() -> dict[str, Path]:
    """Return every file of the examples, by its name below the folder."""
    made = re.compile(r"/(__pycache__|node_modules|\.[a-z]+_cache)/")
    found = (path for path in EXAMPLES.rglob("*") if path.is_file() and not made.search(path.as_posix()))
    return {path.relative_to(EXAMPLES).as_posix(): path for path in found}


def runs(*names: str) -> Callable[[TestT], TestT]:
    """Say which files a test runs, or reads as their tool would: a test counts them."""
    for name in names:
        assert (EXAMPLES / name).is_file(), name
    return lambda test: test


def environment(folder: Path, url: str, **more: str) -> dict[str, str]:
    """What a user has set, and nothing of this machine's."""
    return {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder),
        "MODELSLAB_BASE_URL": url,
        "MODELSLAB_API_KEY": KEY,
        "PYTHONDONTWRITEBYTECODE": "1",
        **more,
    }


def run(folder: Path, url: str, *arguments: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run Python to its end; the key is in nothing that it says."""
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=folder,
        env=environment(folder, url, **more),
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert KEY not in done.stdout + done.stderr
    return done


@contextmanager
def begun(folder: Path, url: str, *arguments: str | Path, stderr: int | None = None) -> Iterator[subprocess.Popen[str]]:
    """Run Python beside the block; what has not ended with that is killed."""
    command = [sys.executable, "-W", "error", *arguments]
    streams = {"stdout": subprocess.PIPE, "stderr": stderr}
    with beside(command, cwd=folder, env=environment(folder, url), **streams) as process:
        yield process


@contextmanager
def killed(folder: Path, url: str, *arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """Run Python until the block ends, which kills it."""
    with begun(folder, url, *arguments) as process:
        yield process
    assert process.returncode == -signal.SIGKILL


def running(words: str) -> list[str]:
    """Return the command lines of processes that hold some words; none where there is no `/proc`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended meanwhile
            found.append(path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
    return [line for line in found if words in line]


def until(happened: Callable[[], bool]) -> None:
    """Wait for what another process does."""
    deadline = time.monotonic() + LIMIT
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def size(path: Path) -> tuple[int, int]:
    """Open a picture, all of it."""
    with Image.open(path) as picture:
        picture.load()
        return picture.size
