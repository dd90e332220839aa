"""The simulator: a service in a box, with its own clock and chance, and doors to it."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import httpx
from attrs import frozen

from modelslab_pony._settings import DEFAULT_BASE_URL
from modelslab_pony.async_client import AsyncPonyClient
from modelslab_pony.client import PonyClient
from modelslab_pony.testing import _webhooks
from modelslab_pony.testing._answers import Answer, Call
from modelslab_pony.testing._clock import VirtualClock
from modelslab_pony.testing._core import Core
from modelslab_pony.testing._dialects import Name
from modelslab_pony.testing._jobs import Jobs, Outcome, Submission
from modelslab_pony.testing._options import DAY, FIRST_BALANCE, PRICE, QUEUE_LIMIT, RETENTION, Options
from modelslab_pony.testing._script import Faults
from modelslab_pony.testing._transport import SimulatorTransport
from modelslab_pony.testing._webhooks import Webhook

if TYPE_CHECKING:
    from starlette.applications import Starlette

T = TypeVar("T")
Log = Callable[[Call, Answer], object]


@frozen(kw_only=True)
class Exchange:
    """A request and what it was answered."""

    at: float
    """Seconds of the simulator's clock."""
    method: str
    url: str
    operation: str
    status_code: int
    said: str
    fault: str


class _Option(Generic[T]):
    """An option that may be changed at any time."""

    def __set_name__(self, _: type, name: str) -> None:
        self._name = name

    def __get__(self, simulator: Simulator, _: type) -> T:
        found: T = getattr(simulator._core.options, self._name)  # noqa: SLF001 - the options are the simulator's
        return found

    def __set__(self, simulator: Simulator, value: T) -> None:
        setattr(simulator._core.options, self._name, value)  # noqa: SLF001 - likewise


class Simulator:
    """A stand-in for the service that keeps jobs, serves real pictures, and misbehaves on demand.

    Keywords, all optional; those marked * may be changed at any time, for what comes then:

    - `eta`*: seconds that a job takes; with 0 the first answer has its images.
    - `outcome`*: what becomes of a job, "success" or "failed".
    - `dialect`*: "spec" answers exactly as the effective spec has it; "observed" as the service was
      seen to answer: errors under 200, other types, misspelt words.
    - `key`*: the only key that is taken; None takes any.
    - `models`*: the only models that there are; None for any.
    - `queue_limit`*: how many jobs may wait or be worked on at once (the service has 5, 10 or 15, by
      plan); None for any number. `workers`: how many are worked on at once, first in, first out.
    - `balance`*: the money of the account. `price`*: what an image costs, from acceptance on.
    - `unsafe_words`*: with one of them in the prompt, the safety checker withholds the images.
    - `image_life`*: seconds after which an image's URL answers 404.
    - `webhook_hosts`: hosts beside this machine that webhooks may be posted to.
    - `retention`: how many jobs, submissions and webhooks are remembered; jobs that are not done
      yet always are.
    - `clock`: a `VirtualClock`, which the simulator's clients then live by, or a function that
      tells the time in seconds.
    - `seed`: decides the seeds of jobs that were sent without one.
    - `log`: called with each `Call` and its `Answer`.

    Raises `ValueError` for an option that cannot be. Several threads may use one simulator.
    """

    eta = _Option[float]()
    outcome = _Option[Outcome]()
    dialect = _Option[Name]()
    key = _Option[str | None]()
    models = _Option[Collection[str] | None]()
    queue_limit = _Option[int | None]()
    balance = _Option[float]()
    price = _Option[float]()
    unsafe_words = _Option[Collection[str]]()
    image_life = _Option[float]()

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
        self.clock = clock
        self.requests: deque[Exchange] = deque(maxlen=500)
        """The last requests, of any kind."""
        self._core = Core(options, random.Random(seed))  # noqa: S311 - not a secret
        self._log = log
        self._lock = threading.Lock()

    # --- what it holds ------------------------------------------------------------------------

    @property
    def faults(self) -> Faults:
        """What is to go wrong: `add`, `script`, `clear`; see `modelslab_pony.testing.faults`."""
        return self._core.faults

    @property
    def jobs(self) -> Jobs:
        """Every job that was accepted and is remembered, by id, in order."""
        return self._core.jobs

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

    def answer(self, method: str, url: str, body: bytes = b"") -> Answer:
        """Answer one request; what goes wrong on the way to the client stands in the answer."""
        with self._lock:
            now = self.now()
            call = Call(method=method, url=url, body=body)
            answer = self._core.answer(call, now)
            self.requests.append(
                Exchange(
                    at=now,
                    method=method,
                    url=url,
                    operation=answer.operation,
                    status_code=answer.status_code,
                    said=answer.said,
                    fault=answer.fault,
                )
            )
        if self._log is not None:
            with contextlib.suppress(OSError, ValueError):  # a log that cannot be written is no fault of a request
                self._log(call, answer)
        return answer

    def deliver(self) -> list[Webhook]:
        """Post the webhooks that are due, and return them.

        The transport does it with each request, a server by itself.
        """
        due = self._due()
        _webhooks.post(due)
        return due

    async def deliver_async(self) -> list[Webhook]:
        """Same as `deliver`, awaited."""
        due = self._due()
        await _webhooks.post_async(due)
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

    def client(self, **options: Any) -> PonyClient:
        """Return a client of this simulator; with a `VirtualClock`, its sleeps take no time."""
        client = PonyClient(**_client_options(options), http_client=httpx.Client(transport=self.transport()))
        if isinstance(self.clock, VirtualClock):
            self.clock.drive(client)
        return client

    def async_client(self, **options: Any) -> AsyncPonyClient:
        """Same as `client`, for `AsyncPonyClient`."""
        http_client = httpx.AsyncClient(transport=self.transport())
        client = AsyncPonyClient(**_client_options(options), http_client=http_client)
        if isinstance(self.clock, VirtualClock):
            self.clock.drive(client)
        return client

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


def _client_options(options: dict[str, Any]) -> dict[str, Any]:
    # Not from the environment, which may name another service.
    return {"api_key": "simulator-key", "base_url": DEFAULT_BASE_URL, **options}
