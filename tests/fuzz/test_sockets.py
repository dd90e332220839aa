"""Broken HTTP on a real socket: our own error, or the answer that came whole all the same."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from modelslab_pony import errors
from support.both import Colour
from support.fuzz.judge import TEXT_BOUND
from support.fuzz.odd_http import ODD
from support.fuzz.play import REQUEST, Clock

TAKEN = {"whole", "an answer and more", "bare line feeds", "too long a length", "no last chunk", "a chunk cut off"}
"""Where the job's JSON came whole, whatever became of the connection, it is accepted."""


class Server:
    """Writes the same bytes to whoever asks, then hangs up."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.asked = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                with connection, contextlib.suppress(OSError):
                    connection.settimeout(5)
                    self.asked += bool(connection.recv(65536))
                    connection.sendall(self._answer)
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(65536):
                        pass

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@contextlib.contextmanager
def serving(answer: bytes) -> Iterator[Server]:
    server = Server(answer)
    try:
        yield server
    finally:
        server.close()


def ended(colour: Colour, answer: bytes, call: str) -> tuple[Any, int]:
    """Return what a call gave or raised, and how often the server was asked."""

    def story(pony: Any) -> Any:
        try:
            return (yield pony.submit(REQUEST) if call == "submit" else pony.fetch(7))
        except errors.PonyError as error:
            return error

    kind = httpx.HTTPTransport if colour.name == "sync" else httpx.AsyncHTTPTransport
    with serving(answer) as server:
        base_url = f"http://127.0.0.1:{server.port}/api/v6/images"
        outcome = colour.play_on(story, kind(verify=False), Clock(), base_url=base_url, timeout=5.0)
        return outcome, server.asked


@pytest.mark.parametrize("name", ODD)
def test_broken_http_is_an_error_of_ours(name: str, colour: Colour) -> None:
    """The POST is sent once; it is accepted where that is plain, and otherwise unknown."""
    outcome, asked = ended(colour, ODD[name], "submit")
    assert asked == 1
    if name in TAKEN:
        assert getattr(outcome, "id", None) == 70010006, outcome
    elif isinstance(outcome, errors.PonyError):
        assert isinstance(outcome, errors.SubmissionUnknown)
        assert len(str(outcome)) <= TEXT_BOUND
        assert str(outcome).isprintable()
    else:
        assert outcome.id == 70010006


@pytest.mark.parametrize("name", ODD)
def test_broken_http_does_not_end_a_question_otherwise(name: str, colour: Colour) -> None:
    """Asking about a job costs nothing and is tried three times; what comes of it names the job."""
    outcome, asked = ended(colour, ODD[name], "fetch")
    assert asked <= 6
    if isinstance(outcome, errors.PonyError):
        assert isinstance(outcome, errors.TransportError | errors.APIError)
        assert outcome.job_id == 7
        assert len(str(outcome)) <= TEXT_BOUND
    else:
        assert (outcome.id, outcome.status) == (7, "processing")


def test_both_clients_end_alike() -> None:
    """The same kind of end, for each of these answers."""
    for name, answer in ODD.items():
        both = [ended(Colour(client), answer, "submit")[0] for client in ("sync", "async")]
        assert len({type(one).__name__.removeprefix("Async") for one in both}) == 1, (name, both)
