"""Calls of the API through aiohttp: what it must not bring along, and what a fault of it means for money."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import httpx_aiohttp
import pytest

from modelslab_pony import AsyncPonyClient, PonyClient, PonyError, TextToImage, errors
from support.both import KEY
from support.fuzz.odd_http import ODD
from support.leaks import exception_texts, found
from support.over_aiohttp import BALANCE, Client, lent, ours
from support.raw_server import RawServer, Talk, half, hang_up, posts
from support.scripted import PNG

pytestmark = pytest.mark.usefixtures("aiohttp_way")


clients = pytest.mark.parametrize("client", [ours, lent], ids=["own", "lent"])


def reset(talk: Talk) -> None:
    talk._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    hang_up(talk)


@clients
@pytest.mark.parametrize("end", [hang_up, reset, half])
@pytest.mark.parametrize("is_kept", [False, True], ids=["new", "kept"])
def test_a_server_that_hangs_up_after_the_request_may_have_accepted_it(
    client: Client, end: Callable[[Talk], None], is_kept: bool
) -> None:
    """httpx-aiohttp says that no connection was made; the request is not sent again, and nobody is told that it can."""

    def say(talk: Talk) -> None:
        if talk.path.endswith("text2img"):
            end(talk)
        else:
            talk.answer(BALANCE)

    async def run() -> None:
        async with client(server.url) as pony:
            if is_kept:
                await pony.balance()
            with pytest.raises(errors.SubmissionUnknown):
                await pony.submit(TextToImage("x"))

    with RawServer(say) as server:
        asyncio.run(run())
        assert posts(server) == 1


@clients
def test_where_nobody_listens_nothing_was_sent(client: Client) -> None:
    """That is told, and it is tried again."""

    async def run() -> None:
        with socket.create_server(("127.0.0.1", 0)) as gone:
            url = f"http://127.0.0.1:{gone.getsockname()[1]}"
        async with client(url) as pony:
            with pytest.raises(errors.TransportError, match="nothing was sent"):
                await pony.submit(TextToImage("x"))

    asyncio.run(run())


@pytest.mark.parametrize("odd", ODD)
def test_broken_http_ends_in_our_own_error_or_in_the_answer(odd: str) -> None:
    """Whatever comes: no fault of aiohttp gets through, and one request is sent."""

    def say(talk: Talk) -> None:
        talk.send(ODD[odd])
        hang_up(talk)

    async def run() -> None:
        async with ours(server.url, timeout=5.0) as pony:
            with contextlib.suppress(PonyError):
                await pony.submit(TextToImage("x"))

    with RawServer(say) as server:
        asyncio.run(run())
        assert posts(server) == 1


def test_a_job_is_made_and_saved(tmp_path: Path) -> None:
    """Submission and looks through aiohttp, the picture as ever."""

    def say(talk: Talk) -> None:
        if talk.path.endswith(".png"):
            talk.answer(PNG)
        elif talk.path.endswith("fetch"):
            talk.answer({"status": "success", "id": 7, "output": [f"{server.url}/a.png"]})
        else:
            talk.answer({"status": "processing", "id": 7, "eta": 0})

    async def run() -> None:
        async with ours(server.url) as pony:
            path = await (await pony.text2img("x")).images[0].save(tmp_path, metadata=False)
            assert path.read_bytes() == PNG

    with RawServer(say) as server:
        asyncio.run(run())


def test_cookies_are_not_kept_and_redirects_not_followed() -> None:
    """An answer may put the key into either."""

    def say(talk: Talk) -> None:
        headers = f"set-cookie: a={KEY.replace('/', '')}\r\nlocation: {server.url}/elsewhere\r\n"
        talk.answer(BALANCE, "307 Temporary Redirect" if len(server.talks) == 1 else "200 OK", headers)

    async def run() -> None:
        # By a name: of addresses aiohttp keeps no cookies anyway.
        async with ours(f"http://localhost:{server.port}") as pony:
            with contextlib.suppress(PonyError):
                await pony.submit(TextToImage("x"))
            await pony.balance()

    with RawServer(say) as server:
        asyncio.run(run())
        assert not any("elsewhere" in talk.path or "cookie" in talk.head.lower() for talk in server.talks)
        assert all(KEY not in talk.head for talk in server.talks)


@pytest.mark.parametrize("most", [1, 3])
def test_answers_go_to_those_who_asked_though_others_break_off(most: int) -> None:
    """After hundreds of cancelled calls, each answer is the one to its request, and no task goes on."""
    chance = random.Random(20261129)  # noqa: S311 - moments, no secrets

    def say(talk: Talk) -> None:
        number = talk.path.rsplit("/", 1)[-1]
        talk.server.over.wait(0.002)
        talk.answer({"status": "processing", "id": int(number) if number.isdigit() else 1, "eta": 5})

    async def one(pony: AsyncPonyClient, number: int) -> None:
        task = asyncio.create_task(pony._calls.send(_look_at(number)))
        await asyncio.sleep(chance.random() * 0.008)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            assert f'"id": {number},'.encode() in (await task).body  # type: ignore[union-attr]  # it is an answer

    async def run() -> None:
        async with ours(server.url, max_in_flight=most, timeout=5.0) as pony:
            for start in range(0, 300, 3):
                await asyncio.gather(*(one(pony, start + place) for place in range(3)))
            assert asyncio.all_tasks() == {asyncio.current_task()}
            assert not pony._calls.gate.locked()
            await asyncio.wait_for(pony._calls.send(_look_at(1)), 5)
        assert await asyncio.to_thread(server.is_left)

    with RawServer(say) as server:
        asyncio.run(run())


def _look_at(number: int) -> Any:
    from modelslab_pony._steps import Send

    return Send(operation="fetch_by_id", fields={"id": str(number)})


@pytest.mark.parametrize("is_cancelled", [True, False])
def test_no_fault_holds_the_key(is_cancelled: bool) -> None:
    """Neither one of aiohttp's nor what breaks a call off has it in its words, its chain or its frames."""
    came = threading.Event()

    def say(talk: Talk) -> None:
        came.set()
        if is_cancelled:
            talk.wait_until_left()
        hang_up(talk)

    async def run() -> BaseException:
        async with ours(server.url) as pony:
            task = asyncio.create_task(pony.submit(TextToImage("x")))
            if is_cancelled:
                await asyncio.to_thread(came.wait, 5)
                task.cancel()
            with pytest.raises((asyncio.CancelledError, PonyError)) as raised:
                await task
            return raised.value

    with RawServer(say) as server:
        assert found(KEY, *exception_texts(asyncio.run(run()))) == []


def test_an_answer_that_trickles_ends_with_the_call() -> None:
    """aiohttp limits each read; the whole is limited here."""

    def say(talk: Talk) -> None:
        talk.trickle(b"HTTP/1.1 200 OK\r\ncontent-length: 4000\r\n\r\n" + b" " * 4000)

    async def run() -> None:
        async with ours(server.url, timeout=0.3) as pony:
            with pytest.raises(errors.SubmissionUnknown, match="the whole call took more than"):
                await asyncio.wait_for(pony.submit(TextToImage("x")), 5)

    with RawServer(say) as server:
        asyncio.run(run())
        assert posts(server) == 1


def test_it_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is named where it is missing."""
    monkeypatch.setitem(sys.modules, "httpx_aiohttp", None)
    with pytest.raises(errors.MissingExtraError, match=r"modelslab-pony\[aiohttp\]"):
        AsyncPonyClient(KEY, http_client="aiohttp")


def test_nothing_else_is_a_client() -> None:
    """Another word is none, nor is this one for the blocking client."""
    for kind, given in ((AsyncPonyClient, "aiohttpx"), (PonyClient, "aiohttp")):
        with pytest.raises(errors.ConfigurationError, match="http_client"):
            kind(KEY, http_client=given)  # type: ignore[arg-type]  # that is the point


def test_the_environments_proxy_is_not_passed_by(monkeypatch: pytest.MonkeyPatch) -> None:
    """aiohttp would not take all of them: refused, but for a service on this machine, which has no proxy."""
    monkeypatch.setenv("ALL_PROXY", "http://proxy.example:3128")
    with pytest.raises(errors.ConfigurationError, match="NO_PROXY"):
        AsyncPonyClient(KEY, http_client="aiohttp")
    AsyncPonyClient(KEY, base_url="http://127.0.0.1:1", http_client="aiohttp")
    monkeypatch.setenv("NO_PROXY", "modelslab.com")
    AsyncPonyClient(KEY, http_client="aiohttp")


def test_httpx_aiohttp_still_says_what_is_not_so() -> None:
    """A server that hung up after the request is a `ConnectTimeout` to it; once it is not, this need not be known."""

    async def run() -> None:
        async with httpx_aiohttp.HttpxAiohttpClient() as http:
            with pytest.raises(httpx.ConnectTimeout) as raised:
                await http.post(server.url, content=b"x")
            assert isinstance(raised.value.__cause__, aiohttp.ServerDisconnectedError)

    with RawServer(hang_up) as server:
        asyncio.run(run())
