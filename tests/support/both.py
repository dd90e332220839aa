"""Runs one story with either client.

A story is a generator that takes a client and yields each call; the blocking client's calls are
values already, the asynchronous client's are awaited here. One story, both colours.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Generator
from typing import Any

import httpx
from attrs import frozen

from modelslab_pony import AsyncPonyClient, PonyClient
from modelslab_pony.testing import VirtualClock

# With a slash, which JSON may spell in two ways.
KEY = "sk-planted/0123456789"
Story = Callable[[Any], Generator[Any, Any, Any]]
Handler = Callable[[httpx.Request], httpx.Response]


@frozen
class Colour:
    name: str

    def play(self, story: Story, handler: Handler, clock: VirtualClock, **options: Any) -> Any:
        """Return what the story returns, told to a client whose service is `handler`."""
        return self.play_on(story, httpx.MockTransport(handler), clock, **options)

    def play_on(self, story: Story, transport: Any, clock: VirtualClock | None, **options: Any) -> Any:
        """Same, with any transport; without a clock, in real time."""
        options = {"api_key": KEY, **options}
        if self.name == "sync":
            with httpx.Client(transport=transport) as sync_http, PonyClient(http_client=sync_http, **options) as pony:
                if clock is not None:
                    clock.drive(pony)
                return asyncio.run(_tell(story(pony)))

        async def run() -> Any:
            async with (
                httpx.AsyncClient(transport=transport) as async_http,
                AsyncPonyClient(http_client=async_http, **options) as pony,
            ):
                if clock is not None:
                    clock.drive(pony)
                return await _tell(story(pony))

        return asyncio.run(run())

    def play_over(self, story: Story, base_url: str, **options: Any) -> Any:
        """Same, over real connections of the client's own, and in real time."""
        options = {"api_key": KEY, "base_url": base_url, **options}
        if self.name == "sync":
            with PonyClient(**options) as pony:
                return asyncio.run(_tell(story(pony)))

        async def run() -> Any:
            async with AsyncPonyClient(**options) as pony:
                return await _tell(story(pony))

        return asyncio.run(run())


async def _tell(story: Generator[Any, Any, Any]) -> Any:
    value: Any = None
    fault: Exception | None = None
    while True:
        try:
            call = story.throw(fault) if fault is not None else story.send(value)
        except StopIteration as end:
            return end.value
        fault = None
        try:
            value = await call if inspect.isawaitable(call) else call
        except Exception as error:  # noqa: BLE001 - the story decides what it expects
            fault = error
