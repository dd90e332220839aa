"""The measured process of `flight`: one client, one story, so many jobs at once.

What is imported, and warm, is part of the process before it begins; what is printed first is its memory then.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from attrs import frozen

from bench._measure import memory, open_many_files, quantile
from bench._same import KEY, PROMPT, SEED

WARM = 32
"""Jobs before what is measured, at once."""
AGAIN = 0.5
"""Seconds between two questions of those who have no policy of their own."""
Job = Callable[[], Awaitable[Any]]
Post = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]


@frozen
class Task:
    """What is asked of this process."""

    name: str
    at_once: str
    """Base URL of the server's side that answers at once."""
    base_url: str
    """The one of the story."""
    jobs: int
    in_flight: int
    body: dict[str, Any]


@contextlib.asynccontextmanager
async def opened(task: Task, base_url: str) -> AsyncIterator[Job]:
    """Give a job of a client: it returns the meta of its success."""
    if task.name.startswith("pony"):
        from modelslab_pony import AsyncPonyClient  # noqa: PLC0415 - and not in the processes of others

        options: dict[str, Any] = {"http_client": "aiohttp"} if task.name == "pony-aiohttp" else {}
        if task.in_flight:
            options["max_in_flight"] = task.in_flight
        async with AsyncPonyClient(KEY, base_url=base_url, **options) as pony:

            async def by_pony() -> Any:
                return (await pony.text2img(PROMPT, seed=SEED, wait_timeout=None)).meta

            yield by_pony
    else:
        async with poster(task.name) as post:
            yield lambda: by_hand(post, base_url, task.body)


@contextlib.asynccontextmanager
async def poster(name: str) -> AsyncIterator[Post]:
    """Give what posts a JSON and returns the answer's."""
    if name == "aiohttp":
        import aiohttp  # noqa: PLC0415 - and not in the processes of others

        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session:

            async def by_aiohttp(url: str, body: dict[str, Any]) -> Any:
                async with session.post(url, json=body) as response:
                    return await response.json()

            yield by_aiohttp
    else:
        import httpx  # noqa: PLC0415 - and not in the processes of others

        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        options: dict[str, Any] = {"limits": limits} if name == "httpx" else {}
        async with httpx.AsyncClient(timeout=None, **options) as client:  # noqa: S113 - a queue takes its time

            async def by_httpx(url: str, body: dict[str, Any]) -> Any:
                return (await client.post(url, json=body)).json()

            yield by_httpx


async def by_hand(post: Post, base_url: str, body: dict[str, Any]) -> Any:
    """Do what a caller would write: submit, sleep for the eta, ask until it is there."""
    answer = await post(f"{base_url}/text2img", body)
    if answer["status"] == "processing":
        await asyncio.sleep(answer["eta"])
        question = {"key": body["key"], "request_id": str(answer["id"])}
        while (answer := await post(f"{base_url}/fetch", question))["status"] == "processing":  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(AGAIN)
    return answer["meta"]


async def run(task: Task) -> dict[str, Any]:
    """Have all jobs begin together; return how long they took, and how late each was noticed."""
    async with opened(task, task.at_once) as job:
        await asyncio.gather(*(job() for _ in range(WARM)))
    late: list[float] = []
    faults: list[str] = []
    async with opened(task, task.base_url) as job:

        async def one() -> None:
            try:
                late.append(-(await job())["ready"] + time.monotonic())
            except Exception as fault:  # noqa: BLE001 - a job that failed is a figure too
                faults.append(f"{type(fault).__name__}: {fault}")

        gc.collect()
        print(memory()["now"], flush=True)
        began, used = time.monotonic(), time.process_time()
        await asyncio.gather(*(one() for _ in range(task.jobs)))
        took, used = time.monotonic() - began, time.process_time() - used
    return {
        "took": took,
        "cpu": used,
        "late_half": quantile(late, 0.5),
        "late_most": quantile(late, 0.99),
        "faults": len(faults),
        "fault": faults[0][:200] if faults else "",
    }


def main() -> None:
    """Carry out the task that stands on the standard input as JSON."""
    open_many_files()
    print(json.dumps(asyncio.run(run(Task(**json.load(sys.stdin))))))


if __name__ == "__main__":
    main()
