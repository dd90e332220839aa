"""Same as `_calls`, awaited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import TypeVar

import httpx

from modelslab_pony import _disk, _http
from modelslab_pony._addresses import MOST_HOPS, Guard
from modelslab_pony._settings import Settings, closed
from modelslab_pony._steps import Lost, Reply, Save, Saved, Send, Unsaved
from modelslab_pony._watch import Watch
from modelslab_pony.errors import PonyError

T = TypeVar("T")
BeforeSend = Callable[[], Awaitable[object]]


class AsyncCalls:
    """Carries out steps with an `httpx.AsyncClient`, `most` at once."""

    def __init__(
        self, client: httpx.AsyncClient, settings: Settings, limits: _http.Limits, most: int, now: Callable[[], float]
    ) -> None:
        self._client, self._settings, self._limits, self._now = client, settings, limits, now
        self._guard = Guard(settings.base_url)
        self.gate = asyncio.Semaphore(most)

    async def send(self, step: Send, before_send: BeforeSend | None = None) -> Reply | Lost:
        """Call an operation of the spec; `before_send` is awaited right before."""
        try:
            async with asyncio.timeout(_http.within(step.until - self._now())):
                await self.gate.acquire()
        except TimeoutError:
            return _http.crowded(self._now())
        answer = _http.Incoming()
        try:
            self._check_open()
            if before_send is not None:
                await before_send()
            return await self._answered(step, answer)
        finally:
            self.gate.release()

    async def save(self, step: Save) -> Saved | Unsaved:
        """Download a file."""
        sink = None
        async with self.gate:
            self._check_open()
            try:
                sink = _disk.open_sink(step)
                suffix = await self._in_time(self._fetch(step, sink), self._limit(step))
                path, content = await _whole(partial(sink.commit, suffix))
            except _http.SAVE_FAULTS as fault:
                return _http.unsaved(self._now(), fault, self._settings)
            finally:
                if sink is not None:
                    sink.discard()
        return Saved(at=self._now(), path=path, content=content)

    async def _answered(self, step: Send, answer: _http.Incoming) -> Reply | Lost:
        try:
            await self._in_time(self._receive(step, answer), self._limit(step))
        except PonyError:
            raise
        except _http.SEND_FAULTS as fault:
            return answer.broken(self._now(), fault, self._settings)
        except BaseException as fault:  # noqa: BLE001 - it is raised again
            raise _http.without_frames(fault)  # noqa: B904 - it is the same one
        return answer.reply(self._now(), self._settings)

    async def _receive(self, step: Send, answer: _http.Incoming) -> None:
        limit = self._limit(step)
        until = self._now() + limit
        extensions = {"trace": Watch(self._guard.met).awaited}
        options = {"timeout": self._limits.phases, "extensions": extensions}
        call = _http.api_request(self._client, {**_http.request(step, self._settings), **options})
        answer.sending()
        response = await self._client.send(call, stream=True, follow_redirects=False)
        try:
            answer.begin(response)
            async for piece in _pieces(response):
                if answer.take(piece):
                    break
                if self._now() > until:
                    raise _http.too_slow(limit)
            answer.end()
        finally:
            await response.aclose()

    async def _fetch(self, step: Save, sink: _disk.Sink) -> str:
        """Follow a URL to a picture, and give that to the sink; return its suffix."""
        limit = self._limit(step)
        until = self._now() + limit
        url = step.url
        for _ in range(MOST_HOPS + 1):
            self._guard.check(url)
            request, options = _http.picture_request(self._client, url, self._guard, self._limits.phases)
            request.extensions["trace"] = Watch(partial(self._guard.check_peer, url)).awaited
            response = await self._client.send(request, stream=True, follow_redirects=False, **options)
            try:
                elsewhere = _http.next_place(response)
                if elsewhere is None:
                    landing = _http.Landing(response, step.max_bytes, sink)
                    async for piece in _pieces(response):
                        landing.take(piece)
                        if self._now() > until:
                            raise _http.too_slow(limit)
                    return landing.end()
                url = elsewhere
            finally:
                await response.aclose()
        raise _http.lost_way()

    async def _in_time(self, call: Awaitable[T], seconds: float) -> T:
        try:
            async with asyncio.timeout(_http.within(seconds)) as limit:
                return await call
        except TimeoutError:
            if limit.expired():
                raise _http.too_slow(seconds) from None
            raise

    def _limit(self, step: Send | Save) -> float:
        return min(self._limits.answer if isinstance(step, Send) else self._limits.download, step.within)

    def _check_open(self) -> None:
        if self._client.is_closed:
            raise closed()


def _pieces(response: httpx.Response) -> AsyncIterator[bytes]:
    """Return the content as it came; what a caller's own transport gave whole has been read already."""
    return _once(response.content) if response.is_stream_consumed else response.aiter_raw()


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def _whole(act: Callable[[], T]) -> T:
    """Return what a thread gives. A cancelled call waits for it, so that nothing goes on behind its back."""
    task = asyncio.ensure_future(asyncio.to_thread(act))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise
