"""Calls of the API through aiohttp (extra `aiohttp`): where thousands of jobs are under way, it costs half.

What it must not bring along: cookies, which may hold the key; logins from files; faults that look like others.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import select
import ssl
import weakref
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx

from modelslab_pony.errors import MissingExtraError

if TYPE_CHECKING:
    from aiohttp import ClientSession
    from aiohttp.connector import Connection

_NEVER_CONNECTED = frozenset(("ClientConnectorError", "ConnectionTimeoutError", "ClientHttpProxyError"))
"""aiohttp's faults of a connection that was not made (or waited for in vain), with which nothing was sent."""
_LONGEST_HEAD = 100 * 1024
"""Bytes of one line of an answer's head, as many as httpcore takes; aiohttp would refuse a paid answer of 8 KB."""

_LONGEST_WORDS = 500
"""Characters of a fault that are read at all."""


def was_connected(fault: BaseException) -> bool:
    """Tell whether a fault of aiohttp befell a connection that was made, whatever httpx-aiohttp calls it.

    That calls a server which hangs up after it was sent a request a `ConnectTimeout`: such a request may have been
    accepted.
    """
    told: BaseException | None = fault
    while told is not None:  # a caller's own transport may pass on a fault with words of its own
        names = {kind.__name__ for kind in type(told).__mro__ if kind.__module__.partition(".")[0] == "aiohttp"}
        if names and names.isdisjoint(_NEVER_CONNECTED):
            return True
        told = told.__cause__
    return False


def transport(max_in_flight: int, kept_alive: float, context: Callable[[], ssl.SSLContext]) -> httpx.AsyncBaseTransport:
    """Return a transport with as many connections as calls may be under way.

    `kept_alive` is how many seconds an idle connection is kept. Raises `MissingExtraError`.
    """
    try:
        import aiohttp  # noqa: PLC0415 - an extra
        import httpx_aiohttp  # noqa: PLC0415 - likewise
    except ModuleNotFoundError:
        raise MissingExtraError("httpx-aiohttp is missing: pip install 'modelslab-pony[aiohttp]'") from None

    faults = httpx.TransportError, aiohttp.ClientError
    opened = weakref.WeakSet[Any]()

    class Transport(httpx_aiohttp.AiohttpTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            try:
                response = await super().handle_async_request(request)
            except faults as fault:
                raise _translated(fault) from fault
            if isinstance(response.stream, httpx.AsyncByteStream):
                response.stream = _Body(response.stream, faults)
            return response

        async def aclose(self) -> None:
            await super().aclose()
            for left in opened:  # TLS would wait for the other side's goodbye, longer than this loop may run
                left.abort()
            await asyncio.sleep(0)

    # Its own TLS context is not used: the session has one.
    session = partial(_session, max_in_flight, kept_alive, context, opened)
    return Transport(client=session, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


def _session(
    max_in_flight: int, kept_alive: float, context: Callable[[], ssl.SSLContext], opened: weakref.WeakSet[Any]
) -> ClientSession:
    import aiohttp  # noqa: PLC0415 - an extra

    used = weakref.WeakSet[Any]()

    class Connector(aiohttp.TCPConnector):
        async def connect(self, *given: Any, **named: Any) -> Connection:
            connection = await super().connect(*given, **named)
            while connection.protocol in used and _is_spoilt(connection):
                connection.close()
                connection = await super().connect(*given, **named)
            if connection.protocol is not None:
                used.add(connection.protocol)
            with contextlib.suppress(TypeError):  # not every event loop's can be referred to weakly
                opened.add(connection.transport)
            return connection

    return aiohttp.ClientSession(
        connector=Connector(limit=max_in_flight, keepalive_timeout=kept_alive, ssl=context()),
        cookie_jar=aiohttp.DummyCookieJar(),
        max_line_size=_LONGEST_HEAD,
        max_field_size=_LONGEST_HEAD,
    )


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

    def __init__(self, inner: httpx.AsyncByteStream, faults: tuple[type[Exception], ...]) -> None:
        self._inner, self._faults = inner, faults

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces: Any = aiter(self._inner)
        try:
            async with contextlib.aclosing(pieces):  # or another task would close it, some time later
                async for piece in pieces:
                    yield piece
        except self._faults as fault:
            raise _translated(fault) from fault

    async def aclose(self) -> None:
        try:
            await self._inner.aclose()
        except self._faults as fault:
            raise _translated(fault) from fault


def _translated(fault: Exception) -> httpx.TransportError:
    """Return a fault as httpx itself would have it: httpx-aiohttp does not know some, and takes others for others."""
    cause = fault.__cause__ or fault
    is_wrong = isinstance(fault, httpx.ConnectTimeout) and was_connected(cause)
    known = type(fault) if isinstance(fault, httpx.TransportError) and not is_wrong else httpx.RemoteProtocolError
    return known(_words(cause))


def _words(fault: BaseException) -> str:
    """Return what a fault says, without what it quotes of an answer: that may be long, and hold anything."""
    if not was_connected(fault):
        return str(fault)
    said = getattr(fault, "message", None) or str(fault)
    if not isinstance(said, str):
        return type(fault).__name__
    return re.split(r"(?<!\w)b?['\"]", said[:_LONGEST_WORDS], maxsplit=1)[0].rstrip(" \n:=")
