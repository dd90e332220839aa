"""Connections behind TLS: used again, left when the client is closed, and made to nobody who cannot say who it is."""

from __future__ import annotations

import gc
import socket
import ssl
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from modelslab_pony import RetryPolicy, TextToImage, _connections, errors
from support.both import Colour
from support.raw_server import Talk, connections
from support.tls import TlsServer, certificate

BALANCE = {"status": "success", "data": {"balance": 1}}


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def trusted(certified: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The certificate, which our clients trust."""
    trusting = ssl.create_default_context(cafile=certified)
    monkeypatch.setattr(_connections, "tls_context", lambda: trusting)
    return certified


options = pytest.mark.parametrize(
    ("name", "given"),
    [("sync", {}), ("async", {}), ("async", {"http_client": "aiohttp"})],
    ids=["sync", "async", "aiohttp"],
)


@options
def test_a_connection_behind_tls_is_used_again_and_left(name: str, given: dict[str, Any], trusted: Path) -> None:
    """One handshake for calls that follow each other."""

    def story(pony: Any) -> Generator[Any, Any, None]:
        for _ in range(3):
            assert (yield pony.balance()).balance == 1

    with TlsServer(lambda talk: talk.answer(BALANCE), trusted) as server:
        Colour(name).play_over(story, server.url, **given)
        assert (len(server.talks), connections(server)) == (3, 1)
        assert server.is_left()


@options
def test_a_server_that_cannot_say_who_it_is_is_sent_nothing(name: str, given: dict[str, Any], certified: Path) -> None:
    """Its certificate is by nobody that is trusted: nothing was sent, and that is told."""

    def story(pony: Any) -> Generator[Any, Any, None]:
        with pytest.raises(errors.TransportError, match="nothing was sent"):
            yield pony.submit(TextToImage("x"))

    with TlsServer(lambda talk: talk.answer(BALANCE), certified) as server:
        Colour(name).play_over(story, server.url, retry=RetryPolicy(attempts=1), **given)
        assert server.talks == []
        assert server.is_left()


@pytest.mark.skipif(not hasattr(socket, "TCP_CORK"), reason="how two records are sent as one is Linux's")
@options
def test_a_record_beyond_an_answer_is_nobodys_answer(name: str, given: dict[str, Any], trusted: Path) -> None:
    """What came in the same packet is out of the socket, and not yet out of TLS: there it is looked for, too."""

    def say(talk: Talk) -> None:
        talk._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        talk.answer({**BALANCE, "data": {"balance": len(talk.server.talks)}})
        talk.answer({**BALANCE, "data": {"balance": 1000}})
        talk._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)

    def story(pony: Any) -> Generator[Any, Any, None]:
        for number in (1, 2, 3):
            assert (yield pony.balance()).balance == number

    with TlsServer(say, trusted) as server:
        Colour(name).play_over(story, server.url, **given)
        assert server.is_left()


@options
def test_an_answer_that_was_given_up_leaves_no_connection(name: str, given: dict[str, Any], trusted: Path) -> None:
    """The other side's goodbye is not waited for: with the client, its connections are closed."""

    def say(talk: Talk) -> None:
        talk.send(b"HTTP/1.1 200 OK\r\ncontent-length: 400\r\n\r\n{")
        talk.wait_until_left()

    def story(pony: Any) -> Generator[Any, Any, None]:
        with pytest.raises(errors.SubmissionUnknown):
            yield pony.submit(TextToImage("x"))

    with TlsServer(say, trusted) as server:
        Colour(name).play_over(story, server.url, timeout=0.2, **given)
        gc.collect()  # what is complained of is complained of here
        assert server.is_left()
