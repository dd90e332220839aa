"""The measured process of `downloads`: one client saves the file once; seconds, and what the process grew by."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx

from bench._measure import memory
from bench._same import KEY, PROMPT, SEED
from modelslab_pony import AsyncPonyClient, PonyClient

Save = Callable[[], object]


def by_pony(base_url: str, path: Path) -> Save:
    """Return what saves the image of a job."""
    (image,) = PonyClient(KEY, base_url=base_url).text2img(PROMPT, seed=SEED).images
    return lambda: image.save(path)


def by_httpx(base_url: str, path: Path, *, sync: bool) -> Save:
    """Return what a caller would write; with `sync`, as sure as ours that it is on the disk."""
    client = httpx.Client(timeout=60)
    url: str = client.post(f"{base_url}/text2img", json={}).json()["output"][0]

    def save() -> None:
        with path.open("wb") as file, client.stream("GET", url) as response:
            for piece in response.iter_bytes():
                file.write(piece)
            if sync:
                file.flush()
                os.fsync(file.fileno())

    return save


async def by_async_pony(base_url: str, path: Path) -> Callable[[], Awaitable[object]]:
    """Return the same as `by_pony`, awaited."""
    (image,) = (await AsyncPonyClient(KEY, base_url=base_url).text2img(PROMPT, seed=SEED)).images
    return lambda: image.save(path)


async def by_async_httpx(base_url: str, path: Path) -> Callable[[], Awaitable[object]]:
    """Return the same as `by_httpx`, awaited."""
    client = httpx.AsyncClient(timeout=60)
    url: str = (await client.post(f"{base_url}/text2img", json={})).json()["output"][0]

    async def save() -> None:
        with path.open("wb") as file:
            async with client.stream("GET", url) as response:
                async for piece in response.aiter_bytes():
                    file.write(piece)

    return save


def measured(save: Save) -> dict[str, float]:
    """Return seconds, and MB that the process grew by at most."""
    before, began = memory()["now"], time.perf_counter()
    save()
    return {"seconds": time.perf_counter() - began, "grown": 1.024e-3 * (memory()["highest"] - before)}


async def measured_awaited(save: Callable[[], Awaitable[object]]) -> dict[str, float]:
    """Return the same, awaited."""
    before, began = memory()["now"], time.perf_counter()
    await save()
    return {"seconds": time.perf_counter() - began, "grown": 1.024e-3 * (memory()["highest"] - before)}


async def run_awaited(name: str, base_url: str, path: Path) -> Any:
    """Measure one of those that are awaited."""
    prepare = by_async_pony if name == "pony-async" else by_async_httpx
    return await measured_awaited(await prepare(base_url, path))


def main() -> None:
    """Measure one, and print it."""
    name, base_url, path = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    if name.endswith("async"):
        found = asyncio.run(run_awaited(name, base_url, path))
    elif name == "pony":
        found = measured(by_pony(base_url, path))
    else:
        found = measured(by_httpx(base_url, path, sync=name == "httpx-synced"))
    print(json.dumps({**found, "bytes": path.stat().st_size}))


if __name__ == "__main__":
    main()
