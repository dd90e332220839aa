"""Calls of the API through aiohttp (extra `aiohttp`): where thousands of jobs are under way, it costs half.

What it must not bring along: cookies, which may hold the key; logins from files; faults that look like others.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import io
import select
import ssl
import weakref
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from functools import partial
from typing import Any, NoReturn

import aiohttp
import httpx
import httpx_aiohttp
from aiohttp.connector import Connection
from httpx_aiohttp.transport import map_aiohttp_exceptions
from yarl import URL

from modelslab_pony._aiohttp_faults import was_connected, words

_LONGEST_HEAD = 100 * 1024
"""Bytes of one line of an answer's head, as many as httpcore takes; aiohttp would refuse a paid answer of 8 KB."""
_LARGE = 2**20
"""Bytes of a body that aiohttp would warn of if it was given them as such."""
_MOST_HEADERS: dict[str, Any] = (
    {"max_headers": 10_000} if "max_headers" in inspect.signature(aiohttp.ClientSession).parameters else {}
)
"""Of an answer; aiohttp would refuse a paid one of more than 128. httpcore limits their bytes only."""
_HARDLY = 0.9
"""Part of a whole call's limit from which on reading has none of its own: aiohttp's timers cost as much as reading."""
_FAULTS = httpx.TransportError, aiohttp.ClientError


class Transport(httpx_aiohttp.AiohttpTransport):
    """As many connections as calls may be under way.

    `kept_alive` is how many seconds an idle one is kept; the headers are those of each call.
    """

    def __init__(
        self, most: int, kept_alive: float, headers: Mapping[str, str], context: Callable[[], ssl.SSLContext]
    ) -> None:
        self._opened = weakref.WeakSet[Any]()
        self._make = partial(_session, most, kept_alive, headers, context, self._opened)
        self._loop: asyncio.AbstractEventLoop | None = None
        # Its own TLS context is not used: the session has one.
        super().__init__(client=self._make, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request of httpx, for those who watch it."""
        trace = request.extensions.get("trace", _untold)
        call = {
            "method": request.method,
            "url": str(request.url),
            "headers": request.headers,
            "content": request.content,
        }
        connected: list[None] = []
        await trace("connection.connect_tcp.started", {})
        try:
            answer = await self._call(
                _limits(request.extensions.get("timeout", {})), call, lambda: connected.append(None)
            )
        finally:
            if connected:
                await trace("connection.connect_tcp.complete", {})
        return httpx.Response(
            answer.status_code,
            headers=answer.headers.raw,
            stream=_Body(answer),
            request=request,
            extensions={"http_version": b"HTTP/1.1"},
        )

    def caller(
        self, phases: Mapping[str, float | None], whole: float
    ) -> Callable[[Mapping[str, Any], Callable[[], object]], Awaitable[Answer]]:
        """Return what sends a call (method, url, content, headers) within httpx's limits.

        It says when there is a connection, before anything is sent on it, and raises httpx's faults. Nobody waits
        for a connection of the pool, so that has no limit; nor has reading if its own is hardly shorter than
        that of the whole call, `whole` seconds.
        """
        read = phases["read"]
        is_shorter = read is not None and read < whole * _HARDLY
        return partial(self._call, _limits(phases if is_shorter else {**phases, "read": None}))

    async def _call(
        self, limits: aiohttp.ClientTimeout, call: Mapping[str, Any], sending: Callable[[], object]
    ) -> Answer:
        loop = asyncio.get_running_loop()
        if not isinstance(self.client, aiohttp.ClientSession) or self._loop is not loop:
            # A kept connection of another loop would take the request, and with it money, and its answer to nobody.
            self.client, self._loop = self._make(), loop
        used = _Used(sending)
        before = _in_use.set(used)
        try:
            response = await self.client.request(
                call["method"],
                _url(call["url"]),
                data=io.BytesIO(call["content"]) if len(call["content"]) > _LARGE else call["content"] or None,
                headers=call["headers"],
                timeout=limits,
                allow_redirects=False,
            )
        except BaseException as fault:
            used.leave()
            if not isinstance(fault, Exception):
                raise
            _raise_translated(fault)
        finally:
            _in_use.reset(before)
        return Answer(response, used)

    async def aclose(self) -> None:
        """Close all connections."""
        await super().aclose()
        for left in list(self._opened):  # TLS would wait for the other side's goodbye, longer than this loop may run
            _abort(left)
        await asyncio.sleep(0)


class Answer:
    """An answer, whose body is still to be read; its faults are those of httpx."""

    def __init__(self, response: aiohttp.ClientResponse, used: _Used) -> None:
        self._response, self._connection = response, used
        self.status_code = response.status
        self.headers = _Headers(response.raw_headers)
        connection = response.connection  # none once the answer is here as a whole
        protocol = None if connection is None else connection.protocol
        self._ended = None if protocol is None else protocol.closed
        if self._ended is not None:
            self._ended.add_done_callback(self._end)

    def _end(self, ended: asyncio.Future[None]) -> None:
        """Have the body end with its connection: aiohttp forgets to, after a chunk that is none."""
        ended.cancelled() or ended.exception()
        content = self._response.content
        if not content.is_eof() and content.exception() is None:
            content.set_exception(aiohttp.ClientPayloadError("Response payload is not completed"))

    @property
    def encoding(self) -> str:
        """What its body is encoded as."""
        return ", ".join(self._response.headers.getall("content-encoding", ()))

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
        finally:
            if self._ended is not None:
                self._ended.remove_done_callback(self._end)
            self._connection.leave_closed()


class _Headers(Mapping[str, str]):
    """Headers as httpx reads them: one that came twice is one, each byte is a character. Few answers' are read."""

    __slots__ = ("raw",)

    def __init__(self, raw: Sequence[tuple[bytes, bytes]]) -> None:
        self.raw = raw

    def __getitem__(self, name: str) -> str:
        return httpx.Headers(self.raw)[name]

    def __iter__(self) -> Iterator[str]:
        return iter(httpx.Headers(self.raw))

    def __len__(self) -> int:
        return len(httpx.Headers(self.raw))


class _Used:
    """The connection of one call."""

    __slots__ = ("_reached", "transport")

    def __init__(self, reached: Callable[[], object]) -> None:
        self._reached = reached
        self.transport: Any = None

    def reach(self, transport: Any) -> None:
        """Note that there is a connection, on which something may be sent from now on."""
        self.transport = transport
        self._reached()

    def leave(self) -> None:
        """End the connection of a call that failed, now: a mere close sends what is left of the request before."""
        if self.transport is not None:
            _abort(self.transport)

    def leave_closed(self) -> None:
        """Same, if it was closed and not given back."""
        if self.transport is not None and self.transport.is_closing():
            _abort(self.transport)


_in_use: ContextVar[_Used] = ContextVar("_in_use")
"""What a connector tells of the connection that it gives to a call."""


async def _untold(event: str, info: Mapping[str, Any]) -> None:
    """Stand for a trace that nobody wants."""


def _limits(phases: Mapping[str, float | None]) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(sock_connect=phases.get("connect"), sock_read=phases.get("read"))


def _abort(transport: Any) -> None:
    # asyncio's own: of one that came to its end by itself, and of one whose event loop did.
    with contextlib.suppress(AttributeError, RuntimeError):
        transport.abort()


@functools.lru_cache(maxsize=64)
def _url(text: str) -> URL:
    """Return a URL as httpx sends it: aiohttp would quote and unquote some of it otherwise."""
    return URL(str(httpx.URL(text)), encoded=True)


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
        **_MOST_HEADERS,
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
                _in_use.get().reach(connection.transport)
                return connection
            connection.close()
        if connection.protocol is not None:
            self._used.add(connection.protocol)
        with contextlib.suppress(TypeError):  # not every event loop's can be referred to weakly
            self._opened.add(connection.transport)
        _in_use.get().reach(connection.transport)
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
    """An answer's body as httpx has it."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def __aiter__(self) -> Answer:
        return self._answer

    async def aclose(self) -> None:
        await self._answer.aclose()


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
