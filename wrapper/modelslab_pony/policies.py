"""When to ask again and when to try again: plain values, decided upon in `_schedule`."""

from __future__ import annotations

from attrs import field, frozen, validators

_SECONDS = [validators.ge(0.0), validators.lt(float("inf"))]


@frozen(kw_only=True)
class PollPolicy:
    """How a running job is asked about. All times in seconds.

    The first question goes out `lead` before the service's `eta`; without an eta, or with one
    past the deadline, after `min_delay`. Each further wait grows by `growth` up to `max_delay`.
    A wait never passes the deadline, at which a last look is taken.
    """

    min_delay: float = field(default=1.0, validator=[validators.gt(0.0), *_SECONDS])
    """The shortest wait before jitter; above 0."""
    max_delay: float = field(default=15.0, validator=[validators.gt(0.0), *_SECONDS])
    """The longest wait before jitter, the first one excepted, which follows the eta."""
    growth: float = field(default=1.5, validator=[validators.ge(1.0), *_SECONDS])
    """Factor from one wait to the next, at least 1."""
    jitter: float = field(default=0.1, validator=[validators.ge(0.0), validators.lt(1.0)])
    """Each wait is varied by up to this fraction either way, 0 to below 1."""
    lead: float = field(default=0.5, validator=_SECONDS)
    """How long before the eta the first question goes out."""

    def __attrs_post_init__(self) -> None:
        if self.min_delay > self.max_delay:
            raise ValueError(f"min_delay ({self.min_delay}) must not be above max_delay ({self.max_delay})")


@frozen(kw_only=True)
class RetryPolicy:
    """How often a call is tried again. All times in seconds.

    A generation POST is repeated only when it provably was not accepted: no connection, or a
    rate-limit refusal. Calls that only read are repeated after any passing fault.
    """

    attempts: int = field(default=3, validator=[validators.instance_of(int), validators.ge(1)])
    """Tries in all, at least 1; 1 means never again."""
    min_delay: float = field(default=1.0, validator=_SECONDS)
    """The wait before the second try; it doubles from there."""
    max_delay: float = field(default=60.0, validator=_SECONDS)
    """The longest wait. A stated `retry_after` beyond it is not waited for: the error is raised."""
