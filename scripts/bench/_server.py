"""A server that is much faster than any client: `python -m bench._server`; and how to have one.

It says what it does by the path. Below `/at-once/` an image is made at once, below `/after-0.2/` too, but the answer
takes 0.2 seconds on its way; below `/wait-3/` it takes three seconds, and the answer to `fetch` says when it was
ready (the monotonic clock, which is one for all processes); below `/large/` the image is a file of 100 MB, which a
thread sends from one piece of memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import socket
import subprocess
import threading
import time
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any

from attrs import frozen

from bench._measure import environment, open_many_files, peer_python
from bench._same import PROMPT, SEED

FILE_BYTES = 100_000_000
PIECE = 1_000_000
_FIRST = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".ljust(PIECE, b"\x01")
_MIDDLE = bytes(PIECE)
_LAST = b"\0\0\0\0IEND\xaeB`\x82".rjust(PIECE, b"\x01")
_META = {"prompt": PROMPT, "model_id": "pony-realism", "W": 1024, "H": 1024, "steps": 30, "seed": SEED, "n_samples": 1}


def _template(body: dict[str, Any], *holes: str) -> bytes:
    """Return an answer with a hole for its length, then for each "@", as a bytes format."""
    text = json.dumps(body)
    for hole in holes:
        text = text.replace('"@"', hole, 1)
    return text.encode()


_HEAD = b"HTTP/1.1 200 OK\r\ndate: Sun, 29 Nov 2026 06:00:00 GMT\r\nserver: bench\r\n"
_HEAD += b"content-type: application/json\r\ncontent-length: %d\r\n\r\n"
_SUCCESS = _template(
    {
        "status": "success",
        "generationTime": 2.3,
        "id": "@",
        "output": ["@"],
        "proxy_links": ["@"],
        "nsfw_content_detected": False,
        "meta": {**_META, "ready": "@"},
        "tip": "",
    },
    "%d",
    '"%s"',
    '"%s"',
    "%.6f",
)
_PROCESSING = _template(
    {
        "status": "processing",
        "tip": "",
        "eta": "@",
        "message": "Try to fetch request after seconds estimated",
        "id": "@",
        "output": [],
        "meta": _META,
    },
    "%.3f",
    "%d",
)


class Jobs:
    """What was accepted, and what the clients did with their connections."""

    def __init__(self, file_url: bytes) -> None:
        self.file_url = file_url
        self.ready: list[float] = []
        """When each job is ready; all of one run take as long, so these ascend."""
        self.open = self.peak = 0

    def text2img(self, first: bytes) -> bytes:
        """Return the answer to a request for an image, by the first part of its path."""
        if first.startswith(b"wait-"):
            seconds = float(first[5:])
            self.ready.append(time.monotonic() + seconds)
            return _PROCESSING % (seconds, len(self.ready))
        url = self.file_url if first == b"large" else b"https://cdn.example/generations/0-1.png"
        return _SUCCESS % (1, url, url, time.monotonic())

    def fetch(self, body: bytes) -> bytes:
        """Return where a job stands."""
        number = int(json.loads(body)["request_id"])
        ready, now = self.ready[number - 1], time.monotonic()
        if now < ready:
            return _PROCESSING % (ready - now, number)
        url = b"https://cdn.example/generations/%d-1.png" % number
        return _SUCCESS % (number, url, url, ready)

    def stats(self) -> bytes:
        """Return what is under way, as JSON."""
        accepted = len(self.ready)
        waiting = accepted - bisect_right(self.ready, time.monotonic())
        return json.dumps({"accepted": accepted, "waiting": waiting, "open": self.open, "peak": self.peak}).encode()


class Connection(asyncio.Protocol):
    """One connection, kept alive; each answer is one write."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs, self._buffer, self._counts = jobs, b"", True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count it."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a socket's is one
        self._transport = transport
        self._jobs.open += 1
        self._jobs.peak = max(self._jobs.peak, self._jobs.open)

    def connection_lost(self, fault: Exception | None) -> None:  # noqa: ARG002 - however it ended
        """Count it no more."""
        self._jobs.open -= self._counts

    def data_received(self, data: bytes) -> None:
        """Answer each request that is whole."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end]
            at = head.lower().find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self._buffer) < end + 4 + length:
                return
            body, self._buffer = self._buffer[end + 4 : end + 4 + length], self._buffer[end + 4 + length :]
            path = head.split(b" ", 2)[1].split(b"/")
            answer = self._answer(path, body)
            if path[1].startswith(b"after-"):
                loop = asyncio.get_running_loop()
                loop.call_later(float(path[1][6:]), self._transport.write, _HEAD % len(answer) + answer)
            else:
                self._transport.write(_HEAD % len(answer) + answer)

    def _answer(self, path: list[bytes], body: bytes) -> bytes:
        if path[-1] == b"text2img":
            return self._jobs.text2img(path[1])
        if path[-1] == b"fetch":
            return self._jobs.fetch(body)
        if self._counts:  # whoever asks only looks on
            self._counts = False
            self._jobs.open -= 1
        if path[-1] == b"begin":  # what came before was to get warm
            self._jobs.peak = self._jobs.open
        return self._jobs.stats()


def send_files(listening: socket.socket) -> None:
    """Answer everything with the file, each connection in a thread of its own."""
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=_send_file, args=(connection,), daemon=True).start()


def _send_file(connection: socket.socket) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: %d\r\n\r\n" % FILE_BYTES
    received = b""
    with connection, contextlib.suppress(OSError):
        while data := connection.recv(65536):
            received += data
            if received.endswith(b"\r\n\r\n"):
                received = b""
                connection.sendall(head)
                for piece in [_FIRST, *[_MIDDLE] * (FILE_BYTES // PIECE - 2), _LAST]:
                    connection.sendall(piece)


async def main() -> None:
    """Serve until killed."""
    open_many_files()
    files = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=send_files, args=(files,), daemon=True).start()
    jobs = Jobs(b"http://127.0.0.1:%d/generations/large.png" % files.getsockname()[1])
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(jobs), "127.0.0.1", 0, backlog=20_000)
    print(server.sockets[0].getsockname()[1], jobs.file_url.decode(), flush=True)
    await server.serve_forever()


# --- for those who measure ---------------------------------------------------------------------


@frozen
class Service:
    """A running server."""

    url: str
    file_url: str
    observer: http.client.HTTPConnection

    def base(self, first: str) -> str:
        """Return the base URL of a client; see the top of this module for what comes first."""
        return f"{self.url}/{first}/v6/images"

    def stats(self, path: str = "/stats") -> dict[str, int]:
        """Return what is under way; with "/begin", what was before counts no more."""
        self.observer.request("GET", path)
        found: dict[str, int] = json.loads(self.observer.getresponse().read())
        return found


@contextlib.contextmanager
def running() -> Iterator[Service]:
    """Run a server in a process of its own."""
    command = [peer_python(), "-m", "bench._server"]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None  # noqa: S101 - a pipe was asked for
            port, file_url = process.stdout.readline().split()
            observer = http.client.HTTPConnection("127.0.0.1", int(port), timeout=30)
            service = Service(url=f"http://127.0.0.1:{port}", file_url=file_url, observer=observer)
            service.stats("/begin")
            yield service
            observer.close()
        finally:
            process.kill()


if __name__ == "__main__":
    asyncio.run(main())
