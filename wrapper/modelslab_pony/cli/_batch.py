"""The commands about batches: run, status, retry, cancel, worker, compare, gallery. They need the extra `batch`."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from modelslab_pony.cli import _client, _complete, _signals, _stdin, _terminal
from modelslab_pony.cli._batch_options import (
    DatabaseOption,
    EventsOption,
    FolderOption,
    LimitOption,
    NamedOption,
    OutputOption,
    SetOption,
)
from modelslab_pony.cli._exits import exit_code
from modelslab_pony.cli._help import Command, Group
from modelslab_pony.cli._options import BareOption, StrictOption
from modelslab_pony.cli._report import Outcome, one_line
from modelslab_pony.errors import ConfigurationError, InvalidRequestError, PonyError
from modelslab_pony.requests import refused

if TYPE_CHECKING:
    from modelslab_pony.batch import Batch, BatchResult, BatchStatus
    from modelslab_pony.cli._batch_progress import BatchProgress

INCOMPLETE = 40
"""The exit code of a batch that ended with rows that have no images: failed, unknown, or left to the next run."""
LISTED = 20
"""Rows that a status lists; `--all` lists every one."""
MOST_VARIANTS = 10_000
NAMES = ("run", "compare", "status", "retry", "cancel", "gallery", "worker")


class _RunByDefault(Group):
    """`pony batch INPUT` is `pony batch run INPUT`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] != "--help":
            args = ["run", *args]
        return list(super().parse_args(ctx, args))


app = typer.Typer(
    cls=_RunByDefault,
    help="""Make images by the thousand, and go on after any stop.

    `pony batch prompts.jsonl -o out/` begins one, or goes on with it: run it again after whatever ended it.
    A row that is done is not sent again.
    """,
    epilog="`pony batch COMMAND --help` tells a command's options. `pony batch INPUT` is `pony batch run INPUT`.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
MAKE, LOOK, AGAIN = "Make images", "See where a batch stands", "When something is left"


@app.command(cls=Command, rich_help_panel=MAKE)
def run(
    rows: Annotated[
        Path | None,
        typer.Argument(
            metavar="INPUT",
            help="JSONL, CSV, or a prompt on each line; - is standard input. "
            "Without it, the batch in the folder goes on.",
            autocompletion=_complete.files,
        ),
    ] = None,
    output: OutputOption = Path("out"),
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="jsonl, csv or lines, where the file's name does not say.",
            autocompletion=_complete.formats,
        ),
    ] = None,
    set: SetOption = None,
    template: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Names of the images: {index:05d}-{seed}.png; also {name} {job_id} {op} {model} {image}.",
        ),
    ] = None,
    limit: LimitOption = None,
    database: DatabaseOption = None,
    batch: NamedOption = None,
    strict: StrictOption = True,
    no_metadata: BareOption = False,
    as_json: EventsOption = False,
) -> None:
    """Make everything that is asked for, or go on with it."""
    with _told(as_json), _stdin.as_file(rows, format) as file:
        near = get_close_matches(str(rows), [name for name in NAMES if name != str(rows)], n=1) if rows else []
        if file is not None and near and not file.exists():
            raise refused({"input": [f"{str(rows)!r} is no file; did you mean `pony batch {near[0]}`?"]})
        from modelslab_pony.batch._names import DEFAULT_TEMPLATE  # noqa: PLC0415 - an extra
        from modelslab_pony.batch._rows import default_fields  # noqa: PLC0415 - an extra

        options = {
            "format": format,
            "defaults": default_fields(set or ()),
            "template": template or DEFAULT_TEMPLATE,
            "strict": strict,
            "metadata": not no_metadata,
        }
        made = _batch(output, file, database=database, batch=batch, limit=limit, **options)
        _run(made, output, as_json=as_json, database=database)


@app.command(cls=Command, rich_help_panel=MAKE)
def compare(
    prompt: Annotated[
        str, typer.Argument(metavar="PROMPT", help="What all of them show; - reads it from standard input.")
    ],
    seeds: Annotated[str, typer.Option("--seeds", metavar="SEEDS", help="As in 1..4 or 1,5,9.")],
    samplers: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help='As in "Euler a,DPM++ 2M Karras"; see `pony samplers`.',
            autocompletion=_complete.sampler_lists,
        ),
    ],
    output: OutputOption = Path("compare"),
    set: SetOption = None,
    limit: LimitOption = None,
    database: DatabaseOption = None,
    strict: StrictOption = True,
    as_json: EventsOption = False,
) -> None:
    """Make a grid of variants: seeds across, samplers down.

    A page in the folder shows it.
    """
    with _told(as_json):
        from modelslab_pony.batch._rows import default_fields  # noqa: PLC0415 - an extra

        prompt = _stdin.given(prompt) or ""
        across, down = _seeds(seeds), [name.strip() for name in samplers.split(",") if name.strip()]
        if not down:
            raise refused({"samplers": ["must name at least one"]})
        if len(across) * len(down) > MOST_VARIANTS:
            raise refused({"seeds": [f"make {len(across) * len(down)} variants; at most {MOST_VARIANTS} fit a page"]})
        variants = [{"prompt": prompt, "seed": seed, "sampler": name} for name in down for seed in across]
        axes = {"x": {"name": "seed", "values": across}, "y": {"name": "sampler", "values": down}}
        options = {"defaults": default_fields(set or ()), "strict": strict, "axes": axes}
        made = _batch(output, variants, database=database, limit=limit, **options)
        _run(made, output, as_json=as_json, database=database)


@app.command(cls=Command, rich_help_panel=LOOK)
def status(
    output: FolderOption = Path("out"),
    database: DatabaseOption = None,
    batch: NamedOption = None,
    everything: Annotated[bool, typer.Option("--all", help="List every row without images.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show where a batch stands, and why rows failed or are unknown.

    The service is asked nothing.
    """
    with _told(as_json):
        made = _batch(output, database=database, batch=batch)
        found = made.status()
        lost = made.results("unknown", "failed")
        lost += [result for result in made.results("waiting", "running") if result.error]
        lost += [result for result in made.former() if result.status in {"unknown", "failed", "running"}]
        if as_json:
            rows = [result.document(output) for result in lost]
            typer.echo(json.dumps({"status": "success", "batch": found.document(), "rows": rows}))
            return
        typer.echo(_line(found))
        for result in lost if everything else lost[:LISTED]:
            typer.echo(_lost(result))
        if len(lost) > LISTED and not everything:
            typer.echo(f"... and {len(lost) - LISTED} more: --all lists them")
        if found.unknown:
            typer.echo("unknown rows may have been paid for: look at the account's history, then perhaps")
            typer.echo(f"  pony batch retry --unknown {_where(output, database)}")


@app.command(cls=Command, rich_help_panel=AGAIN)
def retry(
    output: FolderOption = Path("out"),
    unknown: Annotated[
        bool, typer.Option("--unknown", help="Send the unknown rows again; they may be paid for twice.")
    ] = False,
    failed: Annotated[bool, typer.Option("--failed", help="Try the failed rows again.")] = False,
    limit: LimitOption = None,
    database: DatabaseOption = None,
    batch: NamedOption = None,
    as_json: EventsOption = False,
) -> None:
    """Send rows again on purpose, and run the batch."""
    with _told(as_json):
        if not (unknown or failed):
            raise refused({"retry": ["needs --unknown, --failed, or both"]})
        made = _batch(output, database=database, batch=batch, limit=limit)
        count = made.retry(unknown=unknown, failed=failed)
        if not as_json:
            typer.echo(f"{_rows(count)} tried again", err=True)
        _run(made, output, as_json=as_json, database=database)


@app.command(cls=Command, rich_help_panel=AGAIN)
def cancel(output: FolderOption = Path("out"), database: DatabaseOption = None, batch: NamedOption = None) -> None:
    """Have nothing more sent; what was accepted is fetched.

    By the process that runs, or by the next run.
    """
    with _told(as_json=False):
        count = _batch(output, database=database, batch=batch).cancel()
        after_all = f"; to send them after all: pony batch INPUT {_where(output, database)}" if count else ""
        typer.echo(f"{_rows(count)} not sent{after_all}")


@app.command(cls=Command, rich_help_panel=LOOK)
def gallery(output: FolderOption = Path("out"), database: DatabaseOption = None, batch: NamedOption = None) -> None:
    """Write results.jsonl and index.html anew; print the page's path."""
    with _told(as_json=False):
        _batch(output, database=database, batch=batch).write_report()
        typer.echo(str(output / "index.html"))


@app.command(cls=Command, rich_help_panel=MAKE)
def worker(
    database: Annotated[
        str,
        typer.Option(metavar="URL", help="postgresql://USER@HOST/NAME.", envvar="PONY_DATABASE", show_envvar=True),
    ],
    output: OutputOption = Path("out"),
    until_done: Annotated[bool, typer.Option("--until-done", help="End when nothing is left to be done.")] = False,
    limit: LimitOption = None,
    as_json: EventsOption = False,
) -> None:
    """Join the batches of a database until told to stop.

    Any number of machines may: the limit holds for all of them together.
    """
    with _told(as_json):
        _client.connect().close()  # without a key it should not begin to wait
        from modelslab_pony.batch import Worker  # noqa: PLC0415 - an extra

        with _progress(as_json=as_json) as progress:
            progress.say(f"working on the batches of the database; images go to {output}")
            joined = Worker(output, database=database, limit=limit)
            with _stopping(f"pony batch worker {_where(output, database)}", progress):
                joined.run(progress.take, until_done=until_done)


# --- what they share ---------------------------------------------------------------------------


@contextmanager
def _told(as_json: bool) -> Iterator[None]:  # noqa: FBT001 - a flag of the command
    """Say an error, and leave with its exit code."""
    try:
        with _signals.raised():
            yield
    except PonyError as error:
        if as_json:
            told = {"type": type(error).__name__, "message": str(error), "exit_code": exit_code(error)}
            typer.echo(json.dumps({"event": "error", "error": told}))
        Outcome(Path(), as_json=False).failed(error)
    except KeyboardInterrupt as stop:
        raise typer.Exit(_signals.exit_code(stop)) from None


def _batch(output: Path, rows: Any = None, **options: Any) -> Batch:
    from modelslab_pony.batch import Batch  # noqa: PLC0415 - an extra

    return Batch(output, rows, **options)


def _progress(*, as_json: bool) -> BatchProgress:
    from modelslab_pony.cli._batch_progress import BatchProgress  # noqa: PLC0415 - the tab key does not need it

    return BatchProgress(_terminal.console(), as_json=as_json)


def _run(made: Batch, output: Path, *, as_json: bool, database: str | None) -> None:
    again = f"pony batch {_where(output, database)}"
    with _progress(as_json=as_json) as progress, _stopping(again, progress):
        found = made.run(progress.take)
    _ended(found, output, as_json=as_json, again=again)


@contextmanager
def _stopping(again: str, progress: BatchProgress) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        progress.close()
        ids = ", ".join(map(str, progress.unwritten.values()))
        kept = f"but not written down were the jobs {ids}: `pony fetch` each" if ids else "and nothing is lost"
        progress.say(f"stopped, {kept}; to go on: {again}")
        raise
    except (InvalidRequestError, ConfigurationError):
        raise  # nothing was begun
    except PonyError as error:
        progress.close()
        kept = "" if progress.unwritten else "nothing is lost, "  # else the error says what is not
        error.args = (f"{error}; {kept}to go on afterwards: {again}",) if error.args else error.args
        raise


def _ended(found: BatchStatus, output: Path, *, as_json: bool, again: str) -> None:
    code = 0 if found.done + found.cancelled == found.total else INCOMPLETE
    if as_json:
        typer.echo(json.dumps({"event": "finished", "exit_code": code, **found.document()}))
    else:
        typer.echo(_line(found), err=True)
        if found.left:
            typer.echo(f"{found.left} jobs could not be fetched yet and are not lost; to go on: {again}", err=True)
        if found.unknown or found.failed:
            typer.echo(f"to see why: {again.replace('pony batch', 'pony batch status', 1)}", err=True)
        typer.echo(str(output / "index.html"))
    if code:
        raise typer.Exit(code)


def _line(found: BatchStatus) -> str:
    names = ("done", "running", "waiting", "failed", "unknown", "cancelled")
    counts = [f"{getattr(found, name)} {name}" for name in names if getattr(found, name) or name == "done"]
    former = f"; {found.former} more left the input after they were sent" if found.former else ""
    lost = f", {found.former_unknown} of them unknown" if found.former_unknown else ""
    slow = f"; slowed to {found.allowed} of {found.limit} at once" if found.allowed != found.limit else ""
    return f"{', '.join(counts)} of {found.total}{former}{lost}{slow}"


def _lost(result: BatchResult) -> str:
    name = f" ({result.name})" if result.name else ""
    why = f": {result.error.type}: {result.error.message}" if result.error else ""
    job = f", job {result.job_id}" if result.job_id is not None else ""
    row = f"row {result.index}" if result.index else "a row that left the input"
    return one_line(f"{row}{name}, {result.status}{job}{why}")


def _where(output: Path, database: str | None) -> str:
    """Return the options that find a batch again, without a password."""
    told = f"-o {shlex.quote(str(output))}"
    if database is None:
        return told
    from modelslab_pony.batch._tables import postgres_url, shown_url  # noqa: PLC0415 - an extra

    address = shown_url(postgres_url(database))
    return f"{told} --database {shlex.quote(address)}"


def _rows(count: int) -> str:
    return "1 row is" if count == 1 else f"{count} rows are"


def _seeds(text: str) -> list[int]:
    """Return 1..4 or 1,5,9 as numbers. Raises `InvalidRequestError`."""
    found: list[int] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        first, dots, last = part.partition("..")
        try:
            begin, end = int(first), int(last) if dots else int(first)
        except ValueError:
            _no_seeds(part)
        if end < begin or end - begin >= MOST_VARIANTS:
            _no_seeds(part)
        found += range(begin, end + 1)
    if not found or len(set_of := dict.fromkeys(found)) != len(found):
        raise refused({"seeds": [f"must be different numbers, as in 1..4 or 1,5,9, not {text!r}"]})
    return list(set_of)


def _no_seeds(part: str) -> NoReturn:
    raise refused({"seeds": [f"must be numbers, as in 1..4 or 1,5,9, not {part!r}"]})
