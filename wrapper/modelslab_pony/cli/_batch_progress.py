"""What a person sees while a batch runs: live lines on a terminal, a plain log elsewhere, JSON for programs."""

from __future__ import annotations

import json
import time
from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from modelslab_pony.cli import _terminal
from modelslab_pony.cli._report import one_line

if TYPE_CHECKING:
    from modelslab_pony.batch import BatchEvent

WINDOW = 120.0
"""Seconds over which the rate is taken."""
LOG_EVERY = 10.0
"""Seconds between two lines of progress in a log."""
SAID_ONCE = 30.0
"""Seconds in which the same kind of trouble is not repeated."""
_COLOURS = {"done": "green", "running": "blue", "waiting": "dim", "failed": "red", "unknown": "yellow"}


class Pace:
    """How fast images come, and when they should all be there."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int, int]] = deque()
        self.images = self.rows = 0

    def done(self, at: float, images: int) -> None:
        """Note a row whose images are saved."""
        self.images, self.rows = self.images + images, self.rows + 1
        self._seen.append((at, self.images, self.rows))
        while at - self._seen[0][0] > WINDOW:
            self._seen.popleft()

    def per_minute(self) -> float | None:
        """Return images a minute; None before two rows are there."""
        return self._rate(1)

    def seconds_left(self, rows: int) -> float | None:
        """Return the seconds until `rows` more should be done; None before that can be told."""
        rate = self._rate(2)
        return None if not rate else rows * 60 / rate

    def _rate(self, column: int) -> float | None:
        if len(self._seen) < 2 or self._seen[-1][0] <= self._seen[0][0]:
            return None
        first, last = self._seen[0], self._seen[-1]
        return 60 * (last[column] - first[column]) / (last[0] - first[0])


class BatchProgress:
    """Takes the events of a batch and shows them, on standard error; as JSON on standard output."""

    def __init__(self, console: Console, *, as_json: bool) -> None:
        self._console, self._as_json = console, as_json
        self._pace = Pace()
        self._counts: dict[str, Any] = {}
        self._first_balance: float | None = None
        self._money = ""
        self._told: dict[str, float] = {}
        self.unwritten: dict[tuple[Any, Any], Any] = {}
        """Jobs that were accepted and could not be written down, by batch and row."""
        self._logged = 0.0
        self._live: Live | None = None
        if _terminal.is_live(console) and not as_json:
            columns = (BarColumn(), MofNCompleteColumn(), TextColumn("rows"), TimeElapsedColumn())
            self._bar = Progress(*columns, console=console)
            self._task = self._bar.add_task("", total=None)
            self._live = Live(self._view(), console=console, refresh_per_second=4, transient=True)

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Take the live lines away."""
        if self._live is not None:
            self._live.stop()

    def say(self, text: str) -> None:
        """Show a line that stays."""
        if not self._as_json:
            self._console.print(one_line(text), markup=False, highlight=False, soft_wrap=True)

    def take(self, event: BatchEvent) -> None:
        """Show an event."""
        row = (event.facts.get("batch"), event.facts.get("index"))
        if event.kind == "unwritten":
            self.unwritten[row] = event.facts["job_id"]
        elif event.kind == "accepted":
            self.unwritten.pop(row, None)
        if self._as_json:
            typer.echo(json.dumps({"event": event.kind, "at": round(event.at, 3), **event.facts}, default=str))
            return
        if event.kind == "done":
            self._pace.done(event.at, int(event.facts.get("images", 1)))
        elif event.kind == "progress":
            self._counts = dict(event.facts)
        elif event.kind == "balance":
            self._spent(event.facts["balance"], event.facts["currency"])
        elif event.kind != "accepted":
            self._trouble(event)
        self._show()

    def summary(self) -> str:
        """Return where the batch stands, on one line."""
        counts = self._counts
        said = [f"{counts[name]} {name}" for name in _COLOURS if counts.get(name) or name == "done"] if counts else []
        return ", ".join([*said, *self._facts()])

    def _facts(self) -> list[str]:
        counts = self._counts
        rate = self._pace.per_minute()
        left = self._pace.seconds_left(counts.get("waiting", 0) + counts.get("running", 0) - counts.get("left", 0))
        facts = [f"{rate:.0f} images/min"] if rate else []
        facts += [f"ETA {_clock(left)}"] if left else []
        facts += [self._money] if self._money else []
        if counts and counts.get("allowed") != counts.get("limit"):
            facts.append(f"slowed to {counts['allowed']} of {counts['limit']} at once")
        return facts

    def _spent(self, balance: float, currency: str) -> None:
        self._first_balance = balance if self._first_balance is None else self._first_balance
        spent = self._first_balance - balance
        left = f"{balance:.2f} {currency} left".replace("  ", " ")
        self._money = f"spent {spent:.2f}, {left}" if spent >= 0 else left  # money may come in meanwhile

    def _trouble(self, event: BatchEvent) -> None:
        """Say what went wrong: each failed or unknown row; passing troubles now and then."""
        facts = event.facts
        now = time.monotonic()
        is_final = event.kind in {"failed", "unknown", "parked", "stray", "unwritten"}
        if not is_final and now - self._told.get(event.kind, -SAID_ONCE) < SAID_ONCE:
            return
        self._told[event.kind] = now
        row = f"row {facts['index']}: " if facts.get("index") is not None else ""
        error = facts.get("error")
        why = f" ({error['type']}: {error['message']})" if error else ""
        self.say(f"{row}{self._words(event)}{why}")

    @staticmethod
    def _words(event: BatchEvent) -> str:
        facts = event.facts
        said = {
            "delayed": "tried again in {wait:.0f} s",
            "slowed": "the queue is full, {allowed} of {limit} at once from now on",
            "recovered": "{allowed} of {limit} at once",
            "parked": "left to the next run",
            "stopping": "stopping: waiting for {sending} answers (Ctrl-C again: do not wait)",
            "database": "the database is away: {message}",
            "stray": "job {job_id} was accepted, and the row has been given to another process: pony fetch {job_id}",
            "unwritten": "job {job_id} was accepted and cannot be written down yet ({message}): keep its id",
            "worker gone": "worker {worker} is gone; its rows are taken over",
        }
        return said.get(event.kind, event.kind).format_map(facts)

    def _show(self) -> None:
        now = time.monotonic()
        if self._live is not None:
            self._live.update(self._view())
        elif self._counts and now - self._logged >= LOG_EVERY:
            self._logged = now
            self.say(self.summary())

    def _view(self) -> Group:
        counts = self._counts
        settled = sum(counts.get(name, 0) for name in ("done", "failed", "unknown", "cancelled"))
        self._bar.update(self._task, total=counts.get("total"), completed=settled)
        states = Text()
        for name, colour in _COLOURS.items():
            states.append(f"{counts.get(name, 0)} {name}  ", style=colour if counts.get(name) else "dim")
        return Group(self._bar, states, Text("  ".join(self._facts())))


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
