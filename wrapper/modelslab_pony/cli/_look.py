"""The commands that ask nobody: samplers, show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from attrs import asdict

from modelslab_pony._pictures import read_recipe
from modelslab_pony.cli._options import JsonOption
from modelslab_pony.cli._report import Outcome, one_line
from modelslab_pony.errors import InvalidRequestError
from modelslab_pony.requests import refused
from modelslab_pony.samplers import SAMPLERS


def samplers(as_json: JsonOption = False) -> None:
    """List the names that --sampler takes, and the fields that each one sets."""
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
    file: Annotated[Path, typer.Argument(help="A picture: PNG, JPEG or WebP.")],
    as_json: JsonOption = False,
) -> None:
    """Print how a picture was made, as its file tells it."""
    try:
        recipe = read_recipe(file)
        if recipe is None:
            raise refused({"file": [f"{str(file)!r} does not tell how it was made"]})
    except InvalidRequestError as error:
        Outcome(Path(), as_json=as_json).failed(error)
    if as_json:
        document = json.loads(recipe.document() or "{}")
        typer.echo(json.dumps({"status": "success", "parameters": recipe.parameters, "recipe": document or None}))
        return
    # The file may be a stranger's, and a terminal obeys control characters.
    for line in (recipe.parameters or recipe.document() or "").splitlines():
        typer.echo(one_line(line))
