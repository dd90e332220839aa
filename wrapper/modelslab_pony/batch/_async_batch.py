"""The same batch, awaited: the work is done in a thread of its own, so that the caller's loop goes on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from os import PathLike
from typing import Any, TypeVar

from modelslab_pony.batch import _names
from modelslab_pony.batch._batch import Batch, Rows
from modelslab_pony.batch._events import BatchEvent, OnEvent
from modelslab_pony.batch._outcome import BatchResult, BatchStatus, Status
from modelslab_pony.batch._rows import Format
from modelslab_pony.batch._work import Connect

T = TypeVar("T")


class AsyncBatch:
    """Same as `Batch`, awaited. It takes the same arguments."""

    def __init__(
        self,
        output: str | PathLike[str],
        rows: Rows | None = None,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        database: str | None = None,
        batch: str | None = None,
        limit: int | None = None,
        template: str = _names.DEFAULT_TEMPLATE,
        metadata: bool = True,
        strict: bool = True,
        defaults: Mapping[str, Any] | None = None,
        format: Format | None = None,
        connect: Connect | None = None,
        axes: Mapping[str, Any] | None = None,
    ) -> None:
        self._batch = Batch(
            output,
            rows,
            api_key=api_key,
            base_url=base_url,
            database=database,
            batch=batch,
            limit=limit,
            template=template,
            metadata=metadata,
            strict=strict,
            defaults=defaults,
            format=format,
            connect=connect,
            axes=axes,
        )
        # Not the loop's own threads: those may all be busy, with this very batch's application.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pony-batch")
        self._open: Iterator[BatchResult] | None = None

    async def run(self, on_event: OnEvent | None = None) -> BatchStatus:
        """Same as `Batch.run`, awaited; `on_event` is called on the caller's loop. A cancelled task stops it."""
        await self._close()
        loop = asyncio.get_running_loop()

        async def called(event: BatchEvent) -> None:
            if on_event is not None:
                on_event(event)

        def hand_over(event: BatchEvent) -> None:
            asyncio.run_coroutine_threadsafe(called(event), loop).result()  # what it raises ends the run

        return await self._in_thread(lambda: self._batch.run(hand_over if on_event is not None else None))

    async def __aiter__(self) -> AsyncIterator[BatchResult]:
        """Same as iterating over a `Batch`, awaited."""
        await self._close()
        results = self._open = iter(self._batch)
        try:
            while (found := await self._in_thread(lambda: next(results, None))) is not None:
                yield found
        finally:
            await asyncio.shield(self._close())

    def stop(self) -> None:
        """Same as `Batch.stop`."""
        self._batch.stop()

    async def status(self) -> BatchStatus:
        """Same as `Batch.status`, awaited."""
        return await asyncio.to_thread(self._batch.status)

    async def results(self, *statuses: Status) -> list[BatchResult]:
        """Same as `Batch.results`, awaited."""
        return await asyncio.to_thread(self._batch.results, *statuses)

    async def former(self) -> list[BatchResult]:
        """Same as `Batch.former`, awaited."""
        return await asyncio.to_thread(self._batch.former)

    async def cancel(self) -> int:
        """Same as `Batch.cancel`, awaited."""
        return await asyncio.to_thread(self._batch.cancel)

    async def retry(self, *, unknown: bool = False, failed: bool = False) -> int:
        """Same as `Batch.retry`, awaited."""
        await self._close()
        return await asyncio.to_thread(lambda: self._batch.retry(unknown=unknown, failed=failed))

    async def write_report(self) -> None:
        """Same as `Batch.write_report`, awaited."""
        await asyncio.to_thread(self._batch.write_report)

    async def _close(self) -> None:
        """End an iteration that was left half way: Python does so only when it comes to it."""
        if self._open is not None:
            results, self._open = self._open, None
            await asyncio.get_running_loop().run_in_executor(self._thread, results.close)  # type: ignore[attr-defined]  # it is a generator

    async def _in_thread(self, call: Callable[[], T]) -> T:
        """Wait for the thread; a cancelled task has the batch stop, and leaves nothing running behind."""
        running = self._thread.submit(call)
        waiting = asyncio.wrap_future(running)
        try:
            return await asyncio.shield(waiting)
        except asyncio.CancelledError:
            if not running.cancel():
                self._batch.stop()
                while not waiting.done():  # also when it is cancelled again
                    with contextlib.suppress(asyncio.CancelledError):
                        await asyncio.wait([waiting])
            raise

    def __repr__(self) -> str:
        return f"<AsyncBatch {str(self._batch.output)!r}>"
