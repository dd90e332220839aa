"""The programs that a page's reader types: `pony` is the real one, `make` and `pip` write down what they were asked.

What runs until it is stopped (a simulator, a server) is started in the background, as in another terminal, and is
waited for until it listens.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

BESIDE = "PAGES_BESIDE"
"""The environment variable that names the folder of these programs."""
STAYING = {("pony", "simulator"): "listening on", ("uvicorn",): "running on"}
"""What runs until it is stopped, and what it says when it listens."""
NOTED = ("make", "pip", "npm", "git")
"""What is only written down: `make` runs the suites that this is one of, `pip` would change the environment."""
START_LIMIT = 30.0
"""Seconds."""


def install(beside: Path) -> None:
    """Make the programs, in a folder that goes first on PATH."""
    (beside / "bin").mkdir(parents=True)
    names = [*NOTED, *(words[0] for words in STAYING)]
    names += [] if shutil.which("curl") else ["curl"]
    for name in names:
        path = beside / "bin" / name
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -W ignore "{__file__}" {name} "$@"\n', "utf-8")
        path.chmod(0o755)


def calls(beside: Path, program: str) -> list[list[str]]:
    """Return the arguments of each call of a program that is only written down."""
    path = beside / f"{program}.jsonl"
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


def running(beside: Path) -> list[int]:
    """Return the process groups that were started in the background."""
    return [int(path.read_text()) for path in beside.glob("*.group")]


def main(program: str, arguments: list[str]) -> int:
    """Stand in for one program."""
    beside = Path(os.environ[BESIDE])
    if program in NOTED:
        with (beside / f"{program}.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(arguments) + "\n")
        return 0
    if program == "curl":
        return _curl(arguments)
    real = [str(Path(sys.executable).with_name(program)), *arguments]
    for words, listening in STAYING.items():
        if (program, *arguments)[: len(words)] == words and "--help" not in arguments:
            return _stay(beside, real, listening)
    os.execv(real[0], real)  # noqa: S606 - it becomes the program that was typed
    raise AssertionError


def _stay(beside: Path, command: list[str], listening: str) -> int:
    log = beside / f"{len(list(beside.glob('*.group')))}.log"
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env=environment, start_new_session=True)
    log.with_suffix(".group").write_text(str(process.pid))
    deadline = time.monotonic() + START_LIMIT
    while listening not in log.read_text("utf-8", "replace"):
        if process.poll() is not None or time.monotonic() > deadline:
            print(log.read_text("utf-8", "replace"), file=sys.stderr)  # noqa: T201 - a program says why it ends
            return 1
        time.sleep(0.05)
    return 0


def _curl(arguments: list[str]) -> int:
    """Ask as curl does, on a machine that has none: `-X METHOD`, `-d BODY`, an address."""
    import httpx

    method, body, address = "GET", None, ""
    words = iter(arguments)
    for word in words:
        if word == "-X":
            method = next(words)
        elif word == "-d":
            body = next(words)
        elif not word.startswith("-"):
            address = word if "://" in word else f"http://{word}"
    print(httpx.request(method, address, content=body).raise_for_status().text)  # noqa: T201 - a program prints
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
