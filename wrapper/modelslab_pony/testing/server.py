"""The simulator over real HTTP: an ASGI application, and a server of it in a thread.

The server does on the wire what the transport does to httpx: it stops listening, drops connections,
states wrong lengths. Under another ASGI server those three end in a broken connection at best.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import lru_cache
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from modelslab_pony.testing import _control, _page
from modelslab_pony.testing._door import HOST, Door, reserve
from modelslab_pony.testing._simulator import Simulator
from modelslab_pony.testing._spec import BASE_PATH
from modelslab_pony.testing._wire import Protocol, WireResponse

START_LIMIT = 10.0
"""Seconds that a server may take to start."""
GRACE = 0.3
"""Seconds that an answer may take when the server is asked to stop."""
__all__ = ["BASE_PATH", "HOST", "Server", "asgi", "bind", "serving"]

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]


def asgi(
    simulator: Simulator,
    *,
    settle: Callable[[], Awaitable[bool]] | None = None,
    deliver: Callable[[], Awaitable[object]] | None = None,
) -> Starlette:
    """Return the simulator as an ASGI application, with a page at `/` for people.

    A server with a door of its own gives `settle`, which is awaited after each request and says
    whether its connection is to end with the answer; and `deliver`, if it posts webhooks in its own way.
    """

    async def answer(request: Request) -> Response:
        path, root = request.scope.get("raw_path") or request.url.path.encode(), request.scope.get("root_path", "")
        url = f"{request.url.scheme}://{request.url.netloc}{path.decode('ascii', 'replace')}"
        try:
            body = await request.body()
        except ClientDisconnect:
            return Response()  # to nobody
        found = simulator.answer(request.method, url, body, root=root, has_door=settle is not None)
        is_last = settle is not None and await settle()
        return WireResponse(found, is_last=is_last, after=deliver or simulator.deliver_async)

    app = Starlette(routes=[Route("/", _page.page), _control.ROUTES, Route("/{path:path}", answer, methods=METHODS)])
    app.state.simulator = simulator
    app.state.thumbnail = lru_cache(maxsize=256)(_page.thumbnail)
    return app


def bind(port: int = 0) -> socket.socket:
    """Return a listening socket on this machine; 0 takes a free port. Raises `OSError`."""
    reserved = reserve(port)
    reserved.listen(128)
    return reserved


class Server(uvicorn.Server):
    """A server that posts the webhooks of its simulator, and closes its door when that is demanded."""

    def __init__(self, simulator: Simulator, listening: socket.socket) -> None:
        app = asgi(simulator, settle=lambda: self._door.settle(), deliver=self._deliver)  # noqa: PLW0108 - made below
        super().__init__(
            uvicorn.Config(app, http=Protocol, ws="none", lifespan="off", log_level="warning", access_log=False)
        )
        self._simulator = simulator
        self._listening = listening
        self._port: int = listening.getsockname()[1]
        self._door = Door(self, simulator.faults, self._port)
        self._posting: set[asyncio.Task[Any]] = set()

    @property
    def base_url(self) -> str:
        """What a client takes."""
        return f"http://{HOST}:{self._port}{BASE_PATH}"

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until asked to stop."""
        await super().serve(sockets or [self._listening])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, unless that is to be refused."""
        await super().startup(sockets)
        await self._door.attend()

    async def on_tick(self, counter: int) -> bool:
        """Post what is due; uvicorn asks ten times a second whether to go on."""
        await self._deliver()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen no more, and give what is under way a moment; a late answer is not waited for."""
        await self._door.leave()
        asyncio.get_running_loop().call_later(GRACE, self._abort)
        await super().shutdown(sockets)
        for task in self._posting:
            task.cancel()
        await asyncio.gather(*self._posting, return_exceptions=True)

    async def _deliver(self) -> None:
        """Begin to post what is due: nobody waits for an application that does not answer."""
        task = asyncio.get_running_loop().create_task(self._simulator.deliver_async())
        self._posting.add(task)  # the loop itself keeps no hold of it
        task.add_done_callback(self._posting.discard)

    def _abort(self) -> None:
        for connection in list(self.server_state.connections):
            transport: Any = connection.transport
            transport.abort()


@contextlib.contextmanager
def serving(simulator: Simulator, port: int = 0) -> Iterator[str]:
    """Serve a simulator from a thread; give the base URL that a client takes.

    0 takes a free port. Raises `OSError` for a port that is taken, `RuntimeError` for a server that does not start.
    """
    listening = bind(port)
    running = Server(simulator, listening)
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + START_LIMIT
        while not running.started:
            if not thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError(f"the simulator's server did not start on {listening.getsockname()}")
            time.sleep(0.01)
        yield running.base_url
    finally:
        running.should_exit = True
        thread.join(START_LIMIT)
        listening.close()
