"""Clients whose calls go through aiohttp, the one that does without beside them, and a server that gives up."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx_aiohttp

from modelslab_pony import AsyncPonyClient, RetryPolicy
from support.both import KEY

AGAIN = RetryPolicy(attempts=3, min_delay=0.0)
BALANCE = {"status": "success", "data": {"balance": 1}}
Client = Callable[..., Any]


@contextlib.asynccontextmanager
async def plain(url: str, **options: Any) -> AsyncIterator[AsyncPonyClient]:
    """Give our client without aiohttp."""
    async with AsyncPonyClient(KEY, base_url=url, **{"retry": AGAIN, **options}) as pony:
        yield pony


@contextlib.asynccontextmanager
async def ours(url: str, **options: Any) -> AsyncIterator[AsyncPonyClient]:
    """Give our client with aiohttp."""
    async with plain(url, http_client="aiohttp", **options) as pony:
        yield pony


@contextlib.asynccontextmanager
async def lent(url: str, **options: Any) -> AsyncIterator[AsyncPonyClient]:
    """Give our client with a caller's own client, which goes through aiohttp."""
    async with (
        httpx_aiohttp.HttpxAiohttpClient() as http,
        plain(url, http_client=http, **{"timeout": 5.0, **options}) as pony,
    ):
        yield pony
