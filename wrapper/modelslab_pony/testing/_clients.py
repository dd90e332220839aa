"""Clients of a simulator: made by it, or made by an application and taken over."""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar
from unittest import mock

import httpx

from modelslab_pony import _connections, _http
from modelslab_pony._settings import DEFAULT_BASE_URL
from modelslab_pony.async_client import AsyncPonyClient
from modelslab_pony.client import PonyClient
from modelslab_pony.policies import PollPolicy, RetryPolicy
from modelslab_pony.testing._clock import VirtualClock

if TYPE_CHECKING:
    from modelslab_pony.testing._simulator import Simulator

C = TypeVar("C", PonyClient, AsyncPonyClient)


class ClientOptions(TypedDict, total=False):
    """The keywords of both clients, but for `http_client`."""

    api_key: str | None
    base_url: str | None
    poll: PollPolicy
    retry: RetryPolicy
    timeout: float | httpx.Timeout | None
    max_in_flight: int
    strict: bool


KEY = "simulator-key"
"""What the simulator's clients send."""


def client(simulator: Simulator, options: ClientOptions) -> PonyClient:
    """Return a blocking client."""
    inner = httpx.Client(transport=simulator.transport(), timeout=_http.DEFAULT_TIMEOUT)
    return _owning(simulator, PonyClient(**_defaults(options), http_client=inner))


def async_client(simulator: Simulator, options: ClientOptions) -> AsyncPonyClient:
    """Return one to be awaited."""
    inner = httpx.AsyncClient(transport=simulator.transport(), timeout=_http.DEFAULT_TIMEOUT)
    return _owning(simulator, AsyncPonyClient(**_defaults(options), http_client=inner))


_taken: list[Simulator] = []
"""The simulators that have taken over; the last decides."""
_patches = contextlib.ExitStack()
_lock = threading.Lock()


@contextlib.contextmanager
def takeover(simulator: Simulator, key: str) -> Iterator[Simulator]:
    """Have every client that is made meanwhile without an `http_client` speak with a simulator."""
    with _lock:
        if not _taken:
            _patch(key)
        _taken.append(simulator)
    try:
        yield simulator
    finally:
        with _lock:
            _taken.remove(simulator)
            if not _taken:
                _patches.close()


def _patch(key: str) -> None:
    def inner(*_: Any) -> httpx.Client:
        return httpx.Client(transport=_taken[-1].transport())

    def inner_async(*_: Any, **__: Any) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=_taken[-1].transport())

    _patches.enter_context(mock.patch.dict(os.environ, {"MODELSLAB_API_KEY": key}))
    os.environ.pop("MODELSLAB_BASE_URL", None)  # which `patch.dict` puts back
    _patches.enter_context(mock.patch.object(_connections, "own_client", inner))
    _patches.enter_context(mock.patch.object(_connections, "own_async_client", inner_async))
    for kind in (PonyClient, AsyncPonyClient):
        _patches.enter_context(mock.patch.object(kind, "__init__", _driven(kind.__init__)))


def _driven(make: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(make)
    def init(client: PonyClient | AsyncPonyClient, *given: Any, **options: Any) -> None:
        make(client, *given, **options)
        clock = _taken[-1].clock
        if options.get("http_client") is None and isinstance(clock, VirtualClock):
            clock.drive(client)

    return init


def _owning(simulator: Simulator, client: C) -> C:
    client._owned = True  # noqa: SLF001 - it is closed as one of its own making would be
    if isinstance(simulator.clock, VirtualClock):
        simulator.clock.drive(client)
    return client


def _defaults(options: ClientOptions) -> ClientOptions:
    # Not from the environment, which may name another service.
    return {"base_url": DEFAULT_BASE_URL, **options}
