"""Through aiohttp, straight and watched, a call is on the wire and ends as it is and does without it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
import warnings
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from modelslab_pony import RetryPolicy, TextToImage, errors
from support.over_aiohttp import Client, ours, plain
from support.raw_server import RawServer, Talk

pytestmark = pytest.mark.usefixtures("aiohttp_way")
JOB = b'{"status": "processing", "id": 7}'
LARGE = TextToImage("x", extra={"large": "y" * 12_000_000})


def outcome(client: Client, url: str, request: TextToImage | None = None, timeout: Any = 3.0) -> Any:
    async def run() -> Any:
        async with client(url, timeout=timeout, retry=RetryPolicy(attempts=1)) as pony:
            try:
                return await pony.submit(request or TextToImage("x"))
            except errors.PonyError as error:
                return error

    return asyncio.run(run())


class Slow:
    """Reads the head of one request, and the rest only when it is told to."""

    def __init__(self, first: bytes = b"") -> None:
        self._listening, self._first = socket.create_server(("127.0.0.1", 0)), first
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.going_on, self.read, self.thread = threading.Event(), 0, threading.Thread(target=self._run)

    def _run(self) -> None:
        connection, _ = self._listening.accept()
        connection.settimeout(3)
        with connection, contextlib.suppress(OSError):
            self.read = len(connection.recv(4000))
            connection.sendall(self._first)
            self.going_on.wait(10)
            while more := connection.recv(1 << 20):
                self.read += len(more)

    def go_on(self) -> None:
        self.going_on.set()
        self.thread.join()


@contextlib.contextmanager
def slow(first: bytes = b"") -> Iterator[Slow]:
    server = Slow(first)
    server.thread.start()
    with server._listening:
        yield server
        server.go_on()


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_a_request_given_up_is_not_sent_on_and_its_client_can_be_closed(*, is_cancelled: bool) -> None:
    """What is left of it goes nowhere, and the client's end raises nothing."""

    async def run(url: str) -> None:
        async with ours(url, timeout=1.0) as pony:
            task = asyncio.create_task(pony.submit(LARGE))
            if is_cancelled:
                await asyncio.sleep(0.5)
                task.cancel()
            with pytest.raises((errors.SubmissionUnknown, asyncio.CancelledError)):
                await task
            await asyncio.to_thread(server.go_on)

    with slow() as server:
        asyncio.run(run(server.url))
    assert server.read < 12_000_000


def test_an_early_answer_leaves_no_request_behind() -> None:
    """What is left of the request is not sent after the answer came."""

    async def run(url: str) -> None:
        async with ours(url) as pony:
            assert (await pony.submit(LARGE)).id == 7
            await asyncio.to_thread(server.go_on)

    with slow(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(JOB) + JOB) as server:
        asyncio.run(run(server.url))
    assert server.read < 12_000_000


@pytest.mark.parametrize("client", [plain, ours])
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("timeout", [1.0, httpx.Timeout(1.0, connect=1.5)])
def test_a_connection_that_takes_too_long_sent_nothing(client: Client, scheme: str, timeout: Any) -> None:
    """Also where the whole call is over before the time to connect is."""
    with socket.create_server(("127.0.0.1", 0), backlog=0 if scheme == "http" else 5) as listening:
        place = listening.getsockname()
        crowd = [socket.socket() for _ in range(3 if scheme == "http" else 0)]
        for one in crowd:
            one.setblocking(False)
            one.connect_ex(place)
        found = outcome(client, f"{scheme}://127.0.0.1:{place[1]}", timeout=timeout)
        for one in crowd:
            one.close()
    assert type(found) is errors.TransportError


def test_a_name_that_takes_too_long_sent_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """aiohttp's time to connect begins after the name was looked up."""
    found = socket.getaddrinfo

    def slowly(*given: Any, **named: Any) -> Any:
        time.sleep(2)
        return found(*given, **named)

    monkeypatch.setattr(socket, "getaddrinfo", slowly)
    assert type(outcome(ours, "http://localhost:9", timeout=1.0)) is errors.TransportError


HEADERS = {
    "twice": b"Retry-After: 7\r\nRetry-After: 9\r\n",
    "latin-1": b"Retry-After: \xa07\r\n",
    "two hundred": b"".join(b"X-%d: y\r\n" % number for number in range(200)) + b"Retry-After: 7\r\n",
}


@pytest.mark.parametrize("name", HEADERS)
def test_headers_mean_the_same(name: str) -> None:
    """Odd ones, many of them."""
    body = b'{"status": "error", "message": "rate limit"}'
    head = b"HTTP/1.1 429 X\r\nContent-Length: %d\r\n" % len(body) + HEADERS[name] + b"\r\n"
    with RawServer(lambda talk: talk.send(head + body)) as server:
        without, through = (outcome(client, server.url) for client in (plain, ours))
    assert (type(through), through.retry_after) == (type(without), without.retry_after)


def test_any_reason_phrase_is_taken() -> None:
    """Bytes that are no UTF-8 do not lose a paid answer."""
    odd = b"HTTP/1.1 200 \xe4\xff\r\ncontent-length: %d\r\n\r\n" % len(JOB) + JOB
    with RawServer(lambda talk: talk.send(odd)) as server:
        assert outcome(ours, server.url).id == 7


def test_a_chunk_that_is_none_ends_the_call_at_once() -> None:
    """aiohttp would wait for the rest of a body whose connection it has closed."""

    def say(talk: Talk) -> None:
        talk.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n", b'{"status":"proceXX', pause=0.05)
        talk.wait_until_left()

    began = time.monotonic()
    with RawServer(say) as server:
        assert isinstance(outcome(ours, server.url, timeout=8.0), errors.SubmissionUnknown)
    assert time.monotonic() - began < 4


PATHS = ["/a%2fb", "/a%41b", "/a%zz", "/a%7Eb", "/a|b", "/a[b]", "/a\\b", "/%2e/b", "/a%40b", "/api"]


@pytest.mark.parametrize("path", PATHS)
def test_urls_arrive_as_they_do_without(path: str) -> None:
    """aiohttp by itself quotes and unquotes some characters."""

    def say(talk: Talk) -> None:
        talk.answer({"status": "success", "id": 1, "output": ["https://x.test/a.png"]})

    with RawServer(say) as server:
        for client in (plain, ours):
            assert outcome(client, server.url + path).id == 1
        without, through = (talk.path for talk in server.talks)
    assert through == without


@pytest.mark.parametrize("job", [".", "a:b", "a&b;c=d", "a@b"])
def test_ids_arrive_as_they_do_without(job: str) -> None:
    """Also in a path."""

    async def ask(client: Client, url: str) -> None:
        async with client(url) as pony:
            with contextlib.suppress(errors.PonyError):
                await pony.job(job).refresh()

    with RawServer(lambda talk: talk.answer(b"nope", "404 Not Found")) as server:
        for client in (plain, ours):
            asyncio.run(ask(client, server.url))
        paths = [talk.path for talk in server.talks]
    assert paths[: len(paths) // 2] == paths[len(paths) // 2 :]


def test_a_large_request_is_no_reason_to_warn() -> None:
    """Of more than a megabyte; where warnings are errors, nothing would be sent."""
    with warnings.catch_warnings(), RawServer(lambda talk: talk.answer(JOB)) as server:
        warnings.simplefilter("error")
        for client in (plain, ours):
            assert outcome(client, server.url, TextToImage("x", extra={"b": "y" * 1_200_000})).id == 7
        assert server.talks[0].body == server.talks[1].body


@pytest.mark.parametrize(("timeout", "most"), [(httpx.Timeout(0.3, connect=20.0), 5.0), (0.3, 5.0)])
def test_an_answer_that_does_not_come_is_not_waited_for(timeout: Any, most: float) -> None:
    """Neither longer than a read may take, nor longer than the whole call."""
    began = time.monotonic()
    with RawServer(lambda talk: talk.wait_until_left()) as server:
        assert isinstance(outcome(ours, server.url, timeout=timeout), errors.SubmissionUnknown)
        assert time.monotonic() - began < most
        assert server.is_left()
