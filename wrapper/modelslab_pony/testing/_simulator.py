"""The doors to the simulated service: an httpx transport, a client, a server."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from modelslab_pony._settings import DEFAULT_BASE_URL
from modelslab_pony.async_client import AsyncPonyClient
from modelslab_pony.client import PonyClient
from modelslab_pony.testing._clock import VirtualClock
from modelslab_pony.testing._core import Answer, Call, Core, Outcome, SimulatedJob, checked_outcome

Log = Callable[[Call, Answer], object]


class Simulator:
    """A stand-in for the service that keeps jobs and serves real pictures.

    A job is `processing` for `eta` seconds and then has the `outcome`, "success" or "failed"; with
    an `eta` of 0 the first answer has it. `eta` and `outcome` are for the jobs to come and may be
    changed at any time, like `key`. Requests are checked against the effective spec, and against `key` unless
    that is None. `clock` tells the time in seconds; `seed` decides the seeds of jobs sent without
    one. Not for several threads at once, except behind `modelslab_pony.testing.server`.
    """

    def __init__(
        self,
        *,
        eta: float = 3.0,
        outcome: Outcome = "success",
        key: str | None = None,
        clock: Callable[[], float] = time.monotonic,
        seed: int = 0,
        log: Log | None = None,
    ) -> None:
        self._core = Core(key=key, eta=eta, outcome=outcome, chance=random.Random(seed))  # noqa: S311 - not a secret
        self._clock = clock
        self._log = log

    @property
    def eta(self) -> float:
        """Seconds that the next job takes."""
        return self._core.eta

    @eta.setter
    def eta(self, seconds: float) -> None:
        self._core.eta = seconds

    @property
    def outcome(self) -> Outcome:
        """What becomes of the next job: "success" or "failed"."""
        return self._core.outcome

    @outcome.setter
    def outcome(self, outcome: Outcome) -> None:
        self._core.outcome = checked_outcome(outcome)

    @property
    def key(self) -> str | None:
        """The only key that is taken; None takes any."""
        return self._core.key

    @key.setter
    def key(self, key: str | None) -> None:
        self._core.key = key

    @property
    def jobs(self) -> Mapping[int, SimulatedJob]:
        """Every job that was accepted, by id, in order."""
        return self._core.jobs

    def answer(self, method: str, url: str, body: bytes) -> Answer:
        """Answer one request."""
        call = Call(method=method, url=url, body=body)
        answer = self._core.answer(call, self._clock())
        if self._log is not None:
            with contextlib.suppress(OSError, ValueError):  # a log that cannot be written is no fault of a request
                self._log(call, answer)
        return answer

    def transport(self) -> SimulatorTransport:
        """Return a transport for `httpx.Client` and `httpx.AsyncClient`: no server, no network."""
        return SimulatorTransport(self)

    def client(self, *, clock: VirtualClock | None = None, **options: Any) -> PonyClient:
        """Return a client of this simulator; with a `clock`, one whose sleeps take no time.

        The clock has to be the one that the simulator tells the time by: `clock=virtual.now`.
        """
        client = PonyClient(**_client_options(options), http_client=httpx.Client(transport=self.transport()))
        if clock is not None:
            clock.drive(client)
        return client

    def async_client(self, *, clock: VirtualClock | None = None, **options: Any) -> AsyncPonyClient:
        """Same as `client`, for `AsyncPonyClient`."""
        http_client = httpx.AsyncClient(transport=self.transport())
        client = AsyncPonyClient(**_client_options(options), http_client=http_client)
        if clock is not None:
            clock.drive(client)
        return client


class SimulatorTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Answers httpx requests from a simulator."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a blocking client."""
        return self._answer(request, request.read())

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer an asynchronous client."""
        return self._answer(request, await request.aread())

    def _answer(self, request: httpx.Request, body: bytes) -> httpx.Response:
        answer = self._simulator.answer(request.method, str(request.url), body)
        headers = {"content-type": answer.content_type}
        return httpx.Response(answer.status_code, content=answer.content, headers=headers)


def _client_options(options: dict[str, Any]) -> dict[str, Any]:
    # Not from the environment, which may name another service.
    return {"api_key": "simulator-key", "base_url": DEFAULT_BASE_URL, **options}
