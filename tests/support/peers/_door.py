"""HTTPS on this machine, a connection for each request, with a hand on the socket: what no server does by itself."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Literal

from attrs import field, frozen

LATE = 5.0
"""Seconds that a late answer takes; every limit that a client lets itself be given is shorter."""
PAUSE = 0.25
"""Seconds between two bytes of an answer that trickles; every limit is ten times longer, for a machine that is busy."""
OVERSIZE = 300 * 2**20
"""More bytes than any image has."""
_FOR_EVER = 2**20
_ZEROS = bytes(2**20)

Way = Literal["whole", "silence", "half", "late", "trickle", "no length", "oversized"]


@frozen
class Request:
    method: str
    path: str
    headers: dict[str, str]
    """By names in small letters."""
    body: bytes


@frozen
class Answer:
    content: bytes
    status: int = 200
    type: str = "application/json"
    headers: dict[str, str] = field(factory=dict)
    way: Way = "whole"
    """How it gets to the client."""


class Door(socketserver.ThreadingTCPServer):
    """A port of its own. `hangs_up` is asked at each connection, before a byte of it is read."""

    request_queue_size = 64

    def __init__(self, tls: ssl.SSLContext, answer: Callable[[Request], Answer], hangs_up: Callable[[], bool]) -> None:
        super().__init__(("127.0.0.1", 0), socketserver.BaseRequestHandler)
        self._tls, self._answer, self._hangs_up = tls, answer, hangs_up
        self._closed = threading.Event()
        self.mistakes: list[BaseException] = []

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        """Serve; at the end of the block no thread is left."""
        thread = threading.Thread(target=self.serve_forever, args=(0.2,))
        thread.start()
        try:
            yield
        finally:
            self._closed.set()
            self.shutdown()
            thread.join()
            self.server_close()

    def finish_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:  # noqa: ARG002 - socketserver's signature
        """Answer one request."""
        assert isinstance(request, socket.socket)
        if self._hangs_up():
            return
        request.settimeout(10)
        # A client that gives up, or is ended, is an ordinary end of a connection.
        with contextlib.suppress(OSError), self._tls.wrap_socket(request, server_side=True) as wire:
            asked = _read(wire)
            if asked is not None:
                self._send(wire, self._answer(asked))

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 - socketserver's signature
        """Keep what must not happen."""
        mistake = sys.exc_info()[1]
        assert mistake is not None
        self.mistakes.append(mistake)

    def _send(self, wire: ssl.SSLSocket, answer: Answer) -> None:
        if answer.way == "silence" or (answer.way == "late" and self._closed.wait(LATE)):
            return
        content = answer.content
        shown = content[: len(content) // 2] if answer.way in {"half", "no length"} else content
        length = {"trickle": _FOR_EVER, "oversized": OVERSIZE}.get(answer.way, len(content))
        wire.sendall(_head(answer, None if answer.way == "no length" else length))
        if answer.way == "trickle":
            for number in range(_FOR_EVER):
                wire.sendall(content[number : number + 1] or b" ")
                if self._closed.wait(PAUSE):
                    return
        wire.sendall(shown)
        if answer.way == "oversized":
            for start in range(len(shown), OVERSIZE, len(_ZEROS)):
                wire.sendall(_ZEROS[: OVERSIZE - start])


def _head(answer: Answer, length: int | None) -> bytes:
    headers = {"content-type": answer.type, "connection": "close", **answer.headers}
    if length is not None:
        headers["content-length"] = str(length)
    lines = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def _read(wire: ssl.SSLSocket) -> Request | None:
    """Return the request, or None if it does not come whole."""
    got = b""
    while b"\r\n\r\n" not in got:
        more = wire.recv(65536)
        if not more:
            return None
        got += more
    head, _, body = got.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        more = wire.recv(65536)
        if not more:
            return None
        body += more
    return Request(method, path.partition("?")[0], headers, body)
