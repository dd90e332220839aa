"""make bench-simulator: how much `pony simulator` answers, beside a server that only echoes; and its memory.

Two processes, one a core: the simulator, and this one, which submits jobs and fetches each. The ratio
to the bare server in the same run is what can be compared between machines.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

from modelslab_pony.testing._render import render

JOBS = 10_000
RETENTION = 1_000
CONNECTIONS = 8
PICTURES = 20
STEP = 1_000
"""Jobs between two looks at the memory."""
LISTENING = re.compile(r"listening on http://127\.0\.0\.1:(\d+)")
BARE = """
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from modelslab_pony.testing.server import bind

async def answer(request: Request) -> Response:
    await request.body()
    return Response(b'{"status": "success", "id": 1}', media_type="application/json")

listening = bind()
print("listening on http://127.0.0.1:%d" % listening.getsockname()[1], flush=True)
app = Starlette(routes=[Route("/{path:path}", answer, methods=["POST"])])
uvicorn.Server(uvicorn.Config(app, http="h11", log_level="warning")).run(sockets=[listening])
"""


def main() -> int:
    """Measure, and print what was found."""
    pony = str(Path(sys.executable).with_name("pony"))
    options = ["--port", "0", "--eta", "0", "--retention", str(RETENTION), "--balance", "1000000"]
    print(f"{JOBS} jobs, each submitted and fetched, over {CONNECTIONS} connections; {RETENTION} jobs remembered")
    rate, memory = asyncio.run(_measured([pony, "simulator", *options]))
    bare, _ = asyncio.run(_measured([sys.executable, "-c", BARE]))
    print(f"simulator: {rate:.0f} requests/s; a bare server: {bare:.0f}; ratio {rate / bare:.2f}")
    print(f"memory after each {STEP} jobs, in MiB:", *(f"{size:.1f}" for size in memory))
    full = memory[RETENTION // STEP :]
    for size in (1024, 2048):
        print(f"a picture of {size} x {size}: {1000 * _drawing(size):.0f} ms, the slowest of {PICTURES}")
    print(f"growth since the limit was reached: {full[-1] - full[0]:+.1f} MiB in {JOBS - RETENTION} jobs")
    return 0


async def _measured(command: list[str]) -> tuple[float, list[float]]:
    """Return requests a second, and the memory along the way."""
    async with _running(command) as (process, port):
        memory: list[float] = []
        took = 0.0
        for _ in range(0, JOBS, STEP):
            begun = time.perf_counter()
            await asyncio.gather(*(_customer(port, STEP // CONNECTIONS) for _ in range(CONNECTIONS)))
            took += time.perf_counter() - begun
            memory.append(_resident(process.pid))
        return 2 * JOBS / took, memory


async def _customer(port: int, jobs: int) -> None:
    """Submit jobs and fetch each, over one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def ask(operation: str, body: dict[str, object]) -> dict[str, object]:
        content = json.dumps({"key": "bench", **body}).encode()
        head = (
            f"POST /api/v6/images/{operation} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-length: {len(content)}\r\n"
        )
        writer.write(f"{head}content-type: application/json\r\n\r\n".encode() + content)
        headers = await reader.readuntil(b"\r\n\r\n")
        length = int(headers.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        answer: dict[str, object] = json.loads(await reader.readexactly(length))
        if answer["status"] != "success":
            raise RuntimeError(f"{operation} was answered {answer}")
        return answer

    for _ in range(jobs):
        made = await ask("text2img", {"model_id": "pony-realism", "prompt": "a lighthouse at dusk"})
        await ask("fetch", {"request_id": str(made["id"])})
    writer.close()


@contextlib.asynccontextmanager
async def _running(command: list[str]) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    environment = {"PYTHONUNBUFFERED": "1"}
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, env=environment)
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    port = 0
    while not port and (line := await process.stdout.readline()):
        found = LISTENING.search(line.decode())
        port = int(found[1]) if found else 0
    draining = asyncio.create_task(process.stdout.read())  # its log, or the pipe would fill up
    try:
        if not port:
            raise RuntimeError(f"{command[0]} did not start; its own words stand above")
        yield process, port
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await draining
        await process.wait()


def _drawing(size: int) -> float:
    """Return the longest time that a picture took, in seconds."""
    took = []
    for seed in range(PICTURES):
        begun = time.perf_counter()
        render("a lighthouse at dusk, oil painting, golden hour, highly detailed", seed, size, size)
        took.append(time.perf_counter() - begun)
    return max(took)


def _resident(pid: int) -> float:
    """Return the memory of a process, in MiB (Linux); nan elsewhere."""
    try:
        status = Path(f"/proc/{pid}/status").read_text("utf-8")
    except OSError:
        return float("nan")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


if __name__ == "__main__":
    sys.exit(main())
