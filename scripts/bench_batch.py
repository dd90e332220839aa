"""What a batch costs beside the service's own time: `make bench-batch`.

1. Cost: items that the service makes at once. How long the engine takes for each, in time and in CPU,
   beside the bare client that keeps no books (the ratio is of one run on one machine).
2. Throughput: jobs that take a while, as many at once as the account allows. How much of the ideal
   (limit / seconds a job) is reached once the queue is full.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

from modelslab_pony import AsyncPonyClient, TextToImage
from modelslab_pony.batch import Batch, BatchEvent

KEY = "bench-key-0123456789"
WARM = 20
"""Items before what is measured: imports, connections, the first tables."""


@contextlib.contextmanager
def simulator(eta: float, limit: int) -> Iterator[str]:
    """Run the stand-in in a process of its own; give its base URL."""
    command = [sys.executable, "-m", "modelslab_pony.cli", "simulator", "--port", "0", "--eta", str(eta)]
    command += ["--workers", str(limit), "--queue-limit", str(limit), "--retention", "100000", "--balance", "100000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None  # noqa: S101 - a pipe was asked for
            found = re.search(r"http\S+", running.stdout.readline())
            assert found is not None, "the simulator did not start"  # noqa: S101 - then there is nothing to measure
            with subprocess.Popen(
                ["cat"], stdin=running.stdout, stdout=subprocess.DEVNULL
            ):  # or its log fills the pipe
                try:
                    yield found[0]
                finally:
                    running.terminate()
        finally:
            running.terminate()


def requests(count: int) -> list[TextToImage]:
    """Return different requests."""
    return [TextToImage(f"a lighthouse, {number}", seed=number) for number in range(count)]


def cpu() -> float:
    """Return the seconds of CPU that this process has taken."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def bare(url: str, count: int, limit: int, folder: Path) -> None:
    """Make and save images with the client alone."""
    gate = asyncio.Semaphore(limit)
    async with AsyncPonyClient(KEY, base_url=url) as pony:

        async def one(request: TextToImage) -> None:
            async with gate:
                generation = await pony.generate(request)
                await generation.images[0].save(folder / f"{request.seed}.png")

        await asyncio.gather(*map(one, requests(count)))


@frozen
class Cost:
    """What an item takes, in seconds."""

    bare: float
    bare_cpu: float
    batch: float
    batch_cpu: float


def measure(count: int, limit: int) -> Cost:
    """Return what items cost that take the service no time: with the client alone, and in a batch."""
    with simulator(0.0, limit) as url, tempfile.TemporaryDirectory() as folder:
        asyncio.run(bare(url, WARM, limit, Path(folder) / "warm"))
        began, used = time.perf_counter(), cpu()
        asyncio.run(bare(url, count, limit, Path(folder) / "bare"))
        plain, plain_cpu = time.perf_counter() - began, cpu() - used

        Batch(Path(folder) / "first", requests(WARM), api_key=KEY, base_url=url, limit=limit).run()
        done: list[float] = []
        batch = Batch(Path(folder) / "batch", requests(count), api_key=KEY, base_url=url, limit=limit)
        used = cpu()
        batch.run(lambda event: done.append(event.at) if event.kind == "done" else None)
        books_cpu = cpu() - used
    return Cost(plain / count, plain_cpu / count, (done[-1] - done[0]) / (count - 1), books_cpu / count)


def cost(count: int, limit: int) -> None:
    """Print what the engine adds to each item."""
    found = measure(count, limit)
    print(f"{count} items that take the service no time, {limit} at once, one process for each side:")
    print(f"  bare client  {1000 * found.bare:6.1f} ms an item, {1000 * found.bare_cpu:6.1f} ms of CPU")
    print(f"  batch        {1000 * found.batch:6.1f} ms an item, {1000 * found.batch_cpu:6.1f} ms of CPU")
    own = 1000 * (found.batch_cpu - found.bare_cpu)
    print(f"  the engine's own: {own:.1f} ms of CPU an item (x{found.batch_cpu / found.bare_cpu:.1f})")
    print("  it includes the small copy for the gallery, results.jsonl, and what asking the database costs")


def throughput(count: int, limit: int, eta: float) -> None:
    """Print how much of the ideal rate is reached."""
    done: list[float] = []

    def note(event: BatchEvent) -> None:
        if event.kind == "done":
            done.append(event.at)

    with simulator(eta, limit) as url, tempfile.TemporaryDirectory() as folder:
        began = time.time()
        status = Batch(Path(folder) / "out", requests(count), api_key=KEY, base_url=url, limit=limit).run(note)
        took = time.time() - began
    ideal = limit / eta
    steady = (len(done) - limit) / (done[-1] - done[limit - 1]) if len(done) > limit else float("nan")
    print(f"{count} items, {eta:g} s each, {limit} at once: ideal {ideal:.2f} a second")
    print(f"  once running {steady:.2f} a second: {100 * steady / ideal:.1f} % of the ideal ({status.done} done)")
    print(f"  from start to end {count / took:.2f} a second: {100 * count / took / ideal:.1f} % ({took:.1f} s)")


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=600, help="of the second measurement")
    parser.add_argument("--limit", type=int, default=15)
    parser.add_argument("--eta", type=float, default=5.0, help="seconds a job")
    parser.add_argument("--cheap-items", type=int, default=200, help="of the first measurement")
    given = parser.parse_args()
    cost(given.cheap_items, given.limit)
    throughput(given.items, given.limit, given.eta)


if __name__ == "__main__":
    main()
