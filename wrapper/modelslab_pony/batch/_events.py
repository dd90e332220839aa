"""What is told while a batch runs, and the things that are done now and then."""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from types import TracebackType
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from attrs import frozen

from modelslab_pony.errors import ConfigurationError

if TYPE_CHECKING:
    from modelslab_pony._snapshot import Balance
    from modelslab_pony.batch._engine import Engine
    from modelslab_pony.batch._surely import Tell

SHARE = 20.0
"""At most one part in so many of the time goes into what is done now and then."""
PATIENCE = 300.0
"""Seconds that a database may be away before a run gives up."""
LAST_WAIT = 2.0
"""Seconds that the end of a run waits for the last figure."""
MONEY_EVERY = 10.0
"""Seconds between questions about the account's balance."""


@frozen(kw_only=True)
class BatchEvent:
    """Something that happened while a batch ran.

    Of a row, which `facts` names by `index`: accepted, done, failed, unknown, delayed (it is tried again
    after `wait` seconds), parked (left to the next run), stray, unwritten (its `job_id` is known to this process
    alone, until accepted follows). Of the queue: slowed and recovered, with `allowed` and `limit`. Of the run:
    progress (a `BatchStatus`), balance, stopping, database (it is away), worker gone (its rows are taken over).
    """

    kind: str
    """One of those words."""
    facts: Mapping[str, Any]
    """What there is to say of it, as JSON has it; of what went wrong, `error` with its `type` and `message`."""
    at: float
    """Seconds since 1970."""


OnEvent = Callable[[BatchEvent], object]
Events = queue.SimpleQueue[BatchEvent]


def teller(events: Events | None) -> Tell:
    """Return what puts an event into a queue, from any thread; nowhere, if nobody listens."""

    def tell(kind: str, facts: Mapping[str, Any]) -> None:
        if events is not None:
            events.put(BatchEvent(kind=kind, facts=facts, at=time.time()))

    return tell


def hand_on(events: Events, on_event: OnEvent | None) -> None:
    """Call the caller back with each event, in the caller's thread."""
    while True:
        try:
            event = events.get_nowait()
        except queue.Empty:
            return
        if on_event is not None:
            on_event(event)


class Patience:
    """Has a loop outlive a database that is away for a while. Raises `ConfigurationError` after `PATIENCE` seconds."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._since: float | None = None
        self.is_away = False
        """Whether it did not answer the last time."""

    def __enter__(self) -> None:
        self.is_away = False

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(fault, sa.exc.DBAPIError):
            self._since = None
            return False
        self._since = self._since or time.monotonic()
        said = " ".join(str(fault.orig).split())
        if time.monotonic() - self._since > PATIENCE:
            raise ConfigurationError(f"the batch's database cannot be used: {said}") from None
        self._tell("database", {"message": said})
        self.is_away = True
        return True


class Beat:
    """Does something every so many seconds, less often where it takes long."""

    def __init__(self, what: Callable[[], object], every: float) -> None:
        self._what, self._every = what, every
        self._due = time.monotonic() + every

    def now_and_then(self) -> None:
        """Do it if it is time."""
        begun = time.monotonic()
        if begun >= self._due:
            self._what()
            ended = time.monotonic()
            self._due = ended + max(self._every, SHARE * (ended - begun))


class Money:
    """Asks what money the account has left, and waits for no answer."""

    def __init__(self, engine: Engine, tell: Tell) -> None:
        self._engine, self._tell = engine, tell
        self._asked: Future[Balance] | None = None
        self._due = 0.0

    def ask(self) -> None:
        """Ask if it is time; tell an answer that has come."""
        now = time.monotonic()
        if self._asked is None and now >= self._due:
            self._asked = self._engine.run(self._engine.work.balance())
            self._due = now + MONEY_EVERY
        if self._asked is not None and self._asked.done():
            asked, self._asked = self._asked, None
            if not asked.cancelled() and asked.exception() is None:
                found = asked.result()
                self._tell("balance", {"balance": found.balance, "currency": found.currency})

    def ask_last(self) -> None:
        """Ask once more and wait a moment for the answer, so that the last figure is not an old one."""
        if self._asked is None:
            self._due = 0.0
            self.ask()
        if self._asked is not None:
            with contextlib.suppress(Exception):  # a figure beside the point must not end a batch
                self._asked.result(LAST_WAIT)
            self.ask()
