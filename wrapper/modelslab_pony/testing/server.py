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
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from modelslab_pony.testing import _control, _page
from modelslab_pony.testing._simulator import Simulator
from modelslab_pony.testing._spec import BASE_PATH
from modelslab_pony.testing._wire import Protocol, WireResponse

HOST = "127.0.0.1"
START_LIMIT = 10.0
"""Seconds that a server may take to start."""
__all__ = ["BASE_PATH", "HOST", "Server", "asgi", "bind", "serving"]

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]


def asgi(simulator: Simulator, *, is_closing: Callable[[], bool] = lambda: False) -> Starlette:
    """Return the simulator as an ASGI application, with a page at `/` for people.

    `is_closing`, asked after each request, says whether connections are to end with their answer.
    """

    async def answer(request: Request) -> Response:
        found = simulator.answer(request.method, str(request.url), await request.body())
        return WireResponse(found, is_last=is_closing())

    app = Starlette(routes=[Route("/", _page.page), _control.ROUTES, Route("/{path:path}", answer, methods=METHODS)])
    app.state.simulator = simulator
    return app


def bind(port: int = 0) -> socket.socket:
    """Return a listening socket on this machine; 0 takes a free port. Raises `OSError`."""
    listening = socket.create_server((HOST, port), backlog=128)
    # asyncio does it only for sockets that name their protocol; without it each answer waits 40 ms
    # for the client to acknowledge the headers. Accepted sockets inherit it.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


class Server(uvicorn.Server):
    """A server that posts the webhooks of its simulator, and closes its door when that is demanded."""

    def __init__(self, simulator: Simulator, listening: socket.socket) -> None:
        app = asgi(simulator, is_closing=self._is_closing)
        super().__init__(
            uvicorn.Config(app, http=Protocol, ws="none", lifespan="off", log_level="warning", access_log=False)
        )
        self._simulator = simulator
        self._listening = listening
        self._port: int = listening.getsockname()[1]
        self._opening: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def base_url(self) -> str:
        """What a client takes."""
        return f"http://{HOST}:{self._port}{BASE_PATH}"

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until asked to stop."""
        super().run(sockets or [self._listening])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        self._loop, self._thread = asyncio.get_running_loop(), threading.get_ident()
        await super().startup(sockets)
        self._simulator.faults.changed = self._faults_changed
        self._tend_door()

    async def on_tick(self, counter: int) -> bool:
        """Post what is due; uvicorn asks ten times a second whether to go on."""
        self._begin(self._simulator.deliver_async())
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen no more, and finish what was begun."""
        self._simulator.faults.changed = lambda: None
        self._loop = None
        if self._opening is not None:
            self._opening.cancel()
        await super().shutdown(sockets)

    # --- the door: closed while a refusal is next in line --------------------------------------

    def _is_closing(self) -> bool:
        self._tend_door()
        return self._opening is not None

    def _faults_changed(self) -> None:
        """Have the door as the faults want it before the caller goes on, whichever thread it is in."""
        if self._loop is None:
            return
        if threading.get_ident() == self._thread:
            self._tend_door()
        else:
            done = threading.Event()
            self._loop.call_soon_threadsafe(self._tend_door)
            self._loop.call_soon_threadsafe(done.set)
            done.wait(START_LIMIT)

    def _tend_door(self) -> None:
        refusal = self._simulator.faults.refusal()
        if refusal is not None and self._opening is None and self._loop is not None:
            for listener in self.servers:
                listener.close()
            self.servers.clear()
            for connection in list(self.server_state.connections):
                connection.shutdown()
            self._opening = self._loop.call_later(refusal.seconds, self._time_is_up)
        elif refusal is None and self._opening is not None:
            self._opening.cancel()
            self._begin(self._open())

    def _time_is_up(self) -> None:
        self._simulator.faults.take_refusal()
        refusal = self._simulator.faults.refusal()
        if refusal is not None and self._loop is not None:
            self._opening = self._loop.call_later(refusal.seconds, self._time_is_up)
        else:
            self._begin(self._open())

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()

        def speak() -> Protocol:
            return Protocol(config=self.config, server_state=self.server_state, app_state={})

        self.servers.append(await loop.create_server(speak, sock=bind(self._port)))
        self._opening = None
        self._tend_door()

    def _begin(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)  # the loop itself keeps no hold of it
        task.add_done_callback(self._tasks.discard)


@contextlib.contextmanager
def serving(simulator: Simulator, port: int = 0) -> Iterator[str]:
    """Serve a simulator from a thread; give the base URL that a client takes."""
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
