"""The measured process of `calls`: one way of calling (sync, async), all who call so, in turns."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import httpx
import httpx2
import requests

from bench._measure import in_turns, turns
from bench._same import KEY, PROMPT, SEED, sent_json
from modelslab_pony import AsyncPonyClient, PonyClient
from modelslab_pony_raw import Client
from modelslab_pony_raw.api.default import text2img
from modelslab_pony_raw.models.image_generation_success_response import ImageGenerationSuccessResponse
from modelslab_pony_raw.models.text_to_image_request import TextToImageRequest

WARM = 50
"""Calls before what is measured."""


def blocking(base_url: str) -> dict[str, Callable[[], Any]]:
    """Return a call of each, which returns what it was answered."""
    url, body = f"{base_url}/text2img", sent_json()
    bare, bare2, session = httpx.Client(), httpx2.Client(), requests.Session()
    pony, raw = PonyClient(KEY, base_url=base_url), Client(base_url=base_url)
    return {
        "httpx": lambda: bare.post(url, json=body).json()["output"],
        "raw": lambda: _parsed(text2img.sync_detailed(client=raw, body=_request())),
        "pony": lambda: pony.text2img(PROMPT, seed=SEED).images,
        "httpx-logged": lambda: bare.post(url, json=body).json()["output"],
        "pony-logged": lambda: pony.text2img(PROMPT, seed=SEED).images,
        "httpx2": lambda: bare2.post(url, json=body).json()["output"],
        "requests": lambda: session.post(url, json=body).json()["output"],
    }


def awaited(base_url: str) -> dict[str, Callable[[], Awaitable[Any]]]:
    """Return the same, awaited."""
    url, body = f"{base_url}/text2img", sent_json()
    bare, bare2, session = httpx.AsyncClient(), httpx2.AsyncClient(), aiohttp.ClientSession()
    pony, raw = AsyncPonyClient(KEY, base_url=base_url), Client(base_url=base_url)
    over_aiohttp = AsyncPonyClient(KEY, base_url=base_url, http_client="aiohttp")

    async def by_httpx() -> Any:
        return (await bare.post(url, json=body)).json()["output"]

    async def by_raw() -> Any:
        return _parsed(await text2img.asyncio_detailed(client=raw, body=_request()))

    async def by_pony() -> Any:
        return (await pony.text2img(PROMPT, seed=SEED)).images

    async def by_pony_over_aiohttp() -> Any:
        return (await over_aiohttp.text2img(PROMPT, seed=SEED)).images

    async def by_httpx2() -> Any:
        return (await bare2.post(url, json=body)).json()["output"]

    async def by_aiohttp() -> Any:
        async with session.post(url, json=body) as response:
            return (await response.json())["output"]

    return {
        "httpx": by_httpx,
        "raw": by_raw,
        "pony": by_pony,
        "httpx-logged": by_httpx,
        "pony-logged": by_pony,
        "httpx2": by_httpx2,
        "aiohttp": by_aiohttp,
        "pony-aiohttp": by_pony_over_aiohttp,
    }


def _log(name: str) -> None:
    logging.getLogger("httpx").setLevel(logging.INFO if name.endswith("logged") else logging.WARNING)


def _request() -> TextToImageRequest:
    return TextToImageRequest(key=KEY, prompt=PROMPT, model_id="pony-realism", seed=SEED)


def _parsed(response: Any) -> Any:
    assert isinstance(response.parsed, ImageGenerationSuccessResponse)  # noqa: S101 - else it did not do its work
    return response.parsed.output


def measure(base_url: str, rounds: int, calls: int) -> dict[str, list[tuple[float, float]]]:
    """Return microseconds of CPU and of time that passed, a call, of each round."""
    ways = blocking(base_url)

    def one(name: str, calls: int = calls) -> tuple[float, float]:
        call = ways[name]
        _log(name)
        used, began = time.process_time(), time.perf_counter()
        for _ in range(calls):
            if not call():
                raise RuntimeError(f"{name} got no images")
        return 1e6 * (time.process_time() - used) / calls, 1e6 * (time.perf_counter() - began) / calls

    for name in ways:
        one(name, WARM)
    return in_turns(list(ways), rounds, one)


async def measure_awaited(base_url: str, rounds: int, calls: int) -> dict[str, list[tuple[float, float]]]:
    """Return the same, awaited."""
    ways = awaited(base_url)
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}

    async def one(name: str, calls: int = calls) -> tuple[float, float]:
        call = ways[name]
        _log(name)
        used, began = time.process_time(), time.perf_counter()
        for _ in range(calls):
            if not await call():
                raise RuntimeError(f"{name} got no images")
        return 1e6 * (time.process_time() - used) / calls, 1e6 * (time.perf_counter() - began) / calls

    for name in ways:
        await one(name, WARM)
    for name in turns(list(ways), rounds):
        found[name].append(await one(name))
    return found


def main() -> None:
    """Measure one way, and print it."""
    way, base_url, rounds, calls = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    if way == "sync":
        print(json.dumps(measure(base_url, rounds, calls)))
    else:
        print(json.dumps(asyncio.run(measure_awaited(base_url, rounds, calls))))


if __name__ == "__main__":
    main()
