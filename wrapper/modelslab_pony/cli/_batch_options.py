"""The options that commands about batches share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from modelslab_pony.cli import _complete
from modelslab_pony.cli._options import folder

OutputOption = Annotated[Path, folder("For the images, results.jsonl and index.html; made if missing.")]
FolderOption = Annotated[Path, folder("Folder of the batch.")]
DatabaseOption = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="postgresql://USER@HOST/NAME, which several machines share; else SQLite in the output folder.",
        envvar="PONY_DATABASE",
        show_envvar=True,
    ),
]
NamedOption = Annotated[
    str | None,
    typer.Option("--batch", metavar="NAME", help="One of several in a database; the folder remembers its own."),
]
LimitOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Requests that the account may have queued: 5, 10 or 15 by plan; of all machines. Default: 5.",
    ),
]
EventsOption = Annotated[bool, typer.Option("--json", help="Print events, one JSON document a line.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="A field of every row that lacks it. Repeatable.",
        autocompletion=_complete.fields,
    ),
]
