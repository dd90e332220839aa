"""What came of a batch: plain values, and the file of them."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Literal

from attrs import field, fields, frozen

from modelslab_pony._disk import part_in
from modelslab_pony._private import may_be_kept
from modelslab_pony.batch._row_book import Item
from modelslab_pony.errors import JobId

Status = Literal["waiting", "running", "done", "failed", "unknown", "cancelled"]
RESULTS, PAGE = "results.jsonl", "index.html"


@frozen(kw_only=True)
class BatchError:
    """Why a row has no images, or not yet."""

    type: str
    """The name of a class of `modelslab_pony.errors`."""
    message: str
    """What the error says."""


@frozen(kw_only=True)
class BatchResult:
    """A row of the input, and what came of it."""

    index: int
    """The row's number, from 1; 0 for a row that left the input."""
    name: str | None
    """The row's own `name`; None without one."""
    status: Status
    """waiting, running, done, failed, unknown or cancelled. unknown: it may have been accepted and billed, and is not
    sent again by itself."""
    op: str
    """text2img, img2img or inpaint."""
    request: Mapping[str, Any]
    """The fields as they were given, without those that may hold a token."""
    omitted: Sequence[str] = ()
    """The names of those."""
    job_id: JobId | None = None
    """The service's id of its job; None where none is known."""
    seed: int | None = None
    """The seed that was really used, where the service told it; else the one that was asked for, or None."""
    images: Sequence[Path] = ()
    """The files, below the output folder of whichever worker saved them; none unless it is done."""
    urls: Sequence[str] = field(default=(), repr=False)
    """Where the service put them; they may run out."""
    generation_time: float | None = None
    """Seconds of work, as the service measured it; None where it did not say."""
    seconds: float | None = None
    """From the acceptance until the job was seen done; longer than it took, where a later run looked."""
    attempt: int = 1
    """How often the row was sent on purpose: once, and once more for each retry."""
    worker: str | None = None
    """Which process sent it; host, process id and a random part, or "local"."""
    sent_at: float | None = None
    """When it was last sent, in seconds since 1970: where to look in the account's history."""
    settled_at: float | None = None
    """When it came to its end, in seconds since 1970."""
    error: BatchError | None = None
    """Why it has no images, or not yet; None where nothing went wrong."""

    def document(self, output: Path) -> dict[str, Any]:
        """Return it as a row of results.jsonl; paths are relative to the output folder."""
        names = ("index", "name", "status", "op", "job_id", "seed")
        return {
            **{name: getattr(self, name) for name in names},
            "images": [path.relative_to(output).as_posix() for path in self.images],
            "urls": list(self.urls),
            "request": dict(self.request),
            "omitted": list(self.omitted),
            "generation_time": self.generation_time,
            "seconds": None if self.seconds is None else round(self.seconds, 3),
            "sent_at": _iso(self.sent_at),
            "settled_at": _iso(self.settled_at),
            "attempt": self.attempt,
            "worker": self.worker,
            "error": None if self.error is None else {"type": self.error.type, "message": self.error.message},
        }

    def command(self) -> str:
        """Return the shell command that makes it again, with the seed that was used."""
        options = dict(self.request)
        if self.seed is not None:
            options["seed"] = self.seed
        words = ["pony", self.op]
        for name, value in options.items():
            if name == "extra":
                words += [f"--extra={key}={json.dumps(part)}" for key, part in value.items()]
            elif isinstance(value, bool):
                words.append(f"--{'' if value else 'no-'}{name.replace('_', '-')}")
            elif name != "prompt" and value is not None:
                words.append(f"--{name.replace('_', '-')}={value}")
        prompt = options.get("prompt")
        return shlex.join([*words, *(("--", prompt) if isinstance(prompt, str) else ())])


@frozen(kw_only=True)
class BatchStatus:
    """Where a batch stands: how many rows of the input are in which state."""

    id: str
    """The batch's name: that in its database, or of the only one in a folder."""
    total: int
    """Rows of the input."""
    waiting: int = 0
    """Not sent."""
    running: int = 0
    """Being sent, accepted, being saved, or left to the next run."""
    done: int = 0
    """Images are saved."""
    failed: int = 0
    """Refused, or given up by the service; see `Batch.retry`."""
    unknown: int = 0
    """May have been accepted and billed; see `BatchResult.status`."""
    cancelled: int = 0
    """Taken back by `Batch.cancel` before they were sent."""
    left: int = 0
    """Of those running or waiting: given up for this run after many faults, and taken up again by the next."""
    former: int = 0
    """Rows that are not in the input any more, and were sent before they left it; their images stay."""
    former_unknown: int = 0
    """Of those, the ones that may have been paid for without anybody knowing."""
    limit: int | None = None
    """How many requests the account may have queued; None before the first run."""
    allowed: int | None = None
    """How many of them are used now: fewer than the limit after the service refused some; None as above."""

    @property
    def is_complete(self) -> bool:
        """Whether every row came to its images."""
        return self.done == self.total

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {item.name: getattr(self, item.name) for item in fields(BatchStatus)}


def result_of(item: Item, output: Path) -> BatchResult:
    """Return what came of an item."""
    state = item.state
    given = item.document["fields"]
    extra = given.get("extra") or {}
    kept = {name: value for name, value in given.items() if name != "extra" and may_be_kept(name, value)}
    kept_extra = {name: value for name, value in extra.items() if may_be_kept(name, value)}
    omitted = [name for name in given if name != "extra" and name not in kept]
    omitted += [f"extra.{name}" for name in extra if name not in kept_extra]
    ends = (item.accepted_at, item.answered_at)
    return BatchResult(
        index=item.position or 0,
        name=item.name,
        status="running" if state == "submitting" else state,
        op=item.document["op"],
        request={**kept, **({"extra": kept_extra} if kept_extra else {})},
        omitted=tuple(omitted),
        job_id=item.job_id,
        seed=item.answer.get("seed") if item.answer.get("seed") is not None else given.get("seed"),
        images=tuple(output / file for file in item.files) if state == "done" else (),
        urls=tuple(link["url"] for link in item.answer.get("links", ())),
        generation_time=item.answer.get("generation_time"),
        seconds=ends[1] - ends[0] if ends[0] is not None and ends[1] is not None else None,
        attempt=item.attempt,
        worker=item.worker,
        sent_at=item.claimed_at,
        settled_at=item.settled_at,
        error=BatchError(**item.error) if item.error else None,
    )


def status_of(id: str, counts: Mapping[str, int], **facts: Any) -> BatchStatus:
    """Return where a batch stands."""
    running = counts.get("running", 0) + counts.get("submitting", 0)
    plain = {name: counts.get(name, 0) for name in ("waiting", "done", "failed", "unknown", "cancelled")}
    left = counts.get("parked", 0)
    return BatchStatus(id=id, total=sum(counts.values()), running=running + left, left=left, **plain, **facts)


@contextlib.contextmanager
def replaced(path: Path) -> Iterator[IO[str]]:
    """Write a text file whole or not at all: the old one stays until the new one is there."""
    part = part_in(path.parent)
    try:
        with part.open("w", encoding="utf-8", newline="\n", errors="surrogateescape") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def write_results(path: Path, results: Iterator[BatchResult]) -> None:
    """Write results.jsonl: one row for each of the input, in its order."""
    with replaced(path) as file:
        for result in results:
            file.write(json.dumps(result.document(path.parent)) + "\n")


def _iso(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
