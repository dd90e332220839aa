"""Ctrl-C and a cancelled task leave no connection, no task and no half-written file, and the job's id is told."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from modelslab_pony import AsyncPonyClient, PollPolicy, PonyClient
from support.both import KEY
from support.raw_server import RawServer, Talk
from support.scripted import PNG

PROCESSING = {"status": "processing", "id": 7, "eta": 60}
MAY_BE_PAID = "it may have been accepted and billed"
IS_KEPT = "job 7 was accepted"


class Stage:
    """A server that answers up to one request, and says when that has come."""

    def __init__(self, until: str, *, begins: bytes = b"") -> None:
        self._until, self._begins = until, begins
        self.reached = threading.Event()
        self.server = RawServer(self._say)

    def _say(self, talk: Talk) -> None:
        if talk.path.endswith(self._until):
            talk.send(self._begins)
            self.reached.set()
            talk.wait_until_left()
        elif talk.path.endswith("text2img") and self._until == ".png":
            talk.answer({"status": "success", "id": 7, "output": [f"{talk.server.url}/a.png"]})
        else:
            if self._until == "never":
                self.reached.set()
            talk.answer(PROCESSING)


STAGES: dict[str, tuple[Callable[[], Stage], str]] = {
    "before the answer to a submission": (lambda: Stage("text2img"), MAY_BE_PAID),
    "within the answer to a submission": (
        lambda: Stage("text2img", begins=b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{"),
        MAY_BE_PAID,
    ),
    "between two looks": (lambda: Stage("never"), IS_KEPT),
    "before the answer to a look": (lambda: Stage("fetch"), IS_KEPT),
    "within a download": (
        lambda: Stage(".png", begins=b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n" + PNG),
        IS_KEPT,
    ),
}
stages = pytest.mark.parametrize("stage", STAGES)


def looks_soon(stage: str) -> PollPolicy:
    soon = 0.01 if stage == "before the answer to a look" else 30.0
    return PollPolicy(min_delay=soon, max_delay=soon, lead=60)


def notes_of(fault: BaseException | None) -> str:
    return "\n".join(getattr(fault, "__notes__", []))


@stages
def test_a_cancelled_task_leaves_nothing(stage: str, tmp_path: Path) -> None:
    """Wherever it stood; its `CancelledError` tells the job, or that there may be one."""
    make, said = STAGES[stage]
    scene = make()

    async def run() -> None:
        async with AsyncPonyClient(KEY, base_url=scene.server.url, poll=looks_soon(stage)) as pony:

            async def one() -> None:
                generation = await pony.text2img("x")
                await generation.images[0].save(tmp_path)

            task = asyncio.create_task(one())
            await asyncio.to_thread(scene.reached.wait, 10)
            await asyncio.sleep(0.05)  # the client has what was sent
            task.cancel()
            with pytest.raises(asyncio.CancelledError) as raised:
                await task
            assert said in notes_of(raised.value)
            assert asyncio.all_tasks() == {asyncio.current_task()}
            if stage != "between two looks":  # there it rests in the pool, for the next call
                assert await asyncio.to_thread(scene.server.is_left)
            assert not pony._calls.gate.locked()
        assert await asyncio.to_thread(scene.server.is_left)

    with scene.server:
        asyncio.run(run())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("most", [1, 3])
def test_cancelled_tasks_wear_nothing_out(most: int) -> None:
    """After hundreds, at any moment of a call, no connection is stuck in the pool: the next call works at once."""
    chance = random.Random(20261123)  # noqa: S311 - moments, no secrets

    def say(talk: Talk) -> None:
        time.sleep(0.002)  # so that there are moments on the way
        talk.answer({"status": "success", "data": {"balance": 1}}, headers=chance.choice(["", "connection: close\r\n"]))

    async def one(pony: AsyncPonyClient) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            task = asyncio.create_task(pony.balance())
            await asyncio.sleep(chance.random() * 0.006)
            task.cancel()
            if chance.random() < 0.2:
                await asyncio.sleep(0)
                task.cancel()
            await task

    async def run() -> None:
        async with AsyncPonyClient(KEY, base_url=server.url, timeout=5, max_in_flight=most) as pony:
            for _ in range(100):
                await asyncio.gather(*(one(pony) for _ in range(most)))
            assert asyncio.all_tasks() == {asyncio.current_task()}
            for _ in range(most + 1):
                assert (await asyncio.wait_for(pony.balance(), 2)).balance == 1
            kept = pony._httpx._transport._pool._idle._kept  # type: ignore[attr-defined]  # httpx has no name for it
            assert len(kept) <= most
            assert await asyncio.to_thread(server.is_left, but=len(kept))

    with RawServer(say) as server:
        asyncio.run(run())


@pytest.mark.parametrize("limit", [asyncio.timeout, asyncio.wait_for])
def test_a_limit_of_the_callers_own_leaves_nothing(limit: Any, tmp_path: Path) -> None:
    """`asyncio.timeout` around a call: what it cancelled still tells the job."""
    scene = STAGES["before the answer to a look"][0]()

    async def within(call: Awaitable[object]) -> object:
        if limit is asyncio.wait_for:
            return await asyncio.wait_for(call, 0.5)
        async with asyncio.timeout(0.5):
            return await call

    async def run() -> None:
        poll = PollPolicy(min_delay=0.01, max_delay=0.01, lead=60)
        async with AsyncPonyClient(KEY, base_url=scene.server.url, poll=poll) as pony:
            with pytest.raises(TimeoutError) as raised:
                await within(pony.text2img("x"))
            assert IS_KEPT in notes_of(raised.value.__cause__)
            assert asyncio.all_tasks() == {asyncio.current_task()}
            assert await asyncio.to_thread(scene.server.is_left)

    with scene.server:
        asyncio.run(run())
    assert list(tmp_path.iterdir()) == []


@stages
def test_ctrl_c_leaves_nothing(stage: str, tmp_path: Path) -> None:
    """Same for the blocking client and a `KeyboardInterrupt`."""
    make, said = STAGES[stage]
    scene = make()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def press() -> None:
        scene.reached.wait(10)
        time.sleep(0.1)  # the client has what was sent
        os.kill(os.getpid(), signal.SIGINT)

    presser = threading.Thread(target=press)
    try:
        with scene.server, PonyClient(KEY, base_url=scene.server.url, poll=looks_soon(stage)) as pony:
            presser.start()
            with pytest.raises(KeyboardInterrupt) as raised:
                pony.text2img("x").images[0].save(tmp_path)
            presser.join()
            assert said in notes_of(raised.value)
            if stage != "between two looks":
                assert scene.server.is_left()
            assert pony._calls.gate.acquire(blocking=False)
    finally:
        signal.signal(signal.SIGINT, before)
    assert list(tmp_path.iterdir()) == []


def test_a_task_cancelled_at_the_disk_leaves_a_whole_file_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread that writes is waited for: nothing goes on after the call is over."""
    from modelslab_pony import _disk

    reached, over = threading.Event(), threading.Event()
    finish = _disk._File.commit

    def slowly(sink: Any, suffix: str) -> Any:
        reached.set()
        time.sleep(0.2)  # a disk that takes its time
        try:
            return finish(sink, suffix)
        finally:
            over.set()

    monkeypatch.setattr(_disk._File, "commit", slowly)
    path = tmp_path / "a.png"

    def say(talk: Talk) -> None:
        if talk.path.endswith(".png"):
            talk.answer(PNG)
        else:
            talk.answer({"status": "success", "id": 7, "output": [f"{talk.server.url}/a.png"]})

    async def run() -> None:
        async with AsyncPonyClient(KEY, base_url=server.url) as pony:
            generation = await pony.text2img("x")
            task = asyncio.create_task(generation.images[0].save(path))
            await asyncio.to_thread(reached.wait, 10)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert over.is_set()

    with RawServer(say) as server:
        asyncio.run(run())
    assert [one.read_bytes() for one in tmp_path.iterdir()] == [PNG]
