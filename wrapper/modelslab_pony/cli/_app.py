"""The `pony` command: what it is called with, and which function answers."""

from __future__ import annotations

from typing import Annotated

import typer

from modelslab_pony._version import __version__
from modelslab_pony.cli import _account, _batch, _generate, _look, _simulator
from modelslab_pony.cli._options import with_options_of
from modelslab_pony.requests import ImageToImage, Inpaint, TextToImage

app = typer.Typer(
    help="Images from ModelsLab's Pony models. The API key is read from MODELSLAB_API_KEY.",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,  # its boxes cut off the names of options
    pretty_exceptions_show_locals=False,  # locals would show the key
)


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - Typer's signature
    if wanted:
        typer.echo(f"pony {__version__}")
        raise typer.Exit


@app.callback()
def pony(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    pass


for kind, purpose in (
    (TextToImage, "Make images from a prompt and save them."),
    (ImageToImage, "Make images from an image and a prompt and save them."),
    (Inpaint, "Paint the masked part of an image anew and save the result."),
):
    app.command(kind.operation, help=purpose)(with_options_of(kind, _generate.make))
app.command()(_generate.fetch)
app.command()(_look.show)
app.command()(_generate.again)
app.command()(_look.samplers)
app.command()(_account.balance)
app.command()(_account.queue)
app.command()(_account.reload)
app.add_typer(_batch.app, name="batch")
app.command()(_simulator.simulator)
