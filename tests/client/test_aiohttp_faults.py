"""Faults of a call through aiohttp: what they mean for money is what they mean without it, and none holds the key."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from typing import Any

import aiohttp
import httpx
import httpx_aiohttp
import pytest

from modelslab_pony import AsyncPonyClient, TextToImage, errors
from modelslab_pony._aiohttp_faults import words
from support.both import KEY
from support.fuzz.judge import TEXT_BOUND
from support.fuzz.odd_http import ODD
from support.leaks import exception_texts, found
from support.over_aiohttp import AGAIN, Client, lent, ours, plain
from support.raw_server import RawServer, Talk, half, hang_up, posts

pytestmark = pytest.mark.usefixtures("aiohttp_way")

STRICTER = {"another version", "length and chunks", "too short a length"}
"""What aiohttp takes for no answer at all and httpcore does not: unknown, as it must be."""
LOOSER = {"an unknown transfer", "switching"}
"""The other way round."""


def ended(client: Client, answer: bytes) -> Any:
    """Return what became of a submission that was answered so."""

    def say(talk: Talk) -> None:
        talk.send(answer)
        talk._connection.shutdown(socket.SHUT_WR)
        talk.wait_until_left()

    async def run() -> Any:
        async with client(server.url, timeout=5.0, retry=AGAIN) as pony:
            try:
                return await pony.submit(TextToImage("x"))
            except errors.PonyError as error:
                return error

    with RawServer(say) as server:
        outcome = asyncio.run(run())
        assert posts(server) == 1
        return outcome


@pytest.mark.parametrize("name", ODD)
def test_broken_http_ends_as_it_does_without_aiohttp(name: str) -> None:
    """An answer that httpcore takes is taken; otherwise it is unknown, said in short and printable words."""
    without, through = (ended(client, ODD[name]) for client in (plain, ours))
    if isinstance(through, errors.PonyError):
        assert isinstance(through, errors.SubmissionUnknown)
        assert len(str(through)) <= TEXT_BOUND
        assert str(through).isprintable()
        assert "ConnectTimeout" not in str(through)
    if name not in STRICTER | LOOSER:
        assert getattr(through, "id", None) == getattr(without, "id", None), (through, without)


def test_a_long_answer_that_is_none_is_soon_done_with() -> None:
    """What aiohttp quotes of it, with blanks up to where it went wrong, is not read at length."""
    assert isinstance(ended(ours, b"HTTP/1.1 200 OK\r\nx" + b" " * 90_000 + b":y\r\n\r\n"), errors.SubmissionUnknown)
    assert len(words(aiohttp.ClientPayloadError("x" + " " * 90_000 + "y"))) <= TEXT_BOUND


class Worded(httpx.AsyncBaseTransport):
    """A caller's own transport, which says in its own words what went wrong below it."""

    def __init__(self) -> None:
        self._inner = httpx_aiohttp.AiohttpTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return await self._inner.handle_async_request(request)
        except httpx.TransportError as fault:
            raise type(fault)("the service is not there") from fault

    async def aclose(self) -> None:
        await self._inner.aclose()


@pytest.mark.parametrize("transport", [httpx_aiohttp.AiohttpTransport, Worded])
def test_a_lent_transport_that_says_never_connected_is_not_believed(transport: Callable[[], Any]) -> None:
    """However far below the fault of aiohttp lies: the submission is sent once."""

    async def run() -> None:
        async with (
            httpx.AsyncClient(transport=transport()) as http,
            AsyncPonyClient(KEY, base_url=server.url, http_client=http, retry=AGAIN) as pony,
        ):
            with pytest.raises(errors.SubmissionUnknown):
                await pony.submit(TextToImage("x"))

    with RawServer(hang_up) as server:
        asyncio.run(run())
        assert posts(server) == 1


@pytest.mark.parametrize("client", [ours, lent])
@pytest.mark.parametrize("end", [hang_up, half, None], ids=["hangs up", "half", "cancelled"])
def test_no_fault_holds_the_key(client: Client, end: Callable[[Talk], None] | None) -> None:
    """Neither one in mid-answer nor what breaks a call off there has it in its words, its chain or its frames."""
    came = threading.Event()

    def say(talk: Talk) -> None:
        if end is not None:
            end(talk)
            return
        talk.send(b"HTTP/1.1 200 OK\r\ncontent-length: 400\r\n\r\n{")
        came.set()
        talk.wait_until_left()

    async def run() -> BaseException:
        async with client(server.url, timeout=5.0) as pony:
            task = asyncio.create_task(pony.submit(TextToImage("x")))
            if end is None:
                await asyncio.to_thread(came.wait, 5)
                await asyncio.sleep(0.02)
                task.cancel()
            with pytest.raises((asyncio.CancelledError, errors.SubmissionUnknown)) as raised:
                await task
            return raised.value

    with RawServer(say) as server:
        assert found(KEY, *exception_texts(asyncio.run(run()))) == []
        assert posts(server) == 1
