"""The same batch, awaited: the work is done in threads of its own, so that the caller's loop goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

from modelslab_pony.batch._batch import Batch
from modelslab_pony.batch._events import OnEvent
from modelslab_pony.batch._outcome import BatchResult, BatchStatus

T = TypeVar("T")


class AsyncBatch:
    """Same as `Batch`, awaited. It takes the same arguments."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._batch = Batch(*arguments, **options)

    async def run(self, on_event: OnEvent | None = None) -> BatchStatus:
        """Same as `Batch.run`, awaited; `on_event` is called on the caller's loop. A cancelled task stops it."""
        loop = asyncio.get_running_loop()
        hand_over: OnEvent | None = None
        if on_event is not None:
            hand_over = lambda event: loop.call_soon_threadsafe(on_event, event)  # noqa: E731 - a name for mypy
        return await self._in_thread(lambda: self._batch.run(hand_over))

    async def __aiter__(self) -> AsyncIterator[BatchResult]:
        """Same as iterating over a `Batch`, awaited."""
        results = iter(self._batch)
        try:
            while (found := await self._in_thread(lambda: next(results, None))) is not None:
                yield found
        finally:
            await asyncio.shield(asyncio.to_thread(results.close))  # type: ignore[attr-defined]  # it is a generator

    def stop(self) -> None:
        """Same as `Batch.stop`."""
        self._batch.stop()

    async def status(self) -> BatchStatus:
        """Same as `Batch.status`, awaited."""
        return await asyncio.to_thread(self._batch.status)

    async def results(self) -> list[BatchResult]:
        """Same as `Batch.results`, awaited."""
        return await asyncio.to_thread(self._batch.results)

    async def cancel(self) -> int:
        """Same as `Batch.cancel`, awaited."""
        return await asyncio.to_thread(self._batch.cancel)

    async def retry(self, *, unknown: bool = False, failed: bool = False) -> int:
        """Same as `Batch.retry`, awaited."""
        return await asyncio.to_thread(lambda: self._batch.retry(unknown=unknown, failed=failed))

    async def write_report(self) -> None:
        """Same as `Batch.write_report`, awaited."""
        await asyncio.to_thread(self._batch.write_report)

    async def _in_thread(self, call: Callable[[], T]) -> T:
        """Wait for a thread; a cancelled task has the batch stop, and leaves no thread behind."""
        running = asyncio.get_running_loop().run_in_executor(None, call)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            self._batch.stop()
            await asyncio.wait([running])
            raise

    def __repr__(self) -> str:
        return f"<AsyncBatch {str(self._batch.output)!r}>"
