"""Calls of the API through aiohttp (extra `aiohttp`): where thousands of jobs are under way, it costs half.

What it must not bring along: cookies, which may hold the key; logins from files; faults that look like others.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import ssl
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from typing import Any, NoReturn

import aiohttp
import httpx
import httpx_aiohttp
from aiohttp.connector import Connection
from httpx_aiohttp.transport import map_aiohttp_exceptions

from modelslab_pony._aiohttp_faults import was_connected, words

_LONGEST_HEAD = 100 * 1024
"""Bytes of one line of an answer's head, as many as httpcore takes; aiohttp would refuse a paid answer of 8 KB."""
_FAULTS = httpx.TransportError, aiohttp.ClientError


class Transport(httpx_aiohttp.AiohttpTransport):
    """As many connections as calls may be under way.

    `kept_alive` is how many seconds an idle one is kept; the headers are those of each call.
    """

    def __init__(
        self, most: int, kept_alive: float, headers: Mapping[str, str], context: Callable[[], ssl.SSLContext]
    ) -> None:
        self._opened = weakref.WeakSet[Any]()
        session = partial(_session, most, kept_alive, headers, context, self._opened)
        # Its own TLS context is not used: the session has one.
        super().__init__(client=session, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request of httpx, for those who watch it."""
        try:
            response = await super().handle_async_request(request)
        except _FAULTS as fault:
            raise _translated(fault) from fault
        if isinstance(response.stream, httpx.AsyncByteStream):
            response.stream = _Body(response.stream)
        return response

    def caller(self, phases: Mapping[str, float | None]) -> Callable[[Mapping[str, Any]], Awaitable[Answer]]:
        """Return what sends a call (method, url, content, headers) within httpx's limits.

        It raises httpx's faults. Nobody waits for a connection of the pool, so that has no limit.
        """
        return partial(self._call, aiohttp.ClientTimeout(sock_connect=phases["connect"], sock_read=phases["read"]))

    async def _call(self, limits: aiohttp.ClientTimeout, call: Mapping[str, Any]) -> Answer:
        if not isinstance(self.client, aiohttp.ClientSession):
            self.client = self.get_client()
        try:
            response = await self.client.request(
                call["method"],
                call["url"],
                data=call["content"],
                headers=call["headers"],
                timeout=limits,
                allow_redirects=False,
            )
        except Exception as fault:  # noqa: BLE001 - whichever it is, see there
            _raise_translated(fault)
        return Answer(response)

    async def aclose(self) -> None:
        """Close all connections."""
        await super().aclose()
        for left in self._opened:  # TLS would wait for the other side's goodbye, longer than this loop may run
            left.abort()
        await asyncio.sleep(0)


class Answer:
    """An answer, whose body is still to be read; its faults are those of httpx."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status_code = response.status
        self.headers = response.headers

    @property
    def encoding(self) -> str:
        """What its body is encoded as."""
        return ", ".join(self.headers.getall("content-encoding", ()))

    def __aiter__(self) -> Answer:
        return self

    async def __anext__(self) -> bytes:
        try:
            piece = await self._response.content.readany()
        except Exception as fault:  # noqa: BLE001 - whichever it is, see there
            _raise_translated(fault)
        if not piece:
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        """Give the connection back, if the answer was read to its end; otherwise close it."""
        try:
            self._response.release()
            await self._response.wait_for_close()
        except Exception as fault:  # noqa: BLE001 - whichever it is, see there
            _raise_translated(fault)


# --- connections -----------------------------------------------------------------------------


def _session(
    most: int,
    kept_alive: float,
    headers: Mapping[str, str],
    context: Callable[[], ssl.SSLContext],
    opened: weakref.WeakSet[Any],
) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=_Connector(opened, limit=most, keepalive_timeout=kept_alive, ssl=context()),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=headers,
        auto_decompress=False,
        max_line_size=_LONGEST_HEAD,
        max_field_size=_LONGEST_HEAD,
    )


class _Connector(aiohttp.TCPConnector):
    """Takes a kept connection only if nothing came on it unasked; notes in `opened` what it opens."""

    def __init__(self, opened: weakref.WeakSet[Any], **named: Any) -> None:
        super().__init__(**named)
        self._opened, self._used = opened, weakref.WeakSet[Any]()

    async def connect(self, *given: Any, **named: Any) -> Connection:
        while True:
            connection = await super().connect(*given, **named)
            if connection.protocol not in self._used:
                break
            if not _is_spoilt(connection):
                return connection
            connection.close()
        if connection.protocol is not None:
            self._used.add(connection.protocol)
        with contextlib.suppress(TypeError):  # not every event loop's can be referred to weakly
            self._opened.add(connection.transport)
        return connection


def _is_spoilt(connection: Connection) -> bool:
    """Tell whether something came on a kept connection while nobody had asked: an end, or the answer to no request.

    aiohttp would take that for the answer to the next one.
    """
    protocol, transport = connection.protocol, connection.transport
    return protocol is None or transport is None or protocol.should_close or _is_readable(transport)


def _is_readable(transport: Any) -> bool:
    end = transport.get_extra_info("socket")
    number = -1 if end is None else end.fileno()
    if number < 0:
        return False
    if not hasattr(select, "poll"):  # Windows
        return bool(select.select([number], [], [], 0)[0])
    polled = select.poll()
    polled.register(number, select.POLLIN)
    return bool(polled.poll(0))


class _Body(httpx.AsyncByteStream):
    """A body whose faults are those of httpx."""

    def __init__(self, inner: httpx.AsyncByteStream) -> None:
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces: Any = aiter(self._inner)
        try:
            async with contextlib.aclosing(pieces):  # or another task would close it, some time later
                async for piece in pieces:
                    yield piece
        except _FAULTS as fault:
            raise _translated(fault) from fault

    async def aclose(self) -> None:
        try:
            await self._inner.aclose()
        except _FAULTS as fault:
            raise _translated(fault) from fault


# --- faults ----------------------------------------------------------------------------------


def _raise_translated(fault: Exception) -> NoReturn:
    """Raise a fault of aiohttp as httpx itself would have it, any other as it is."""
    try:
        with map_aiohttp_exceptions():
            raise fault
    except _FAULTS as told:
        raise _translated(told) from told


def _translated(fault: Exception) -> httpx.TransportError:
    """Return a fault as httpx itself would have it: httpx-aiohttp does not know some, and takes others for others."""
    cause = fault.__cause__ or fault
    is_wrong = isinstance(fault, httpx.ConnectTimeout) and was_connected(cause)
    known = type(fault) if isinstance(fault, httpx.TransportError) and not is_wrong else httpx.RemoteProtocolError
    return known(words(cause))
