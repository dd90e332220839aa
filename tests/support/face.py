"""The public face: every name that users import, with its docstring.

Docstrings are read as the site reads them, by griffe, which also finds the texts under fields.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from functools import cache
from types import ModuleType
from typing import Any

import griffe
from attrs import frozen

from prism_image import ROOT

MODULES = [
    *("modelslab_pony", "modelslab_pony.errors", "modelslab_pony.policies", "modelslab_pony.recipes"),
    *("modelslab_pony.requests", "modelslab_pony.results", "modelslab_pony.samplers", "modelslab_pony.webhooks"),
    *("modelslab_pony.batch", "modelslab_pony.testing", "modelslab_pony.testing.faults"),
    *("modelslab_pony.testing.plugin", "modelslab_pony.testing.server"),
]


@frozen
class Documented:
    """A public name, and what is said of it."""

    path: str
    """Where it is defined."""
    text: str
    thing: Any
    """The class, function or value; of a field, the class that it is of."""


@cache
def package() -> Any:
    return griffe.load("modelslab_pony", search_paths=[ROOT / "wrapper"], resolve_aliases=True, allow_inspection=False)


def exported(module: ModuleType) -> list[str]:
    """Return a module's public names: those of `__all__`, else what it defines itself without an underscore."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    read = package()[module.__name__.partition(".")[2]]
    generic = {name for name, value in vars(module).items() if type(value).__name__ == "TypeVar"}
    return [
        name for name, found in read.members.items() if not (name.startswith("_") or found.is_alias or name in generic)
    ]


def members(kind: Any) -> Iterator[tuple[str, Any]]:
    """Yield the public members of a class as griffe reads it, those of its own bases included."""
    for name, member in kind.all_members.items():
        if not name.startswith("_"):
            yield name, member.final_target if member.is_alias else member


def said(read: Any) -> str:
    return read.docstring.value if read.docstring else ""


@cache
def face() -> Mapping[str, Documented]:
    """Return everything public, once each."""
    found: dict[str, Documented] = {}
    for name in MODULES:
        module = importlib.import_module(name)
        read = package()[name.partition(".")[2]] if "." in name else package()
        found[name] = Documented(name, said(read), module)
        for public in exported(module):
            member = read.members[public]
            member = member.final_target if member.is_alias else member
            thing = getattr(module, public)
            found[member.path] = Documented(member.path, said(member), thing)
            if member.is_class:
                for part, inner in members(member):
                    path = f"{member.path}.{part}"
                    found[path] = Documented(path, said(inner), thing)
    return found
