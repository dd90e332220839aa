"""One run of `flight`: a server and a client, each a process of its own, and what is seen of both from outside."""

from __future__ import annotations

import contextlib
import json
import math
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import Any

from attrs import asdict, frozen

from bench._flight_child import Task
from bench._measure import environment, memory, peer_python
from bench._server import Service, running

LOOK = 0.05
"""Seconds between two looks at a process."""
GIVE_UP = 120.0
"""Seconds of a run, which is then stopped and told as given up."""
NAN = float("nan")


@frozen(kw_only=True)
class Run:
    """What was seen of one run."""

    jobs: int
    took: float = NAN
    """Seconds; nan for a run that was given up."""
    cpu: float = NAN
    late_half: float = NAN
    late_most: float = NAN
    """Seconds from ready to noticed: the median, and what 99 of 100 do not exceed."""
    faults: int = 0
    fault: str = ""
    connections: int = 0
    """The most that were open at once."""
    waiting: int = 0
    """The most jobs that were accepted and not ready yet, as far as was seen."""
    kb_each: float = NAN
    """What the process had grown by then, for each of them, in 1000 bytes."""

    @property
    def is_whole(self) -> bool:
        """Whether each job came to its end."""
        return not math.isnan(self.took) and not self.faults

    @property
    def done(self) -> int:
        """How many jobs came to their end."""
        return 0 if math.isnan(self.took) else self.jobs - self.faults

    @property
    def rate(self) -> float:
        """Jobs a second; nan for a run that is not whole."""
        return self.jobs / self.took if self.is_whole else NAN


def run(name: str, jobs: int, seconds: float, body: dict[str, Any], in_flight: int = 0, on_its_way: float = 0.0) -> Run:
    """Have a client run jobs of `seconds` (0: answered at once, which takes `on_its_way` seconds), all at once."""
    first = f"wait-{seconds:g}" if seconds else f"after-{on_its_way:g}" if on_its_way else "at-once"
    with running() as service, tempfile.TemporaryFile("w+") as errors:
        task = Task(name, service.base("at-once"), service.base(first), jobs, in_flight, body)
        before, looks, said = _watched(service, task, errors)
        if said is None:
            errors.seek(0)
            raise RuntimeError(f"{name}, {jobs} jobs, failed:\n{errors.read()}")
        waiting, kb = max(looks, default=(0, 0))
        return Run(
            jobs=jobs,
            connections=service.stats()["peak"],
            waiting=waiting,
            kb_each=1.024 * (kb - before) / waiting if waiting else NAN,
            **said,
        )


def _watched(service: Service, task: Task, errors: Any) -> tuple[int, Sequence[tuple[int, int]], dict[str, Any] | None]:
    """Return the memory before, (waiting, memory) of each look, and what was said at the end: None for a failure."""
    command = [peer_python(), "-m", "bench._flight_child"]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": errors}
    with subprocess.Popen(command, env=environment(), text=True, **pipes) as process:
        assert process.stdin is not None  # noqa: S101 - pipes were asked for
        assert process.stdout is not None  # noqa: S101 - pipes were asked for
        try:
            process.stdin.write(json.dumps(asdict(task)))
            process.stdin.close()
            before = int(process.stdout.readline() or 0)
            if not before:
                return 0, (), None
            service.stats("/begin")
            looks = list(_looks(service, process))
            if process.poll() is None:
                return before, looks, {}
            # It is short, so it has waited in the pipe.
            return before, looks, None if process.returncode else json.loads(process.stdout.read())
        finally:
            process.kill()


def _looks(service: Service, process: subprocess.Popen[str]) -> Iterator[tuple[int, int]]:
    deadline = time.monotonic() + GIVE_UP
    while time.monotonic() < deadline:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(LOOK)
            return
        with contextlib.suppress(OSError, KeyError):  # it ended meanwhile
            waiting, now = service.stats()["waiting"], memory(process.pid)["now"]
            yield waiting, now
