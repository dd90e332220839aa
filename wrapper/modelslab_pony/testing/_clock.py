"""Time that passes only when somebody sleeps."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from weakref import WeakKeyDictionary

from modelslab_pony.async_client import AsyncPonyClient
from modelslab_pony.client import PonyClient

QUIET = 5
"""Rounds of the event loop without a look at the clock after which everybody is taken to sleep."""

MOST_ROUNDS = 10_000
"""After which the time goes on in any case: somebody may be waiting for it with open eyes."""


class VirtualClock:
    """A clock for tests: `sleep` returns at once, and the time has passed.

    Tasks of one event loop sleep side by side, as they would in real time: the time goes on when all
    of them sleep, to the first that wakes. Threads sleep one after the other.

    Attributes: `time`, in seconds; `sleeps`, how long each sleep was, in order.
    """

    def __init__(self, start: float = 0.0) -> None:
        self.time = start
        """Seconds."""
        self.sleeps: list[float] = []
        """How long each sleep was, in order."""
        self._looks = 0
        self._count = itertools.count()
        self._waking: WeakKeyDictionary[asyncio.AbstractEventLoop, list[tuple[float, int]]] = WeakKeyDictionary()

    def __repr__(self) -> str:
        return f"VirtualClock(time={self.time:g})"

    def now(self) -> float:
        """Return the time, in seconds."""
        self._looks += 1  # who looks at the clock is awake
        return self.time

    def sleep(self, seconds: float) -> None:
        """Let the time pass. Raises `ValueError` for a time that would go back."""
        if not seconds >= 0:
            raise ValueError(f"seconds must be 0 or more, not {seconds!r}")
        self.sleeps.append(seconds)
        self.time += seconds

    async def sleep_async(self, seconds: float) -> None:
        """Same as `sleep`, awaited, beside other tasks."""
        if not seconds >= 0:
            raise ValueError(f"seconds must be 0 or more, not {seconds!r}")
        self.sleeps.append(seconds)
        waking = self._waking.setdefault(asyncio.get_running_loop(), [])
        mine = (self.time + seconds, next(self._count))
        heapq.heappush(waking, mine)
        try:
            quiet = rounds = 0
            while quiet < QUIET and rounds < MOST_ROUNDS:
                looks = self._looks
                await asyncio.sleep(0)
                mine_is_next = waking[0] == mine
                quiet = quiet + 1 if mine_is_next and looks == self._looks else 0
                rounds += mine_is_next
            self.time = max(self.time, mine[0])
        finally:
            waking.remove(mine)
            heapq.heapify(waking)

    def drive(self, client: PonyClient | AsyncPonyClient) -> None:
        """Make a client live by this clock."""
        client._now = self.now
        if isinstance(client, AsyncPonyClient):
            client._sleep = self.sleep_async
        else:
            client._sleep = self.sleep
