"""A server that says byte by byte what a test wants it to say, on a socket of this machine."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Self

Say = Callable[["Talk"], object]


class Talk:
    """One request, and the connection that it came by."""

    def __init__(self, server: RawServer, connection: socket.socket, head: str, body: bytes) -> None:
        self.server, self._connection, self.head, self.body = server, connection, head, body

    @property
    def path(self) -> str:
        return self.head.split(" ", 2)[1]

    def send(self, *pieces: bytes, pause: float = 0.0) -> None:
        for piece in pieces:
            if self.server.over.wait(pause) if pause else False:
                return
            self._connection.sendall(piece)

    def trickle(self, content: bytes, pause: float = 0.02) -> None:
        """Send one byte after the other, until the other side or the test is over."""
        self.send(*(content[index : index + 1] for index in range(len(content))), pause=pause)

    def wait_until_left(self) -> None:
        """Say nothing until the other side closes the connection, or the test is over."""
        self._connection.settimeout(0.05)
        while not self.server.over.is_set():
            with contextlib.suppress(TimeoutError):
                if not self._connection.recv(65536):
                    return

    def answer(self, body: Any, status: str = "200 OK", headers: str = "") -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send(f"HTTP/1.1 {status}\r\ncontent-length: {len(content)}\r\n{headers}\r\n".encode() + content)


class RawServer:
    """Answers each request with `say`; keeps what it got, and whether the other side has left."""

    def __init__(self, say: Say, host: str = "127.0.0.1") -> None:
        self._say = say
        self._listening = socket.create_server((host, 0))
        self.host, self.port = host, self._listening.getsockname()[1]
        self.over = threading.Event()
        self.talks: list[Talk] = []
        self.open = 0
        """Connections that the other side has not left."""
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._listening.close()
        for thread in self._threads:
            thread.join(5)

    def is_left(self, within: float = 5.0, *, but: int = 0) -> bool:
        """Tell whether every connection, but so many, is closed by the other side, soon."""
        end = time.monotonic() + within
        while self.open > but and time.monotonic() < end:
            time.sleep(0.01)  # the other side's close takes its way through the kernel
        return self.open == but

    def _start(self, act: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=act, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        self._listening.settimeout(0.05)
        while not self.over.is_set():
            with contextlib.suppress(TimeoutError, OSError):
                connection, _ = self._listening.accept()
                with self._lock:
                    self.open += 1
                self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(10)
        try:
            with connection, contextlib.suppress(OSError):
                for head, body in _requests(connection):
                    talk = Talk(self, connection, head, body)
                    self.talks.append(talk)
                    self._say(talk)
        finally:
            with self._lock:
                self.open -= 1


def _requests(connection: socket.socket) -> Iterator[tuple[str, bytes]]:
    """Yield the requests of a connection until the other side leaves it."""
    kept = b""
    while True:
        while b"\r\n\r\n" not in kept:
            more = connection.recv(65536)
            if not more:
                return
            kept += more
        head, _, kept = kept.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").lower().split("\r\n")
        length = next((int(line.split(":")[1]) for line in lines if line.startswith("content-length:")), 0)
        while len(kept) < length:
            more = connection.recv(65536)
            if not more:
                return
            kept += more
        yield head.decode("latin-1"), kept[:length]
        kept = kept[length:]


# --- for tests of connections ------------------------------------------------------------------


def posts(server: RawServer) -> int:
    """Return how many images were asked for."""
    return sum(talk.path.endswith("text2img") for talk in server.talks)


def hang_up(talk: Talk) -> None:
    """Close the connection."""
    talk._connection.shutdown(socket.SHUT_RDWR)
    talk._connection.close()


def half(talk: Talk) -> None:
    """Close it within an answer."""
    talk.send(b"HTTP/1.1 200 OK\r\ncontent-length: 400\r\n\r\n{")
    hang_up(talk)


def connections(server: RawServer) -> int:
    """Return over how many connections requests came."""
    return len({id(talk._connection) for talk in server.talks})
