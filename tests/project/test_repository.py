"""What the files of this repository promise each other."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from modelslab_pony.cli._exits import _CODES
from prism_image import ROOT, VERSION

SKIPPED = {".git", ".venv", "venv", ".venv-audit", ".venv-bench", "node_modules", "out", "dist", "site"}
TEXTS = [
    path
    for path in ROOT.rglob("*")
    if path.is_file()
    and not SKIPPED & set(path.relative_to(ROOT).parts)
    and not any(part.endswith("_cache") or part in {"__pycache__", ".hypothesis"} for part in path.parts)
    and path.suffix not in {".pyc", ".png"}
]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
# Put together here so that this file names none of them.
REGISTRIES = re.compile("|".join(("py" + r"pi\.org", "python" + "hosted", "registry" + r"\.npm", r"deb\." + "debian")))


def test_no_file_names_a_package_registry() -> None:
    """Lock files work with whatever registry a machine is set up for."""
    assert [path for path in TEXTS if REGISTRIES.search(path.read_text("utf-8", "replace"))] == []


def test_the_lock_file_names_no_host() -> None:
    """No `resolved` line."""
    assert "resolved" not in (ROOT / "package-lock.json").read_text("utf-8")


def test_prism_is_pinned_exactly_and_alike() -> None:
    """In package.json, in the lock file, and by an engine that the pinned Node satisfies."""
    lock = json.loads((ROOT / "package-lock.json").read_text("utf-8"))
    assert re.fullmatch(r"\d+\.\d+\.\d+", VERSION)
    assert lock["packages"]["node_modules/@stoplight/prism-cli"]["version"] == VERSION
    (node,) = PROJECT["dependency-groups"]["prism"]
    needed = lock["packages"]["node_modules/@stoplight/prism-cli"]["engines"]["node"].removeprefix(">=")
    assert _numbers(node.partition("==")[2]) >= _numbers(needed)


def test_nothing_that_is_fetched_runs_scripts_or_changes_by_itself() -> None:
    """npm installs without scripts, each of its packages by checksum; GitHub's actions are named by commit."""
    assert "ignore-scripts=true" in (ROOT / ".npmrc").read_text("utf-8").split()
    planned = subprocess.run(
        ["make", "-nB", "node_modules/stamp"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "npm ci --ignore-scripts" in planned.stdout
    packages = json.loads((ROOT / "package-lock.json").read_text("utf-8"))["packages"]
    assert all(package.get("integrity") for name, package in packages.items() if name)
    workflows = [path.read_text("utf-8") for path in (ROOT / ".github" / "workflows").glob("*.yml")]
    actions = [found for text in workflows for found in re.findall(r"uses: (\S+)", text)]
    assert actions
    assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action) for action in actions), actions


def test_the_audit_looks_at_everything_and_fails_if_it_cannot_ask() -> None:
    """Python's packages and npm's; what could not be looked up is no clean bill."""
    planned = subprocess.run(["make", "-n", "audit"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "pip-audit --strict" in planned
    assert "npm audit" in planned
    assert " --quiet list" not in planned  # which would list nothing


def test_tools_are_pinned_exactly_and_dependencies_by_range() -> None:
    """A tool's new release changes nothing by itself; an application can still resolve."""
    tools = [tool for group in PROJECT["dependency-groups"].values() for tool in group if isinstance(tool, str)]
    assert all(re.fullmatch(r"[\w-]+==[\w.]+", tool) for tool in tools), tools
    needed = PROJECT["project"]["dependencies"]
    assert sorted(re.split(r"[><=]", name)[0] for name in needed) == ["attrs", "httpx"]
    extras = [name for extra in PROJECT["project"]["optional-dependencies"].values() for name in extra]
    assert all(">=" in name and "==" not in name for name in [*needed, *extras])


def test_the_command_s_page_lists_the_exit_codes() -> None:
    """As the command has them."""
    page = (ROOT / "docs" / "guides" / "command.md").read_text("utf-8")
    listed = dict(re.findall(r"^\| (\d+) \| `(\w+)`", page, re.MULTILINE))
    assert {int(code): name for code, name in listed.items()} == {code: kind.__name__ for kind, code in _CODES.items()}


@pytest.mark.parametrize("path", sorted((ROOT / "wrapper").rglob("*.py")), ids=lambda path: path.name)
def test_a_module_is_short(path: Path) -> None:
    """Past 400 lines it is split by noun; an `__init__` only exports."""
    limit = 60 if path.name == "__init__.py" else 400
    assert len(path.read_text("utf-8").splitlines()) <= limit


SILENCED = re.compile(
    r"#\s*(?:noqa(?::\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*)?|(?:type|pyright):\s*ignore(?:\[[^\]]*\])?)(?P<rest>.*)$"
)


def reasonless(line: str) -> bool:
    """Tell whether a line silences a check and does not say why, after the last silencing on it."""
    found = SILENCED.search(line)
    while found is not None:
        line = found["rest"]
        found = SILENCED.search(line)
        if found is None:
            return re.search(r"[a-z]{2}", line) is None
    return False


@pytest.mark.parametrize(
    ("line", "is_bare"),
    [
        ("x = 1", False),
        ("x = 1  # no" + "qa: S101", True),
        ("x = 1  # no" + "qa: S101, E402 - a pipe", False),
        ("x = 1  # type" + ": ignore[misc]", True),
        ("x = 1  # type" + ": ignore[misc]  # pyright" + ": ignore[reportFoo]", True),
        ("x = 1  # type" + ": ignore[misc]  # pyright" + ": ignore[reportFoo]  # a slip", False),
    ],
)
def test_a_reason_is_told_from_none(line: str, is_bare: bool) -> None:
    """Or the next test could not fail."""
    assert reasonless(line) == is_bare


def test_each_silenced_check_has_its_reason_on_the_line() -> None:
    """For linters and type checkers."""
    files = [path for top in ("wrapper", "scripts", "tests", "examples") for path in (ROOT / top).rglob("*.py")]
    lines = [(path, line) for path in files for line in path.read_text("utf-8").splitlines()]
    assert sum(bool(SILENCED.search(line)) for _, line in lines) > 100
    assert [f"{path.relative_to(ROOT)}: {line.strip()}" for path, line in lines if reasonless(line)] == []


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def test_make_test_runs_every_suite() -> None:
    """And the checks before them; CI runs it, then the Prism suites again in Docker, and the demo."""
    planned = subprocess.run(["make", "-n", "test"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for folder in (
        "unit",
        "client",
        "fuzz",
        "key",
        "simulator",
        "batch",
        "reliability",
        "project",
        "documents",
        "packaging",
    ):
        assert f"pytest tests/{folder}" in planned
    for path in (ROOT / "tests" / "contract").glob("test_*.py"):
        assert f"tests/contract/{path.name}" in planned
    for check in (
        "ruff check",
        "ruff format --check",
        "mypy",
        "pyright",
        "generate.py --check",
        "scripts/schemathesis_run.py",
    ):
        assert check in planned
    for place in (".ci/run", ".github/workflows/ci.yml"):
        text = (ROOT / place).read_text("utf-8")
        for step in ("make demo", "make test PRISM=npm", "make prism-image", "make contract journeys PRISM=docker"):
            assert step in text, place
        assert "NEEDS_BROWSER" in text, place
        assert "NEEDS_POSTGRES" in text, place
