"""make simulator: Schemathesis against the simulator, over HTTP, in its spec dialect, with all checks.

The simulator's time passes with its requests, so that one run meets jobs that wait, succeed and
fail, and a full queue; the run fails if one of them did not come up.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from modelslab_pony.testing import Simulator, VirtualClock
from modelslab_pony.testing._answers import Answer, Call
from modelslab_pony.testing._script import GENERATIONS
from modelslab_pony.testing.server import serving

ROOT = Path(__file__).resolve().parent.parent
SEED = 20261122
EXAMPLES = 100
"""Per operation and phase."""
ETA = 3.0
"""Requests that a job takes: the clock counts them."""
MET = ("success", "processing", "failed", "error 400", "error 401", "error 402", "error 404", "error 429")
"""What a generation, or a fetch of one, has to have been answered at least once."""


class Crowd:
    """Lets time pass with each request; now and then a job fails, an account is broke, or a key is wrong."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.simulator = Simulator(eta=ETA, models=None, clock=self.clock, log=self)
        self.answers: Counter[str] = Counter()

    def __call__(self, _: Call, answer: Answer) -> None:
        """Count an answer and turn to the next."""
        status = answer.said.split(" ")[0]
        if answer.operation in GENERATIONS | {"fetch", "fetch_by_id"}:
            self.answers[status if status != "error" else f"error {answer.status_code}"] += 1
        self.clock.time += 1
        turn = self.answers.total()
        self.simulator.eta = ETA if turn // 50 % 2 else 0.0
        self.simulator.outcome = "failed" if turn % 3 == 0 else "success"
        self.simulator.balance = 0.0 if turn % 41 == 0 else 25.0
        self.simulator.key = "the-only-key" if turn % 43 == 0 else None


def main() -> int:
    """Run Schemathesis; print how many cases there were, and what they were answered."""
    crowd = Crowd()
    with serving(crowd.simulator) as url, tempfile.TemporaryDirectory() as folder:
        command = [
            str(Path(sys.executable).with_name("st")),
            *("--config-file", str(ROOT / "scripts" / "schemathesis.toml")),
            *("run", str(ROOT / "generated" / "openapi.json"), "--url", url, "--checks", "all", "--no-color"),
            *("--seed", str(SEED), "--max-examples", str(EXAMPLES), "--generation-database", "none"),
        ]
        hooks = {"SCHEMATHESIS_HOOKS": "schemathesis_hooks", "PYTHONPATH": str(ROOT / "scripts")}
        done = subprocess.run(command, env={**os.environ, **hooks}, cwd=folder, check=False)
    print("answers to generations and fetches:", ", ".join(f"{name} {crowd.answers[name]}" for name in MET))
    missing = [name for name in MET if not crowd.answers[name]]
    if missing:
        print(
            f"schemathesis_run: nothing was answered with {', '.join(missing)}: the run shows too little",
            file=sys.stderr,
        )
    return done.returncode or len(missing)


if __name__ == "__main__":
    sys.exit(main())
