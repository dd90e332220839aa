"""How the command begins and ends as a process: its streams, completion, its exit code."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import NoReturn

from modelslab_pony.cli import _complete, _terminal
from modelslab_pony.cli._app import app


def run() -> NoReturn:
    """Run the command with the arguments of the process, and end the process."""
    command = partial(app, prog_name="pony")
    if "_PONY_COMPLETE" in os.environ:
        _complete.prepare(os.environ)
    output, outlet = _terminal.guarded(sys.stdout)
    errors, _ = _terminal.guarded(sys.stderr)
    sys.stdout, sys.stderr = output, errors  # None, as it was, where there is none
    code = 0
    try:
        if os.environ.get("_PONY_COMPLETE") == "complete_bash":
            _complete.for_bash(command)
        command()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    sys.exit(_terminal.exit_code(code, outlet))
