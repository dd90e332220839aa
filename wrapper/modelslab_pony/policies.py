"""When to ask again and when to try again: plain values, decided upon in `_schedule`."""

from __future__ import annotations

from attrs import field, frozen, validators

_SECONDS = [validators.ge(0.0), validators.lt(float("inf"))]


@frozen(kw_only=True)
class PollPolicy:
    """How a running job is asked about. All times in seconds.

    The first look is taken when a job is likely to be done: near the service's `eta`, as far as the
    client's earlier jobs have shown etas to be right, and from what they took where there is none. Looks
    after it follow each other in about a tenth of the expected duration, the more the less is
    known, and each wait grows by `growth`. A wait never passes the deadline, at which a last look is
    taken. What this costs and saves was measured (docs/benchmarks.md). Raises `ValueError` or `TypeError` for a
    value that cannot be.
    """

    min_delay: float = field(default=0.5, validator=[validators.gt(0.0), *_SECONDS])
    """The shortest wait before jitter, the first one's from when the job was accepted; above 0, default 0.5."""
    max_delay: float = field(default=15.0, validator=[validators.gt(0.0), *_SECONDS])
    """The longest wait from one look to the next, before jitter, default 15; the first look may take longer to come.
    At least `min_delay`."""
    growth: float = field(default=1.1, validator=[validators.ge(1.0), *_SECONDS])
    """Factor from one wait to the next, at least 1, default 1.1."""
    jitter: float = field(default=0.05, validator=[validators.ge(0.0), validators.lt(1.0)])
    """Each wait is varied by up to this fraction either way, 0 to below 1, default 0.05."""
    lead: float = field(default=0.0, validator=_SECONDS)
    """How much earlier the first look is taken, at least 0, default 0."""

    def __attrs_post_init__(self) -> None:
        if self.min_delay > self.max_delay:
            raise ValueError(f"min_delay ({self.min_delay}) must not be above max_delay ({self.max_delay})")


@frozen(kw_only=True)
class RetryPolicy:
    """How often a call is tried again. All times in seconds.

    A generation POST is repeated only when it provably was not accepted: no connection, or a
    rate-limit refusal. Calls that only read are repeated after any passing fault. Raises `ValueError` or
    `TypeError` for a value that cannot be.
    """

    attempts: int = field(default=3, validator=[validators.instance_of(int), validators.ge(1)])
    """Tries in all, at least 1, default 3; 1 means never again."""
    min_delay: float = field(default=1.0, validator=_SECONDS)
    """The wait before the second try, at least 0, default 1; it doubles from there."""
    max_delay: float = field(default=60.0, validator=_SECONDS)
    """The longest wait, at least 0, default 60. A stated `retry_after` beyond it is not waited for: the error is
    raised."""
