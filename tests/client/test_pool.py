"""Connections of our own pools: used again while they are good, never after an answer that was not read to its end."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import certifi
import httpx
import pytest
import respx

from modelslab_pony import AsyncPonyClient, PonyClient, PonyError, RetryPolicy, TextToImage, _connections, _pool
from modelslab_pony._steps import Reply, Send
from support.both import KEY, Colour
from support.raw_server import RawServer, Talk, connections

BALANCE = {"status": "success", "data": {"balance": 1}}


def balances(count: int) -> Any:
    def story(pony: Any) -> Generator[Any, Any, None]:
        for _ in range(count):
            assert (yield pony.balance()).balance == 1

    return story


def test_a_connection_is_used_again(colour: Colour) -> None:
    """One for calls that follow each other."""
    with RawServer(lambda talk: talk.answer(BALANCE)) as server:
        colour.play_over(balances(5), server.url)
        assert (len(server.talks), connections(server)) == (5, 1)
        assert server.is_left()


@pytest.mark.parametrize("how", ["closes it", "says so"])
def test_one_that_the_server_gave_up_is_not_used_again(how: str, colour: Colour) -> None:
    """The next call has a new one, and is sent once."""

    def say(talk: Talk) -> None:
        talk.answer(BALANCE, headers="connection: close\r\n" if how == "says so" else "")
        talk._connection.close()

    with RawServer(say) as server:

        def story(pony: Any) -> Generator[Any, Any, None]:
            for _ in range(3):
                yield pony.balance()
                assert server.is_left()

        colour.play_over(story, server.url, retry=RetryPolicy(attempts=1))
        assert (len(server.talks), connections(server)) == (3, 3)


def test_an_answer_that_was_not_read_to_its_end_costs_its_connection(colour: Colour) -> None:
    """What is left of it is nobody else's answer."""

    def say(talk: Talk) -> None:
        if len(talk.server.talks) == 1:
            talk.answer(b'{"status": "success"' + b" " * 9_000_000)
        else:
            talk.answer(BALANCE)

    def story(pony: Any) -> Generator[Any, Any, None]:
        with pytest.raises(PonyError):
            yield pony.submit(TextToImage("x"))
        assert (yield pony.balance()).balance == 1

    with RawServer(say) as server:
        colour.play_over(story, server.url)
        assert connections(server) == 2


def test_what_is_idle_for_too_long_is_closed(colour: Colour, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that keeps it for less time would cost a paid request its answer."""
    monkeypatch.setattr(_connections, "KEPT_ALIVE", -1.0)
    with RawServer(lambda talk: talk.answer(BALANCE)) as server:
        colour.play_over(balances(3), server.url)
        assert connections(server) == 3


def test_threads_get_their_own_answers_over_few_connections() -> None:
    """Sixteen threads, four calls at once: no more connections than calls, each answer to its request."""

    def say(talk: Talk) -> None:
        talk.answer({"status": "processing", "id": int(talk.path.rsplit("/", 1)[-1])})

    with RawServer(say) as server, PonyClient(KEY, base_url=server.url, max_in_flight=4) as pony:

        def one(number: int) -> None:
            reply = pony._calls.send(Send(operation="fetch_by_id", fields={"id": str(number)}))
            assert isinstance(reply, Reply)
            assert f'"id": {number}}}'.encode() in reply.body

        with ThreadPoolExecutor(16) as threads:
            list(threads.map(one, range(300)))
        assert connections(server) <= 4
        assert len(pony._httpx._transport._pool._idle._kept) <= 4  # type: ignore[attr-defined]  # httpx has no name for it


def test_calls_at_once_share_what_is_idle() -> None:
    """A hundred, sixteen at once: at most sixteen connections, all left when the client is closed."""
    with RawServer(lambda talk: talk.answer(BALANCE)) as server:

        async def run() -> None:
            async with AsyncPonyClient(KEY, base_url=server.url) as pony:
                for _ in range(3):
                    await asyncio.gather(*(pony.balance() for _ in range(100)))

        asyncio.run(run())
        assert (len(server.talks), connections(server) <= 16) == (300, True)
        assert server.is_left()


def test_a_call_under_way_when_the_client_is_closed_ends_and_leaves_nothing() -> None:
    """Its connection is not kept for anybody."""
    go = threading.Event()

    def say(talk: Talk) -> None:
        go.wait(5)
        talk.answer(BALANCE)

    with RawServer(say) as server:

        async def run() -> None:
            pony = AsyncPonyClient(KEY, base_url=server.url)
            task = asyncio.create_task(pony.balance())
            await asyncio.sleep(0.05)
            await pony.close()
            go.set()
            assert (await task).balance == 1

        asyncio.run(run())
        assert server.is_left()


def test_places_are_kept_apart() -> None:
    """A connection to another host, or without TLS, is no connection to this one."""
    idle: _pool._Idle[Any] = _pool._Idle(4, 5.0)
    connection = type("Connection", (), {"is_idle": lambda _: True})()
    idle.give((b"http", b"a", 80), connection)
    for place in ((b"https", b"a", 80), (b"http", b"b", 80), (b"http", b"a", 81)):
        assert idle.take(place) is None
    assert idle.take((b"http", b"a", 80)) is connection


def test_the_certificates_are_read_once_and_on_first_need() -> None:
    """Not by an import nor by a client that was made; and the generated client waits for the first call."""
    program = """if True:
        import sys
        from modelslab_pony import AsyncPonyClient, PonyClient, _connections
        made = [kind("k" * 20) for kind in (PonyClient, AsyncPonyClient)]
        heavy = {"modelslab_pony_raw", "aiohttp", "PIL", "starlette", "dbos", "sqlalchemy", "typer", "difflib"}
        print(*sorted(heavy & {name.partition(".")[0] for name in sys.modules}))
        print(_connections.tls_context.cache_info().currsize)
        print(len({id(one._httpx._transport._pool._context()) for one in made}))
    """
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SSL_CERT")}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=clean)
    assert done.stdout.splitlines() == ["", "0", "1"]


@pytest.mark.parametrize(
    ("name", "value"), [("SSL_CERT_FILE", certifi.where()), ("SSL_CERT_DIR", str(Path(certifi.where()).parent))]
)
def test_certificates_that_the_environment_names_are_read_at_once(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake there is found when the client is made, and they are not those of another client."""
    for other in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, value)
    pools: list[Any] = [kind(KEY)._httpx._transport._pool for kind in (PonyClient, AsyncPonyClient)]  # type: ignore[union-attr]  # httpx has no name for it
    assert all(pool._context() is not _connections.tls_context() for pool in pools)


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "ALL_PROXY", "all_proxy"])
def test_proxies_are_left_to_httpx(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No call goes past the one that the environment names."""
    monkeypatch.setenv(name, "http://proxy.example:3128")
    clients: list[Any] = [kind(KEY)._httpx for kind in (PonyClient, AsyncPonyClient)]
    assert all(client.shortcut() is None for client in clients)


class TestWhoeverWatchesSeesEachCall:
    """A recorder that stands in httpx's way, or its log, is not passed by."""

    @respx.mock
    def test_a_mock_of_its_transport(self) -> None:
        route = respx.post("https://modelslab.com/api/wallet_balance").respond(json=BALANCE)
        with PonyClient(KEY) as pony:
            pony.balance()
        assert route.call_count == 1

    @pytest.mark.parametrize("name", ["send", "_send_single_request"])
    def test_a_patch_of_its_send(self, name: str, colour: Colour, monkeypatch: pytest.MonkeyPatch) -> None:
        """The second is where vcrpy stood before its version 8; passed by, a test with a cassette would pay."""
        sent, kind = [], httpx.Client if colour.name == "sync" else httpx.AsyncClient
        send = getattr(kind, name)

        def noted(client: Any, request: httpx.Request, **options: Any) -> Any:
            sent.append(request.url.path)
            return send(client, request, **options)

        monkeypatch.setattr(kind, name, noted)
        with RawServer(lambda talk: talk.answer(BALANCE)) as server:
            colour.play_over(balances(1), server.url)
        assert len(sent) == 1

    @pytest.mark.parametrize("kind", ["Client", "AsyncClient"])
    def test_a_patch_that_was_there_before_us(self, kind: str) -> None:
        """As tracers are that start with the program; wrapped as they wrap, with the name of what was there."""
        program = f"""if True:
            import asyncio, functools, sys, httpx
            send, sent = httpx.{kind}.send, []
            @functools.wraps(send)
            def noted(client, request, **options):
                sent.append(request)
                return send(client, request, **options)
            httpx.{kind}.send = noted
            from modelslab_pony import AsyncPonyClient, PonyClient
            async def ask():
                async with AsyncPonyClient("k" * 20, base_url=sys.argv[1]) as pony:
                    await pony.balance()
            if "{kind}" == "Client":
                PonyClient("k" * 20, base_url=sys.argv[1]).balance()
            else:
                asyncio.run(ask())
            print(len(sent))
        """
        with RawServer(lambda talk: talk.answer(BALANCE)) as server:
            command = [sys.executable, "-c", program, server.url]
            assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "1\n"

    def test_its_log(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO, "httpx")
        with RawServer(lambda talk: talk.answer(BALANCE)) as server, PonyClient(KEY, base_url=server.url) as pony:
            pony.balance()
        assert len([record for record in caplog.records if record.name == "httpx"]) == 1


def test_a_job_takes_one_request_more_than_its_looks(colour: Colour) -> None:
    """Nothing is asked that was not needed: no look at an answer at once, one submission, no other call."""

    def say(talk: Talk) -> None:
        status = "success" if len(talk.server.talks) in {1, 3} else "processing"
        talk.answer({"status": status, "id": 7, "eta": 0, "output": ["https://cdn.example/a.png"]})

    def story(pony: Any) -> Generator[Any, Any, None]:
        yield pony.text2img("x")
        yield pony.text2img("x")

    with RawServer(say) as server:
        colour.play_over(story, server.url)
        assert [talk.path.rsplit("/", 1)[-1] for talk in server.talks] == ["text2img", "text2img", "fetch"]
