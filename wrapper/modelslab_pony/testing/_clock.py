"""Time that passes only when somebody sleeps."""

from __future__ import annotations

import asyncio

from modelslab_pony.async_client import AsyncPonyClient
from modelslab_pony.client import PonyClient


class VirtualClock:
    """A clock for tests: `sleep` returns at once, and the time has passed."""

    def __init__(self, start: float = 0.0) -> None:
        self.time = start
        """Seconds."""
        self.sleeps: list[float] = []
        """How long each sleep was, in order."""

    def now(self) -> float:
        """Return the time, in seconds."""
        return self.time

    def sleep(self, seconds: float) -> None:
        """Let the time pass."""
        self.sleeps.append(seconds)
        self.time += seconds

    async def sleep_async(self, seconds: float) -> None:
        """Same as `sleep`, awaited; other tasks get their turn."""
        self.sleep(seconds)
        await asyncio.sleep(0)

    def drive(self, client: PonyClient | AsyncPonyClient) -> None:
        """Make a client live by this clock."""
        client._now = self.now
        if isinstance(client, AsyncPonyClient):
            client._sleep = self.sleep_async
        else:
            client._sleep = self.sleep
