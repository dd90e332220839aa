"""The simulator: a service in a box, with its own clock and chance, and doors to it."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, Generic, TypeVar, Unpack

import httpx
from attrs import evolve, frozen

from modelslab_pony.async_client import AsyncPonyClient
from modelslab_pony.client import PonyClient
from modelslab_pony.testing import _clients, _webhooks
from modelslab_pony.testing._answers import Answer, Call
from modelslab_pony.testing._clock import VirtualClock
from modelslab_pony.testing._core import Core
from modelslab_pony.testing._dialects import Name
from modelslab_pony.testing._jobs import Jobs, Outcome, SimulatedJob, Submission
from modelslab_pony.testing._options import DAY, FIRST_BALANCE, PRICE, QUEUE_LIMIT, RETENTION, Options
from modelslab_pony.testing._script import Faults
from modelslab_pony.testing._transport import SimulatorTransport
from modelslab_pony.testing._webhooks import Webhook

if TYPE_CHECKING:
    from starlette.applications import Starlette

T = TypeVar("T")
Log = Callable[[Call, Answer], object]


SAID = 300
"""Characters that are kept of what was said to a request."""


@frozen(kw_only=True)
class Exchange:
    """A request and what it was answered."""

    at: float
    """Seconds of the simulator's clock."""
    method: str
    """POST, GET …"""
    url: str
    """Without query, user and password, which may be secrets."""
    operation: str
    """Which operation of the spec it called, as in `Call`."""
    status_code: int
    """The HTTP status that was answered; it did not arrive where `fault` says so."""
    said: str
    """What was answered, in words; at most 300 characters."""
    fault: str
    """What went wrong with it on demand, at most 300 characters; "" for nothing."""


class _Option(Generic[T]):
    """An option that may be changed at any time."""

    def __set_name__(self, _: type, name: str) -> None:
        self._name = name

    def __get__(self, simulator: Simulator | None, _: type) -> T:
        if simulator is None:
            return self  # type: ignore[return-value]  # asked of the class, as `help` does
        found: T = getattr(simulator._core.options, self._name)  # noqa: SLF001 - the options are the simulator's
        return found

    def __set__(self, simulator: Simulator, value: T) -> None:
        setattr(simulator._core.options, self._name, value)  # noqa: SLF001 - the options are the simulator's


class Simulator:
    """A stand-in for the service that keeps jobs, serves real pictures, and misbehaves on demand.

    Several threads may use one. Options that are attributes, too, may be changed at any time, for what comes then.

    Args:
        eta: Seconds that a job takes; with 0 the first answer has its images.
        outcome: What becomes of a job, "success" or "failed".
        dialect: "spec" answers exactly as the effective spec has it; "observed" as the service was
            seen to answer: errors under 200, other types, misspelt words.
        key: The only key that is taken; None takes any.
        models: The only models that there are; None for any.
        queue_limit: How many jobs may wait or be worked on at once, default 5 (the service has 5, 10 or 15, by
            plan); None for any number.
        workers: How many are worked on at once, first in, first out.
        balance: The money of the account, in USD, default 25.
        price: What an image costs, from acceptance on; default 0.01, which is made up.
        unsafe_words: With one of them in the prompt, the safety checker withholds the images.
        image_life: Seconds after which an image's URL answers 404, default 86400: a day.
        webhook_hosts: Hosts beside this machine that webhooks may be posted to.
        webhook_transport: The httpx transport that webhooks go through, to any host: with
            `httpx.WSGITransport(app)` or `httpx.ASGITransport(app)` they reach an application in this process.
        retention: How many jobs, submissions and webhooks are remembered, default 1000; jobs that are not
            done yet always are.
        clock: A `VirtualClock`, which the simulator's clients then live by, or a function that
            tells the time in seconds.
        seed: Decides the seeds of jobs that were sent without one.
        log: Called with each `Call` and its `Answer`.

    Raises:
        ValueError: For an option that cannot be.
    """

    clock: VirtualClock | Callable[[], float]
    """What tells the time."""
    requests: deque[Exchange]
    """The last 500 requests, of any kind."""

    eta = _Option[float]()
    """Seconds that a job takes."""
    outcome = _Option[Outcome]()
    """What becomes of a job, "success" or "failed"."""
    dialect = _Option[Name]()
    """How answers are said, "spec" or "observed"."""
    key = _Option[str | None]()
    """The only key that is taken; None takes any."""
    models = _Option[Collection[str] | None]()
    """The only models that there are; None for any."""
    queue_limit = _Option[int | None]()
    """How many jobs may wait or be worked on at once; None for any number."""
    balance = _Option[float]()
    """The money of the account, in USD."""
    price = _Option[float]()
    """What an image costs, in USD."""
    unsafe_words = _Option[Collection[str]]()
    """With one of them in the prompt, the safety checker withholds the images."""
    image_life = _Option[float]()
    """Seconds after which an image's URL answers 404."""

    def __init__(
        self,
        *,
        eta: float = 3.0,
        outcome: Outcome = "success",
        dialect: Name = "spec",
        key: str | None = None,
        models: Collection[str] | None = None,
        queue_limit: int | None = QUEUE_LIMIT,
        workers: int = 1,
        balance: float = FIRST_BALANCE,
        price: float = PRICE,
        unsafe_words: Collection[str] = ("nsfw",),
        image_life: float = DAY,
        webhook_hosts: Collection[str] = (),
        webhook_transport: httpx.BaseTransport | httpx.AsyncBaseTransport | None = None,
        retention: int = RETENTION,
        clock: VirtualClock | Callable[[], float] = time.monotonic,
        seed: int = 0,
        log: Log | None = None,
    ) -> None:
        options = Options(
            eta=eta,
            outcome=outcome,
            dialect=dialect,
            key=key,
            models=models,
            queue_limit=queue_limit,
            workers=workers,
            balance=balance,
            price=price,
            unsafe_words=unsafe_words,
            image_life=image_life,
            webhook_hosts=webhook_hosts,
            retention=retention,
        )
        if not callable(clock) and not isinstance(clock, VirtualClock):
            message = f"clock must be a VirtualClock or a function that tells the time, not {clock!r}"
            raise ValueError(message)  # noqa: TRY004 - one error for all options
        if log is not None and not callable(log):
            raise ValueError(f"log must be a function of a Call and an Answer, not {log!r}")
        self.clock = clock
        self.requests: deque[Exchange] = deque(maxlen=500)
        self._core = Core(options, random.Random(seed))  # noqa: S311 - not a secret
        self._core.webhooks.anywhere = webhook_transport is not None
        self._webhook_transport = webhook_transport
        self._client_key = key or _clients.KEY
        self._log = log
        self._lock = threading.RLock()

    def __setattr__(self, name: str, value: object) -> None:
        """Set what there is. Raises `AttributeError` for a name that would change nothing."""
        if not (name.startswith("_") or hasattr(type(self), name) or name in type(self).__annotations__):
            self._check_name(name)
        super().__setattr__(name, value)

    def _check_name(self, name: str) -> None:
        changeable = [known for known, found in vars(type(self)).items() if isinstance(found, _Option)]
        if name not in changeable:
            raise AttributeError(f"{name!r} cannot be set; a simulator's options are {', '.join(changeable)}")

    def __repr__(self) -> str:
        options = self._core.options
        held = f"{len(self.jobs)} jobs, {self.queued} queued, balance {options.balance:g}"
        return f"<Simulator {options.dialect}: {held}; faults: {self.faults or 'none'}>"

    # --- what it holds ------------------------------------------------------------------------

    @property
    def faults(self) -> Faults:
        """What is to go wrong: `add`, `script`, `clear`; see `modelslab_pony.testing.faults`."""
        return self._core.faults

    @property
    def jobs(self) -> Jobs:
        """Every job that was accepted and is remembered, by id, in order."""
        return self._core.jobs

    def job(self, id: int | str | None) -> SimulatedJob:
        """Return a job by its id, also as a text. Raises `KeyError` for one that is not remembered."""
        found = self._core.jobs.find(str(id))
        if found is None:
            raise KeyError(f"no job {id!r}; there are {', '.join(map(repr, self.jobs)) or 'none'}")
        return found

    @property
    def submissions(self) -> list[Submission]:
        """Every generation that was asked for, accepted or not, in order."""
        return list(self._core.submissions)

    @property
    def webhooks(self) -> list[Webhook]:
        """Every webhook whose time has come, and what became of it."""
        return list(self._core.webhooks.past)

    @property
    def queued(self) -> int:
        """How many jobs wait or are worked on."""
        return self._core.queue.length(self.now())

    # --- what it does --------------------------------------------------------------------------

    def answer(self, method: str, url: str, body: bytes = b"", *, root: str = "", has_door: bool = False) -> Answer:
        """Answer one request; what goes wrong on the way to the client stands in the answer.

        `root` is where the simulator is mounted, in front of the path; `has_door` says that the server
        sees to refusals itself.
        """
        with self._lock:
            now = self.now()
            call = Call(method=method, url=url, body=body, root=root, has_door=has_door)
            answer = self._core.answer(call, now)
            call = evolve(call, operation=answer.operation, url=_without_secrets(url))
            self.requests.append(
                Exchange(
                    at=now,
                    method=method,
                    url=call.url,
                    operation=answer.operation,
                    status_code=answer.status_code,
                    said=answer.said[:SAID],
                    fault=answer.fault[:SAID],
                )
            )
        if self._log is not None:
            with contextlib.suppress(OSError, ValueError):  # a log that cannot be written is no fault of a request
                self._log(call, answer)
        return answer

    def change(self, **options: Any) -> None:
        """Set several options at once; all of them, or none. Raises as setting one does."""
        for name in options:
            self._check_name(name)
        evolve(self._core.options, **options)  # checks the values
        for name, value in options.items():
            setattr(self, name, value)

    def deliver(self) -> list[Webhook]:
        """Post the webhooks that are due, and return them: after time has passed without a request.

        With each request the transport does it, and a server does it by itself. Where a running
        event loop serves the application, take `deliver_async`. Raises `TypeError` with a
        `webhook_transport` that can only be awaited.
        """
        transport = self._webhook_transport
        if transport is not None and not isinstance(transport, httpx.BaseTransport):
            raise TypeError("this webhook_transport has to be awaited: take deliver_async()")
        due = self._due()
        _webhooks.post(due, transport)
        return due

    @property
    def delivers_blocking(self) -> bool:
        """Whether `deliver` can post; with a `webhook_transport` that has to be awaited it cannot."""
        return self._webhook_transport is None or isinstance(self._webhook_transport, httpx.BaseTransport)

    async def deliver_async(self) -> list[Webhook]:
        """Same as `deliver`, awaited; with a `webhook_transport` that cannot be, in this thread."""
        transport = self._webhook_transport
        due = self._due()
        if transport is None or isinstance(transport, httpx.AsyncBaseTransport):
            await _webhooks.post_async(due, transport)
        else:
            _webhooks.post(due, transport)
        return due

    def _due(self) -> list[Webhook]:
        with self._lock:
            return self._core.webhooks.due(self.now())

    # --- its doors -------------------------------------------------------------------------------

    def transport(self) -> SimulatorTransport:
        """Return a transport for `httpx.Client` and `httpx.AsyncClient`: no server, no network."""
        return SimulatorTransport(self)

    def asgi(self) -> Starlette:
        """Return an ASGI application; `modelslab_pony.testing.server` serves it."""
        from modelslab_pony.testing import server  # noqa: PLC0415 - Starlette, only where it is wanted

        return server.asgi(self)

    def client(self, **options: Unpack[_clients.ClientOptions]) -> PonyClient:
        """Return a client of this simulator; with a `VirtualClock`, its sleeps take no time.

        Keywords are those of `PonyClient` but for `http_client`. Its key is the one that the simulator
        was made with, else "simulator-key".
        """
        return _clients.client(self, {"api_key": self._client_key, **options})

    def async_client(self, **options: Unpack[_clients.ClientOptions]) -> AsyncPonyClient:
        """Same as `client`, for `AsyncPonyClient`."""
        return _clients.async_client(self, {"api_key": self._client_key, **options})

    def takeover(self) -> contextlib.AbstractContextManager[Simulator]:
        """Have every client that is made inside the `with` without an `http_client` speak with this simulator.

        For an application that makes its own `PonyClient()`: nothing of it reaches the network, and
        with a `VirtualClock` it lives by that. The key of `client` is in the environment. It holds for
        the whole process, other threads too; inside another takeover, the inner one decides.
        """
        return _clients.takeover(self, self._client_key)

    # --- its time --------------------------------------------------------------------------------

    def now(self) -> float:
        """Return the time, in seconds."""
        return self.clock.now() if isinstance(self.clock, VirtualClock) else self.clock()

    def sleep(self, seconds: float) -> None:
        """Let the time pass, as a late answer does."""
        if isinstance(self.clock, VirtualClock):
            self.clock.sleep(seconds)
        else:
            time.sleep(seconds)

    async def sleep_async(self, seconds: float) -> None:
        """Same as `sleep`, awaited."""
        await (self.clock.sleep_async(seconds) if isinstance(self.clock, VirtualClock) else asyncio.sleep(seconds))


def _without_secrets(url: str) -> str:
    plain = re.split(r"[?#]", url, maxsplit=1)[0]
    return re.sub(r"//[^/]*@", "//", plain)
