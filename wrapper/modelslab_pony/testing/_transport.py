"""The first door: a transport for both of httpx's clients. No server, no network."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import httpx

from modelslab_pony.testing._answers import Answer

if TYPE_CHECKING:
    from modelslab_pony.testing._simulator import Simulator


class SimulatorTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Answers httpx requests from a simulator, and lets them suffer what was demanded."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._host = ""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a blocking client."""
        self._check_host(request)
        answer = self._simulator.answer(request.method, str(request.url), request.read())
        if self._simulator.delivers_blocking:
            self._simulator.deliver()
        seconds, fault = _before(answer, request)
        if seconds:
            self._simulator.sleep(seconds)
        if fault is not None:
            raise fault
        return self._response(answer, request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer an asynchronous client."""
        self._check_host(request)
        answer = self._simulator.answer(request.method, str(request.url), await request.aread())
        await self._simulator.deliver_async()
        seconds, fault = _before(answer, request)
        if seconds:
            await self._simulator.sleep_async(seconds)
        if fault is not None:
            raise fault
        return self._response(answer, request)

    def _check_host(self, request: httpx.Request) -> None:
        """Be one host, the first that is asked: elsewhere nobody answers, nor is a key that went there taken."""
        self._host = self._host or request.url.host
        if request.url.host != self._host:
            raise httpx.ConnectError(
                f"this simulator is {self._host}; {request.url.host} is not there", request=request
            )

    def _response(self, answer: Answer, request: httpx.Request) -> httpx.Response:
        stream = _Body(self._simulator, answer, request)
        return httpx.Response(answer.status_code, headers=answer.head(), stream=stream)


class _Body(httpx.SyncByteStream, httpx.AsyncByteStream):
    """The content of an answer, as it would come over the wire."""

    def __init__(self, simulator: Simulator, answer: Answer, request: httpx.Request) -> None:
        self._simulator, self._answer, self._request = simulator, answer, request

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces():
            if self._answer.pause:
                self._simulator.sleep(min(self._answer.pause, _patience(self._request)))
                self._check_patience()
            yield piece
        self._check_end()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces():
            if self._answer.pause:
                await self._simulator.sleep_async(min(self._answer.pause, _patience(self._request)))
                self._check_patience()
            yield piece
        self._check_end()

    def _pieces(self) -> Iterator[bytes]:
        left = self._answer.stated_length
        for piece in self._answer.pieces():
            if left <= 0:
                break
            yield piece[:left]
            left -= len(piece)

    def _check_patience(self) -> None:
        if self._answer.pause > _patience(self._request):
            raise httpx.ReadTimeout("the read operation timed out", request=self._request)

    def _check_end(self) -> None:
        if not self._answer.is_whole and self._answer.arrives < self._answer.stated_length:
            message = "peer closed connection without sending complete message body"
            raise httpx.RemoteProtocolError(message, request=self._request)


def _before(answer: Answer, request: httpx.Request) -> tuple[float, httpx.TransportError | None]:
    """Return how long nothing comes, and the fault that ends the waiting."""
    patience = _patience(request)
    if answer.loss == "refused":
        return 0.0, httpx.ConnectError("connection refused", request=request)
    if answer.delay > patience:
        return patience, httpx.ReadTimeout("the read operation timed out", request=request)
    if answer.loss == "before":
        return answer.delay, httpx.RemoteProtocolError("server disconnected without a response", request=request)
    return answer.delay, None


def _patience(request: httpx.Request) -> float:
    """Return the seconds after which a client gives up reading."""
    stated = request.extensions.get("timeout", {}).get("read")
    return float("inf") if stated is None else float(stated)
