"""The pages of the reference: their tables are the code's, and every public name is on one of them."""

from __future__ import annotations

import importlib
import re
from types import ModuleType

from modelslab_pony import errors
from modelslab_pony.cli import _app
from modelslab_pony.cli._batch import app as _batch_app
from modelslab_pony.cli._exits import _CODES, exit_code
from modelslab_pony.samplers import SAMPLERS
from prism_image import ROOT
from support.face import MODULES, exported

REFERENCE = ROOT / "docs" / "reference"
OWN_WORDS = {
    "modelslab_pony.__version__",
    *(f"modelslab_pony.recipes.{name}" for name in ("parse", "recipe_of", "recipe_of_meta", "writer")),
    *(f"modelslab_pony.requests.{name}" for name in ("RULE", "is_request", "refused", "spec_fields")),
    *(f"modelslab_pony.results.{name}" for name in ("AsyncLoader", "Loader", "StrPath")),
}
"""What this package's own modules say to each other; it needs no place on a page."""


def rows(page: str, heading: str) -> list[list[str]]:
    """Return the cells of the table that begins with a heading."""
    text = (REFERENCE / page).read_text("utf-8")
    lines = text[text.index(heading) :].split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def error_of(cell: str) -> type[errors.PonyError] | None:
    found = re.fullmatch(r"\[`(\w+)`\]\[modelslab_pony\.errors\.(\w+)\]", cell)
    assert found is None or found[1] == found[2]
    return getattr(errors, found[1]) if found else None


def test_the_page_of_errors_has_each_with_its_code() -> None:
    """And the attributes that a class adds to those of its parents."""
    kinds = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.PonyError)}
    shown = {error_of(cells[0]): cells for cells in rows("errors.md", "| error |")}
    assert shown.keys() == kinds
    for kind, (_, code, _, own) in shown.items():
        assert kind is not None
        assert int(code) == exit_code(kind("said")), kind
        added = {name for name in kind.__annotations__ if "__annotations__" in vars(kind)}
        added |= {name for name, value in vars(kind).items() if isinstance(value, property)}
        assert set(re.findall(r"`(\w+)`", own)) == added, kind


def test_the_tree_on_the_page_is_that_of_the_module() -> None:
    """Name by name."""
    branch = re.compile(r"^([│ ├└─]*)(\w+)(?: \((\w+)\))?", re.MULTILINE)
    text = (REFERENCE / "errors.md").read_text("utf-8")
    page = re.findall(r"```text\n(.*?)```", text, re.DOTALL)[0]
    drawn = (errors.__doc__ or "").partition("\n\n")[2].partition("\n\n")[0]
    assert branch.findall(page) == branch.findall(drawn)


def test_the_page_of_the_command_has_every_code() -> None:
    """Of errors; the others are in words."""
    shown = {kind: int(cells[0]) for cells in rows("command.md", "| code |") if (kind := error_of(cells[1]))}
    assert shown == _CODES


def test_the_page_of_the_command_has_every_command() -> None:
    """Those of `pony batch`, too, and none that is gone."""
    shown = {re.sub(r" [A-Z-].*", "", cells[0].strip("`")) for cells in rows("command.md", "| command |")}
    known: set[str] = set()
    for typer_app, above in ((_app.app, "pony"), (_batch_app, "pony batch")):
        names = [
            command.name or command.callback.__name__ for command in typer_app.registered_commands if command.callback
        ]
        known |= {f"{above} {name}" for name in names}
    assert shown == known


def test_the_page_of_samplers_has_each_with_what_it_sets() -> None:
    """In their order."""
    shown = [tuple(cells) for cells in rows("samplers.md", "| sampler |")]
    assert shown == [
        (
            name,
            f"`{sampler.scheduler.removesuffix('Scheduler')}`",
            f"`{sampler.algorithm_type}`" if sampler.algorithm_type else "none",
            "yes" if sampler.use_karras_sigmas else "no",
        )
        for name, sampler in SAMPLERS.items()
    ]


def test_every_public_name_is_on_a_page() -> None:
    """By itself, or with its module."""
    text = "\n".join(path.read_text("utf-8") for path in REFERENCE.glob("*.md"))
    shown = set(re.findall(r"^::: ([\w.]+)$", text, re.MULTILINE))
    absent = []
    for name in MODULES:
        module = importlib.import_module(name)
        for public in exported(module):
            thing = getattr(module, public)
            home = getattr(thing, "__module__", name)
            places = {name, f"{name}.{public}", f"modelslab_pony.{public}", f"{home}.{public}"}
            if not (places & shown or isinstance(thing, ModuleType) or f"{name}.{public}" in OWN_WORDS):
                absent.append(f"{name}.{public}")
    assert absent == []
