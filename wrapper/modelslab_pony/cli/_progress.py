"""What a person sees while a job runs: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from modelslab_pony.cli import _terminal
from modelslab_pony.cli._report import one_line
from modelslab_pony.results import JobStatus


class JobProgress:
    """Shows status, eta and elapsed time of one job, on standard error."""

    def __init__(self, *, quiet: bool) -> None:
        self._console = console = _terminal.console()
        self._quiet = quiet
        self._started = time.monotonic()
        self._live: Progress | None = None
        if _terminal.is_live(console) and not quiet:
            columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
            self._live = Progress(*columns, console=console, transient=True)
            self._task = self._live.add_task("asking the service", total=None)

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def update(self, status: JobStatus) -> None:
        """Show where the job stands."""
        eta = f", eta {status.eta:.0f} s" if status.eta is not None else ""
        self.say(f"job {status.id}: {status.status}{eta}")

    def say(self, text: str) -> None:
        """Show what is being done."""
        if self._quiet:
            return
        text = one_line(text)  # some of it is the service's, or a stranger's file's
        if self._live is not None:
            self._live.update(self._task, description=escape(text))
        else:
            elapsed = time.monotonic() - self._started
            self._console.print(f"{text} ({elapsed:.1f} s)", markup=False, highlight=False, soft_wrap=True)
