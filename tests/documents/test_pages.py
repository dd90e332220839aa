"""What README and docs show runs as it stands there."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from modelslab_pony.testing import Simulator
from modelslab_pony.testing.server import serving
from prism_image import ROOT
from support import documents
from support.documents import DATABASE, Block, blocks
from support.postgres import POSTGRES_IS_THERE, postgres

PAGES = documents.pages()
WRITTEN_BY_TESTS = {"docs/reliability.md", "docs/benchmarks.md"}
IN_A_CHECKOUT = {"CONTRIBUTING.md", "docs/guides/contract-tests.md", "docs/guides/regenerating.md"}
TOLD = {name: blocks(path.read_text("utf-8")) for name, path in PAGES.items()}
FOLLOWED = [
    pytest.param(name, marks=[POSTGRES_IS_THERE] if DATABASE in PAGES[name].read_text("utf-8") else [], id=name)
    for name, found in TOLD.items()
    if any(block.title or block.is_test or block.is_program or block.is_typed for block in found)
]
README = [block for block in TOLD["README.md"] if block.is_program]
ELSEWHERE = {
    "audit": "asks services on the internet",
    "bench": "takes twenty minutes",
    "bench-quick": "is a measurement, and a busy machine spoils it",
    "fuzz": "takes minutes; `make answers` is the same in short",
    "mock": "stays until it is stopped; the contract suites start the same Prism",
    "regenerate": "tests/project/test_regenerate.py runs it, from files, addresses and pages",
    "generate": "tests/project/test_generate.py runs it",
    "build": "tests/packaging does what it does",
    "docs": "tests/documents/test_site.py does what it does",
}
"""Targets that pages name and that `make test` and CI do not run as they stand, with the reason."""


@contextlib.contextmanager
def reader_of(name: str, folder: Path) -> Iterator[documents.Reader]:
    with contextlib.ExitStack() as open_:
        values = {}
        if DATABASE in PAGES[name].read_text("utf-8"):
            values[DATABASE] = open_.enter_context(postgres()).address
        url = open_.enter_context(serving(Simulator(eta=0)))
        reading = documents.reading(folder, url, values, in_a_checkout=name in IN_A_CHECKOUT)
        yield open_.enter_context(reading)


@pytest.mark.timeout(300)  # a page of batches starts a dozen processes, PostgreSQL among them
@pytest.mark.parametrize("name", FOLLOWED)
def test_each_page_can_be_followed_from_top_to_bottom(name: str, tmp_path: Path) -> None:
    """In one folder: files, programs, tests and commands; what it has installed or made exists."""
    with reader_of(name, tmp_path) as reader:
        for block in TOLD[name]:
            reader.follow(block)
        for arguments in reader.typed("pip"):
            check_installed(arguments)
        for arguments in reader.typed("make"):
            check_made(arguments)


@pytest.mark.parametrize("block", README, ids=range(len(README)))
def test_each_program_of_the_readme_runs_by_itself(block: Block, tmp_path: Path) -> None:
    """For whoever copies one of them."""
    with reader_of("README.md", tmp_path) as reader:
        reader.follow(block)


def test_the_readme_shows_the_client_in_ten_lines_and_a_test_in_ten() -> None:
    """Short enough for its first screen."""
    assert len(README[0].text.splitlines()) <= 10
    (test,) = [block for block in TOLD["README.md"] if block.is_test]
    assert len(test.text.splitlines()) <= 10


def check_installed(arguments: list[str]) -> None:
    """What `pip install` names is this package with extras that it has; tests/packaging installs each."""
    extras = set(project()["project"]["optional-dependencies"])
    wanted = [word for word in arguments[1:] if not word.startswith("-")]
    assert arguments[0] == "install"
    for word in wanted:
        found = re.fullmatch(r"(?:modelslab-pony|\.)(?:\[([\w,]+)\])?", word)
        assert found or word in {"uvicorn", "fastapi", "pytest"}, word
        assert set(((found and found[1]) or "").split(",")) <= extras | {""}, word


def check_made(arguments: list[str]) -> None:
    """What `make` is asked for is a target, and one that is run: by `make test`, by CI, or elsewhere, as said above."""
    subprocess.run(["make", "-n", *arguments], cwd=ROOT, capture_output=True, check=True)
    if arguments == ["regenerate", "SPEC=openapi.json"]:  # what is there already: nothing is written
        command = [sys.executable, str(ROOT / "scripts" / "regenerate.py")]
        environment = {**os.environ, "SPEC": "openapi.json"}
        said = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
        assert (said.returncode, "no change" in said.stdout) == (0, True), said.stdout + said.stderr
    wanted = {word for word in arguments if not word.startswith("-") and "=" not in word}
    assert wanted <= run_by_ci() | set(ELSEWHERE), arguments


@cache
def project() -> dict[str, dict[str, dict[str, list[str]]]]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


@cache
def run_by_ci() -> set[str]:
    """Return the targets that CI runs, `make test`'s own among them."""
    typed = re.findall(r"^make ([a-z -]+)", (ROOT / ".ci" / "run").read_text("utf-8"), re.MULTILINE)
    below = re.findall(r"^(?:test|check): ([a-z -]+)##", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    return {word for line in [*typed, *below] for word in line.split()} | {"setup"}


def test_each_reason_is_of_a_target_that_is_not_run() -> None:
    """Or a reason would outlive what it excuses."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert set(ELSEWHERE) <= targets
    assert not set(ELSEWHERE) & run_by_ci()


@pytest.mark.parametrize("name", PAGES)
def test_data_on_a_page_can_be_read(name: str) -> None:
    """JSON, JSONL, YAML and TOML are such."""
    for block in TOLD[name]:
        if block.language == "json":
            json.loads(block.text)
        elif block.language == "jsonl":
            assert all(json.loads(line) for line in block.text.splitlines())
        elif block.language == "yaml":
            YAML(typ="safe").load(block.text)
        elif block.language == "toml":
            tomllib.loads(block.text)
        else:
            assert block.language in {"python", "sh", "text", "csv", "diff", "xml"}, block.text


@pytest.mark.parametrize("name", sorted(set(PAGES) - WRITTEN_BY_TESTS))
def test_a_command_in_the_text_exists(name: str) -> None:
    """`make …` is a target; `pony …` is a command, and has the options that are named with it."""
    text = documents.FENCE.sub("", PAGES[name].read_text("utf-8"))
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z][a-z-]*)", text)) <= targets
    for line in re.findall(r"`pony ([a-z][^`]*)`", text):
        words = line.split()
        for option in [word.split("=")[0] for word in words if re.fullmatch(r"--?[a-z].*", word)]:
            assert option in shown_help(words), f"pony {line}"
        shown_help(words)


def shown_help(words: list[str]) -> str:
    """Return the help of the command that a line begins with."""
    below = ("status", "retry", "cancel", "worker", "compare", "gallery", "run")
    if words[0] != "batch":
        return ask_help(words[0])
    return ask_help("batch", words[1] if len(words) > 1 and words[1] in below else "run")


@cache
def ask_help(*command: str) -> str:
    asked = [sys.executable, "-m", "modelslab_pony.cli", *command, "--help"]
    shown = subprocess.run(asked, env={"COLUMNS": "200"}, stdout=subprocess.PIPE, text=True, check=True)
    return shown.stdout
