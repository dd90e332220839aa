"""The commands that ask nobody: samplers, show, spec."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from attrs import asdict

from modelslab_pony.cli import _complete
from modelslab_pony.cli._options import JsonOption
from modelslab_pony.cli._report import one_line, told
from modelslab_pony.requests import refused
from modelslab_pony.samplers import SAMPLERS


def samplers(as_json: JsonOption = False) -> None:
    """List the names that --sampler takes, and what each one sets."""
    if as_json:
        typer.echo(json.dumps({name: asdict(sampler) for name, sampler in SAMPLERS.items()}))
        return
    rows = [("sampler", "scheduler", "algorithm_type", "use_karras_sigmas")]
    rows += [
        (name, sampler.scheduler, sampler.algorithm_type or "-", "yes" if sampler.use_karras_sigmas else "no")
        for name, sampler in SAMPLERS.items()
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def show(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A picture: PNG, JPEG or WebP.", autocompletion=_complete.files),
    ],
    as_json: JsonOption = False,
) -> None:
    """Print how a picture was made, as its file tells it."""
    from modelslab_pony._pictures import read_recipe  # noqa: PLC0415 - the tab key does not need it

    with told(as_json=as_json):
        recipe = read_recipe(file)
        if recipe is None:
            raise refused({"file": [f"{str(file)!r} does not tell how it was made"]})
    if as_json:
        document = json.loads(recipe.document() or "{}")
        typer.echo(json.dumps({"status": "success", "parameters": recipe.parameters, "recipe": document or None}))
        return
    # The file may be a stranger's, and a terminal obeys control characters.
    for line in (recipe.parameters or recipe.document() or "").splitlines():
        typer.echo(one_line(line))


def spec() -> None:
    """Print the OpenAPI document that this package goes by.

    It is the vendor's, corrected where the service is known to differ: for `prism mock`, or to make another client.
    Byte for byte the file that the package carries.
    """
    from modelslab_pony.testing._spec import effective_spec  # noqa: PLC0415 - help and completion do without it

    typer.echo(document_text(effective_spec()), nl=False)


def document_text(document: Mapping[str, Any]) -> str:
    """Return the document as its file has it."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
