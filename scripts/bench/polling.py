"""When jobs are asked about: our real flow, and the constants that others published, in virtual time.

Nothing is sent: a service of a few lines answers, and a clock jumps from one event to the next. All is decided by
seeds, so that the same run gives the same figures.
"""

from __future__ import annotations

import heapq
import math
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import count

from attrs import frozen

from bench._measure import quantile
from bench._optimum import Best, Chances, fewest_asks, frontier, least_late, lognormal, within
from bench._report import Bound, Section, Table
from modelslab_pony import PollPolicy, RetryPolicy, _flow
from modelslab_pony._asks import Context
from modelslab_pony._snapshot import Snapshot
from modelslab_pony._steps import Reply, Result, Send, Sleep, Woke, resume

SIGMA = 0.6
"""Of the durations, which are log-normal: the longest of a thousand takes some forty times the shortest."""
MEDIANS = (20.0, 5.0, 90.0)
"""Seconds; the etas that were captured are from 12 to 82."""
AT_ONCE, AT_ONCE_QUICK = (1, 1000), (1, 100)
JOBS, JOBS_QUICK = 10_000, 1_500
NOISE = 0.7
"""Spread of etas that are mere guesses: half of them are wrong by a factor of 1.6 and more."""
RIGHT = "right within 10 %"
Eta = Callable[[float, random.Random], float | None]
ETAS: dict[str, Eta] = {
    RIGHT: lambda duration, chance: duration * chance.uniform(0.9, 1.1),
    "late: twice the duration": lambda duration, _: 2 * duration,
    "early: half the duration": lambda duration, _: duration / 2,
    "missing": lambda _, __: None,
    "guesses": lambda duration, chance: duration * math.exp(chance.gauss(0, NOISE)),
}
PROCESSING = b'{"status": "processing", "id": 7, "output": []}'
SUCCESS = b'{"status": "success", "id": 7, "output": ["https://cdn.example/7.png"]}'


@frozen
class Seen:
    """One job: how often it was asked about, and when its end was known; inf if it was given up."""

    asks: int
    late: float
    duration: float


@frozen
class Row:
    """What one way of asking comes to."""

    name: str
    asks: float
    most_asks: float
    late: float
    """Seconds, the mean over the jobs that were found."""
    of_mean: float
    """Mean lateness beside the mean duration."""
    of_each: float
    """The mean of each lateness beside its duration."""
    lost: float
    """Part of the jobs that was given up."""


def row(name: str, seen: Sequence[Seen]) -> Row:
    """Sum it up."""
    found = [one for one in seen if math.isfinite(one.late)]
    late, spent = sum(one.late for one in found), sum(one.duration for one in found)
    return Row(
        name,
        sum(one.asks for one in seen) / len(seen),
        quantile([float(one.asks) for one in seen], 0.99),
        late / len(found),
        late / spent,
        sum(one.late / one.duration for one in found) / len(found),
        1 - len(found) / len(seen),
    )


# --- ours ------------------------------------------------------------------------------------


def ours(median: float, eta: Eta, jobs: int, at_once: int, seed: int = 20261129) -> list[Seen]:
    """Have one client wait for so many jobs, `at_once` under way at any time."""
    chance = random.Random(seed)  # noqa: S311 - a simulation
    swing = random.Random(seed + 1)  # noqa: S311 - a simulation
    context = patient(swing.random)
    begun, seen = count(), list[Seen]()
    waiting: list[tuple[float, int, Iterator[float]]] = []

    def begin(now: float) -> None:
        number = next(begun)
        if number < jobs:
            duration = median * math.exp(SIGMA * chance.gauss(0, 1))
            one = waited(context, duration, eta(duration, chance), now, seen, accepted_at=now)
            heapq.heappush(waiting, (next(one), number, one))

    for _ in range(at_once):
        begin(0.0)
    while waiting:
        now, number, one = heapq.heappop(waiting)
        at = next(one, None)
        if at is None:
            begin(now)
        else:
            heapq.heappush(waiting, (at, number, one))
    return seen


def patient(chance: Callable[[], float] = lambda: 0.5) -> Context:
    """Return what a fresh client goes by."""
    return Context(poll=PollPolicy(), retry=RetryPolicy(), random=chance)


def waited(
    context: Context, duration: float, eta: float | None, now: float, seen: list[Seen], *, accepted_at: float | None
) -> Iterator[float]:
    """Play the service to one flow; yield the times at which it wakes."""
    begun, asks = now if accepted_at is None else accepted_at, 0
    job = Snapshot(status="processing", id=7, accepted_at=accepted_at, first_at=accepted_at, first_eta=eta)
    flow = _flow.wait(context, job, now, math.inf)
    step = resume(flow, None)
    while not isinstance(step, Result):
        if isinstance(step, Sleep):
            now += step.seconds
            yield now
        if isinstance(step, Send):
            asks += 1
            body = SUCCESS if now >= begun + duration else PROCESSING
            step = resume(flow, Reply(at=now, status_code=200, headers={}, body=body))
        else:
            step = resume(flow, Woke(at=now))
    seen.append(Seen(asks, now - begun - duration, duration))


# --- the constants of others -----------------------------------------------------------------


def every(seconds: float, *, at_first: bool) -> Iterator[float]:
    """Yield the times of looks at a fixed interval; `at_first`, whether one is taken before the first wait."""
    yield from (seconds * number for number in count(0 if at_first else 1))


def times(seconds: float, looks: int) -> Iterator[float]:
    """Yield the times of so many looks, the first at once."""
    yield from (seconds * number for number in range(looks))


def doubling(first: float, most: float) -> Iterator[float]:
    """Yield the times of looks whose waits double up to a longest one."""
    at, wait = 0.0, first
    while True:
        at += wait
        yield at
        wait = min(most, 2 * wait)


PEERS: dict[str, Callable[[], Iterator[float]]] = {
    "0.1 s (fal-client: asks, then sleeps)": lambda: every(0.1, at_first=True),
    "0.5 s (replicate: sleeps, then asks)": lambda: every(0.5, at_first=False),
    "2 s, ten times (modelslab-js, -go, -php, -dart)": lambda: times(2.0, 10),
    "60 s, ten times (modelslab-py: asks, then sleeps)": lambda: times(60.0, 10),
    "1 to 10 s, doubling": lambda: doubling(1.0, 10.0),
}


def theirs(name: str, median: float, jobs: int, seed: int = 20261129) -> list[Seen]:
    """Have jobs asked about by a published constant; the eta has no part in it."""
    chance = random.Random(seed)  # noqa: S311 - a simulation
    seen = []
    for _ in range(jobs):
        duration, asks, late = median * math.exp(SIGMA * chance.gauss(0, 1)), 0, math.inf
        for at in PEERS[name]():
            asks += 1
            if at >= duration:
                late = at - duration
                break
        seen.append(Seen(asks, late, duration))
    return seen


# --- what can be known -----------------------------------------------------------------------


def chances(name: str) -> Chances | None:
    """Return what the best schedule may know of a duration; None where the eta tells it exactly."""
    if name == RIGHT:
        return within(0.1)
    if name == "missing":
        return lognormal(SIGMA)
    # A guess and the distribution of all durations together: two normal logarithms.
    return lognormal((SIGMA**-2 + NOISE**-2) ** -0.5) if name == "guesses" else None


@frozen
class Measured:
    """All of it."""

    jobs: int
    mine: dict[tuple[float, str, int], Row]
    """By median, etas and jobs at once."""
    others: dict[tuple[float, str], Row]
    known: dict[str, float]
    """Our lateness in seconds with right etas at the first median, over such jobs as a peer comes to know of."""


def measure(*, quick: bool) -> Measured:
    """Have all jobs waited for."""
    jobs = JOBS_QUICK if quick else JOBS
    mine = {
        (median, name, at_once): row(name, ours(median, eta, jobs if median == MEDIANS[0] else jobs // 3, at_once))
        for median in MEDIANS
        for name, eta in ETAS.items()
        for at_once in (AT_ONCE_QUICK if quick else AT_ONCE)
    }
    others, known = {}, {}
    right = ours(MEDIANS[0], ETAS[RIGHT], jobs, 1)
    for median in MEDIANS:
        for name in PEERS:
            seen = theirs(name, median, jobs // 3)
            others[median, name] = row(name, seen)
            if median == MEDIANS[0]:
                longest = max(one.duration for one in seen if math.isfinite(one.late))
                known[name] = row(name, [one for one in right if one.duration <= longest]).late
    return Measured(jobs, mine, others, known)


def section(found: Measured) -> Section:
    """Tell it."""
    jobs, mine, others = found.jobs, found.mine, found.others
    best = {name: frontier(known) for name in ETAS if (known := chances(name)) is not None}
    parts: list[str | Table] = [
        (
            f"{jobs:,} jobs with log-normal durations (sigma {SIGMA}), asked about by the real flow with the default "
            "`PollPolicy`, in virtual time: one after the other, and many at once; a third as many for other medians. "
            "Lateness is the time from a job's being done to its being known. A client has learnt nothing when "
            "it begins. It is told in seconds, beside the mean duration (as the bounds have it), and beside each job's "
            "own. Behind ours: the least lateness beside the mean that any schedule can have with as many looks, and "
            "the fewest looks for such a lateness, where it knows the distribution and we do not (dynamic programming)."
        ),
        *(_table(median, mine, others, best) for median in MEDIANS),
        _elsewhere(mine, others),
        _impossible(best["missing"], others),
    ]
    return Section("Polling", parts, _bounds(found))


def _table(
    median: float,
    mine: dict[tuple[float, str, int], Row],
    others: dict[tuple[float, str], Row],
    best: dict[str, list[Best]],
) -> Table:
    rows: list[Sequence[object]] = []
    for (of, name, at_once), one in mine.items():
        if of == median:
            known = best.get(name)
            limits = (100 * least_late(known, one.asks), fewest_asks(known, one.of_mean)) if known else ("0", "1")
            rows.append((f"etas {name}; {at_once:,} at once", *_cells(one), *limits))
    rows += [(name, *_cells(one), "", "") for (of, name), one in others.items() if of == median]
    columns = (f"median {median:g} s", "asks a job", "99 %", "late, s", "of the mean, %", "of each, %", "lost, %")
    return Table((*columns, "least late, %", "fewest asks"), rows)


def _cells(one: Row) -> tuple[object, ...]:
    return one.asks, one.most_asks, one.late, 100 * one.of_mean, 100 * one.of_each, 100 * one.lost


def _impossible(best: Sequence[Best], others: dict[tuple[float, str], Row]) -> str:
    few = fewest_asks(best, 0.1)
    fewer = [
        f"{name} at {median:g} s ({one.asks:.1f} looks, late by {100 * one.of_mean:.0f} %)"
        for (median, name), one in others.items()
        if one.asks < few and not one.lost > 0.01
    ]
    return (
        f"Without an eta no schedule is late by 10 % or less with fewer than {few:.1f} asks a job, even one that knows "
        f"the distribution. So the bound of 10 % and fewer looks than these cannot both be had: {'; '.join(fewer)}."
    )


def _elsewhere(mine: dict[tuple[float, str, int], Row], others: dict[tuple[float, str], Row]) -> str:
    """Tell where else than at the first median, one after the other, right etas do not beat a peer."""
    told = []
    for (median, name, at_once), one in mine.items():
        for peer in PEERS if name == RIGHT else ():
            other, most = others[median, peer], _most_asks(peer)
            if one.asks > most * other.asks:
                told.append(
                    f"{one.asks:.2f} looks of {other.asks:.2f} ({peer}; median {median:g} s, {at_once:,} at once)"
                )
    return (
        "The bounds beside peers are those of right etas at a median of 20 s. They hold in the other tables too, but "
        f"for: {'; '.join(told)}."
        if told
        else "The bounds beside peers are those of right etas at a median of 20 s; they hold in the other tables too."
    )


def _most_asks(peer: str) -> float:
    """Return how many looks are few beside a peer's: a tenth of those that ask all the time, or fewer than others."""
    return 0.1 if peer.startswith("0.") else 1.0


def _bounds(found: Measured) -> list[Bound]:
    bounds = []
    for name in ETAS:
        rows = {key: one for key, one in found.mine.items() if key[1] == name}
        is_right = name == RIGHT
        asks = max(one.asks for one in rows.values())
        bounds.append(Bound(name=f"etas {name}: asks a job", measured=asks, at_most=3 if is_right else 15, unit=""))
        late = max(_late(one, 0.05) if is_right else one.of_mean for one in rows.values())
        text = "lateness beside 5 % of the duration or 0.5 s" if is_right else "lateness of the mean duration"
        bounds.append(Bound(name=f"etas {name}: {text}", measured=late, at_most=1 if is_right else 0.1, unit=""))
    median = MEDIANS[0]
    right = found.mine[median, RIGHT, 1]
    for name in PEERS:
        other, most = found.others[median, name], _most_asks(name)
        text = f"etas right, median {median:g} s"
        bounds.append(Bound(name=f"{text}: asks beside {name}", measured=right.asks / other.asks, at_most=most))
        if most == 1:
            lost = f", of jobs that it finds: {100 * other.lost:.0f} % it never does" if other.lost else ""
            late = found.known[name] / other.late
            bounds.append(Bound(name=f"{text}: lateness beside {name}{lost}", measured=late, at_most=1))
    return bounds


def _late(one: Row, part: float) -> float:
    """Return lateness beside what it may be: a part of the duration, or half a second if that is more."""
    return min(one.of_mean / part, one.late / 0.5)


def main() -> None:
    """Print the tables."""
    from bench._report import markdown  # noqa: PLC0415 - for this alone

    print(markdown([], [section(measure(quick="--quick" in sys.argv))]))


if __name__ == "__main__":
    main()
