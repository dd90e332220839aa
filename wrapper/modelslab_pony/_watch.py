"""What is watched while a connection is used: where it leads, how long it takes as a whole, how much is read at once.

httpx tells a `trace` of each connection before anything is sent on it. That is late enough to know
the address behind a name, and early enough to send nothing there.
"""

from __future__ import annotations

import contextlib
import functools
import math
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

import httpx

_OPENED = ("connect_tcp.complete", "start_tls.complete")
_BEGUN = ("connect_tcp.started", "start_tls.started")
_PART = 16 * 1024
_GULP = 256 * 1024
"""Bytes that are read at once while they come as fast: with httpcore's 64 KB, large files take half as long again."""
_limit = threading.local()


class Watch:
    """The `trace` of one call: `met` is told which host was asked for and which address answered, and may raise."""

    def __init__(self, met: Callable[[str, str], None]) -> None:
        self._met = met
        self._host = ""
        self.is_opening = False
        """Whether a connection is being made at this moment, over which nothing can have been sent."""
        self.opened: Any = None
        """What httpx would forget to close if it were cut off while it is being made."""

    def blocking(self, event: str, info: Mapping[str, Any]) -> None:
        """Watch a connection of `httpx.Client`."""
        if not _is_of_opening(event):
            return
        if event.endswith(_BEGUN):
            _limit_opening(info)
        stream = self._opened(event, info)
        if stream is None:
            return
        try:
            self._look(event, stream)
        except BaseException:
            stream.close()
            raise
        _limit_stream(stream)

    async def awaited(self, event: str, info: Mapping[str, Any]) -> None:
        """Watch a connection of `httpx.AsyncClient`, whose time asyncio limits."""
        stream = self._opened(event, info) if _is_of_opening(event) else None
        if stream is None:
            return
        try:
            self._look(event, stream)
        except BaseException:
            await stream.aclose()
            raise
        with contextlib.suppress(AttributeError):  # as below
            stream.read = _awaited_gulps(stream.read)

    def _opened(self, event: str, info: Mapping[str, Any]) -> Any:
        if event.endswith(_BEGUN):
            self.is_opening = True
        elif event.endswith(_OPENED):
            self.is_opening, self.opened = False, info.get("return_value")
        if event.endswith("connect_tcp.started"):
            self._host = str(info.get("host", ""))
        return info.get("return_value") if event.endswith(_OPENED) else None

    def _look(self, event: str, stream: Any) -> None:
        address = stream.get_extra_info("server_addr") if event.endswith(_OPENED[0]) else None
        if isinstance(address, tuple):
            self._met(self._host, str(address[0]))


@functools.cache
def _is_of_opening(event: str) -> bool:
    """Tell whether an event concerns the opening of a connection; most are of what is sent over it."""
    return event.endswith((*_BEGUN, *_OPENED))


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Limit what this thread does on watched connections, all reads and writes together."""
    before = getattr(_limit, "until", math.inf)
    _limit.until = time.monotonic() + seconds
    try:
        yield
    finally:
        _limit.until = before


def _limit_opening(info: Mapping[str, Any]) -> None:
    """Have the opening of a connection end with the call: httpx gives each of its steps the whole time to connect."""
    left = getattr(_limit, "until", math.inf) - time.monotonic()
    if left <= 0:
        raise httpx.ConnectTimeout("the time for the whole call was over")
    if left < math.inf and isinstance(info, dict):
        given = info.get("timeout")
        info["timeout"] = left if given is None else min(left, given)


def _limit_stream(stream: Any) -> None:
    """Have each read and write of a connection end with the call: httpx itself limits each, but not their sum."""
    with contextlib.suppress(AttributeError):  # a stream that cannot be taught is limited by httpx alone
        stream.read = _gulps(_within_limit(stream.read, httpx.ReadTimeout))
        stream.write = _in_parts(_within_limit(stream.write, httpx.WriteTimeout))


def _gulps(read: Callable[..., bytes]) -> Callable[..., bytes]:
    """Read as much as is asked for, and more after a read that brought all of it."""
    most = 0

    def read_gulp(max_bytes: int, timeout: float | None = None) -> bytes:
        nonlocal most
        found = read(max(max_bytes, most), timeout)
        most = _GULP if len(found) >= max_bytes else most // 2  # a large file has its pauses, too
        return found

    return read_gulp


def _awaited_gulps(read: Callable[..., Awaitable[bytes]]) -> Callable[..., Awaitable[bytes]]:
    """Same as `_gulps`, awaited."""
    most = 0

    async def read_gulp(max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's own
        nonlocal most
        found = await read(max(max_bytes, most), timeout)
        most = _GULP if len(found) >= max_bytes else most // 2
        return found

    return read_gulp


def _within_limit(act: Callable[..., Any], fault: type[httpx.TimeoutException]) -> Callable[..., Any]:
    def limited_act(subject: Any, timeout: float | None = None) -> Any:
        left = getattr(_limit, "until", math.inf) - time.monotonic()
        if left <= 0:
            raise fault("the time for the whole call was over")
        return act(subject, timeout if left == math.inf else left if timeout is None else min(left, timeout))

    return limited_act


def _in_parts(write: Callable[..., Any]) -> Callable[..., None]:
    """Write a little at a time, so that a slow reader is noticed between two parts."""

    def write_parts(content: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(content), _PART):
            write(content[start : start + _PART], timeout)

    return write_parts
