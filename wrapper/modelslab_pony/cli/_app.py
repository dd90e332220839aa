"""The commands, and what each one does from first to last line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console

from modelslab_pony._disk import DiskError, check_writable
from modelslab_pony._settings import DEFAULT_WAIT, seconds
from modelslab_pony._version import __version__
from modelslab_pony.cli import _signals
from modelslab_pony.cli._progress import JobProgress
from modelslab_pony.cli._report import Outcome
from modelslab_pony.client import Job, PonyClient
from modelslab_pony.errors import InvalidRequestError, PonyError
from modelslab_pony.requests import TextToImage

app = typer.Typer(
    help="Images from ModelsLab's Pony models. The API key is read from MODELSLAB_API_KEY.",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,  # its boxes cut off the names of options
    pretty_exceptions_show_locals=False,  # locals would show the key
)

OutputOption = Annotated[Path, typer.Option("--output", "-o", help="Folder for the images; made if missing.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document, for an error too.")]
TimeoutOption = Annotated[float, typer.Option(min=0, help="Seconds to wait; the job goes on after that.")]


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


@app.command()
def text2img(
    prompt: Annotated[str, typer.Argument(help="What the image shows.")],
    output: OutputOption = Path(),
    negative_prompt: Annotated[str | None, typer.Option(help="What it must not show.")] = None,
    model_id: Annotated[str | None, typer.Option(help="Default: pony-realism.")] = None,
    width: Annotated[int | None, typer.Option(help="Pixels, 1024 to 2048, divisible by 8.")] = None,
    height: Annotated[int | None, typer.Option(help="Pixels, 1024 to 2048, divisible by 8.")] = None,
    samples: Annotated[int | None, typer.Option(help="How many images, 1 to 4; each is paid for.")] = None,
    num_inference_steps: Annotated[int | None, typer.Option(help="20 to 50.")] = None,
    guidance_scale: Annotated[float | None, typer.Option(help="1 to 20.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same image.")] = None,
    sampler: Annotated[str | None, typer.Option(help='As in "DPM++ 2M Karras".')] = None,
    clip_skip: Annotated[int | None, typer.Option(help="1 to 4.")] = None,
    safety_checker: Annotated[bool | None, typer.Option(help="Check for explicit content.")] = None,
    track_id: Annotated[str | None, typer.Option(help="Your own name for it, told to webhooks.")] = None,
    webhook: Annotated[str | None, typer.Option(help="URL to post to when it is done.")] = None,
    strict: Annotated[bool, typer.Option(help="Check the request before it is sent.")] = True,
    timeout: TimeoutOption = DEFAULT_WAIT,
    as_json: JsonOption = False,
) -> None:
    """Make images from a prompt and save them."""
    given = {
        "negative_prompt": negative_prompt,
        "model_id": model_id,
        "width": width,
        "height": height,
        "samples": samples,
        "num_inference_steps": num_inference_steps,
        "guidance_scale": guidance_scale,
        "seed": seed,
        "sampler": sampler,
        "clip_skip": clip_skip,
        "safety_checker": safety_checker,
        "track_id": track_id,
        "webhook": webhook,
    }
    options: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    _run(lambda client: client.submit(TextToImage(prompt, **options)), output, timeout, as_json=as_json, strict=strict)


@app.command()
def fetch(
    job_id: Annotated[str, typer.Argument(help="The id that the service gave the job.", metavar="ID")],
    output: OutputOption = Path(),
    timeout: TimeoutOption = DEFAULT_WAIT,
    as_json: JsonOption = False,
) -> None:
    """Wait for a job that was submitted earlier, and save its images."""
    number = job_id.isascii() and job_id.isdigit() and not job_id.startswith("0") and len(job_id) < 20
    _run(lambda client: client.job(int(job_id) if number else job_id), output, timeout, as_json=as_json)


@app.command()
def simulator(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8010,
    eta: Annotated[float, typer.Option(min=0, help="Seconds that a job takes.")] = 3.0,
    outcome: Annotated[Literal["success", "failed"], typer.Option(help="What becomes of a job.")] = "success",
) -> None:
    """Run a stand-in for the service, without key or cost."""
    try:
        from modelslab_pony.testing import Simulator, server  # noqa: PLC0415 - an extra of its own
    except ModuleNotFoundError as error:
        typer.echo(f"pony simulator: {error.name} is missing: pip install 'modelslab-pony[testing]'", err=True)
        raise typer.Exit(1) from None
    try:
        listening = server.bind(port)
    except OSError as error:
        typer.echo(f"pony simulator: port {port} cannot be used ({error}); try --port 0", err=True)
        raise typer.Exit(1) from None
    url = f"http://{server.HOST}:{listening.getsockname()[1]}{server.BASE_PATH}"
    typer.echo(f"simulator: listening on {url}")
    typer.echo(f"simulator: MODELSLAB_BASE_URL={url} MODELSLAB_API_KEY=any pony text2img 'a lighthouse at dusk'")
    standing_in = Simulator(
        eta=eta,
        outcome=outcome,
        log=lambda call, answer: typer.echo(f"simulator: {call.method} {call.url} -> {answer.said}"),
    )
    server.server(standing_in).run(sockets=[listening])


def _run(
    begin: Callable[[PonyClient], Job], output: Path, timeout: float, *, as_json: bool, strict: bool = True
) -> None:
    """Begin a job or take up an old one, wait for it, save its images."""
    outcome = Outcome(output, as_json=as_json)
    try:
        with (
            _signals.raised(),
            PonyClient(strict=strict) as client,
            JobProgress(Console(stderr=True), quiet=as_json) as progress,
        ):
            _check_output(output)
            seconds("timeout", timeout)  # before anything is paid for
            job = begin(client)
            outcome.job_id = job.id
            generation = job.wait(timeout, on_update=progress.update)
            progress.say(f"job {job.id}: saving {len(generation.images)} image(s) to {output}")
            for image in generation.images:
                outcome.saved(image, image.save(output))
        outcome.succeeded(generation)
    except PonyError as error:
        outcome.failed(error)
    except KeyboardInterrupt as stop:
        outcome.interrupted(_signals.exit_code(stop))


def _check_output(folder: Path) -> None:
    """Find out before anything is paid for whether the images can be saved."""
    try:
        check_writable(folder)
    except DiskError as error:
        problem = f"{str(folder)!r} cannot be written to ({error}); choose another folder with -o"
        raise InvalidRequestError(f"{problem}. Nothing was sent.", errors={"output": [problem]}) from None
