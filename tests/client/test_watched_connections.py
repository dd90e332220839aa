"""A connection that is watched while it is used: where it leads, how long it takes, how much is read at once."""

from __future__ import annotations

import asyncio
import inspect
import math
from collections.abc import Generator
from typing import Any

import httpx
import pytest

from modelslab_pony._watch import Watch, limited
from modelslab_pony.testing import VirtualClock
from support.both import Colour
from support.scripted import PNG, captured

OPENED = ["connection.connect_tcp.complete", "connection.start_tls.complete", "proxy_stream.start_tls.complete"]


class Stream:
    """Stands in for a connection of httpcore; notes each read and write, and how long it may take."""

    def __init__(self) -> None:
        self.timeouts: list[float | None] = []
        self.asked: list[int] = []
        self.sizes: list[int] = []
        self.has = math.inf
        self.is_closed = False

    def read(self, most: int, timeout: float | None = None) -> bytes:
        self.timeouts.append(timeout)
        self.asked.append(most)
        return b"x" * min(most, int(min(self.has, 10**6)))

    def write(self, content: bytes, timeout: float | None = None) -> None:
        self.timeouts.append(timeout)
        self.sizes.append(len(content))

    def get_extra_info(self, name: str) -> Any:
        return ("10.0.0.3", 443) if name == "server_addr" else None

    def close(self) -> None:
        self.is_closed = True


def watched(event: str) -> Any:
    stream = Stream()
    Watch(lambda *_: None).blocking(event, {"return_value": stream})
    return stream


@pytest.mark.parametrize("event", OPENED)
def test_each_read_and_write_ends_with_the_call(event: str) -> None:
    """Under TLS too: each has what is left of the call, or its own limit if that is less."""
    stream = watched(event)
    with limited(5):
        for timeout in (60.0, None):
            stream.read(1, timeout)
            stream.write(b"x", timeout)
        assert all(timeout <= 5 for timeout in stream.timeouts)
        assert len(stream.timeouts) == 4
        stream.read(1, 2.0)
        stream.write(b"x", 2.0)
    assert stream.timeouts[4:] == [2.0, 2.0]


@pytest.mark.parametrize("event", OPENED)
def test_nothing_is_read_or_written_after_the_call(event: str) -> None:
    """Its time was over before the next one began; nothing is asked of the connection any more."""
    stream = watched(event)
    with limited(0):
        with pytest.raises(httpx.ReadTimeout, match="the whole call"):
            stream.read(1, 60.0)
        with pytest.raises(httpx.WriteTimeout, match="the whole call"):
            stream.write(b"x", 60.0)
    assert stream.timeouts == []


def test_a_calls_limit_is_over_with_it() -> None:
    """A caller's own client goes on with the connection, in the same thread, as if it had never been watched."""
    stream = watched(OPENED[0])
    with limited(0), pytest.raises(httpx.ReadTimeout):
        stream.read(1, 60.0)
    stream.read(1, 60.0)
    stream.read(1)
    assert stream.timeouts == [60.0, None]


def test_what_is_sent_is_sent_a_little_at_a_time() -> None:
    """All of it; a reader that takes none is noticed between two parts."""
    stream = watched(OPENED[0])
    stream.write(b"x" * 100_000)
    assert sum(stream.sizes) == 100_000
    assert max(stream.sizes) <= 16 * 1024


class AsyncStream(Stream):
    """Same, awaited."""

    async def read(self, most: int, timeout: float | None = None) -> bytes:  # type: ignore[override]  # noqa: ASYNC109 - httpcore's, awaited
        return super().read(most, timeout)


@pytest.mark.parametrize("is_awaited", [False, True])
def test_more_is_read_at_once_while_it_comes_as_fast(is_awaited: bool) -> None:
    """Nothing is asked for that much before a read came full, nor for long after one that did not."""
    stream: Any = AsyncStream() if is_awaited else Stream()
    watch, told = Watch(lambda *_: None), (OPENED[0], {"return_value": stream})

    async def play() -> None:
        await watch.awaited(*told) if is_awaited else watch.blocking(*told)
        for stream.has in (4, math.inf, math.inf, math.inf, 100_000, 4, 4, 4, 4):
            found = stream.read(65_536, 60.0)
            assert len(await found if is_awaited else found) >= 4

    asyncio.run(play())
    assert stream.asked == [65_536, 65_536, 262_144, 262_144, 262_144, 262_144, 131_072, 65_536, 65_536]
    assert stream.timeouts == [60.0] * 9


def test_a_gateway_that_is_inside_may_name_its_files_inside(colour: Colour, clock: VirtualClock) -> None:
    """Known by its name only, until a call was connected to it."""
    success = {**captured("success").body, "output": ["http://10.0.0.9/a.png"], "proxy_links": None}

    def read(pony: Any) -> Generator[Any, Any, Any]:
        generation = yield pony.text2img("a lighthouse")
        return (yield generation.images[0].read())

    def say(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=success) if request.method == "POST" else httpx.Response(200, content=PNG)

    def answer(request: httpx.Request) -> Any:
        trace, host = request.extensions["trace"], request.url.host
        told = [trace("connection.connect_tcp.started", {"host": host})]
        told.append(trace("connection.connect_tcp.complete", {"return_value": Stream()}))

        async def awaited() -> httpx.Response:
            for one in told:
                await one
            return say(request)

        return awaited() if inspect.isawaitable(told[0]) else say(request)

    assert colour.play(read, answer, clock, base_url="https://gateway.example/v6/images") == PNG
