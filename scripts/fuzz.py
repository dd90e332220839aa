"""make fuzz: tests/fuzz for long, in as many processes as there are processors, each with seeds of its own.

`FUZZ_ANSWERS` odd answers for each client in all (100,000), from `FUZZ_SEED` on (another one each time).
What fails is told with the command that repeats it.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
APART = 1_000_000
"""Between the first seeds of two processes; a chunk of examples takes one seed."""


def main() -> int:
    """Run the processes; return how many of them failed."""
    given = os.environ.get("FUZZ_ANSWERS", "100000")
    answers = int(given) if given.isascii() and given.isdigit() else 0
    if not answers:
        sys.exit(f"fuzz: FUZZ_ANSWERS has to be an integer of at least 1, not {given!r}")
    stated = os.environ.get("FUZZ_SEED", "random")
    seed = secrets.randbelow(10**9) if stated == "random" else int(stated)
    workers = os.cpu_count() or 1
    print(f"at least {answers} odd answers for each client, {workers} processes, FUZZ_SEED={seed}", flush=True)
    command = [sys.executable, "-m", "pytest", "-q", "-s", "tests/fuzz/test_answers.py"]
    running = [
        subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "FUZZ_ANSWERS": str(-(-answers // workers)), "FUZZ_SEED": str(seed + number * APART)},
        )
        for number in range(workers)
    ]
    return sum(process.wait() != 0 for process in running)


if __name__ == "__main__":
    sys.exit(main())
