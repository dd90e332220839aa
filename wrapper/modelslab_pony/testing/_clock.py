"""Time that passes only when somebody sleeps."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from weakref import WeakKeyDictionary

from modelslab_pony.async_client import AsyncPonyClient
from modelslab_pony.client import PonyClient

Sleeper = tuple[float, int, "asyncio.Future[None]"]
"""When it wakes, its number, and what it waits for."""
QUIET = 5
"""Rounds of the event loop without a look at the clock after which everybody is taken to sleep."""

MOST_ROUNDS = 10_000
"""After which the time goes on in any case: somebody may be waiting for it with open eyes."""


class VirtualClock:
    """A clock for tests: `sleep` returns at once, and the time has passed.

    Tasks of one event loop sleep side by side, as they would in real time: the time goes on when all
    of them sleep, to the first that wakes. Who waits for something real, a file or a socket, is taken
    to sleep, too. Threads sleep one after the other.

    Args:
        start: What time it is first, in seconds.
    """

    def __init__(self, start: float = 0.0) -> None:
        self.time = start
        """What time it is, in seconds."""
        self.sleeps: list[float] = []
        """How long each sleep was, in seconds, in order."""
        self._looks = 0
        self._count = itertools.count()
        self._waking: WeakKeyDictionary[asyncio.AbstractEventLoop, list[Sleeper]] = WeakKeyDictionary()
        self._conductors: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[None]] = WeakKeyDictionary()

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
        loop = asyncio.get_running_loop()
        waking = self._waking.setdefault(loop, [])
        mine = (self.time + seconds, next(self._count), loop.create_future())
        heapq.heappush(waking, mine)
        if loop not in self._conductors or self._conductors[loop].done():
            self._conductors[loop] = loop.create_task(self._conduct(waking))
        try:
            await mine[2]
        finally:
            if mine in waking:
                waking.remove(mine)
                heapq.heapify(waking)

    async def _conduct(self, waking: list[Sleeper]) -> None:
        """Wake one after the other, each when nobody is awake any more."""
        while waking:
            quiet = rounds = 0
            while quiet < QUIET and rounds < MOST_ROUNDS:
                looks = self._looks
                await asyncio.sleep(0)
                quiet, rounds = (quiet + 1 if looks == self._looks else 0), rounds + 1
            if waking:
                time, _, woken = heapq.heappop(waking)
                self.time = max(self.time, time)
                if not woken.done():
                    woken.set_result(None)

    def drive(self, client: PonyClient | AsyncPonyClient) -> None:
        """Make a client live by this clock."""
        client._now = self.now
        if isinstance(client, AsyncPonyClient):
            client._sleep = self.sleep_async
        else:
            client._sleep = self.sleep
