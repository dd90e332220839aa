"""How things are measured: in turns, in processes of their own, and compared within one round."""

from __future__ import annotations

import json
import math
import os
import platform
import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from attrs import frozen

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / ".venv-bench"
"""The environment of the peers; ours is put beside them by its sources, see `environment`."""


# --- in turns --------------------------------------------------------------------------------


def turns(names: Sequence[str], rounds: int) -> Iterator[str]:
    """Yield whose turn it is: each once a round, every second round backwards, so that none is always first."""
    for number in range(rounds):
        yield from names if number % 2 == 0 else reversed(names)


def in_turns(names: Sequence[str], rounds: int, measure: Callable[[str], T]) -> dict[str, list[T]]:
    """Measure each as often as there are rounds, in turns; return what was found, round by round."""
    found: dict[str, list[T]] = {name: [] for name in names}
    for name in turns(names, rounds):
        found[name].append(measure(name))
    return found


def median(values: Sequence[float]) -> float:
    """Return the median; nan where one of them is, which sorting would put anywhere."""
    return math.nan if any(map(math.isnan, values)) else statistics.median(values)


def ratio(some: Sequence[float], others: Sequence[float]) -> float:
    """Return the median of the ratios of each round: what slows a machine down for a while slows both."""
    return median([one / other for one, other in zip(some, others, strict=True)])


def difference(some: Sequence[float], others: Sequence[float]) -> float:
    """Return the median of the differences of each round."""
    return median([one - other for one, other in zip(some, others, strict=True)])


def quantile(values: Sequence[float], part: float) -> float:
    """Return the smallest value that at least this part of them does not exceed; nan for none."""
    ordered = sorted(values)
    return ordered[max(0, min(len(ordered) - 1, -int(-part * len(ordered) // 1) - 1))] if ordered else float("nan")


# --- in processes of their own -----------------------------------------------------------------


def peer_python() -> str:
    """Return the interpreter of the peers' environment."""
    return str(PEERS / "bin" / "python")


def environment() -> dict[str, str]:
    """Return what a measured process is told: where our sources are, and nothing of this machine's own settings.

    Proxies and certificates that a machine names would be read by some clients and not by others.
    """
    places = [ROOT / "wrapper", ROOT / "generated", ROOT / "scripts"]
    return {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": os.pathsep.join(map(str, places)), "LANG": "C.UTF-8"}


def timed(code: str) -> float:
    """Return the seconds that an interpreter of the peers' environment takes from start to end with some code."""
    began = time.perf_counter()
    done = subprocess.run(
        [peer_python(), "-c", code], env=environment(), capture_output=True, text=True, check=False, timeout=60
    )
    took = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"{code!r} failed:\n{done.stderr}")
    return took


def child(module: str, *arguments: object, limit: float = 300.0) -> Any:
    """Run a module of this package in the peers' environment; return the JSON that it prints last."""
    command = [peer_python(), "-m", f"bench.{module}", *map(str, arguments)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False, timeout=limit)
    if done.returncode:
        raise RuntimeError(f"{module} {' '.join(map(str, arguments))} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def memory(pid: int | str = "self") -> dict[str, int]:
    """Return the resident memory of a process in kB, now and at its highest (Linux)."""
    lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
    found = dict(line.split(":", 1) for line in lines if line.startswith(("VmRSS", "VmHWM")))
    return {"now": int(found["VmRSS"].split()[0]), "highest": int(found["VmHWM"].split()[0])}


def open_many_files() -> None:
    """Let this process have as many connections as it may."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


# --- where ------------------------------------------------------------------------------------


@frozen
class Machine:
    """Where it was measured."""

    cpus: int
    memory_gb: float
    system: str
    python: str
    packages: dict[str, str]


def machine() -> Machine:
    """Return this machine's size, and the versions in the peers' environment."""
    listed = subprocess.run(
        [peer_python(), "-m", "pip", "--disable-pip-version-check", "list", "--format=json"],
        capture_output=True,
        text=True,
        check=True,
    )
    asked = "import platform; print(platform.python_version())"
    python = subprocess.run([peer_python(), "-c", asked], capture_output=True, text=True, check=True).stdout.strip()
    return Machine(
        cpus=len(os.sched_getaffinity(0)),
        memory_gb=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30,
        system=f"{platform.system()} on {platform.machine()}",
        python=python,
        packages={one["name"]: one["version"] for one in json.loads(listed.stdout)},
    )
