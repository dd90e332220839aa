"""What goes wrong with an answer, on a real connection."""

from __future__ import annotations

import asyncio
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

    def __init__(self, answer: Answer, *, is_last: bool) -> None:
        self._answer = answer
        headers = answer.head() | ({"connection": "close"} if is_last else {})
        super().__init__(answer.content, answer.status_code, headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, or what arrives of it."""
        answer = self._answer
        transport: asyncio.Transport | None = scope.get("extensions", {}).get(EXTENSION, {}).get("transport")
        await asyncio.sleep(answer.delay)
        if answer.loss or (not answer.is_whole and scope["method"] != "HEAD"):
            await self._break(transport, receive)
            return
        await send({"type": "http.response.start", "status": answer.status_code, "headers": self.raw_headers})
        for piece in answer.pieces():
            if answer.pause:
                await asyncio.sleep(answer.pause)
            if transport is not None and transport.is_closing():
                return  # nobody listens any more
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _break(self, transport: asyncio.Transport | None, receive: Receive) -> None:
        """Write what still arrives, and close the connection."""
        if transport is None:
            raise ConnectionAbortedError(f"{self._answer.said}: this server does not let go of its connections")
        if self._answer.loss not in {"refused", "before"}:
            transport.write(self._head())
            for piece in self._answer.pieces():
                await asyncio.sleep(self._answer.pause)
                if transport.is_closing():
                    break
                transport.write(piece)
        transport.close()
        while (await receive())["type"] != "http.disconnect":
            pass

    def _head(self) -> bytes:
        lines = [b"HTTP/1.1 %d Status" % self.status_code, *(b"%s: %s" % header for header in self.raw_headers)]
        return b"\r\n".join([*lines, b"", b""])
