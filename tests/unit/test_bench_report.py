"""`make bench`: who is measured when, what is compared, and what the report says of it."""

from __future__ import annotations

import math
from itertools import count

import pytest

from bench import downloads, flight, imports
from bench._flight_run import Run
from bench._measure import difference, in_turns, quantile, ratio, turns
from bench._report import Bound, Section, Table, markdown, number, unmet

REPORT = """\
# Benchmarks

One run.

## Bounds

| figure | bound | measured | met |
| --- | --- | --- | --- |
| fast | ≤ 1.15 x | 1.14 x | yes |
| slow | ≥ 3.00 x | 2.99 x | **no** |
| gone | ≤ 25.0 ms | it failed | **no** |

## One

| | of it | all |
| --- | ---: | ---: |
| a | 0.125 | 1,000 |
"""


def test_the_report_is_its_figures() -> None:
    """Each bound with its figure and whether it is met, then the tables; nothing else goes in."""
    bounds = (
        Bound(name="fast", measured=1.14, at_most=1.15),
        Bound(name="slow", measured=2.99, at_least=3),
        Bound(name="gone", measured=None, at_most=25, unit="ms", instead="it failed"),
    )
    section = Section("One", (Table(("", "of it", "all"), [("a", 0.125, 1000)]),), bounds)
    assert markdown(["One run."], [section]).replace("|  |", "| |") == REPORT
    assert [bound.name for bound in unmet([section])] == ["slow", "gone"]


@pytest.mark.parametrize(
    ("bound", "met"),
    [
        (Bound(name="", measured=1.0, at_most=1), True),
        (Bound(name="", measured=1.001, at_most=1), False),
        (Bound(name="", measured=3.0, at_least=3), True),
        (Bound(name="", measured=2.999, at_least=3), False),
        (Bound(name="", measured=float("nan"), at_most=1), False),
        (Bound(name="", measured=float("nan"), at_least=1), False),
        (Bound(name="", measured=None, at_most=1), False),
    ],
)
def test_a_bound_is_met_at_its_limit_and_never_without_a_figure(bound: Bound, met: bool) -> None:
    """Whichever side it is on."""
    assert bound.met is met


@pytest.mark.parametrize(
    ("value", "written"),
    [(0.0, "0"), (0.00512, "0.0051"), (0.125, "0.125"), (9.996, "10.0"), (12.34, "12.3"), (12345.6, "12,346")],
)
def test_a_number_has_three_digits_that_count(value: float, written: str) -> None:
    """And a large one is whole."""
    assert number(value) == written


def test_every_second_round_goes_backwards() -> None:
    """So that none is always measured first, or always after the same one."""
    assert list(turns("abc", 3)) == [*"abc", *"cba", *"abc"]
    order = count(1)
    assert in_turns("ab", 2, lambda _: next(order)) == {"a": [1, 4], "b": [2, 3]}


def test_a_ratio_is_of_the_same_round() -> None:
    """A machine that is slow for a while is slow for both: the medians' own ratio would be 3."""
    assert ratio([1, 10, 3], [1, 5, 1]) == 2
    assert difference([1, 10, 3], [0, 1, 5]) == 1
    assert math.isnan(ratio([math.nan, 1, 1], [1, 1, 1]))  # nor is a round that failed passed over


def test_a_quantile_is_one_of_the_values() -> None:
    """The smallest that enough of them do not exceed."""
    values = [float(number) for number in range(100, 0, -1)]
    assert [quantile(values, part) for part in (0.5, 0.99, 1.0)] == [50, 99, 100]
    assert quantile([7.0], 0.99) == 7


def test_an_import_is_told_over_bare_python() -> None:
    """Whole processes, less what the interpreter takes by itself."""
    seconds = {imports.BARE: 0.010, imports.OURS: 0.020, imports.BASE: 0.090, "fal_client": 0.110, "httpx": 0.080}
    times = {name: [value, value] for name, value in seconds.items()}
    found = imports.section(imports.Imports(times, times, times))
    assert [bound.measured for bound in found.bounds] == pytest.approx([10, 0.1, 1 / 7])


def test_a_run_that_was_given_up_says_so() -> None:
    """And so does one in which jobs failed; neither has a rate, and no bound is met by it."""
    whole = Run(jobs=10_000, took=40.0, late_half=0.5, late_most=1.0, waiting=10_000, kb_each=9.0)
    broken = Run(jobs=10_000, took=40.0, faults=3, fault="SubmissionUnknown: words", waiting=10_000, kb_each=9.0)
    lost = Run(jobs=10_000)
    runs = {"pony": [whole] * 3, "pony-aiohttp": [broken] * 3, "httpx": [whole, lost, whole], "aiohttp": [whole] * 3}
    found = flight.section(flight.Flight({10_000: runs}, {10_000: runs}, {10_000: 30.0}, {}, {}))
    text = markdown([], [found])
    assert "n/a: given up after 120 s" in text
    assert "n/a: 3 jobs failed, SubmissionUnknown" in text
    assert [bound.met for bound in found.bounds] == [True, True, False, True]


def test_a_download_is_held_to_httpx_though_that_takes_less_care() -> None:
    """Blocking beside blocking, awaited beside awaited, neither with `fsync`; memory at its worst."""
    seconds = {"httpx": 1.0, "pony": 2.0, "httpx-synced": 3.0, "httpx-async": 4.0, "pony-async": 4.0}
    found = {name: [downloads.Download(value, 1.0), downloads.Download(value, 11.0)] for name, value in seconds.items()}
    bounds = downloads.section(downloads.Downloads(found)).bounds
    assert [(bound.measured, bound.met) for bound in bounds] == [(0.5, False), (1.0, True), (11, False), (11, False)]
