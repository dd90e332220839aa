"""The commands that make images: begin a job or take up an old one, wait for it, save its images."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from attrs import evolve

from modelslab_pony.cli import _client, _complete, _signals, _stdin
from modelslab_pony.cli._options import (
    WAIT,
    BareOption,
    JsonOption,
    OutputOption,
    StrictOption,
    TimeoutOption,
    extra_of,
)
from modelslab_pony.cli._report import Outcome, told
from modelslab_pony.errors import InvalidRequestError, PonyError
from modelslab_pony.requests import Request, refused

# What waits, talks and reads pictures is imported where it is used: the tab key needs none of it.
if TYPE_CHECKING:
    from modelslab_pony.cli._progress import JobProgress
    from modelslab_pony.client import Job, PonyClient
    from modelslab_pony.recipes import Recipe

    Begin = Callable[[PonyClient, JobProgress], Job]


def make(kind: type[Request], given: dict[str, Any], extra: list[str] | None, **common: Any) -> None:
    """Send a request of any kind and save its images; `_app` says what each kind is for."""
    with told(common["output"], as_json=common["as_json"]):
        given = {**given, "prompt": _stdin.given(given["prompt"])}
    options = {name: value for name, value in given.items() if value is not None}
    _run(lambda client, _: client.submit(kind(**options, extra=extra_of(extra))), **common)


def fetch(
    job_id: Annotated[str, typer.Argument(help="The id that the service gave the job.", metavar="ID")],
    output: OutputOption = Path(),
    timeout: TimeoutOption = WAIT,
    no_metadata: BareOption = False,
    as_json: JsonOption = False,
) -> None:
    """Wait for a job that was submitted earlier; save its images."""
    number = job_id.isascii() and job_id.isdigit() and not job_id.startswith("0") and len(job_id) < 20
    _run(
        lambda client, _: client.job(int(job_id) if number else job_id),
        output=output,
        timeout=timeout,
        no_metadata=no_metadata,
        as_json=as_json,
    )


def again(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A picture that this command saved.", autocompletion=_complete.files),
    ],
    seed: Annotated[
        int | None, typer.Option(metavar="N", help="Another seed; without one, that of the picture.")
    ] = None,
    prompt: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Another prompt; - reads it from standard input.")
    ] = None,
    init_image: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="The image to begin with, where the file has none.", autocompletion=_complete.files
        ),
    ] = None,
    mask_image: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="The mask, where the file has none.", autocompletion=_complete.files),
    ] = None,
    output: OutputOption = Path(),
    timeout: TimeoutOption = WAIT,
    strict: StrictOption = True,
    no_metadata: BareOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make a picture again: send the request that its file holds.

    All of its images are made again, and paid for.
    """
    with told(output, as_json=as_json):
        prompt = _stdin.given(prompt)
    given = {"seed": seed, "prompt": prompt, "init_image": init_image, "mask_image": mask_image}

    def begin(client: PonyClient, progress: JobProgress) -> Job:
        request = _request_in(file, {name: value for name, value in given.items() if value is not None}, progress)
        return client.submit(request)

    _run(begin, output=output, timeout=timeout, no_metadata=no_metadata, as_json=as_json, strict=strict)


def _request_in(file: Path, changes: dict[str, Any], progress: JobProgress) -> Request:
    """Return the request that a picture holds, with its seed. Raises `InvalidRequestError`."""
    from modelslab_pony._pictures import read_recipe  # noqa: PLC0415 - help and completion do without it

    recipe = read_recipe(file)
    if recipe is None:
        raise refused({"file": [f"{str(file)!r} does not tell how it was made"]})
    # The picture is asked for again, not its delivery: a stranger's file must not have it posted to a stranger.
    request = recipe.request(**{"seed": recipe.seed, "webhook": None, "track_id": None, **changes})
    if request.seed is None:
        raise refused({"seed": ["of the picture is not in its file; choose one with --seed"]})
    calling = [name for name in request.extra if re.search("hook|callback|notif", name, re.IGNORECASE)]
    request = evolve(request, extra={name: value for name, value in request.extra.items() if name not in calling})
    _check_same(request, recipe, changes)
    missing = [name for name in recipe.omitted if name not in {"webhook", "track_id", *changes}]
    missing += [f"extra.{name}" for name in calling]
    if missing:
        progress.say(f"not sent: {', '.join(missing)}")
    extra = f", with {', '.join(request.extra)}" if request.extra else ""
    progress.say(f"asking for {request.samples} image(s) again{extra}")
    return request


def _check_same(request: Request, recipe: Recipe, changes: dict[str, Any]) -> None:
    """Refuse a local image that is not the one that the picture was made from: no file may have another uploaded."""
    from modelslab_pony import _pictures  # noqa: PLC0415 - help and completion do without it

    named = {name: given for name, given in _pictures.local(request).items() if name not in changes}
    problems = {}
    for name, image in _pictures.load(named).items():
        option = f"give the right one with --{name.replace('_', '-')}"
        if isinstance(image, str):
            problems[name] = [f"{image}; {option}"]
        elif image.digest != recipe.digests.get(name):
            problems[name] = [f"{str(named[name])!r} is not the image that the picture was made from; {option}"]
    if problems:
        raise refused(problems)


def _run(begin: Begin, *, output: Path, timeout: float, no_metadata: bool, as_json: bool, strict: bool = True) -> None:
    """Begin a job or take up an old one, wait for it, save its images."""
    from modelslab_pony._settings import seconds  # noqa: PLC0415 - help and completion do without it
    from modelslab_pony.cli._progress import JobProgress  # noqa: PLC0415 - help and completion do without it

    outcome = Outcome(output, as_json=as_json)
    try:
        with (
            _signals.raised(),
            _client.connect(strict=strict) as client,
            JobProgress(quiet=as_json) as progress,
        ):
            _check_output(output)
            seconds("timeout", timeout)  # before anything is paid for
            job = begin(client, progress)
            outcome.job_id = job.id
            generation = job.wait(timeout, on_update=progress.update)
            progress.say(f"job {job.id}: saving {len(generation.images)} image(s) to {output}")
            for image in generation.images:
                outcome.saved(image, image.save(output, metadata=not no_metadata))
        outcome.succeeded(generation)
    except PonyError as error:
        outcome.failed(error)
    except KeyboardInterrupt as stop:
        outcome.interrupted(stop, _signals.exit_code(stop))


def _check_output(folder: Path) -> None:
    """Find out before anything is paid for whether the images can be saved."""
    from modelslab_pony._disk import DiskError, check_writable  # noqa: PLC0415 - help and completion do without it

    try:
        check_writable(folder)
    except DiskError as error:
        problem = f"{str(folder)!r} cannot be written to ({error}); choose another folder with -o"
        raise InvalidRequestError(f"{problem}. Nothing was sent.", errors={"output": [problem]}) from None
