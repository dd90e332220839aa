"""Calls of the API through aiohttp (extra `aiohttp`): where thousands of jobs are under way, it costs half.

What it must not bring along: cookies, which may hold the key; logins from files; faults that look like others.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

import httpx

from modelslab_pony.errors import MissingExtraError

if TYPE_CHECKING:
    from aiohttp import ClientSession

_NEVER_CONNECTED = frozenset(("ClientConnectorError", "ConnectionTimeoutError", "ClientHttpProxyError"))
"""aiohttp's faults of a connection that was not made (or waited for in vain), with which nothing was sent."""


def was_connected(fault: BaseException) -> bool:
    """Tell whether a fault of aiohttp befell a connection that was made, whatever httpx-aiohttp calls it.

    That calls a server which hangs up after it was sent a request a `ConnectTimeout`: such a request may have been
    accepted.
    """
    names = {kind.__name__ for kind in type(fault).__mro__ if kind.__module__.partition(".")[0] == "aiohttp"}
    return bool(names) and names.isdisjoint(_NEVER_CONNECTED)


def transport(max_in_flight: int, kept_alive: float, context: Callable[[], ssl.SSLContext]) -> httpx.AsyncBaseTransport:
    """Return a transport with as many connections as calls may be under way.

    `kept_alive` is how many seconds an idle connection is kept. Raises `MissingExtraError`.
    """
    try:
        import aiohttp  # noqa: PLC0415 - an extra
        import httpx_aiohttp  # noqa: PLC0415 - likewise
    except ModuleNotFoundError:
        raise MissingExtraError("httpx-aiohttp is missing: pip install 'modelslab-pony[aiohttp]'") from None

    def session() -> ClientSession:
        connector = aiohttp.TCPConnector(limit=max_in_flight, keepalive_timeout=kept_alive, ssl=context())
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())

    class Transport(httpx_aiohttp.AiohttpTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            try:
                response = await super().handle_async_request(request)
            except aiohttp.ClientError as fault:
                raise _translated(fault) from fault
            if isinstance(response.stream, httpx.AsyncByteStream):
                response.stream = _Body(response.stream, aiohttp.ClientError)
            return response

    # Its own TLS context is not used: the session has one.
    return Transport(client=session, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


class _Body(httpx.AsyncByteStream):
    """A body whose faults are those of httpx."""

    def __init__(self, inner: httpx.AsyncByteStream, faults: type[Exception]) -> None:
        self._inner, self._faults = inner, faults

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._inner:
                yield piece
        except self._faults as fault:
            raise _translated(fault) from fault

    async def aclose(self) -> None:
        try:
            await self._inner.aclose()
        except self._faults as fault:
            raise _translated(fault) from fault


def _translated(fault: Exception) -> httpx.RemoteProtocolError:
    """Return a fault of httpx for one of aiohttp that httpx-aiohttp does not know."""
    return httpx.RemoteProtocolError(str(fault))
