"""What breaks off must not spoil the next call: no answer of one request is ever given to another."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import httpcore
import pytest

from modelslab_pony import AsyncPonyClient, PonyClient, RetryPolicy, TextToImage, _connections, _pool, errors
from modelslab_pony._steps import Lost, Reply, Send
from support.both import KEY, Colour
from support.raw_server import RawServer, Talk, connections, half, hang_up, posts

BALANCE = {"status": "success", "data": {"balance": 1}}


def look_at(number: int) -> Send:
    return Send(operation="fetch_by_id", fields={"id": str(number)})


def number_of(talk: Talk) -> int:
    return int(talk.path.rsplit("/", 1)[-1])


def answer_of(number: int) -> bytes:
    body = b'{"status": "processing", "id": %d, "eta": 5}' % number
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body


def is_its_own(reply: object, number: int) -> bool:
    return isinstance(reply, Reply) and f'"id": {number},'.encode() in reply.body


def reset(talk: Talk) -> None:
    talk._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    talk._connection.close()


# --- what the server does ---------------------------------------------------------------------


@pytest.mark.parametrize("after", [0.0, 0.02], ids=["with it", "later"])
def test_what_comes_beyond_an_answer_is_nobodys_answer(after: float, colour: Colour) -> None:
    """A second answer that nobody asked for costs the connection; httpcore would give it to the next request."""

    def say(talk: Talk) -> None:
        number = number_of(talk)
        if after:
            talk.send(answer_of(number), answer_of(number + 1000), pause=after)
        else:
            talk.send(answer_of(number) + answer_of(number + 1000))

    def story(pony: Any) -> Generator[Any, Any, None]:
        for number in (1, 2, 3):
            assert is_its_own((yield pony._calls.send(look_at(number))), number)
            time.sleep(3 * after)

    with RawServer(say) as server:
        colour.play_over(story, server.url)
        assert (len(server.talks), connections(server)) == (3, 3)


@pytest.mark.parametrize("end", [hang_up, reset, half])
def test_a_kept_connection_that_ends_with_the_request_may_have_carried_it(
    end: Callable[[Talk], None], colour: Colour
) -> None:
    """A server that hangs up just as the submission arrives may have accepted it: it is sent once."""

    def say(talk: Talk) -> None:
        if talk.path.endswith("text2img"):
            end(talk)
        else:
            talk.answer(BALANCE)

    def story(pony: Any) -> Generator[Any, Any, None]:
        yield pony.balance()
        with pytest.raises(errors.SubmissionUnknown):
            yield pony.submit(TextToImage("x"))

    with RawServer(say) as server:
        colour.play_over(story, server.url, retry=RetryPolicy(attempts=3, min_delay=0.0))
        assert (posts(server), connections(server)) == (1, 1)
        assert server.is_left()


ENDS: list[Callable[[Talk], None]] = [
    lambda talk: talk.answer({"status": "processing", "id": number_of(talk), "eta": 5}),
    lambda talk: talk.answer(
        {"status": "processing", "id": number_of(talk), "eta": 5}, headers="connection: close\r\n"
    ),
    lambda talk: talk.send(answer_of(number_of(talk)) + answer_of(number_of(talk) + 10_000)),
    lambda talk: talk.send(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n" + answer_of(number_of(talk) + 10_000)),
    lambda talk: talk.send(*(answer_of(number_of(talk))[at : at + 40] for at in range(0, 100, 40)), pause=0.002),
    half,
    reset,
]


def anyhow(chance: random.Random) -> Callable[[Talk], None]:
    def say(talk: Talk) -> None:
        talk.server.over.wait(0.002)
        chance.choice(ENDS)(talk)

    return say


def is_wrong(reply: object, number: int) -> bool:
    """Whether a whole answer is not the request's; what was lost or cut short is no such thing."""
    return isinstance(reply, Reply) and b'"eta"' in reply.body and not is_its_own(reply, number)


@pytest.mark.parametrize("most", [1, 4])
def test_whatever_is_broken_off_no_answer_goes_astray(most: int) -> None:
    """Three hundred calls, cancelled at random moments, timed out, cut short, answered twice."""
    chance = random.Random(20261130)  # noqa: S311 - moments, no secrets
    replies: dict[int, object] = {}

    async def one(pony: AsyncPonyClient, number: int) -> None:
        task = asyncio.create_task(pony._calls.send(look_at(number)))
        if number % 2:
            await asyncio.sleep(chance.random() * 0.01)
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            replies[number] = await task

    async def run() -> None:
        async with AsyncPonyClient(KEY, base_url=server.url, max_in_flight=most, timeout=0.2) as pony:
            for start in range(0, 300, 4):
                await asyncio.gather(*(one(pony, start + place) for place in range(4)))
            assert asyncio.all_tasks() == {asyncio.current_task()}
            assert not pony._calls.gate.locked()
        assert await asyncio.to_thread(server.is_left)

    with RawServer(anyhow(random.Random(1))) as server:  # noqa: S311 - moments, no secrets
        asyncio.run(run())
    assert [number for number, reply in replies.items() if is_wrong(reply, number)] == []
    assert sum(isinstance(reply, Reply) for reply in replies.values()) > 50


def test_no_answer_goes_astray_among_threads() -> None:
    """Sixteen threads, three hundred calls through the same odd ends: as above, and no connection is left."""

    def one(number: int) -> tuple[int, Reply | Lost]:
        return number, pony._calls.send(look_at(number))

    with RawServer(anyhow(random.Random(2))) as server:  # noqa: S311 - moments, no secrets
        with PonyClient(KEY, base_url=server.url, timeout=0.5) as pony, ThreadPoolExecutor(16) as threads:
            replies = list(threads.map(one, range(300)))
            assert server.open <= 16
        assert server.is_left()
    assert [number for number, reply in replies if is_wrong(reply, number)] == []
    assert sum(isinstance(reply, Reply) for _, reply in replies) > 100


def test_an_answer_that_came_too_late_is_not_the_next_ones(colour: Colour) -> None:
    """A call that timed out in the midst of its answer leaves a connection on which the rest may yet come."""

    def say(talk: Talk) -> None:
        whole = answer_of(number_of(talk))
        if number_of(talk) == 1:
            talk.send(whole[:50])
            talk.server.over.wait(0.3)
            talk.send(whole[50:])
        else:
            talk.send(whole)

    def story(pony: Any) -> Generator[Any, Any, None]:
        assert isinstance((yield pony._calls.send(look_at(1))), Lost)
        for number in (2, 3):
            assert is_its_own((yield pony._calls.send(look_at(number))), number)

    with RawServer(say) as server:
        colour.play_over(story, server.url, timeout=0.15)
        assert connections(server) == 2


# --- what the process does ------------------------------------------------------------------------


def test_a_forked_process_has_connections_of_its_own() -> None:
    """On one that it inherited, it and its parent would read each other's answers."""
    program = """if True:
        import os, sys
        from modelslab_pony import PonyClient
        from modelslab_pony._steps import Send
        pony = PonyClient("k" * 20, base_url=sys.argv[1], timeout=5)
        def ask(*numbers):
            for number in numbers:
                reply = pony._calls.send(Send(operation="fetch_by_id", fields={"id": str(number)}))
                assert f'"id": {number},'.encode() in reply.body
        ask(1)
        child = os.fork()
        if child == 0:
            ask(2, 3)
        else:
            assert os.waitpid(child, 0)[1] == 0
            ask(4)
        pony.close()
    """
    with RawServer(lambda talk: talk.send(answer_of(number_of(talk)))) as server:
        subprocess.run([sys.executable, "-c", program, server.url], check=True)
        first = server.talks[0]._connection
        assert [number_of(talk) for talk in server.talks if talk._connection is first] == [1, 4]
        assert (len(server.talks), connections(server)) == (4, 2)
        assert server.is_left()


def test_closed_in_the_midst_of_calls_nothing_is_left() -> None:
    """What is idle is closed at once, what is busy when it ends; both calls have their answers."""
    go, came = threading.Event(), threading.Event()

    def say(talk: Talk) -> None:
        if number_of(talk) == 2:
            came.set()
            go.wait(5)
        talk.send(answer_of(number_of(talk)))

    with RawServer(say) as server, ThreadPoolExecutor(2) as threads:
        pony = PonyClient(KEY, base_url=server.url)
        busy = threads.submit(pony._calls.send, look_at(2))
        came.wait(5)
        assert is_its_own(pony._calls.send(look_at(1)), 1)
        assert server.open == 2
        pony.close()
        assert server.is_left(but=1)
        go.set()
        assert is_its_own(busy.result(), 2)
        assert server.is_left()


class Kept:
    def is_idle(self) -> bool:
        return True


def test_the_last_used_is_taken_first_and_the_oldest_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more are kept than calls may be under way, and none longer than a server surely keeps it."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    idle, place = _pool._Idle[Any](2, 5.0), (b"http", b"a", 80)
    first, second, third = Kept(), Kept(), Kept()
    assert idle.give(place, first) == idle.give(place, second) == []
    assert idle.give(place, third) == [first]
    assert idle.take(place) is third
    now[0] += 5.1
    assert idle.give(place, third) == [second]
    assert idle.end() == [third]
    assert idle.give(place, second) == [second]


def test_what_another_process_had_locked_is_no_lock_here() -> None:
    """A fork copies a lock that another thread holds; nobody would ever open the copy."""
    owner = [1]
    idle, place = _pool._Idle[Any](2, 5.0, lambda: owner[0]), (b"http", b"a", 80)
    assert idle.give(place, Kept()) == []
    idle._lock.acquire()
    owner[0] = 2
    with ThreadPoolExecutor(1) as threads:
        try:
            assert threads.submit(idle.end).result(2) == []
        finally:
            idle._lock.release() if idle._lock.locked() else None


@pytest.mark.parametrize("given", [{}, {"http_client": "aiohttp"}])
def test_each_event_loop_has_connections_of_its_own(given: dict[str, Any]) -> None:
    """On one of a loop that has ended, a paid request would leave, and nobody would read its answer."""
    program = f"""if True:
        import asyncio, sys
        from modelslab_pony import AsyncPonyClient, TextToImage
        pony = AsyncPonyClient("k" * 20, base_url=sys.argv[1], **{given})
        print(*(asyncio.run(pony.submit(TextToImage("x"))).id for _ in range(3)))
        asyncio.run(pony.close())
    """
    with RawServer(lambda talk: talk.answer({"status": "processing", "id": len(server.talks), "eta": 5})) as server:
        done = subprocess.run([sys.executable, "-c", program, server.url], capture_output=True, text=True, check=True)
        assert done.stdout == "1 2 3\n"
        assert (posts(server), connections(server)) == (3, 3)
        assert server.is_left()


class Broken:
    """A connection, or a body, that is broken off: by Ctrl-C as it is used or closed, by a limit as it is awaited."""

    is_closed = False

    def handle_request(self, _: object) -> None:
        raise KeyboardInterrupt

    async def handle_async_request(self, _: object) -> None:
        raise asyncio.CancelledError

    def close(self) -> None:
        self.is_closed = True
        raise KeyboardInterrupt

    async def aclose(self) -> None:
        await asyncio.sleep(0)
        self.is_closed = True


def noted(given: list[int]) -> Callable[[], list[Any]]:
    def give() -> list[Any]:
        given.append(1)
        return []

    return give


def test_a_body_gives_its_connection_back_once_whatever_breaks_it_off() -> None:
    """Given back twice, it would be two calls'; not at all, nobody's."""
    given: list[int] = []
    body = _pool._Body(Broken(), noted(given))
    with pytest.raises(KeyboardInterrupt):
        body.close()
    body.close()
    assert given == [1]


def test_a_limit_that_is_over_breaks_off_no_closing() -> None:
    """The connection of a call that took too long is put away all the same."""
    given: list[int] = []
    connection: Any = Broken()

    async def run() -> None:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await _pool._AsyncBody(Broken(), noted(given)).aclose()
            await _pool._closed(connection)

    asyncio.run(run())
    assert given == [1]
    assert connection.is_closed


@pytest.mark.parametrize("is_awaited", [False, True])
def test_a_connection_that_was_broken_off_as_it_was_used_is_closed(
    is_awaited: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """httpcore leaves it open between opening it and using it."""
    made: list[Broken] = []

    def make(*_: object, **__: object) -> Broken:
        made.append(Broken())
        return made[-1]

    for name in ("HTTPConnection", "AsyncHTTPConnection"):
        monkeypatch.setattr(httpcore, name, make)
    request = httpcore.Request("POST", "http://a.example/")
    if is_awaited:
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(_pool.AsyncPool(1, 5.0, _connections.plain_context).handle_async_request(request))
    else:
        with pytest.raises(KeyboardInterrupt):
            _pool.Pool(1, 5.0, _connections.plain_context).handle_request(request)
    assert [one.is_closed for one in made] == [True]
