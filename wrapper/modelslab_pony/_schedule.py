"""When to ask about a job again, and when to try a call again: each a pure function of numbers."""

from __future__ import annotations

import math
from collections.abc import Callable

from modelslab_pony._experience import Outlook
from modelslab_pony.policies import PollPolicy, RetryPolicy

Random = Callable[[], float]
"""Gives numbers from 0 to below 1."""

ETA_BELIEVED = 600.0
"""Seconds. An eta beyond this, or past the deadline, only says "not soon"."""


THOUGHT_OVER = 1.0
"""Seconds. A longer wait for the first look is thought over half-way: other jobs may have taught how long it is."""


def believed(eta: float | None, remaining: float) -> float | None:
    """Return an eta, or None where it says no more than that it takes long."""
    return eta if eta is not None and eta < min(remaining, ETA_BELIEVED) else None


def poll_delay(
    policy: PollPolicy, asked: int, outlook: Outlook, elapsed: float, remaining: float, chance: float
) -> float:
    """Return the seconds to wait before looking at a job.

    `asked` counts the looks already taken; `elapsed` is the time since the job was accepted, `remaining` that to
    the deadline, inf for none; `chance` is from 0 to below 1, and the same while one wait is thought over.
    """
    swing = 1 + policy.jitter * (2 * chance - 1)
    if asked == 0:
        delay = max(policy.min_delay, outlook.first - policy.lead) * swing - elapsed
    else:
        step = max(policy.min_delay, outlook.step)
        delay = _grown(step, policy.growth, asked - 1, policy.max_delay) * swing
    return min(max(0.0, delay), max(0.0, remaining))


def retry_delay(policy: RetryPolicy, tried: int, retry_after: float | None) -> float | None:
    """Return the seconds to wait before the next try, or None if there should be none.

    `tried` counts the tries already made, `retry_after` is the wait that the answer stated.
    """
    if tried >= policy.attempts:
        return None
    backoff = _grown(policy.min_delay, 2.0, tried - 1, policy.max_delay)
    if retry_after is None:
        return backoff
    return max(retry_after, min(backoff, policy.min_delay)) if retry_after <= policy.max_delay else None


def _grown(start: float, factor: float, times: int, limit: float) -> float:
    """Return min(limit, start * factor ** times), also where the power is beyond a float."""
    if start <= 0:
        return 0.0
    if factor > 1 and times * math.log(factor) > math.log(max(limit, start) / start):
        return limit
    return min(limit, start * factor**times)
