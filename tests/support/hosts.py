"""Several hosts on this machine that keep every byte that comes to them."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

from attrs import define, field, frozen


@frozen
class Said:
    """What a host answers."""

    status: int = 200
    body: Any = b""
    """Bytes, or what becomes JSON."""
    headers: tuple[tuple[str, str], ...] = ()
    reason: str = "OK"

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@frozen
class Asked:
    """A request as it came over the wire."""

    line: str
    head: bytes
    """The request line and the headers."""
    body: bytes

    @property
    def path(self) -> str:
        return self.line.split(" ")[1]


Answer = Callable[[Asked], Said]


@define(eq=False)
class Host:
    """A listener with an address of its own; `answer` may be set at any time."""

    name: str
    url: str
    answer: Answer
    asked: list[Asked] = field(factory=list)

    @property
    def heard(self) -> bytes:
        """Every byte that came."""
        return b"\n".join(one.head + one.body for one in self.asked)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    host: Host

    def handle_error(self, *_: Any) -> None:
        """Say nothing: a client may go away at any time."""


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server
    raw_requestline: bytes
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        head = self.raw_requestline + bytes(self.headers)
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        asked = Asked(self.requestline, head, body)
        self.server.host.asked.append(asked)
        said = self.server.host.answer(asked)
        self.send_response_only(said.status, said.reason)
        for name, value in (*said.headers, ("content-length", str(len(said.content)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(said.content)

    do_GET = do_POST = do_HEAD = do_PUT = _serve  # noqa: N815 - http.server's names

    def log_message(self, *_: Any) -> None:
        pass


def nothing(_: Asked) -> Said:
    """Answer that there is nothing."""
    return Said(404, {"status": "error", "message": "nothing here"}, reason="Not Found")


@contextlib.contextmanager
def listening(name: str, address: str = "127.0.0.1", answer: Answer = nothing) -> Iterator[Host]:
    """Have a host listen; every address in 127.0.0.0/8 is another host."""
    with _Server((address, 0), _Handler) as server:
        server.host = Host(name, f"http://{address}:{server.server_port}", answer)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server.host
        finally:
            server.shutdown()
            thread.join()
