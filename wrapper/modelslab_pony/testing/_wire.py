"""What goes wrong with an answer, on a real connection."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from modelslab_pony.testing._answers import Answer

EXTENSION = "modelslab_pony.connection"


class Protocol(H11Protocol):
    """HTTP as uvicorn speaks it, which hands its connection to the application."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin with a connection."""
        super().connection_made(transport)
        app: Any = self.app

        async def with_connection(scope: Any, receive: Any, send: Any) -> None:
            scope["extensions"] = {**scope.get("extensions", {}), EXTENSION: {"transport": transport}}
            await app(scope, receive, send)

        self.app = with_connection


class WireResponse(Response):
    """An answer, with what goes wrong on its way; the last one of its connection says so."""

    def __init__(self, answer: Answer, *, is_last: bool, after: Callable[[], Awaitable[object]]) -> None:
        self._answer = answer
        self._after = after
        # What follows a length that is too small must not pass for the next answer.
        close = is_last or (answer.loss == "" and not answer.is_whole)
        super().__init__(answer.content, answer.status_code, answer.head() | ({"connection": "close"} if close else {}))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, or what arrives of it; nobody is sent to who has gone."""
        gone = asyncio.ensure_future(_until_gone(receive))
        try:
            await self._send(scope, gone, send)
        finally:
            gone.cancel()
        await self._after()

    async def _send(self, scope: Scope, gone: asyncio.Future[None], send: Send) -> None:
        answer = self._answer
        if await _passed(answer.delay, gone):
            return
        if answer.loss or (not answer.is_whole):
            await self._break(scope.get("extensions", {}).get(EXTENSION, {}).get("transport"), gone)
            return
        await send({"type": "http.response.start", "status": answer.status_code, "headers": self.raw_headers})
        for piece in answer.pieces():
            if await _passed(answer.pause, gone):
                return
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _break(self, transport: asyncio.Transport | None, gone: asyncio.Future[None]) -> None:
        """Write what still arrives, and close the connection."""
        if transport is None:
            raise ConnectionAbortedError(f"{self._answer.said}: this server does not let go of its connections")
        if self._answer.loss != "before":
            transport.write(self._head())
            for piece in self._answer.pieces():
                if await _passed(self._answer.pause, gone):
                    return
                transport.write(piece)
        transport.close()
        await gone

    def _head(self) -> bytes:
        lines = [b"HTTP/1.1 %d Status" % self.status_code, *(b"%s: %s" % header for header in self.raw_headers)]
        return b"\r\n".join([*lines, b"", b""])


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _passed(seconds: float, gone: asyncio.Future[None]) -> bool:
    """Let the time pass; return whether the client has gone meanwhile."""
    if seconds:
        await asyncio.wait({gone}, timeout=seconds)
    else:  # a lost connection is noticed by the loop, which has to have its turn
        await asyncio.sleep(0)
    return gone.done()
