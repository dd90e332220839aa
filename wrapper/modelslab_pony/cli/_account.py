"""The commands about the account: balance, queue, reload."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modelslab_pony.cli import _client, _complete, _signals
from modelslab_pony.cli._options import JsonOption
from modelslab_pony.cli._report import Outcome, one_line
from modelslab_pony.errors import PonyError

if TYPE_CHECKING:
    from modelslab_pony.client import PonyClient


def balance(as_json: JsonOption = False) -> None:
    """Print how much money the account has left."""
    found = _ask(lambda client: client.balance(), as_json=as_json)
    _say(
        f"{found.balance:.12g} {found.currency}",
        {"balance": found.balance, "currency": found.currency},
        as_json=as_json,
    )


def queue(as_json: JsonOption = False) -> None:
    """Print how many requests of the account wait or are worked on."""
    count = _ask(lambda client: client.queued(), as_json=as_json)
    _say(str(count), {"queued": count}, as_json=as_json)


def reload(
    model_id: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="The model to load; one unused for 7 days is put away.",
            autocompletion=_complete.models,
        ),
    ],
    as_json: JsonOption = False,
) -> None:
    """Have a model loaded, which takes about 2 minutes."""
    found = _ask(lambda client: client.reload_model(model_id), as_json=as_json)
    said = f"{found.status}: {found.message}" if found.message else found.status
    _say(said, {"status": found.status, "message": found.message}, as_json=as_json)


def _ask(question: Callable[[PonyClient], Any], *, as_json: bool) -> Any:
    outcome = Outcome(Path(), as_json=as_json)
    try:
        with _signals.raised(), _client.connect() as client:
            return question(client)
    except PonyError as error:
        outcome.failed(error)
    except KeyboardInterrupt as stop:
        raise typer.Exit(_signals.exit_code(stop)) from None


def _say(text: str, document: dict[str, Any], *, as_json: bool) -> None:
    typer.echo(json.dumps({"status": "success", **document}) if as_json else one_line(text))
