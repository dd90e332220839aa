"""Real HTTP to a server on this machine, with a record of what went over it."""

from __future__ import annotations

import json
from typing import Any

import httpx

from modelslab_pony.testing import VirtualClock
from support.both import Colour, Story


class Wire:
    """Plays stories against one base URL and remembers requests and violations."""

    def __init__(self, colour: Colour, base_url: str) -> None:
        self._colour = colour
        self._base_url = base_url
        self.paths: list[str] = []
        """The path of each call."""
        self.sent: list[dict[str, Any]] = []
        """The JSON body of each call."""
        self.violations: list[str] = []
        """What Prism found wrong with a request or an answer."""

    def play(
        self,
        story: Story,
        *,
        prefer: str | None = None,
        gone: str | None = None,
        clock: VirtualClock | None = None,
        **options: Any,
    ) -> Any:
        """Return what the story returns; `prefer` chooses Prism's answer, by code or by example.

        At the path `gone` there is nothing, as a gateway says it.
        """
        kind = httpx.HTTPTransport if self._colour.name == "sync" else httpx.AsyncHTTPTransport
        transport = _Recording(self, kind(verify=False), prefer, gone)  # plain HTTP: no certificates to load
        return self._colour.play_on(story, transport, clock, base_url=self._base_url, **options)

    def record(self, request: httpx.Request, response: httpx.Response) -> None:
        """Note an exchange."""
        if request.method == "POST":
            self.paths.append(request.url.path)
            self.sent.append(json.loads(request.content))
        found = response.headers.get("sl-violations")
        if found:
            self.violations.append(found)


def post(url: str, body: Any) -> httpx.Response:
    """Send any JSON, without our client."""
    with httpx.Client(transport=httpx.HTTPTransport(verify=False)) as client:
        return client.post(url, json=body)


class _Recording(httpx.BaseTransport, httpx.AsyncBaseTransport):
    def __init__(self, wire: Wire, inner: Any, prefer: str | None, gone: str | None) -> None:
        self._wire, self._inner, self._prefer, self._gone = wire, inner, prefer, gone

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == self._gone:
            return httpx.Response(404, html="<h1>Not Found</h1>")
        response: httpx.Response = self._inner.handle_request(self._prepared(request))
        self._wire.record(request, response)
        return response

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == self._gone:
            return httpx.Response(404, html="<h1>Not Found</h1>")
        response: httpx.Response = await self._inner.handle_async_request(self._prepared(request))
        self._wire.record(request, response)
        return response

    def close(self) -> None:
        self._inner.close()

    async def aclose(self) -> None:
        await self._inner.aclose()

    def _prepared(self, request: httpx.Request) -> httpx.Request:
        if self._prefer:
            request.headers["prefer"] = self._prefer
        return request
