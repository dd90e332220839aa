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
from support.fuzz.play import REQUEST, Clock

JOB = b'{"status": "processing", "id": 70010006}'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
WHOLE = HEAD + b"Content-Length: %d\r\n\r\n" % len(JOB) + JOB
ODD: dict[str, bytes] = {
    "nothing": b"",
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "random": bytes(range(256)) * 40,
    "half a status line": b"HTTP/1.1 20",
    "a status without a number": b"HTTP/1.1 OK\r\n\r\n",
    "a status of one digit": b"HTTP/1.1 2 OK\r\n\r\n",
    "a status beyond all": b"HTTP/1.1 9999 OK\r\n\r\n",
    "another version": b"HTTP/3.0 200 OK\r\n\r\n" + JOB,
    "HTTP 0.9": JOB,
    "only a continue": b"HTTP/1.1 100 Continue\r\n\r\n",
    "many continues": b"HTTP/1.1 100 Continue\r\n\r\n" * 2000 + WHOLE,
    "switching": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    "a header without a colon": HEAD + b"nonsense\r\n\r\n" + JOB,
    "a header of 100 kB": HEAD + b"X-Long: " + b"x" * 100_000 + b"\r\nContent-Length: 40\r\n\r\n" + JOB,
    "headers of 1 MB": HEAD + b"".join(b"X-%d: %s\r\n" % (number, b"y" * 90) for number in range(10_000)) + b"\r\n",
    "a header with zeros": HEAD + b"X-\x00: \x00\r\n\r\n" + JOB,
    "a status line of 100 kB": b"HTTP/1.1 200 " + b"x" * 100_000 + b"\r\n\r\n" + JOB,
    "two lengths": HEAD + b"Content-Length: 40\r\nContent-Length: 4\r\n\r\n" + JOB,
    "a length below nothing": HEAD + b"Content-Length: -1\r\n\r\n" + JOB,
    "a length of 5000 digits": HEAD + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n" + JOB,
    "a length that is none": HEAD + b"Content-Length: forty\r\n\r\n" + JOB,
    "too long a length": HEAD + b"Content-Length: 4000\r\n\r\n" + JOB,
    "too short a length": HEAD + b"Content-Length: 4\r\n\r\n" + JOB,
    "chunks of garbage": HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + JOB,
    "a chunk cut off": HEAD + b"Transfer-Encoding: chunked\r\n\r\nffff\r\n" + JOB,
    "no last chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n28\r\n" + JOB + b"\r\n",
    "a chunk too long": HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 30 + b"\r\n" + JOB,
    "length and chunks": HEAD
    + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n28\r\n"
    + JOB
    + b"\r\n0\r\n\r\n",
    "an unknown transfer": HEAD + b"Transfer-Encoding: gzip\r\n\r\n" + JOB,
    "gzip that is none": HEAD + b"Content-Encoding: gzip\r\nContent-Length: 40\r\n\r\n" + JOB,
    "an answer and more": WHOLE + WHOLE,
    "bare line feeds": WHOLE.replace(b"\r\n", b"\n"),
    "whole": WHOLE,
}
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
