"""The two commands that `make demo` joins, as processes of their own over real HTTP."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

STARTED = re.compile(r"listening on (http://\S+)")
PONY = str(Path(sys.executable).with_name("pony"))


@pytest.mark.parametrize(("outcome", "code"), [("success", 0), ("failed", 30)])
def test_the_simulator_command_serves_what_it_is_told(outcome: str, code: int, tmp_path: Path) -> None:
    """On a free port that it names; jobs end as asked, and `pony text2img` says so."""
    command = [PONY, "simulator", "--port", "0", "--eta", "0", "--outcome", outcome]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            url = next(found[1] for line in process.stdout if (found := STARTED.search(line)))
            made = subprocess.run(
                [PONY, "text2img", "a lighthouse", "-o", str(tmp_path)],
                env={**environment, "MODELSLAB_BASE_URL": url, "MODELSLAB_API_KEY": "any-key-0123"},
                check=False,
                capture_output=True,
                text=True,
            )
        finally:
            process.terminate()
    assert made.returncode == code, made.stderr
    assert [str(path) for path in tmp_path.iterdir()] == made.stdout.split()
