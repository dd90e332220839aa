"""What ARCHITECTURE.md, docs/internals.md and CONTRIBUTING.md say of the code is so, as far as a test can tell."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module

import pytest

import modelslab_pony
from modelslab_pony.requests import KINDS
from modelslab_pony.testing._script import GENERATIONS
from prism_image import ROOT

# By name: mypy takes a test that is imported for a second module.
LAYERS: list[set[str]] = import_module("project.test_layers").LAYERS
PACKAGE = ROOT / "wrapper" / "modelslab_pony"
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
DRAWN = ("ARCHITECTURE.md", "docs/internals.md")
PAGES = {name: (ROOT / name).read_text("utf-8") for name in (*DRAWN, "CONTRIBUTING.md")}
BLOCK = re.compile(r"^```text\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SPAN = re.compile(r"`([^`\n]+)`")
# A module with what is in it; files have names of that form, too.
DOTTED = re.compile(r"(?<![\w/.])((?:batch/|cli/|testing/)?_?[a-z]\w*)\.(\w+(?:\.\w+)*)")
MODULES = {path.stem for path in PACKAGE.rglob("*.py")}
FILES = ("py", "md", "json", "jsonl", "yaml", "yml", "toml", "html")


def test_the_page_is_a_page() -> None:
    """At most 75 lines of at most 120 characters."""
    lines = ARCHITECTURE.splitlines()
    assert len(lines) <= 75
    assert [line for line in lines if len(line) > 120] == []


def section(title: str) -> str:
    return ARCHITECTURE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(title: str) -> list[list[str]]:
    """Return the rows of a section's table, without its head."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_layers_are_those_that_the_imports_are_held_to() -> None:
    """From the top down, each module once; a row without a name goes on with the layer above."""
    told: list[list[str]] = []
    for layer, modules, _ in rows("Layers"):
        found = [name.strip("/") for name in SPAN.findall(modules)]
        if layer:
            told.append(found)
        else:
            told[-1] += found
    assert [set(layer) for layer in told] == LAYERS[::-1]
    assert sum(map(len, told)) == sum(map(len, LAYERS))


def test_every_suite_is_in_the_table_of_the_harness() -> None:
    """And each that is there exists; what suites share is in the tree above."""
    told = {name for row in rows("The harness") for name in re.findall(r"tests/(\w+)", row[0])}
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and re.match(r"[a-z]", path.name)}
    assert told == folders - {"replies", "support"}
    assert {"replies/", "support/"} <= set(ARCHITECTURE.split())


@pytest.mark.parametrize("page", DRAWN)
def test_every_module_that_is_named_exists(page: str) -> None:
    """In diagrams and sentences: whatever begins as a private module of ours does is one."""
    named = {name for text in code(page) for name in re.findall(r"(?<![\w.])_[a-z][a-z_]*(?![\w/(])", text)}
    assert named - MODULES == set()


@pytest.mark.parametrize("page", PAGES)
def test_everything_that_is_named_with_its_module_is_in_it(page: str) -> None:
    """`_flow._submit` is a function of `_flow`, `_settings.Settings.url` a method there."""
    found = list(dotted(page))
    assert found
    assert [f"{place}.{name}" for place, name in found if not is_there(place, name)] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_is_named_exists(page: str) -> None:
    """`scripts/…`, `tests/…` and the like; where a link leads, too."""
    words = {word for text in code(page) for word in re.findall(r"[\w./-]+", text)}
    places = {word for word in words if re.match(r"(?:scripts|tests|docs|examples|generated|wrapper)/", word)}
    assert [place for place in sorted(places) if not (ROOT / place).exists()] == []
    links = re.findall(r"\]\(([^)#]+)", PAGES[page])
    assert links
    assert [link for link in links if not (ROOT / page).parent.joinpath(link).is_file()] == []


def code(page: str) -> list[str]:
    """Return a page's diagrams and what it sets as code."""
    text = PAGES[page]
    return [*BLOCK.findall(text), *SPAN.findall(BLOCK.sub("", text))]


def dotted(page: str) -> Iterator[tuple[str, str]]:
    """Yield (module, name in it)."""
    for text in code(page):
        for place, name in DOTTED.findall(text):
            if name.rpartition(".")[2] not in FILES and (place.startswith("_") or place.rpartition("/")[2] in MODULES):
                yield place, name


def is_there(place: str, name: str) -> bool:
    """Tell whether a module, or its class, defines a name; `batch/_verdicts` is a module of `batch`."""
    path = PACKAGE / f"{place}.py"
    found = path.is_file()
    body = ast.parse(path.read_text("utf-8")).body if found else []
    for part in name.split("."):
        node = next((node for node in body if part in names(node)), None)
        if node is None:
            return False
        body = node.body if isinstance(node, ast.ClassDef) else []
    return found


def names(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return {target.id for target in targets if isinstance(target, ast.Name)}


def test_a_generation_is_known_wherever_it_has_to_be() -> None:
    """What CONTRIBUTING.md lists and no other test would name: the simulator counts it, and users can import it."""
    assert set(KINDS) == GENERATIONS
    assert {kind.__name__ for kind in KINDS.values()} <= set(modelslab_pony.__all__)
