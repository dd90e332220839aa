"""Saving a file of 100 MB: how fast, and in how much memory."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import frozen

from bench._measure import child, in_turns, median, ratio
from bench._report import Bound, Section, Table
from bench._server import FILE_BYTES, running

NAMES = {
    "httpx": "bare `httpx.Client.stream`, `iter_bytes`",
    "pony": "`Image.save`",
    "httpx-synced": "bare `httpx.Client.stream`, `iter_bytes`, `fsync`",
    "httpx-async": "bare `httpx.AsyncClient.stream`, `aiter_bytes`",
    "pony-async": "`AsyncImage.save`",
}
PAIRS = (("pony", "httpx"), ("pony-async", "httpx-async"))


@frozen
class Download:
    """One file, saved."""

    seconds: float
    grown: float
    """MB that the process grew by at most."""

    @property
    def rate(self) -> float:
        """MB a second."""
        return FILE_BYTES / 1e6 / self.seconds


@frozen
class Downloads:
    """By client, round by round."""

    found: Mapping[str, Sequence[Download]]


def measure(*, quick: bool) -> Downloads:
    """Save the file with each, in turns, in new processes."""
    with running() as service, tempfile.TemporaryDirectory(prefix="bench-") as folder:

        def one(name: str) -> Download:
            path = Path(folder) / "large.png"
            path.unlink(missing_ok=True)
            said = child("_downloads_child", name, service.base("large"), path)
            if said["bytes"] != FILE_BYTES:
                raise RuntimeError(f"{name} saved {said['bytes']} bytes")
            return Download(said["seconds"], said["grown"])

        one("pony")  # the folder's and the server's first
        return Downloads(in_turns(list(NAMES), 2 if quick else 9, one))


def section(found: Downloads) -> Section:
    """Tell it."""
    runs = found.found
    bounds = [
        Bound(
            name=f"100 MB, MB a second: {NAMES[one]} beside {NAMES[other]}",
            measured=_rates(runs, one, other),
            at_least=0.9,
        )
        for one, other in PAIRS
    ]
    bounds += [
        Bound(name=f"100 MB, growth of memory: {NAMES[one]}", measured=_grown(runs, one), at_most=10, unit="MB")
        for one, _ in PAIRS
    ]
    rows = [
        (NAMES[name], median([run.rate for run in of_name]), _rates(runs, name, "httpx"), _grown(runs, name))
        for name, of_name in runs.items()
    ]
    return Section(
        "Downloads",
        (
            (
                f"One file of 100 MB from a local server to a temporary folder, {len(runs['pony'])} times each, in "
                "turns, each in a new process. Our client also checks both ends and the length, has the file on the "
                "disk (`fsync`) before it is named, and syncs the folder; it gains that time by reading more at once "
                "(the server speaks no TLS, whose records of 16 kB would leave less to gain). "
                "Growth is the most that the process had, less what it had before."
            ),
            Table(("", "MB/s", "beside `httpx.Client`", "MB grown"), rows),
        ),
        bounds,
    )


def _rates(runs: Mapping[str, Sequence[Download]], one: str, other: str) -> float:
    return ratio([run.rate for run in runs[one]], [run.rate for run in runs[other]])


def _grown(runs: Mapping[str, Sequence[Download]], name: str) -> float:
    return max(run.grown for run in runs[name])
