"""An application that takes webhooks, on a real port of this machine, for either client."""

from __future__ import annotations

import asyncio
import contextlib
import json
import queue
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import uvicorn
from attrs import frozen

from modelslab_pony import PonyError
from modelslab_pony.testing._door import HOST, reserve
from modelslab_pony.testing.server import bind
from modelslab_pony.webhooks import Receiver

TOKEN = "hook-token-0123456789-abc"
START_LIMIT = 10.0
"""Seconds that a server may take to start."""
CONFIRM_LIMIT = 20.0
"""Seconds that asking for the truth of a webhook may take."""


@frozen
class Told:
    """News of a job, as far as a caller of these tests looks at it."""

    generation: Any


class Confirming:
    """Takes a webhook as a hint, asks the service itself, and tells what it said: for a client that blocks."""

    def __init__(self, pony: Any, on_done: Any, *, token: str) -> None:
        self._pony, self._on_done, self._token = pony, on_done, token

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request: 204 when the application was told, 503 when it could not be."""
        content, more = b"", True
        while more:
            message = await receive()
            content, more = content + message.get("body", b""), message.get("more_body", False)
        code = 403
        if scope["path"].endswith(f"/{self._token}"):
            code = await self._told(json.loads(content)["id"])
        await send({"type": "http.response.start", "status": code, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    async def _told(self, job_id: Any) -> int:
        try:
            status = await asyncio.to_thread(self._pony.fetch, job_id)
            generation = status.generation
            if not status.done:
                generation = await asyncio.to_thread(self._pony.job(job_id).wait, CONFIRM_LIMIT)
            await self._on_done(Told(generation))
        except (PonyError, RuntimeError):
            return 503
        return 204

    def url(self, base: str) -> str:
        """Return what a request names."""
        return f"{base}/{self._token}"


@frozen
class Hook:
    """What a caller has of it: where to post to, and a way to wait for the first news."""

    url: str
    wait: Any


def _on_done(put: Any, hook: str) -> Any:
    async def told(status: Any) -> None:
        if hook == "failing":
            raise RuntimeError("the application's database is away")
        put(status)

    return told


def _server(app: Any) -> uvicorn.Server:
    return uvicorn.Server(uvicorn.Config(app, ws="none", lifespan="off", log_level="critical", access_log=False))


@contextlib.contextmanager
def blocking(pony: Any, hook: str) -> Iterator[Hook]:
    """Give the application of a blocking client: a server in a thread."""
    news: queue.Queue[Any] = queue.Queue()

    def wait(limit: float) -> Any:
        with contextlib.suppress(queue.Empty):
            return news.get(timeout=limit)
        return None

    if hook == "none":
        yield Hook("", wait)
        return
    app = Confirming(pony, _on_done(news.put, hook), token=TOKEN)
    with _listening(hook) as listening:
        url = app.url(f"http://{HOST}:{listening.getsockname()[1]}")
        server = _server(app)
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        if hook != "closed":
            thread.start()
            deadline = time.monotonic() + START_LIMIT
            while not server.started and time.monotonic() < deadline:
                time.sleep(0.01)
        try:
            yield Hook(url, wait)
        finally:
            server.should_exit = True
            if hook != "closed":
                thread.join(START_LIMIT)


@contextlib.asynccontextmanager
async def awaited(pony: Any, hook: str) -> AsyncIterator[Hook]:
    """Give the application of a client that is awaited: a server in its own loop."""
    news: asyncio.Queue[Any] = asyncio.Queue()

    async def wait(limit: float) -> Any:
        with contextlib.suppress(TimeoutError):
            return await asyncio.wait_for(news.get(), limit)
        return None

    if hook == "none":
        yield Hook("", wait)
        return
    app = Receiver(pony, _on_done(news.put_nowait, hook), token=TOKEN)
    with _listening(hook) as listening:
        url = app.url(f"http://{HOST}:{listening.getsockname()[1]}")
        server = _server(app)
        running = None
        if hook != "closed":
            running = asyncio.ensure_future(server.serve([listening]))
            while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
                await asyncio.sleep(0.01)
        try:
            yield Hook(url, wait)
        finally:
            server.should_exit = True
            if running is not None:
                await running


@contextlib.contextmanager
def _listening(hook: str) -> Iterator[Any]:
    """Give a socket that listens; of an application that is away, one that holds its port and does not."""
    listening = reserve() if hook == "closed" else bind()
    with listening:
        yield listening
