"""Calls of the ledger that outlast its database: what it is told must not be lost."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import sqlalchemy as sa

from modelslab_pony.batch._row_book import Item
from modelslab_pony.errors import ConfigurationError, JobId

T = TypeVar("T")
Tell = Callable[[str, Mapping[str, Any]], object]
"""Takes an event: what happened, and to which row."""
LONGEST_WAIT = 5.0
"""Seconds between two tries."""


class Surely:
    """Calls the ledger, however long its database is away; knows what only this process knows meanwhile."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._unwritten: dict[int, tuple[int | None, JobId | None]] = {}
        """Items whose job could not be written down yet, with their rows."""

    async def __call__(self, call: Callable[[], T], *, most: float = math.inf) -> T:
        """Return what a call does, in a thread. Raises `ConfigurationError` after `most` seconds of faults."""
        began = time.monotonic()
        wait = 0.1
        while True:
            try:
                return await asyncio.shield(asyncio.to_thread(call))
            except (sa.exc.IntegrityError, sa.exc.DataError, sa.exc.ProgrammingError):
                raise  # a fault of ours, which no waiting mends
            except sa.exc.DBAPIError as fault:
                said = " ".join(str(fault.orig).split())
                self._tell("database", {"message": said})
                if time.monotonic() - began > most:
                    raise ConfigurationError(f"the batch's database cannot be written ({said})") from None
                await asyncio.sleep(wait)
                wait = min(LONGEST_WAIT, wait * 2)

    async def noted(self, item: Item, job_id: JobId | None, call: Callable[[], T]) -> T:
        """Note an item's job; tells its id if that is not possible at once."""

        def noting() -> T:
            try:
                done = call()
            except sa.exc.DBAPIError as fault:
                if item.id not in self._unwritten:
                    self._unwritten[item.id] = (item.position, job_id)
                    said = " ".join(str(fault.orig).split())
                    told = {"batch": item.batch, "index": item.position, "name": item.name, "job_id": job_id}
                    self._tell("unwritten", {**told, "message": said})
                raise
            self._unwritten.pop(item.id, None)
            return done

        return await self(noting)

    def unwritten(self) -> str:
        """Return what is to be said of jobs that never were written down; nothing if there are none."""
        found = list(self._unwritten.values())
        if not found:
            return ""
        rows = ", ".join(str(position) for position, _ in found)
        ids = " ".join(str(job_id) for _, job_id in found)
        return (
            f"rows {rows} were accepted, and that could not be written down: the next run has them as unknown; "
            f"fetch their jobs with `pony fetch`: {ids}"
        )
