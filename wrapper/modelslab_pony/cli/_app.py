"""The `pony` command: what it is called with, and which function answers."""

from __future__ import annotations

from typing import Annotated

import typer

from modelslab_pony._version import __version__
from modelslab_pony.cli import _account, _batch, _doctor, _generate, _look, _simulator
from modelslab_pony.cli._help import Command, Group
from modelslab_pony.cli._options import with_options_of
from modelslab_pony.requests import ImageToImage, Inpaint, TextToImage

MAKE, MANY, LOOK, ACCOUNT, WRONG = (
    "Make images",
    "Make many images",
    "Look something up",
    "The account",
    "When something is wrong; for developers",
)
_EPILOG = """
`pony COMMAND --help` tells a command's options.

\b
Environment:
  MODELSLAB_API_KEY   the API key, from the dashboard of your account
  MODELSLAB_BASE_URL  where calls go instead of to the service
  PONY_DATABASE       the PostgreSQL database of `pony batch`
  NO_COLOR            no colours; FORCE_COLOR: colours also in a pipe
  HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE  as other programs take them

Exit codes: 0 success, 1 a fault of ours, 2 wrong usage, 10 to 32 an error (each has its own: `pony doctor --help`
lists them), 40 a batch with rows that have no image, 130 Ctrl-C, 141 nobody read what was printed, 143 SIGTERM.
"""


class _Pony(Group):
    sections = (MAKE, MANY, LOOK, ACCOUNT, WRONG)


app = typer.Typer(
    cls=_Pony,
    help="Images from ModelsLab's Pony models.",
    epilog=_EPILOG,
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
    app.command(kind.operation, cls=Command, rich_help_panel=MAKE, help=purpose)(with_options_of(kind, _generate.make))
for section, commands in (
    (MAKE, (_generate.fetch, _generate.again)),
    (LOOK, (_look.show, _look.samplers)),
    (ACCOUNT, (_account.balance, _account.queue, _account.reload)),
    (WRONG, (_doctor.doctor, _look.spec, _simulator.simulator)),
):
    for command in commands:
        epilog = _doctor.EPILOG if command is _doctor.doctor else None
        app.command(cls=Command, rich_help_panel=section, epilog=epilog)(command)
app.add_typer(_batch.app, name="batch", rich_help_panel=MANY)
