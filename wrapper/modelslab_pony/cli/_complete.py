"""What a shell is offered for a value, and how bash is told of values with spaces.

It runs at each press of the tab key: nothing is asked, no key is read, and httpx is not imported.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
from collections.abc import Callable, MutableMapping
from typing import NoReturn

from modelslab_pony.requests import DEFAULT_MODEL, KINDS, spec_fields
from modelslab_pony.samplers import SAMPLERS

NO_ALGORITHM = "no"
"""What the service takes for no algorithm type (vendor's Pony scheduler page)."""


# --- values ----------------------------------------------------------------------------------


def samplers(incomplete: str) -> list[str]:
    """Return the samplers whose names begin so."""
    return [name for name in SAMPLERS if name.startswith(incomplete)]


def sampler_lists(incomplete: str) -> list[str]:
    """Return lists of samplers, separated by commas, each with one more name than the list that was begun."""
    before, comma, last = incomplete.rpartition(",")
    taken = {name.strip() for name in before.split(",")}
    return [f"{before}{comma}{name}" for name in samplers(last.lstrip()) if name not in taken]


def schedulers(incomplete: str) -> list[str]:
    """Return the schedulers of the known samplers."""
    return _begin({sampler.scheduler: None for sampler in SAMPLERS.values()}, incomplete)


def algorithm_types(incomplete: str) -> list[str]:
    """Return the algorithm types of the known samplers, and the word for none."""
    known = {sampler.algorithm_type or NO_ALGORITHM: None for sampler in SAMPLERS.values()}
    return sorted(_begin(known, incomplete), reverse=True)


def models(incomplete: str) -> list[str]:
    """Return the one model whose id is known here; the service tells nobody of the others."""
    return _begin({DEFAULT_MODEL: None}, incomplete)


def formats(incomplete: str) -> list[str]:
    """Return the formats of a batch's input."""
    return _begin(dict.fromkeys(("jsonl", "csv", "lines")), incomplete)


def fields(incomplete: str) -> list[str]:
    """Return the beginnings of NAME=VALUE for the fields of any request."""
    names = [f"{name}=" for kind in KINDS.values() for name in ("sampler", *spec_fields(kind))]
    return _begin(dict.fromkeys(names), incomplete)


def files(incomplete: str) -> list[str]:  # noqa: ARG001 - Typer's signature
    """Return nothing, so that the shell offers its files: Typer would offer what is there already, as the only one."""
    return []


def _begin(names: dict[str, None], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


# --- shells ----------------------------------------------------------------------------------


def prepare(environment: MutableMapping[str, str]) -> None:
    """Change what a shell says of the line so that Typer reads it rightly, for any shell."""
    if environment.get("_PONY_COMPLETE") == "complete_bash":
        _join_equals(environment)
    line = environment.get("_TYPER_COMPLETE_ARGS", "")
    if line.endswith("\\ "):  # the word goes on, and Typer takes the space for its end
        with contextlib.suppress(ValueError):
            environment["_TYPER_COMPLETE_ARGS"] = shlex.join(shlex.split(line))


def for_bash(run: Callable[[], object]) -> NoReturn:
    """Answer bash: as Typer does, with each value quoted as the line wants it, since bash inserts it as it comes."""
    words, at = _words(os.environ)
    begun = words[at] if at < len(words) else ""
    code: object = 0
    with contextlib.redirect_stdout(io.StringIO()) as found:
        try:
            run()
        except SystemExit as stop:
            code = stop.code
    for value in found.getvalue().splitlines():
        print(quoted(value, begun))  # noqa: T201 - it is what bash reads
    raise SystemExit(code)


def quoted(value: str, begun: str) -> str:
    """Return a value as bash has to insert it after what was typed, `begun`: within quotes it stands as it is."""
    if begun[:1] in {"'", '"'}:
        return value
    return re.sub(r"([^\w@%+=:,./~-])", r"\\\1", value)


def _join_equals(environment: MutableMapping[str, str]) -> None:
    """Make one word of `--sampler=Eul`, which bash takes for three."""
    words, at = _words(environment)
    first = at - 1 if words[at : at + 1] == ["="] else at - 2
    if first > 0 and words[first + 1 : first + 2] == ["="] and words[first].startswith("--"):
        words[first : at + 1] = ["".join(words[first : at + 1])]
        environment.update({"COMP_WORDS": "\n".join(words), "COMP_CWORD": str(first)})


def _words(environment: MutableMapping[str, str]) -> tuple[list[str], int]:
    at = environment.get("COMP_CWORD", "")
    return environment.get("COMP_WORDS", "").split("\n"), int(at) if at.isdecimal() else 0
