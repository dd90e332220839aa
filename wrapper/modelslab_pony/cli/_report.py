"""How a command ends: paths or JSON on standard output, one line for an error on standard error."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from modelslab_pony.cli import _terminal
from modelslab_pony.cli._exits import exit_code
from modelslab_pony.errors import (
    APIError,
    BadRequestError,
    GenerationFailed,
    InvalidRequestError,
    JobId,
    NotFoundError,
    PonyError,
    RateLimitError,
)

if TYPE_CHECKING:
    from modelslab_pony.results import Generation, Image


class Outcome:
    """Collects what a command has to show, and shows it."""

    def __init__(self, output: Path, *, as_json: bool) -> None:
        self.output = output
        self.as_json = as_json
        self.job_id: JobId | None = None
        """Known as soon as the service has accepted the job."""
        self._images: list[dict[str, Any]] = []

    def saved(self, image: Image, path: Path) -> None:
        """Note a file; it is shown when the live line is gone."""
        self._images.append({"path": str(path), "url": image.url})

    def succeeded(self, generation: Generation) -> None:
        """Show a result."""
        if self.as_json:
            names = ("id", "seed", "generation_time", "nsfw_content_detected", "meta")
            facts = {name: getattr(generation, name) for name in names}
            typer.echo(json.dumps({"status": "success", **facts, "images": self._images}))
        else:
            self._show_paths()

    def failed(self, error: PonyError) -> NoReturn:
        """Show an error and what to do about it; leave with its exit code."""
        job_id = error.job_id if error.job_id is not None else self.job_id
        is_over = isinstance(error, GenerationFailed | NotFoundError)
        resume_id = None if is_over else job_id
        self._end(type(error).__name__, str(error), exit_code(error), {"job_id": job_id, **_details(error)}, resume_id)

    def interrupted(self, stop: KeyboardInterrupt, code: int) -> NoReturn:
        """Say what becomes of a job that is no longer waited for; a note tells of what came before there was one."""
        notes = getattr(stop, "__notes__", [])
        said = "before the service answered: the job may have been accepted and billed"
        if self.job_id is not None:
            said = f"job {self.job_id} goes on and is not lost"
        elif notes:
            said = notes[0]
        self._end("Interrupted", said, code, {"job_id": self.job_id}, self.job_id)

    def _end(self, kind: str, said: str, code: int, details: dict[str, Any], job_id: JobId | None) -> NoReturn:
        resume = None if job_id is None else f"pony fetch {shlex.quote(str(job_id))} -o {shlex.quote(str(self.output))}"
        if self.as_json:
            error = {"type": kind, "message": said, "exit_code": code, **details}
            typer.echo(json.dumps({"status": "error", "error": error, "resume": resume, "images": self._images}))
        else:
            self._show_paths()
        console = _terminal.console()
        console.print(f"[bold red]{kind}[/]:", end=" ")
        console.print(one_line(said), markup=False, highlight=False, soft_wrap=True)
        if resume:
            console.print(f"to get the images: {resume}", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(code)

    def _show_paths(self) -> None:
        for image in self._images:
            typer.echo(os.fsencode(image["path"]))  # a name need not be text


@contextlib.contextmanager
def told(output: Path = Path(), *, as_json: bool) -> Iterator[None]:
    """Show an error before anything was begun, and leave with its exit code."""
    try:
        yield
    except PonyError as error:
        Outcome(output, as_json=as_json).failed(error)


def one_line(text: str) -> str:
    """Return a text without line breaks and control characters: it may hold the service's words."""
    return "".join(character if character.isprintable() else " " for character in " ".join(text.split()))


def _details(error: PonyError) -> dict[str, Any]:
    details: dict[str, Any] = {}
    if isinstance(error, APIError):
        details["status_code"] = error.status_code
    if isinstance(error, InvalidRequestError | BadRequestError) and error.errors:
        details["errors"] = {field: list(texts) for field, texts in error.errors.items()}
    if isinstance(error, RateLimitError):
        details["retry_after"] = error.retry_after
    return details
