"""Whatever comes back: a result, or our own error with the body kept; the same from both clients."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, note, seed, settings, strategies as st

from support.fuzz import documents, wires
from support.fuzz.judge import judge
from support.fuzz.play import ENDINGS, JOURNEYS, Example, Trip, async_trips, sync_trips
from support.fuzz.wires import Recipe, made

CHUNK = 200
"""Examples with one seed, after which the progress is told."""
ANSWERS = int(os.environ.get("FUZZ_ANSWERS", "2000"))
"""Odd answers that each client is given."""
SEED = os.environ.get("FUZZ_SEED", "20261123")
"""The seed of the first chunk, each further one has the next; `random` for another one each time."""

OFTEN = [
    *("success", "success_four_samples", "fetch_success_minimal", "processing", "processing_string_id"),
    *("processing_messege_float_eta", "unknown_status", "failed_try_again", "failed_request_not_found"),
    *("error_429", "error_200_rate_limit_tips", "error_200_validation_object", "no_status"),
]
"""Answers about jobs, which are where the money is."""
NUMBER = st.integers(0, 2**20)
CHANGES = st.tuples(
    st.sampled_from([*documents.CHANGES, *documents.CHANGES, *["twice", "output", "id", "status"] * 4, *wires.BYTES]),
    NUMBER,
)
RECIPES = st.builds(
    Recipe,
    base=st.sampled_from(
        ["success", "processing", *["success", "success_four_samples"] * 15, *OFTEN * 6, *wires.BASES]
    ),
    changes=st.lists(CHANGES, max_size=3).map(tuple),
    coat=st.tuples(st.sampled_from(["none"] * 40 + list(wires.COATS)), NUMBER),
    code=st.sampled_from([*wires.CODES, *[None] * 80]),
    head=st.tuples(st.sampled_from(["none"] * 12 + list(wires.HEADS)), NUMBER),
    end=st.sampled_from(["whole"] * 20 + wires.ENDS),
)
EXAMPLES = st.builds(
    Example,
    journey=st.sampled_from([*JOURNEYS, "submit", "generate", "accepted", "fetch", "wait"]),
    recipes=st.lists(RECIPES, min_size=1, max_size=8).map(tuple),
    ending=st.sampled_from(ENDINGS),
)


def tell(text: str) -> None:
    """Show how far it is, where somebody looks (`pytest -s`)."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


class Fuzz:
    """Plays examples with both clients; counts what they were given, and what became of it."""

    def __init__(self, folder: Path) -> None:
        self.given: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self._folder = folder
        self._runner = asyncio.Runner()

    def play(self, example: Example) -> None:
        """Judge each trip, and compare the two clients'."""
        script = [made(recipe) for recipe in example.recipes]
        blocking = sync_trips(example, script, self._folder)
        awaited = self._runner.run(async_trips(example, script, self._folder))
        for trip in [*blocking, *awaited]:
            self._count(trip)
            judge(trip)
        assert [trip.kind for trip in blocking] == [trip.kind for trip in awaited], "the clients differ"

    def close(self) -> None:
        self._runner.close()

    def _count(self, trip: Trip) -> None:
        self.given[trip.client] += sum(exchange.is_odd for exchange in trip.exchanges)
        if trip.client == "sync":
            self.outcomes[type(trip.outcome if trip.error is None else trip.error).__name__] += 1


def run_chunk(fuzz: Fuzz, number: int, examples: int = CHUNK) -> None:
    """Play as many examples, always the same ones for a number; the smallest that fails is told."""

    @seed(number)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    @given(EXAMPLES)
    def chunk(example: Example) -> None:
        note(repr(example))
        fuzz.play(example)

    chunk()


@pytest.mark.timeout(3600)
def test_no_answer_is_beyond_both_clients() -> None:
    """Each client is given `FUZZ_ANSWERS` odd answers; every outcome is one that is allowed, and the same for both."""
    first = secrets.randbelow(10**9) if SEED == "random" else int(SEED)
    begun = told = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        fuzz = Fuzz(Path(folder))
        number = first
        try:
            while min(fuzz.given["sync"], fuzz.given["async"]) < ANSWERS:
                try:
                    run_chunk(fuzz, number)
                except BaseException:
                    tell(f"\nagain: FUZZ_SEED={number} FUZZ_ANSWERS=1 python -m pytest {__file__}")
                    raise
                number += 1
                if time.monotonic() - told > 10:
                    told = time.monotonic()
                    tell(f"{fuzz.given['sync']} answers, {told - begun:.0f} s, seed {number}")
        finally:
            fuzz.close()
    seconds = time.monotonic() - begun
    tell(f"\n{fuzz.given['sync']} answers to PonyClient, {fuzz.given['async']} to AsyncPonyClient, no escape")
    tell(f"{seconds:.0f} s, seeds {first} to {number - 1}; how the blocking client's calls ended:")
    tell(", ".join(f"{name} {count}" for name, count in fuzz.outcomes.most_common()))
    assert min(fuzz.given["sync"], fuzz.given["async"]) >= ANSWERS
