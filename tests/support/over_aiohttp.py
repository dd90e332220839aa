"""Clients whose calls go through aiohttp, the one that does without beside them, and a server that gives up."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx_aiohttp

from modelslab_pony import AsyncPonyClient, RetryPolicy
from support.both import KEY
from support.raw_server import RawServer, Talk

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


def posts(server: RawServer) -> int:
    """Return how many images were asked for."""
    return sum(talk.path.endswith("text2img") for talk in server.talks)


def hang_up(talk: Talk) -> None:
    """Close the connection."""
    talk._connection.shutdown(socket.SHUT_RDWR)
    talk._connection.close()


def half(talk: Talk) -> None:
    """Close it within an answer."""
    talk.send(b"HTTP/1.1 200 OK\r\ncontent-length: 400\r\n\r\n{")
    hang_up(talk)
