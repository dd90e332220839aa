"""`pony simulator`: the stand-in for the service, in a terminal of its own."""

from __future__ import annotations

from typing import Annotated, Literal, NoReturn

import typer

from modelslab_pony.cli._exits import code_of
from modelslab_pony.errors import MissingExtraError


def simulator(
    port: Annotated[int, typer.Option("--port", min=0, max=65535, metavar="PORT", help="0 takes a free one.")] = 8010,
    eta: Annotated[float, typer.Option(min=0, metavar="SECONDS", help="Seconds that a job takes.")] = 3.0,
    outcome: Annotated[Literal["success", "failed"], typer.Option(help="What becomes of a job.")] = "success",
    dialect: Annotated[
        Literal["spec", "observed"], typer.Option(help="Answer as specified, or as the service was seen to.")
    ] = "spec",
    key: Annotated[
        str | None, typer.Option("--key", metavar="KEY", help="The only key that is taken; any, if not given.")
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="A model that there is; any, by default. Repeatable.")
    ] = None,
    queue_limit: Annotated[
        int, typer.Option(min=0, metavar="N", help="Jobs queued at once, by plan 5, 10 or 15; 0 for any.")
    ] = 5,
    workers: Annotated[int, typer.Option(min=1, metavar="N", help="Jobs worked on at once.")] = 1,
    balance: Annotated[
        float, typer.Option(min=0, metavar="MONEY", help="Money of the account; an image costs 0.01.")
    ] = 25.0,
    retention: Annotated[int, typer.Option(min=1, metavar="N", help="How many jobs are remembered.")] = 1000,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            "--fault",
            metavar="FAULT",
            help="What is to go wrong: NAME[:VALUE][@ON][*TIMES], as in html:502@fetch*3. Repeatable.",
        ),
    ] = None,
    image_life: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="Seconds after which an image is gone.")
    ] = 24 * 3600.0,
    webhook_host: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST", help="A host beside this machine that webhooks may go to. Repeatable."),
    ] = None,
) -> None:
    """Run a stand-in for the service, without key or cost.

    Its address shows a page of what was asked for. Faults, by NAME: refuse, drop, late, trickle, wrong-length,
    cut-short, oversized, content-type, html, rate-limited, redirect, webhook-twice, webhook-late, webhook-never.
    ON is an operation (text2img, fetch ...), submission, image, output, proxy or upload; TIMES a number or always.
    """
    try:
        from modelslab_pony.testing import Simulator, server  # noqa: PLC0415 - an extra of its own
        from modelslab_pony.testing._script import add_texts  # noqa: PLC0415 - an extra of its own
    except ModuleNotFoundError as error:
        _stop(f"{error.name} is missing: pip install 'modelslab-pony[testing]'", code=code_of(MissingExtraError))
    try:
        standing_in = Simulator(
            eta=eta,
            outcome=outcome,
            dialect=dialect,
            key=key,
            models=model or None,
            queue_limit=queue_limit or None,
            workers=workers,
            balance=balance,
            retention=retention,
            image_life=image_life,
            webhook_hosts=webhook_host or (),
            log=lambda call, answer: typer.echo(f"simulator: {call.method} {call.url} -> {answer.said}"),
        )
    except ValueError as error:
        _stop(str(error), code=2)
    try:
        add_texts(standing_in.faults, fault or ())
    except ValueError as error:
        _stop(f"--fault {error}", code=2)
    try:
        running = server.Server(standing_in, server.bind(port))
    except OSError as error:
        _stop(f"port {port} cannot be used ({error}); try --port 0")
    url = running.base_url
    typer.echo(f"simulator: listening on {url}")
    wanted = "any" if key is None else "..."
    typer.echo(f"simulator: MODELSLAB_BASE_URL={url} MODELSLAB_API_KEY={wanted} pony text2img 'a lighthouse at dusk'")
    typer.echo(f"simulator: a page for people is at {url.removesuffix(server.BASE_PATH)}/")
    running.run()


def _stop(message: str, code: int = 1) -> NoReturn:
    typer.echo(f"pony simulator: {message}", err=True)
    raise typer.Exit(code) from None
