"""How many requests an account may have under way: less after a refusal, again more after a quiet time.

Pure functions of numbers; times are seconds since 1970, so that several machines mean the same.
"""

from __future__ import annotations

from attrs import evolve, frozen

FIRST_INTERVAL, LONGEST_INTERVAL = 2.0, 120.0
"""Seconds without a refusal after which one more request is let through. It doubles when that was too many."""
TYPICAL = 20.0
"""Seconds that a job is thought to take before one was seen."""
LONGEST_HOLD = 600.0
"""Seconds. A job that was looked at late seems to have taken long."""
MARGIN = 1.5
"""A job of unknown fate is thought to be over after this many times the longest one of late."""


@frozen(kw_only=True)
class Pace:
    """What an account's queue takes."""

    limit: int
    """What the plan has, by its holder's word."""
    allowed: int
    """What is sent now; at most the limit, at least 1."""
    changed_at: float
    interval: float = FIRST_INTERVAL


def refused(pace: Pace, under_way: int, now: float) -> Pace:
    """Return the pace after a rate-limit refusal, with `under_way` others sent or accepted."""
    allowed = max(1, min(pace.allowed, under_way))
    # One more was let through a moment ago, and was one too many: wait longer before the next trial.
    was_trial = allowed == pace.allowed - 1 and now - pace.changed_at < pace.interval
    interval = min(LONGEST_INTERVAL, pace.interval * 2) if was_trial else pace.interval
    return evolve(pace, allowed=allowed, changed_at=now, interval=interval)


def recovered(pace: Pace, now: float) -> Pace | None:
    """Return the pace with one more, once the time for that has come; None before."""
    if pace.allowed >= pace.limit or now - pace.changed_at < pace.interval:
        return None
    allowed = pace.allowed + 1
    interval = FIRST_INTERVAL if allowed == pace.limit else pace.interval
    return evolve(pace, allowed=allowed, changed_at=now, interval=interval)


def limited(pace: Pace | None, limit: int, now: float) -> Pace:
    """Return the pace under a limit, be it a new one."""
    if pace is None:
        return Pace(limit=limit, allowed=limit, changed_at=now)
    if pace.limit == limit:
        return pace
    return Pace(limit=limit, allowed=limit, changed_at=now)


def held_until(now: float, longest: float | None) -> float:
    """Return how long a request whose fate is unknown is thought to take a place in the account's queue."""
    return now + min(LONGEST_HOLD, TYPICAL if longest is None else MARGIN * longest)
