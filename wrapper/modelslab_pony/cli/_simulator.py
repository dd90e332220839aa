"""`pony simulator`: the stand-in for the service, in a terminal of its own."""

from __future__ import annotations

from typing import Annotated, Literal

import typer


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
