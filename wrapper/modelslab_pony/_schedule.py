"""When to ask about a job again, and when to try a call again: each a pure function of numbers."""

from __future__ import annotations

import math
from collections.abc import Callable

from modelslab_pony.policies import PollPolicy, RetryPolicy

Random = Callable[[], float]
"""Gives numbers from 0 to below 1."""

ETA_BELIEVED = 600.0
"""Seconds. An eta beyond this, or past the deadline, only says "not soon"."""


def poll_delay(policy: PollPolicy, asked: int, eta: float | None, remaining: float, random: Random) -> float:
    """Return the seconds to wait before looking at a job.

    `asked` counts the looks already taken; `remaining` is the time to the deadline, inf for none.
    """
    if asked == 0 and eta is not None and eta < min(remaining, ETA_BELIEVED):
        delay = max(policy.min_delay, eta - policy.lead)
    else:
        delay = _grown(policy.min_delay, policy.growth, max(0, asked - 1), policy.max_delay)
    return min(delay * (1 + policy.jitter * (2 * random() - 1)), max(0.0, remaining))


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
