"""Connections kept for the next call: the one used last is taken first.

httpx's own pool looks at each of its connections, several times, whenever a request comes or goes, and without the
optional `sniffio` each asynchronous request searches all of Python's path for it, four times and more. With 16 calls
under way that costs as much as the calls. A gate says here how many are under way (`max_in_flight`), so a pool has
nothing to do but to keep what is idle; a connection itself is httpcore's, and so is what it takes for alive.
"""

from __future__ import annotations

import os
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any, Generic, TypeVar

import anyio  # which httpx itself runs on
import httpcore  # likewise

T = TypeVar("T", httpcore.HTTPConnection, httpcore.AsyncHTTPConnection)
Place = tuple[bytes, bytes, int]


class _Idle(Generic[T]):
    """What is kept, oldest first, and since when; all of it belongs to one `owner`.

    That is a process (after a fork, on one connection, two would read each other's answers) and an event loop (the
    request would leave, and with it money, and its answer be waited for in a loop that has ended).
    """

    def __init__(self, most: int, seconds: float, owner: Callable[[], object] = os.getpid) -> None:
        self._most, self._seconds = most, seconds
        self._lock = threading.Lock()
        self._kept: list[tuple[float, Place, T]] = []
        self._is_closed = False
        self._find_owner, self._owner = owner, owner()

    def _own(self) -> None:
        owner = self._find_owner()
        if owner != self._owner:
            self._owner, self._lock, self._kept = owner, threading.Lock(), []

    def take(self, place: Place) -> T | None:
        """Return the connection to a place that was used last, and keep it no longer."""
        self._own()
        with self._lock:
            for at in range(len(self._kept) - 1, -1, -1):
                if self._kept[at][1] == place:
                    return self._kept.pop(at)[2]
        return None

    def give(self, place: Place, connection: T) -> list[T]:
        """Keep a connection if it can be used again; return those that are to be closed instead."""
        now = time.monotonic()
        self._own()
        with self._lock:
            if self._is_closed or not connection.is_idle() or _has_more(connection):
                return [connection]
            self._kept.append((now, place, connection))
            surplus = []
            while self._kept and (len(self._kept) > self._most or self._kept[0][0] < now - self._seconds):
                surplus.append(self._kept.pop(0)[2])
            return surplus

    def end(self) -> list[T]:
        """Return all there is, and keep nothing from now on."""
        self._own()
        with self._lock:
            self._is_closed = True
            ended = [connection for _, _, connection in self._kept]
            self._kept.clear()
            return ended


class Pool:
    """The connections of a `PonyClient`."""

    def __init__(self, most: int, seconds: float, context: Callable[[], ssl.SSLContext]) -> None:
        self._idle: _Idle[httpcore.HTTPConnection] = _Idle(most, seconds)
        self._seconds, self._context = seconds, context

    def handle_request(self, request: httpcore.Request) -> httpcore.Response:
        """Send a request over a kept connection that is still alive, or a new one."""
        place = _place(request)
        connection = self._idle.take(place)
        while connection is not None and not _is_alive(connection):
            connection.close()
            connection = self._idle.take(place)
        if connection is None:
            connection = httpcore.HTTPConnection(
                request.url.origin,
                ssl_context=self._context() if place[0] == b"https" else None,
                keepalive_expiry=self._seconds,
            )
        try:
            response = connection.handle_request(request)
        except BaseException:
            connection.close()  # httpcore leaves it open if it was broken off between opening it and using it
            raise
        response.stream = _Body(response.stream, partial(self._idle.give, place, connection))
        return response

    def close(self) -> None:
        """Close what is idle; what is under way is closed as it ends."""
        for connection in self._idle.end():
            connection.close()


class AsyncPool:
    """The connections of an `AsyncPonyClient`."""

    def __init__(self, most: int, seconds: float, context: Callable[[], ssl.SSLContext]) -> None:
        self._idle: _Idle[httpcore.AsyncHTTPConnection] = _Idle(most, seconds, _loop)
        self._seconds, self._context = seconds, context

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        """Send a request over a kept connection that is still alive, or a new one."""
        place = _place(request)
        connection = self._idle.take(place)
        while connection is not None and not _is_alive(connection):
            await _closed(connection)
            connection = self._idle.take(place)
        if connection is None:
            connection = httpcore.AsyncHTTPConnection(
                request.url.origin,
                ssl_context=self._context() if place[0] == b"https" else None,
                keepalive_expiry=self._seconds,
            )
        try:
            response = await connection.handle_async_request(request)
        except BaseException:
            await _closed(connection)  # httpcore leaves it open if it was broken off between opening it and using it
            raise
        response.stream = _AsyncBody(response.stream, partial(self._idle.give, place, connection))
        return response

    async def aclose(self) -> None:
        """Close what is idle; what is under way is closed as it ends."""
        for connection in self._idle.end():
            await _closed(connection)


class _Body:
    """The body of an answer; once it is closed, its connection is free for the next call."""

    def __init__(self, inner: Any, give: Callable[[], list[httpcore.HTTPConnection]]) -> None:
        self._inner, self._give = inner, give
        self._is_open = True

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._inner)

    def close(self) -> None:
        if self._is_open:
            self._is_open = False
            try:
                self._inner.close()
            finally:  # Ctrl-C may break that off, and the connection would be nobody's
                for surplus in self._give():
                    surplus.close()


class _AsyncBody:
    """Same as `_Body`, awaited."""

    def __init__(self, inner: Any, give: Callable[[], list[httpcore.AsyncHTTPConnection]]) -> None:
        self._inner, self._give = inner, give
        self._is_open = True

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(self._inner)

    async def aclose(self) -> None:
        if self._is_open:
            self._is_open = False
            with anyio.CancelScope(shield=True):  # broken off here, the connection would be nobody's
                await self._inner.aclose()
                for surplus in self._give():
                    await surplus.aclose()


def _loop() -> object:
    """Return the process and the event loop that this runs in, if it runs in one."""
    import asyncio  # noqa: PLC0415 - which the blocking client has no need of

    try:
        return os.getpid(), asyncio.get_running_loop()
    except RuntimeError:
        return os.getpid(), None


def _place(request: httpcore.Request) -> Place:
    origin = request.url.origin
    return origin.scheme, origin.host, origin.port


def _is_alive(connection: httpcore.HTTPConnection | httpcore.AsyncHTTPConnection) -> bool:
    """Tell whether a kept connection may be used: the other side may have closed it meanwhile."""
    return connection.is_available() and not connection.has_expired()


def _has_more(connection: httpcore.HTTPConnection | httpcore.AsyncHTTPConnection) -> bool:
    """Tell whether more came than the answer: httpcore would read that as the answer to the next request."""
    used = getattr(connection, "_connection", None)
    state, stream = getattr(used, "_h11_state", None), getattr(used, "_network_stream", None)
    if state is not None and state.trailing_data[0]:
        return True
    tls = stream.get_extra_info("ssl_object") if stream is not None else None
    if not isinstance(tls, ssl.SSLObject):
        return False  # what came since waits in the socket, which is looked at before the next request
    try:
        tls.read(1)  # of what asyncio has taken from the socket already
    except ssl.SSLWantReadError:
        return False
    except ssl.SSLError:
        pass
    return True


async def _closed(connection: httpcore.AsyncHTTPConnection) -> None:
    with anyio.CancelScope(shield=True):
        await connection.aclose()
