"""Each public name is in tests/typing/api.py, and an installed wheel says the same to type checkers as this tree."""

from __future__ import annotations

import ast
import inspect
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import modelslab_pony
import modelslab_pony.batch
import modelslab_pony.testing
import modelslab_pony.testing.faults
import modelslab_pony.webhooks
from modelslab_pony.batch import AsyncBatch, Batch
from prism_image import ROOT
from support.packages import ENVIRONMENT, Environment

pytest_plugins = ["support.packaged"]
FACE = ROOT / "tests" / "typing" / "api.py"
PYRIGHT = ROOT / "node_modules" / ".bin" / "pyright"
ALL = "aiohttp,batch,cli,images,testing,webhooks"
SETTINGS = """
[tool.mypy]
strict = true
[tool.pyright]
include = ["api.py"]
typeCheckingMode = "strict"
enableTypeIgnoreComments = false
reportUnnecessaryTypeIgnoreComment = true
"""


def names_used(text: str) -> set[str]:
    """Return every name and attribute that is read outside of import lines."""
    nodes = list(ast.walk(ast.parse(text)))
    plain = {node.id for node in nodes if isinstance(node, ast.Name)}
    return plain | {node.attr for node in nodes if isinstance(node, ast.Attribute)}


@pytest.mark.parametrize(
    "module",
    [
        modelslab_pony,
        modelslab_pony.batch,
        modelslab_pony.testing,
        modelslab_pony.testing.faults,
        modelslab_pony.webhooks,
    ],
    ids=lambda module: module.__name__,
)
def test_type_checkers_are_shown_each_public_name(module: object) -> None:
    """Used, not just imported."""
    assert set(vars(module)["__all__"]) <= names_used(FACE.read_text("utf-8"))


def test_type_checkers_are_shown_each_method() -> None:
    """Of the classes that an application calls: what is public is called there."""
    kinds = (
        modelslab_pony.PonyClient,
        modelslab_pony.Job,
        modelslab_pony.Image,
        Batch,
        modelslab_pony.webhooks.Receiver,
    )
    methods = {name for kind in kinds for name, _ in inspect.getmembers(kind) if not name.startswith("_")}
    assert methods <= names_used(FACE.read_text("utf-8"))


def test_both_batches_take_the_same_arguments() -> None:
    """Named, so that an editor lists them."""
    assert inspect.signature(AsyncBatch) == inspect.signature(Batch)


@pytest.mark.timeout(400)  # both read all that the extras bring, without a cache
@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_an_installed_wheel_is_typed(checker: str, installed: Callable[..., Environment], tmp_path: Path) -> None:
    """In a project of its own, mypy and pyright, both strict, say of the wheel what they say of the tree: nothing."""
    shutil.copy(FACE, tmp_path)
    (tmp_path / "pyproject.toml").write_text(SETTINGS, "utf-8")
    there = str(installed(ALL).python)
    command = {
        "mypy": (sys.executable, "-m", "mypy", "--python-executable", there, "api.py"),
        "pyright": (str(PYRIGHT), "--pythonpath", there),
    }[checker]
    # Node comes from a package of ours.
    environment = {**ENVIRONMENT, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{ENVIRONMENT['PATH']}"}
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, f"{ended.stdout}{ended.stderr}"
