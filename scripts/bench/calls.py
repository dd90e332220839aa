"""What one call costs that is answered at once, over a connection that is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import frozen

from bench._measure import child, median, ratio
from bench._report import Bound, Section, Table
from bench._server import running

NAMES = {
    "httpx": "bare `httpx`: post, `.json()`",
    "raw": "the raw client: `sync_detailed`, `asyncio_detailed`",
    "pony": "`PonyClient.text2img`, `AsyncPonyClient.text2img`",
    "pony-aiohttp": '`AsyncPonyClient(http_client="aiohttp")`',
    "httpx-logged": "bare `httpx`, somebody at its log (INFO)",
    "pony-logged": "the same, of ours",
    "httpx2": "bare `httpx2`",
    "requests": "bare `requests`",
    "aiohttp": "bare `aiohttp`",
}
Found = Mapping[str, Sequence[tuple[float, float]]]


@frozen
class Calls:
    """Microseconds of CPU and of time that passed, a call, round by round."""

    sync: Found
    awaited: Found
    calls: int


def measure(*, quick: bool) -> Calls:
    """Run both ways, each in a process."""
    rounds, calls = (5, 100) if quick else (15, 300)
    with running() as service:
        sync, awaited = (
            child("_calls_child", way, service.base("at-once"), rounds, calls) for way in ("sync", "async")
        )
    return Calls(sync, awaited, calls)


def section(found: Calls) -> Section:
    """Tell it."""
    ways = {"sync": found.sync, "async": found.awaited}
    bounds = [
        Bound(
            name=f"CPU of one call ({way}) beside {NAMES[other].partition(':')[0]}",
            measured=_cpu(times, other),
            at_most=limit,
        )
        for way, times in ways.items()
        for other, limit in (("httpx", 1.15), ("raw", 1.05))
    ]
    rounds = len(found.sync["pony"])
    return Section(
        "One call",
        (
            (
                f"The same JSON to a local server that answers at once: built, sent, received, parsed. {rounds} "
                f"rounds of {found.calls} calls of each, in turns, in one process for each way; medians, and medians "
                "of the ratios of each round. Where somebody reads httpx's log, our calls take httpx's whole way."
            ),
            *(part for way, times in ways.items() for part in (f"**{way}**", _table(times))),
        ),
        bounds,
    )


def _cpu(times: Found, other: str) -> float:
    return ratio([cpu for cpu, _ in times["pony"]], [cpu for cpu, _ in times[other]])


def _table(times: Found) -> Table:
    bare = [[one[index] for one in times["httpx"]] for index in (0, 1)]
    rows = []
    for name, called in NAMES.items():
        if name in times:
            cpu, wall = ([one[index] for one in times[name]] for index in (0, 1))
            both = (median(cpu), ratio(cpu, bare[0]), median(wall), ratio(wall, bare[1]))
            rows.append((called, *both))
    return Table(("", "µs of CPU", "beside httpx", "µs in all", "beside httpx"), rows)
