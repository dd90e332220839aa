"""What a client has learnt of how long jobs take, and of how far the service's etas can be trusted.

Two beliefs are kept, each a middle and a spread of a logarithm: of how long a job takes, and of how many times its
eta. A job is looked at when both together say that it should be done: where etas turn out right, they decide; where
they are twice too long, too short or mere guesses, that is found out by looking alone, and no look is made for it.
All here is arithmetic on numbers; what is learnt is lost with the client.
"""

from __future__ import annotations

import math

from attrs import evolve, frozen

LOOK = 0.006
"""What a look may cost: it is worth taking if it is expected to save this part of a job's duration in lateness."""
NEAREST = 0.085
"""Part of the expected duration that lies between two looks at the least: etas are not better than that."""
PACE = 0.1
"""How much of a surprise is believed at once, when there is experience enough."""
BEFORE = 2.0
"""Spreads before a first look that found the job done at which it is taken to have been done."""
SURPRISE = 1.0
"""The largest difference of logarithms that one job can teach: no odd one does lasting harm."""
NARROW = 0.03
"""The smallest spread that is believed; the largest follows from SURPRISE."""
SHORTEST = 0.01
"""Seconds. An eta of nothing says "at once"."""
_MEAN_DEVIATION = 2 * math.log(2)
"""Of the logistic distribution, in spreads."""


@frozen
class Belief:
    """A number that is known by its logarithm: logistic, since that has tails."""

    middle: float
    spread: float

    def taught(self, found: float, pace: float) -> Belief:
        """Return it after one more logarithm was seen."""
        surprise = min(SURPRISE, max(-SURPRISE, found - self.middle))
        deviation = abs(surprise) / _MEAN_DEVIATION
        spread = self.spread + pace * (deviation - self.spread)
        return Belief(self.middle + pace * surprise, max(NARROW, spread))

    def joined(self, other: Belief) -> Belief:
        """Return what two say together: each counts by how sure it is."""
        own, others = self.spread**-2, other.spread**-2
        middle = (self.middle * own + other.middle * others) / (own + others)
        return Belief(middle, (own + others) ** -0.5)


@frozen
class Outlook:
    """When to look at a job, in seconds: first, since it was accepted, and from one look to the next."""

    first: float
    step: float


@frozen
class Beliefs:
    """What is known at a time; what nobody taught yet is that etas are right within a tenth."""

    eta: Belief = Belief(0.0, 0.06)
    """Of the duration divided by the eta."""
    duration: Belief = Belief(math.log(10.0), 0.9)
    """Of the duration in seconds."""
    jobs: int = 0
    """How many taught it."""

    def of(self, eta: float | None) -> Belief:
        """Return what is known of the duration of a job with that eta, in seconds."""
        if eta is None:
            return self.duration
        ratio = self.eta
        return Belief(ratio.middle + math.log(max(eta, SHORTEST)), ratio.spread).joined(self.duration)

    def outlook(self, eta: float | None) -> Outlook:
        """Return when to look at a job with that eta.

        Between looks it may be late by half a step at each, so a step that balances its cost is a root of the
        spread; the first look is worth its cost once so many jobs of its kind should be done.
        """
        belief = self.of(eta)
        step = math.sqrt(4 * LOOK * belief.spread)
        odds = (math.sqrt(1 + 8 * LOOK / belief.spread) - 1) / 2
        if step < NEAREST:
            step, odds = NEAREST, min(1.0, max(odds, NEAREST / belief.spread - 1))
        expected = math.exp(belief.middle)
        return Outlook(expected * odds**belief.spread, expected * step)

    def taught(self, eta: float | None, last: float, done: float, before: int) -> Beliefs:
        """Return what is known after a job: at `last` seconds (0: never looked) it was not done, at `done` it was.

        `before` is how many had taught when it began: of many at once each counts as one of all of them.
        """
        belief = self.of(eta)
        late = math.log(max(done, SHORTEST))
        found = (math.log(max(last, SHORTEST)) + late) / 2 if last > 0 else late - BEFORE * belief.spread
        pace = min(PACE, 1 / (1 + self.jobs - before))
        ratio = self.eta if eta is None else self.eta.taught(found - math.log(max(eta, SHORTEST)), pace)
        return evolve(self, eta=ratio, duration=self.duration.taught(found, pace), jobs=self.jobs + 1)


class Experience:
    """The beliefs of one client. They are one value, replaced as a whole: of two threads one may be overheard."""

    def __init__(self) -> None:
        self.beliefs = Beliefs()

    def learn(self, eta: float | None, last: float, done: float, before: int) -> None:
        """Take note of a job; see `Beliefs.taught`."""
        self.beliefs = self.beliefs.taught(eta, last, done, before)
