"""`pony doctor`: what an application would run into on this machine, found out without making or paying anything."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer
from attrs import evolve

from modelslab_pony.cli import _exits
from modelslab_pony.errors import PonyError, TransportError

if TYPE_CHECKING:
    from modelslab_pony._settings import Settings
    from modelslab_pony.cli._checks import Check

GRACE = 1.0
"""Seconds beyond a call's own limit, so that its own words for that are heard."""
EPILOG = f"""
\b
Exit codes: 0 if nothing failed, else that of the first that did.
Every command ends so:
   0  success
   1  a fault of ours
   2  wrong usage
{_exits.table()}
  40  a batch with rows that have no image
 130  Ctrl-C
 141  nobody read what was printed
 143  SIGTERM
"""


def doctor(
    timeout: Annotated[
        float,
        typer.Option(
            min=0.1,
            max=600,
            metavar="SECONDS",
            help="For each of two calls: all is over after twice that, and 2 s.",
        ),
    ] = 10.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Check this machine, the key and the way to the service.

    Nothing is made and nothing costs money: one call without the key, and one for the account's balance. The report
    can be pasted into a bug report: it has neither the key nor logins, nor what money there is.
    """
    from modelslab_pony.cli import _checks, _probe  # noqa: PLC0415 - with httpx; the tab key does not need them

    if math.isnan(timeout):
        raise typer.BadParameter("must be a number of seconds", param_hint="--timeout")
    secrets = _probe.secrets()
    checks = [evolve(check, told=secrets.clean(check.told)) for check in _all(timeout)]
    code = _checks.code(checks)
    if as_json:
        status = "error" if code else "success"
        rows = [check.document() for check in checks]
        typer.echo(json.dumps({"status": status, "exit_code": code, "checks": rows}))
    else:
        typer.echo("\n".join(_checks.lines(checks)))
    raise typer.Exit(code)


def _all(timeout: float) -> Iterator[Check]:
    from modelslab_pony._settings import DEFAULT_BASE_URL  # noqa: PLC0415 - help and completion do without it
    from modelslab_pony.cli import _checks, _probe  # noqa: PLC0415 - help and completion do without it

    yield from _probe.versions()
    yield from _checks.extras(_probe.installed())
    yield _checks.folder(_probe.unwritable())
    problem = _probe.key_problem()
    yield _checks.key(problem)
    place = _probe.settings(with_key=not problem)
    if isinstance(place, str):
        yield _checks.base_url("", place, is_default=False, is_local=False)
        yield from _checks.unasked("without a base URL")
        yield _checks.clock("", 0)
        yield _checks.Check("balance", "skipped", "without a base URL")
        return
    is_default = place.base_url == DEFAULT_BASE_URL
    yield _checks.base_url(place.base_url, "", is_default=is_default, is_local=place.is_local)
    yield from _way(place, timeout, has_key=not problem)


def _way(place: Settings, timeout: float, *, has_key: bool) -> Iterator[Check]:
    """Check the way to the service, and the account."""
    from modelslab_pony.cli import _checks, _probe  # noqa: PLC0415 - help and completion do without it

    proxy, trail = _probe.proxy(place), _checks.Trail()
    if not _probe.within(timeout + GRACE, lambda: _probe.reach(place, trail, timeout, is_proxied=bool(proxy))):
        trail = evolve(trail, fault=f"no answer within {timeout:g} s")
    refused = trail.fault.removeprefix("ConfigurationError: ")
    if refused != trail.fault:  # no client can be made here
        yield _checks.proxy("", refused, is_local=False)
        yield from _checks.unasked("without a client")
    else:
        yield _checks.proxy(proxy, "", is_local=place.is_local)
        is_https = place.base_url.startswith("https:")
        yield from _checks.network(trail, is_https=is_https, is_proxied=bool(proxy))
    yield _checks.clock(trail.date, time.time())
    if not has_key or trail.fault:
        why = "the service cannot be reached" if has_key else "without a key"
        yield _checks.Check("balance", "skipped", why)
        return
    answers: list[float | PonyError] = [TransportError(f"no answer within {timeout:g} s")]
    _probe.within(timeout + GRACE, lambda: answers.append(_probe.balance(timeout)))
    yield _checks.account(answers[-1], _probe.secrets(), _probe.api_key())
