"""The simulator over real HTTP: an ASGI application, and a server of it in a thread."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from modelslab_pony.testing._simulator import Simulator

HOST = "127.0.0.1"
BASE_PATH = "/api/v6/images"
START_LIMIT = 10.0
"""Seconds that a server may take to start."""


def asgi(simulator: Simulator) -> Starlette:
    """Return the simulator as an ASGI application."""

    async def answer(request: Request) -> Response:
        answer = simulator.answer(request.method, str(request.url), await request.body())
        return Response(answer.content, answer.status_code, media_type=answer.content_type)

    return Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])])


def bind(port: int = 0) -> socket.socket:
    """Return a listening socket on this machine; 0 takes a free port. Raises `OSError`."""
    return socket.create_server((HOST, port), backlog=128)


def server(simulator: Simulator) -> uvicorn.Server:
    """Return a server that logs only what goes wrong."""
    return uvicorn.Server(uvicorn.Config(asgi(simulator), log_level="warning", lifespan="off", access_log=False))


@contextlib.contextmanager
def serving(simulator: Simulator, port: int = 0) -> Iterator[str]:
    """Serve a simulator from a thread; give the base URL that a client takes."""
    listening = bind(port)
    running = server(simulator)
    thread = threading.Thread(target=running.run, args=([listening],), daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + START_LIMIT
        while not running.started:
            if not thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError(f"the simulator's server did not start on {listening.getsockname()}")
            time.sleep(0.01)
        yield f"http://{HOST}:{listening.getsockname()[1]}{BASE_PATH}"
    finally:
        running.should_exit = True
        thread.join(START_LIMIT)
        listening.close()
