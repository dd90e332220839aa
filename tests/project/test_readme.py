"""What the README shows runs as it stands there."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from modelslab_pony.testing import Simulator
from modelslab_pony.testing._door import reserve
from modelslab_pony.testing.server import serving
from prism_image import ROOT

SNIPPETS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
TESTS = [snippet for snippet in SNIPPETS if "def test_" in snippet]
BATCH_COMMANDS = ("status", "retry", "cancel", "worker", "compare", "gallery")
BLOCKS = [snippet for snippet in SNIPPETS if snippet not in TESTS]
PORT = "8020"
"""Where the README listens; a test that runs beside others takes a free one."""


def at_a_free_port(block: str) -> str:
    with contextlib.closing(reserve()) as free:
        return block.replace(PORT, str(free.getsockname()[1]))


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_each_snippet_runs(block: str, tmp_path: Path) -> None:
    """As a program of its own, against a simulator that answers at once."""
    with serving(Simulator(eta=0)) as url:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", at_a_free_port(block)],
            cwd=tmp_path,
            env={"MODELSLAB_BASE_URL": url, "MODELSLAB_API_KEY": "readme-key-0123"},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr


def test_the_snippets_run_one_after_the_other(tmp_path: Path) -> None:
    """In one folder, as somebody would who reads from top to bottom."""
    with serving(Simulator(eta=0)) as url:
        for block in BLOCKS:
            environment = {"MODELSLAB_BASE_URL": url, "MODELSLAB_API_KEY": "readme-key-0123"}
            command = [sys.executable, "-c", at_a_free_port(block)]
            done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr


def test_there_are_snippets() -> None:
    """For both clients, for images in, for batches, for webhooks, and for tests."""
    assert (len(BLOCKS), len(TESTS)) == (5, 1)


@pytest.mark.parametrize("block", TESTS, ids=range(len(TESTS)))
def test_each_test_passes(block: str, tmp_path: Path) -> None:
    """In a project of its own, with the fixtures that the package brings; it is as short as is said."""
    (tmp_path / "test_application.py").write_text(block, "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done.stdout
    assert len(block.splitlines()) <= 10


def test_each_command_line_is_one_of_the_command() -> None:
    """`pony …` in the README names commands and options that exist."""
    text = (ROOT / "README.md").read_text("utf-8")
    lines = re.findall(r"^pony (\w+)(.*?)(?:  #|$)", text, re.MULTILINE)
    assert len(lines) >= 4
    for command, rest in lines:
        words = rest.split()
        below = [words[0] if words[0] in BATCH_COMMANDS else "run"] if command == "batch" else []
        shown = subprocess.run(
            [sys.executable, "-m", "modelslab_pony.cli", command, *below, "--help"],
            env={"COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for option in re.findall(r"(?<= )--?[a-z-]+", rest):
            assert option in shown, f"pony {command} {option}"
