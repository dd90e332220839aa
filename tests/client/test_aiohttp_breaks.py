"""Connections of aiohttp: no answer of one request is given to another, and nothing is left of what breaks off."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import gzip
import json
import random
import threading
import time
from typing import Any

import pytest

from modelslab_pony import AsyncPonyClient, RetryPolicy, TextToImage, errors
from modelslab_pony._steps import Lost, Reply, Send
from support.both import KEY
from support.over_aiohttp import BALANCE, Client, lent, ours
from support.raw_server import RawServer, Talk, half, hang_up, posts

pytestmark = pytest.mark.usefixtures("aiohttp_way")


def look_at(number: int) -> Send:
    return Send(operation="fetch_by_id", fields={"id": str(number)})


def number_of(talk: Talk) -> int:
    return int(talk.path.rsplit("/", 1)[-1])


def answer_of(number: int) -> bytes:
    body = b'{"status": "processing", "id": %d, "eta": 5}' % number
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body


def is_its_own(reply: object, number: int) -> bool:
    return isinstance(reply, Reply) and f'"id": {number},'.encode() in reply.body


# --- connections that are kept ----------------------------------------------------------------


@pytest.mark.parametrize("is_busy", [False, True], ids=["noticed", "unnoticed"])
def test_an_answer_to_no_request_is_nobodys_answer(is_busy: bool) -> None:
    """It costs the connection, though the program was too busy to notice it come; aiohttp would give it to the next."""

    def say(talk: Talk) -> None:
        talk.send(answer_of(number_of(talk)))
        talk.server.over.wait(0.02)
        talk.send(answer_of(number_of(talk) + 1000))

    async def run() -> None:
        async with ours(server.url) as pony:
            for number in (1, 2, 3):
                assert is_its_own(await pony._calls.send(look_at(number)), number)
                if is_busy:
                    time.sleep(0.06)  # noqa: ASYNC251 - that is the point
                else:
                    await asyncio.sleep(0.06)
        assert await asyncio.to_thread(server.is_left)

    with RawServer(say) as server:
        asyncio.run(run())
        assert len(server.talks) == 3


def test_a_connection_that_was_given_up_unnoticed_is_not_used() -> None:
    """The server closed it while the program was busy: the submission goes over another one, and is no unknown one."""

    def say(talk: Talk) -> None:
        if talk.path.endswith("text2img"):
            talk.answer({"status": "processing", "id": 7, "eta": 5})
        else:
            talk.answer(BALANCE)
            hang_up(talk)

    async def run() -> None:
        async with ours(server.url, retry=RetryPolicy(attempts=1)) as pony:
            await pony.balance()
            time.sleep(0.05)  # noqa: ASYNC251 - that is the point
            assert (await pony.submit(TextToImage("x"))).id == 7

    with RawServer(say) as server:
        asyncio.run(run())
        assert posts(server) == 1


@pytest.mark.parametrize("most", [1, 4])
def test_whatever_is_broken_off_no_answer_goes_astray(most: int) -> None:
    """Three hundred calls, cancelled at random moments, timed out, cut short, answered twice."""
    chance = random.Random(20261201)  # noqa: S311 - moments, no secrets
    replies: dict[int, object] = {}

    def say(talk: Talk) -> None:
        number, dice = number_of(talk), random.Random(number_of(talk)).random()  # noqa: S311 - moments, no secrets
        talk.server.over.wait(0.002)
        whole = answer_of(number)
        if dice < 0.4:
            talk.send(whole + answer_of(number + 10_000))
        elif dice < 0.5:
            half(talk)
        elif dice < 0.6:
            talk.send(whole[:60], whole[60:], pause=0.02)
        else:
            talk.send(whole)

    async def one(pony: AsyncPonyClient, number: int) -> None:
        task = asyncio.create_task(pony._calls.send(look_at(number)))
        if number % 2:
            await asyncio.sleep(chance.random() * 0.01)
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            replies[number] = await task

    async def run() -> None:
        async with ours(server.url, max_in_flight=most, timeout=0.3) as pony:
            for start in range(0, 300, 4):
                await asyncio.gather(*(one(pony, start + place) for place in range(4)))
            assert asyncio.all_tasks() == {asyncio.current_task()}
            assert not pony._calls.gate.locked()
        assert await asyncio.to_thread(server.is_left)

    with RawServer(say) as server:
        asyncio.run(run())
    answered = {number: reply for number, reply in replies.items() if isinstance(reply, Reply)}
    assert [number for number, reply in answered.items() if not is_its_own(reply, number)] == []
    assert len(answered) > 100


# --- answers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("client", [ours, lent])
def test_answers_come_packed_and_are_bounded(client: Client) -> None:
    """gzip is undone by us; of one without an end no more than 4 MiB is taken, and nothing goes on behind it."""

    def say(talk: Talk) -> None:
        if len(talk.server.talks) == 1:
            talk.answer(gzip.compress(json.dumps(BALANCE).encode()), headers="content-encoding: gzip\r\n")
        else:
            talk.answer(b'{"status": "success"' + b" " * 9_000_000)

    async def run() -> None:
        async with client(server.url, timeout=5.0) as pony:
            assert (await pony.balance()).balance == 1
            reply = await pony._calls.send(look_at(1))
            for _ in range(5):  # what httpx left to be collected
                await asyncio.sleep(0)
            if client is ours:
                assert asyncio.all_tasks() == {asyncio.current_task()}
            assert isinstance(reply, Reply)
            assert 4 * 1024 * 1024 < len(reply.body) < 5 * 1024 * 1024
            assert await asyncio.to_thread(server.is_left)

    with RawServer(say) as server:
        asyncio.run(run())


@pytest.mark.parametrize("begins", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 4000\r\n\r\n"], ids=["head", "body"])
def test_what_trickles_ends_with_the_call(begins: bytes) -> None:
    """aiohttp limits each read; the whole is limited here, and its connection left."""

    def say(talk: Talk) -> None:
        talk.send(begins)
        talk.trickle(b"HTTP/1.1 200 OK\r\nx: " + b" " * 4000)

    async def run() -> None:
        async with ours(server.url, timeout=0.2) as pony:
            lost = await asyncio.wait_for(pony._calls.send(look_at(1)), 5)
            assert isinstance(lost, Lost)
            assert lost.sent
            assert await asyncio.to_thread(server.is_left)

    with RawServer(say) as server:
        asyncio.run(run())


# --- what is left ---------------------------------------------------------------------------------------


def test_a_closed_client_leaves_no_session_behind() -> None:
    """Nothing is complained of when it is collected: neither by aiohttp nor by asyncio."""
    complaints: list[dict[str, Any]] = []

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        async with ours(server.url) as pony:
            await asyncio.gather(*(pony.balance() for _ in range(8)))
        assert await asyncio.to_thread(server.is_left)
        del pony
        gc.collect()

    with RawServer(lambda talk: talk.answer(BALANCE)) as server:
        asyncio.run(run())
    gc.collect()
    assert complaints == []


def test_a_call_under_way_when_the_client_is_closed_is_an_unknown_one() -> None:
    """aiohttp cuts it off: at once, and after the request was sent."""
    came = threading.Event()

    def say(talk: Talk) -> None:
        came.set()
        talk.wait_until_left()

    async def run() -> None:
        pony = AsyncPonyClient(KEY, base_url=server.url, http_client="aiohttp")
        task = asyncio.create_task(pony.submit(TextToImage("x")))
        await asyncio.to_thread(came.wait, 5)
        await pony.close()
        with pytest.raises(errors.SubmissionUnknown):
            await asyncio.wait_for(task, 2)
        assert await asyncio.to_thread(server.is_left)

    with RawServer(say) as server:
        asyncio.run(run())
        assert posts(server) == 1
