"""Calls that cost nothing and may be made again, and what every flow is made of. No I/O, no clock; see `_steps`."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping
from typing import Any, TypeVar

from attrs import field, frozen

from modelslab_pony._classify import is_ours
from modelslab_pony._experience import Experience
from modelslab_pony._schedule import Random, retry_delay
from modelslab_pony._snapshot import Snapshot
from modelslab_pony._steps import Event, Flow, Lost, Reply, Report, Send, Sleep, Step, Woke
from modelslab_pony.errors import (
    APIError,
    PonyError,
    RateLimitError,
    ServerError,
    TransportError,
    UnexpectedResponseError,
)
from modelslab_pony.policies import PollPolicy, RetryPolicy

T = TypeVar("T")


@frozen(kw_only=True)
class Context:
    """What every flow goes by."""

    poll: PollPolicy
    experience: Experience = field(factory=Experience)
    retry: RetryPolicy
    random: Random
    answer: float = math.inf
    """Seconds that one call of the API may take."""
    download: float = math.inf
    """Seconds that one download may take."""


def ask(
    context: Context,
    operation: str,
    fields: Mapping[str, Any],
    meaning: Callable[[Reply], T],
    *,
    now: float,
    doing: str = "",
    deadline: float = math.inf,
) -> Flow[T]:
    """Make a call that costs nothing, so that it may be made again; return what its answer means."""
    tries = Tries(context, now)
    while True:
        event = yield from send(operation, fields, deadline, within=tries.left)
        found = read(event, meaning)
        if not isinstance(found, PonyError):
            return found
        delay = tries.delay(event, found)
        if delay is None or event.at + delay >= deadline:
            found.args = (f"{found}{doing}",)
            found.job_id = None  # an id in such an answer is no job's
            raise found
        tries.now = yield from sleep(delay)


class Tries:
    """Counts the tries of a call that only reads, and what time they took beside the waiting in between.

    All together may take twice what one call may: one that took all of its time is made once more.
    """

    def __init__(self, context: Context, now: float) -> None:
        self.now = now
        self._context = context
        self._made = 0
        self._spent = 0.0

    def delay(self, event: Reply | Lost, error: PonyError) -> float | None:
        """Return how long to wait before the next try, or None if there should be none."""
        self._made += 1
        self._spent += event.at - self.now - event.waited
        enough = is_enough(self.left, self._context.answer)
        return patience(self._context.retry, self._made, error) if enough else None

    @property
    def left(self) -> float:
        """Seconds that the next try may take."""
        return time_left(self._spent, self._context.answer)


def time_left(spent: float, limit: float) -> float:
    """Return the seconds that are left to all tries of a call, whose limit is that of one."""
    return math.inf if limit == math.inf else max(0.0, 2 * limit - spent)


def is_enough(left: float, limit: float) -> bool:
    """Tell whether there is time enough for another try to make sense: a call that hung leaves a little less."""
    return left == math.inf or left > limit / 2


def patience(retry: RetryPolicy, tried: int, error: PonyError) -> float | None:
    """Return how long to wait before trying again, or None if that would not help."""
    if not isinstance(error, TransportError | RateLimitError | ServerError | UnexpectedResponseError):
        return None
    return retry_delay(retry, tried, error.retry_after if isinstance(error, RateLimitError) else None)


def read(event: Reply | Lost, meaning: Callable[[Reply], T]) -> T | PonyError:
    """Return what the answer to a call means that is no submission, or what went wrong."""
    if isinstance(event, Lost):
        return TransportError(f"no answer came ({event.reason})")
    try:
        return meaning(event)
    except APIError as refused:
        if not (400 <= event.status_code < 500) or isinstance(refused, RateLimitError) or is_ours(refused):
            return refused
        # A gateway's page says nothing about what was asked.
        return UnexpectedResponseError(
            str(refused), status_code=refused.status_code, message=refused.message, body=refused.body
        )


# A shell answers each step with its own kind of event; these say so to the type checker.


def send(
    operation: str,
    fields: Mapping[str, Any],
    until: float = math.inf,
    *,
    within: float = math.inf,
    is_paid: bool = False,
) -> Generator[Step, Event, Reply | Lost]:
    """Call an operation of the spec."""
    event = yield Send(operation=operation, fields=fields, until=until, within=within, is_paid=is_paid)
    if isinstance(event, Reply | Lost):
        return event
    raise mismatch(event)


def sleep(seconds: float) -> Generator[Step, Event, float]:
    """Wait; return what time it is."""
    event = yield Sleep(seconds)
    if isinstance(event, Woke):
        return event.at
    raise mismatch(event)


def report(snapshot: Snapshot) -> Generator[Step, Event, float]:
    """Tell the caller where the job stands; return what time it is, since a callback may take long."""
    event = yield Report(snapshot)
    if isinstance(event, Woke):
        return event.at
    raise mismatch(event)


def mismatch(event: Event) -> TypeError:
    """Return the error for a shell that does not keep to the protocol."""
    return TypeError(
        f"a shell answered a step with {type(event).__name__}: a fault in modelslab_pony, please report it"
    )
