"""make demo: one image, through the real command and real HTTP, from a service on this machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

PROMPT, SEED = "a lighthouse at dusk", "12"
OUTPUT = Path("out")
STARTED = re.compile(r"listening on (http://\S+)")


def main() -> int:
    """Start the simulator, run `pony text2img` against it, stop the simulator."""
    pony = str(Path(sys.executable).with_name("pony"))
    command = [pony, "simulator", "--port", "0", "--eta", "3"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as simulator:
        try:
            assert simulator.stdout is not None  # noqa: S101 - it is a pipe
            url = _base_url(simulator.stdout)
            if url is None:
                print("demo: the simulator did not start; its own words stand above", file=sys.stderr)
                return 1
            threading.Thread(target=_show, args=(simulator.stdout,), daemon=True).start()
            print(f'$ pony text2img "{PROMPT}" --seed {SEED} -o {OUTPUT}/', flush=True)
            client = {**environment, "MODELSLAB_BASE_URL": url, "MODELSLAB_API_KEY": "demo-needs-no-key"}
            command = [pony, "text2img", PROMPT, "--seed", SEED, "-o", str(OUTPUT)]
            made = subprocess.run(command, env=client, check=False)
            return made.returncode
        finally:
            simulator.terminate()


def _base_url(log: IO[str]) -> str | None:
    """Return the URL that the simulator says it listens on; None if it ends without one."""
    for line in log:
        print(line, end="", flush=True)
        found = STARTED.search(line)
        if found:
            return found[1]
    return None


def _show(log: IO[str]) -> None:
    for line in log:
        print(line, end="", flush=True)


if __name__ == "__main__":
    sys.exit(main())
