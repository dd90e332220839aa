"""What a flow asks of its shell, and what the shell answers.

A flow is a generator. It yields a step, the shell carries it out and sends back an event, each
stamped with the time (seconds on a monotonic clock). Faults are events too: a flow decides
what they mean, a shell only tells. Nobody compares or prints them, so attrs does not write methods for that: nearly
half of what it takes to import this module.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

from attrs import field, frozen

from modelslab_pony._snapshot import Snapshot

T = TypeVar("T")


# --- steps -----------------------------------------------------------------------------------


@frozen(kw_only=True, eq=False, repr=False)
class Send:
    """Call an operation of the spec. The shell adds the key; no flow ever holds it."""

    operation: str
    fields: Mapping[str, Any] = field(repr=False)
    until: float = math.inf
    """The time until which it is worth to wait for one's turn."""
    within: float = math.inf
    """Seconds that it may take, if that is less than any call may."""
    is_paid: bool = False
    """Whether it may be billed."""


@frozen(eq=False, repr=False)
class Sleep:
    """Wait."""

    seconds: float


@frozen(kw_only=True, eq=False, repr=False)
class Save:
    """Download a file: into memory, or whole or not at all to a path."""

    url: str
    path: Path | None = None
    """A file to make, a folder to make one in, or None for memory."""
    overwrite: bool = False
    max_bytes: int
    within: float = math.inf
    """Seconds that it may take, if that is less than any download may."""
    finish: Callable[[bytes], bytes] | None = field(default=None, repr=False)
    """What is done to the whole file before it gets its name."""


@frozen(eq=False, repr=False)
class Report:
    """Tell the caller where the job stands."""

    snapshot: Snapshot


# --- events ----------------------------------------------------------------------------------


@frozen(kw_only=True, eq=False, repr=False)
class Reply:
    """An answer arrived."""

    at: float
    status_code: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    waited: float = 0.0
    """Seconds of that spent waiting for its turn, in which nothing was tried."""


@frozen(kw_only=True, eq=False, repr=False)
class Lost:
    """No answer, or no whole one."""

    at: float
    reason: str
    sent: bool
    """Whether the request may have reached the other side."""
    waited: float = 0.0
    """Seconds of that spent waiting for its turn, in which nothing was tried."""


@frozen(kw_only=True, eq=False, repr=False)
class Woke:
    """A sleep is over, or a report was made."""

    at: float


@frozen(kw_only=True, eq=False, repr=False)
class Saved:
    """A file was downloaded and is an image."""

    at: float
    path: Path | None
    content: bytes = field(repr=False)


@frozen(kw_only=True, eq=False, repr=False)
class Unsaved:
    """A download came to nothing, and left nothing behind."""

    at: float
    reason: str
    again: bool
    """Whether a later try may fare better."""
    local: bool = False
    """Whether the fault lies on this side (the disk), so that no other URL helps."""
    waited: float = 0.0
    """Seconds of that spent waiting for its turn, in which nothing was tried."""


Step = Send | Sleep | Save | Report
Event = Reply | Lost | Woke | Saved | Unsaved
Flow = Generator[Step, Event, T]


@frozen(eq=False, repr=False)
class Result(Generic[T]):
    """What a flow returned."""

    value: T


def resume(flow: Flow[T], event: Event | None) -> Step | Result[T]:
    """Begin a flow (None) or tell it what happened; return its next step, or its result."""
    try:
        return next(flow) if event is None else flow.send(event)
    except StopIteration as finished:
        return Result(finished.value)
