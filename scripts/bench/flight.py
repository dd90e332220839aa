"""Many jobs at once in one process: those that are answered at once, and those that are waited for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from attrs import frozen

from bench._flight_run import GIVE_UP, Run, run
from bench._measure import in_turns, median, ratio
from bench._report import Bound, Section, Table
from bench._same import sent_json

PONY, OVER_AIOHTTP, HTTPX, AIOHTTP = "pony", "pony-aiohttp", "httpx", "aiohttp"
NAMES = {
    HTTPX: "bare `httpx`, ungated",
    "httpx-default": "bare `httpx`, its own 100 connections",
    PONY: "`AsyncPonyClient`",
    OVER_AIOHTTP: '`AsyncPonyClient(http_client="aiohttp")`',
    AIOHTTP: "bare `aiohttp`, its own 100 connections",
}
MANY, MOST = 1_000, 10_000
BURST = {10: 5, 100: 5, MANY: 7, MOST: 3}
"""Rounds for each number of jobs."""
WAITING = {10: (2.0, 3), 100: (3.0, 3), MANY: (6.0, 3), MOST: (30.0, 1)}
"""Seconds that a job takes, in which all have to be accepted; and rounds."""
QUICK_BURST, QUICK_WAITING = {100: 1, MANY: 2}, {100: (1.0, 1)}
LONG, QUICK_LONG = 15.0, 5.0
"""Seconds. A run that takes as long counts for all rounds: what it is compared with takes a fraction of that."""
GATES = (4, 8, 16, 32, 64, 128)
GATE_ROUNDS = 3
FAR, FAR_JOBS = 0.2, 400
"""Seconds that each answer takes on its way, and jobs: one run is enough where nearly all is waiting."""
Runs = Mapping[str, Sequence[Run]]


@frozen
class Flight:
    """Runs by the number of jobs and the client, round by round."""

    burst: Mapping[int, Runs]
    waiting: Mapping[int, Runs]
    seconds: Mapping[int, float]
    """What a job of `waiting` takes."""
    gates: Mapping[int, Runs]
    """Bursts of 1,000, by `max_in_flight`."""
    far: Mapping[int, Run]
    """Bursts of `AsyncPonyClient` whose answers take a while on their way, by `max_in_flight`."""


def measure(*, quick: bool) -> Flight:
    """Run all stories."""
    body = sent_json()
    burst, waiting = (QUICK_BURST, QUICK_WAITING) if quick else (BURST, WAITING)
    return Flight(
        {jobs: _runs(jobs, 0.0, rounds, body, quick=quick) for jobs, rounds in burst.items()},
        {jobs: _runs(jobs, seconds, rounds, body, quick=quick) for jobs, (seconds, rounds) in waiting.items()},
        {jobs: seconds for jobs, (seconds, _) in waiting.items()},
        {} if quick else _gates(body),
        {} if quick else {gate: run(PONY, FAR_JOBS, 0.0, body, gate, FAR) for gate in GATES},
    )


def _runs(jobs: int, seconds: float, rounds: int, body: dict[str, Any], *, quick: bool) -> Runs:
    names = [name for name in NAMES if name != "httpx-default" or (jobs < MOST and not quick)]
    kept: dict[str, Run] = {}

    def one(name: str) -> Run:
        if name in kept:
            return kept[name]
        found = run(name, jobs, seconds, body)
        if not (found.is_whole and found.took < (QUICK_LONG if quick else LONG)):
            kept[name] = found
        return found

    return in_turns(names, rounds, one)


def _gates(body: dict[str, Any]) -> Mapping[int, Runs]:
    found: dict[int, dict[str, list[Run]]] = {gate: {} for gate in GATES}
    for name in (PONY, OVER_AIOHTTP):
        by_gate = in_turns([str(gate) for gate in GATES], GATE_ROUNDS, partial(_through, name, body))
        for gate, runs in by_gate.items():
            found[int(gate)][name] = runs
    return found


def _through(name: str, body: dict[str, Any], gate: str) -> Run:
    return run(name, MANY, 0.0, body, int(gate))


def section(found: Flight) -> Section:
    """Tell it."""
    parts: list[str | Table] = [
        (
            "All jobs begin together in one process, the server is another. A row is a client in a process of its own, "
            f"in turns with the others; medians. A run of {LONG:g} s or more is not repeated, and given up after "
            f"{GIVE_UP:g} s."
        ),
        "**Answered at once.** Jobs a second from the first to the last; connections are the most that were open.",
    ]
    parts += [_burst_table(jobs, runs) for jobs, runs in found.burst.items()]
    parts.append(
        "**Waited for.** The service says truly how long a job takes. Our client asks as its `PollPolicy` has it, the "
        "bare ones at that time and then each half second. Lateness is from a job's being ready to its caller's having "
        "the result; memory is what the process has grown by while the most jobs were accepted and not ready "
        "(kB of 1000 bytes, for each of them)."
    )
    parts += [_waiting_table(jobs, found.seconds[jobs], runs) for jobs, runs in found.waiting.items()]
    if found.gates:
        parts += [
            (
                f"**The gate.** {MANY:,} jobs answered at once, by `max_in_flight`; jobs a second. Beside them "
                f"{FAR_JOBS} jobs whose answers take {FAR:g} s on their way: nobody can have more of them a second "
                "than `max_in_flight` divided by that, so whose plan allows more at once raises it."
            ),
            _gate_table(found),
        ]
    return Section("Many jobs at once", parts, _bounds(found))


def _bounds(found: Flight) -> list[Bound]:
    bounds = []
    if many := found.burst.get(MANY):
        for one, other, least in ((PONY, HTTPX, 3.0), (OVER_AIOHTTP, AIOHTTP, 0.5)):
            name = f"{MANY:,} jobs at once, jobs a second: {NAMES[one]} beside {NAMES[other]}"
            bounds.append(Bound(name=name, measured=_rates(many, one, other), at_least=least))
    for name in (PONY, OVER_AIOHTTP):
        if most := found.waiting.get(MOST):
            text = f"{MOST:,} jobs waited for at once, {NAMES[name]}"
            done, each = min(run.done for run in most[name]), _median(most[name], "kb_each")
            bounds.append(Bound(name=f"{text}: done", measured=done, at_least=MOST, unit=""))
            bounds.append(Bound(name=f"{text}: memory of each", measured=each, at_most=10, unit="kB"))
    return bounds


def _rates(runs: Runs, one: str, other: str) -> float:
    return ratio([run.rate for run in runs[one]], [run.rate for run in runs[other]])


def _burst_table(jobs: int, runs: Runs) -> Table:
    rows = []
    for name, of_name in runs.items():
        rate = _median(of_name, "rate")
        beside = _rates(runs, name, HTTPX), _rates(runs, name, AIOHTTP)
        cpu = 1e6 * _median(of_name, "cpu") / jobs
        rows.append((NAMES[name], _or_why(rate, of_name), *beside, cpu, max(run.connections for run in of_name)))
    columns = (f"{jobs:,} jobs", "jobs/s", "beside bare httpx", "beside bare aiohttp", "µs of CPU a job", "connections")
    return Table(columns, rows)


def _waiting_table(jobs: int, seconds: float, runs: Runs) -> Table:
    rows = []
    for name, of_name in runs.items():
        late = _or_why(_median(of_name, "late_half"), of_name)
        figures = [_median(of_name, "late_most"), *((_median(of_name, "kb_each"),) if jobs >= MANY else ())]
        counts = (max(run.waiting for run in of_name), max(run.connections for run in of_name))
        rows.append((NAMES[name], late, *figures, *counts))
    memory = ("kB a job",) if jobs >= MANY else ()  # of few, it is lost in what the process has anyway
    columns = (f"{jobs:,} jobs of {seconds:g} s", "late by, s: half", "99 %", *memory, "waiting at once", "connections")
    return Table(columns, rows)


def _gate_table(found: Flight) -> Table:
    names = (PONY, OVER_AIOHTTP)
    rows = [
        (gate, *(_median(runs[name], "rate") for name in names), found.far[gate].rate)
        for gate, runs in found.gates.items()
    ]
    return Table(("`max_in_flight`", *(NAMES[name] for name in names), f"{NAMES[PONY]}, {FAR:g} s away"), rows)


def _median(runs: Sequence[Run], figure: str) -> float:
    return median([getattr(run, figure) for run in runs])


def _or_why(value: float, runs: Sequence[Run]) -> float | str:
    """Return a figure, or why there is none."""
    broken = next((run for run in runs if not run.is_whole), None)
    if broken is None:
        return value
    if broken.faults:
        return f"n/a: {broken.faults:,} jobs failed, {broken.fault.partition(':')[0]}"
    return f"n/a: given up after {GIVE_UP:g} s"
