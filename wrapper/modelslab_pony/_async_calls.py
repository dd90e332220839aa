"""Same as `_calls`, awaited."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

import anyio  # which httpx itself runs on
import httpx
from attrs import evolve

from modelslab_pony import _disk, _http
from modelslab_pony._addresses import MOST_HOPS, Guard
from modelslab_pony._connections import OwnAsyncClient
from modelslab_pony._settings import Settings
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
        self._own = client if isinstance(client, OwnAsyncClient) else None
        # aiohttp is in order after a task's own cancellation, too, and thousands of tasks less are worth it.
        through = self._own.aiohttp if self._own is not None else None
        self._answering = self._in_time if through is None else _in_time
        self._phases = limits.phases.as_dict()
        self._through_aiohttp = None if through is None else through.caller(self._phases, limits.answer)
        self._guard = Guard(settings.base_url)
        self.gate = asyncio.Semaphore(most)

    async def send(self, step: Send, before_send: BeforeSend | None = None) -> Reply | Lost:
        """Call an operation of the spec; `before_send` is awaited right before."""
        asked = self._now()
        try:
            if step.until < math.inf and self.gate.locked():
                async with asyncio.timeout(_http.within(step.until - asked)):
                    await self.gate.acquire()
            else:
                await self.gate.acquire()
        except TimeoutError:
            return _http.crowded(self._now(), self._now() - asked)
        waited = self._now() - asked
        answer = _http.Incoming()
        try:
            _http.check_open(self._client)
            if before_send is not None:
                await before_send()
            return await self._answered(step, answer, waited)
        finally:
            self.gate.release()

    async def save(self, step: Save) -> Saved | Unsaved:
        """Download a file."""
        sink, asked = None, self._now()
        async with self.gate:
            waited = self._now() - asked
            _http.check_open(self._client)
            try:
                sink = _disk.open_sink(step)
                suffix = await self._in_time(self._fetch(step, sink), self._limits.of(step))
                path, content = await _to_its_end(partial(sink.commit, suffix))
            except _http.SAVE_FAULTS as fault:
                return evolve(_http.unsaved(self._now(), fault, self._settings), waited=waited)
            finally:
                if sink is not None:
                    sink.discard()
        return Saved(at=self._now(), path=path, content=content)

    async def _answered(self, step: Send, answer: _http.Incoming, waited: float) -> Reply | Lost:
        try:
            await self._answering(self._receive(step, answer), self._limits.of(step))
        except PonyError:
            raise
        except _http.SEND_FAULTS as fault:
            return answer.broken(self._now(), waited, fault, self._settings)
        except BaseException as fault:  # noqa: BLE001 - it is raised again
            raise _http.without_frames(fault)  # noqa: B904 - it is the same one
        return answer.reply(self._now(), waited, self._settings)

    async def _receive(self, step: Send, answer: _http.Incoming) -> None:
        limit = self._limits.of(step)
        until = self._now() + limit
        if self._through_aiohttp is not None and self._own is not None and self._own.shortcut() is not None:
            call = _http.written(step, self._settings)
            arriving = await self._through_aiohttp(call, answer.sending)
            try:
                answer.begin(arriving.status_code, arriving.headers, arriving.encoding)
                await self._read(arriving, answer, until, limit)
            finally:
                await arriving.aclose()
            return
        met: list[tuple[str, str]] = []
        watch = answer.watch = Watch(lambda *place: met.append(place))
        extensions = {"timeout": self._phases, "trace": watch.awaited}
        request = _http.request(self._client, step, self._settings, extensions)
        answer.sending()
        response = await self._sent(request, watch, direct=True)
        try:
            for place in met:  # only one that answered, behind the checks of TLS, is the service
                self._guard.met(*place)
            answer.begin(response.status_code, response.headers, _http.encoding(response))
            async with contextlib.aclosing(_pieces(response, is_own=self._own is not None)) as pieces:
                await self._read(pieces, answer, until, limit)
        finally:
            await response.aclose()

    async def _read(self, pieces: AsyncIterator[bytes], answer: _http.Incoming, until: float, limit: float) -> None:
        async for piece in pieces:
            if answer.take(piece):
                break
            if self._now() > until:
                raise _http.too_slow(limit)
        answer.end()

    async def _fetch(self, step: Save, sink: _disk.Sink) -> str:
        """Follow a URL to a picture, and give that to the sink; return its suffix."""
        limit = self._limits.of(step)
        until = self._now() + limit
        url = step.url
        for _ in range(MOST_HOPS + 1):
            self._guard.check(url)
            request, options = _http.picture_request(self._client, url, self._guard, self._limits.phases)
            watch = Watch(partial(self._guard.check_peer, url))
            request.extensions["trace"] = watch.awaited
            response = await self._sent(request, watch, **options)
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

    async def _sent(
        self, request: httpx.Request, watch: Watch, *, direct: bool = False, **options: Any
    ) -> httpx.Response:
        try:
            transport = self._own.shortcut() if direct and self._own is not None else None
            if transport is not None:
                return await transport.handle_async_request(request)
            return await self._client.send(request, stream=True, follow_redirects=False, **options)
        except BaseException:
            if watch.is_opening and watch.opened is not None:
                with anyio.CancelScope(shield=True):
                    await watch.opened.aclose()
            raise

    async def _in_time(self, call: Coroutine[Any, Any, T], seconds: float) -> T:
        # httpcore puts its pool in order in scopes that only anyio's way to cancel spares; a task's own would leave
        # connections behind that nobody closes and nobody can use.
        scope = anyio.CancelScope()

        async def held() -> tuple[list[T], BaseException | None]:
            found: list[T] = []
            try:
                with scope:
                    found.append(await call)
            except BaseException as fault:  # noqa: BLE001 - it is raised again, where it is waited for
                return [], fault
            return found, None

        task = asyncio.create_task(held())
        try:
            done, _ = await asyncio.wait({task}, timeout=_http.within(seconds))
        except asyncio.CancelledError:
            scope.cancel()
            await _ended(task)
            raise
        if not done:
            scope.cancel()
            await _ended(task)
        found, fault = task.result()
        if fault is not None:
            raise fault
        if not found:
            raise _http.too_slow(seconds)
        return found[0]


async def _in_time(call: Coroutine[Any, Any, T], seconds: float) -> T:
    """Hold a call to its limit in this very task."""
    limit = asyncio.timeout(_http.within(seconds))
    try:
        async with limit:
            return await call
    except TimeoutError:
        if limit.expired():
            raise _http.too_slow(seconds) from None
        raise


def _pieces(response: httpx.Response, *, is_own: bool = False) -> Any:
    """Return the content as it came; what a caller's own transport gave whole has been read already."""
    if is_own and not response.is_stream_consumed and isinstance(response.stream, httpx.AsyncByteStream):
        return response.stream.__aiter__()  # past what httpx counts on the way
    return _once(response.content) if response.is_stream_consumed else response.aiter_raw()


async def _once(content: bytes) -> AsyncGenerator[bytes, None]:
    yield content


async def _ended(task: asyncio.Task[T]) -> None:
    """Wait until a task that was told to end has done so, however often one is told to end oneself."""
    again = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as fault:
            again = fault
    if not task.cancelled():
        task.exception()
    if again is not None:
        raise again


async def _to_its_end(act: Callable[[], T]) -> T:
    """Return what a thread gives. A cancelled call waits for it, so that nothing goes on behind its back."""
    task = asyncio.ensure_future(asyncio.to_thread(act))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await _ended(task)
        raise
