"""The best that any schedule can do: computed, by dynamic programming over what may be known of a duration.

A schedule is a sequence of times; a job is known to be done at the first of them that is not before it is. For a
price of a look, the times that minimise lateness and price together are found backwards from the end; one price
after the other gives the fewest looks for each lateness. That is the mean lateness beside the mean duration, so one
unit serves all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from attrs import frozen

STEPS = 400
WIDTH = 3.7
"""Spreads of a log-normal distribution that are looked at, either way."""
PRICES = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.008, 0.012, 0.02, 0.03, 0.05, 0.08, 0.12, 0.2, 0.4)


@frozen
class Chances:
    """How likely it is that a job gets done between one time and the next."""

    times: Sequence[float]
    masses: Sequence[float]


@frozen
class Best:
    """What one price gives: looks a job, and the mean lateness beside the mean duration."""

    asks: float
    late: float


def lognormal(sigma: float) -> Chances:
    """Return the durations of a log-normal distribution, beside their median."""
    times = [math.exp(WIDTH * sigma * (2 * (step + 1) / STEPS - 1)) for step in range(STEPS)]
    return _chances(times, lambda time: 0.5 * math.erfc(-math.log(time) / sigma / math.sqrt(2)))


def within(part: float) -> Chances:
    """Return durations beside an eta that is wrong by up to that part, evenly."""
    low, high = 1 / (1 + part), 1 / (1 - part)
    times = [low * (high / low) ** ((step + 1) / STEPS) for step in range(STEPS)]
    return _chances(times, lambda time: (1 + part - 1 / time) / (2 * part))


def _chances(times: Sequence[float], below: object) -> Chances:
    assert callable(below)  # noqa: S101 - a distribution function
    sums = [below(time) for time in times]
    masses = [one - other for one, other in zip(sums, [0.0, *sums[:-1]], strict=True)]
    masses[-1] += 1 - sums[-1]
    return Chances(times, masses)


def frontier(chances: Chances) -> list[Best]:
    """Return the best of each price, from many looks to few."""
    return [_best(chances, price) for price in PRICES]


def _best(chances: Chances, price: float) -> Best:
    count = len(chances.times)
    mass, spent = [0.0], [0.0]
    before = chances.times[0] ** 2 / chances.times[1]
    for time, one in zip(chances.times, chances.masses, strict=True):
        mass.append(mass[-1] + one)
        spent.append(spent[-1] + one * math.sqrt(before * time))
        before = time
    cost, asks, late = ([0.0] * (count + 1) for _ in range(3))
    for start in range(count - 1, -1, -1):
        left = mass[count] - mass[start]
        found = (math.inf, 0.0, 0.0)
        for end in range(start + 1, count + 1):
            late_by = chances.times[end - 1] * (mass[end] - mass[start]) - (spent[end] - spent[start])
            waste = late_by / spent[count]
            if price * left + waste > found[0]:
                break  # later ones only waste more
            if price * left + waste + cost[end] < found[0]:
                found = (price * left + waste + cost[end], left + asks[end], waste + late[end])
        cost[start], asks[start], late[start] = found
    return Best(asks[0], late[0])


def least_late(best: Sequence[Best], asks: float) -> float:
    """Return the least lateness for so many looks, between two prices in a straight line."""
    return _between([(one.asks, one.late) for one in best], asks)


def fewest_asks(best: Sequence[Best], late: float) -> float:
    """Return the fewest looks for that lateness, between two prices in a straight line."""
    return _between([(one.late, one.asks) for one in best], late)


def _between(pairs: Sequence[tuple[float, float]], at: float) -> float:
    known = sorted(pairs)
    if not known[0][0] <= at <= known[-1][0]:
        return known[0][1] if at < known[0][0] else known[-1][1]
    for (low, first), (high, second) in pairwise(known):
        if low <= at <= high:
            return first if high == low else first + (second - first) * (at - low) / (high - low)
    raise AssertionError  # it lies between two of them
