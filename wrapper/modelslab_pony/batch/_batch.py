"""A batch in an application: rows in, results out as they finish, and everything resumable in between."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelslab_pony._rules import shown
from modelslab_pony.async_client import AsyncPonyClient
from modelslab_pony.batch import _gallery, _names, _rows
from modelslab_pony.batch._events import Beat, Events, Money, OnEvent, Patience, hand_on, teller
from modelslab_pony.batch._inputs import Inputs
from modelslab_pony.batch._ledger import Ledger
from modelslab_pony.batch._outcome import (
    PAGE,
    RESULTS,
    BatchResult,
    BatchStatus,
    Status,
    result_of,
    status_of,
    write_results,
)
from modelslab_pony.batch._rows import Format
from modelslab_pony.batch._store import INPUTS, Account, Store, check_place, checked_limit
from modelslab_pony.batch._surely import Tell
from modelslab_pony.batch._tables import database_faults
from modelslab_pony.batch._work import Connect
from modelslab_pony.errors import ConfigurationError, DownloadError
from modelslab_pony.requests import Request, refused

if TYPE_CHECKING:
    from modelslab_pony.batch._engine import Engine

Rows = str | PathLike[str] | Iterable[Request | Mapping[str, Any]]
"""A file of rows, or requests (or mappings with their fields) of a program."""
DEFAULT_LIMIT = 5
"""What the smallest plan may have queued (vendor docs, rate limits page: 5, 10 or 15)."""
AT_ONCE = 500
"""Results in memory."""
BEAT = 0.2
"""Seconds between looks at what has finished."""
PROGRESS_EVERY = 1.0
REPORT_EVERY = 5.0
"""Seconds between two writings of the results and the gallery; more on large batches, where they take long."""


class Batch:
    """Makes images by the thousand, and survives anything.

    `output` is the folder for images, results.jsonl and index.html; what the batch knows is kept below
    it, or in `database`, a `postgresql://` address that several machines share. `rows` is a file (JSONL, CSV,
    or a prompt on each line), or requests; without rows, the batch that is there goes on.

    Every row is checked before the first is sent. A row that is done is not sent again; one that may have been
    accepted without anybody knowing is `unknown`, and sent again by `retry` alone. What was accepted is
    fetched to the end, in this run or the next.

    - `limit`: how many requests the account may have queued: 5, 10 or 15 by plan (vendor docs, rate limits
      page), from 1 to 1000; of all machines together. Default: that of the database, else 5.
    - `template` (`{index:05d}-{seed}.png`) names the images: a path below `output` with the fields `index` (the
      row's number, from 1), `seed`, `name`, `job_id`, `op`, `model`, and `image` (its place among those of its row,
      from 0), each with a width if you like, as in `{index:05d}`. `metadata` writes into them how they were made.
    - `defaults`: fields (and `op`) of every row that does not give its own. `format`: jsonl, csv or lines, where
      the file's name does not say. `strict` checks rows against the effective spec.
    - `batch` names one of several in a database; by default the output folder remembers its own.
    - `connect` makes the `AsyncPonyClient`; by default one of `api_key` and `base_url`, else of the environment.
      Rows are checked once, when they are read: let it be one with `strict=False`, and `RetryPolicy(attempts=1)`.
    - `axes` has the page show a grid: `{"x": {"name": ..., "values": [...]}, "y": {...}}`, rows of y after rows of y.

    Raises `ConfigurationError` for what cannot work. Nothing is read or sent before `run` or an iteration begins.
    """

    def __init__(
        self,
        output: str | PathLike[str],
        rows: Rows | None = None,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        database: str | None = None,
        batch: str | None = None,
        limit: int | None = None,
        template: str = _names.DEFAULT_TEMPLATE,
        metadata: bool = True,
        strict: bool = True,
        defaults: Mapping[str, Any] | None = None,
        format: Format | None = None,
        connect: Connect | None = None,
        axes: Mapping[str, Any] | None = None,
    ) -> None:
        self.output = Path(output)
        """The folder for what it makes."""
        if rows is None and (defaults or format or template != _names.DEFAULT_TEMPLATE):
            raise ConfigurationError("template, defaults and format are for rows, and none are given: give them again")
        self._rows = rows
        self._limit = checked_limit(limit)
        self._settings = {
            "output": str(self.output.absolute()),
            "template": _names.check_template(template),
            "metadata": metadata,
            "strict": strict,
            "axes": dict(axes or {}),
        }
        self._defaults, self._format = dict(defaults or {}), format
        self._store = Store(self.output, database, batch)
        self._named = batch
        self._connect = connect
        self._account = Account(api_key=api_key, base_url=base_url)
        self._stopped = threading.Event()

    # --- what it does ------------------------------------------------------------------------

    def run(self, on_event: OnEvent | None = None) -> BatchStatus:
        """Make everything; return where the batch stands when nothing more can be done, or after `stop`.

        `on_event` is called in this thread with each `BatchEvent`. Raises `InvalidRequestError` (rows that cannot be
        sent, all of them named; nothing was sent), `ConfigurationError`, or the error that concerns every
        row: `AuthenticationError`, `InsufficientCreditsError`, a disk that is full. Then, too, run it again.
        """
        for _ in self._finished(on_event, earlier=False):
            pass
        return self.status()

    def __iter__(self) -> Iterator[BatchResult]:
        """Run it; yield each row's result as it finishes, those of earlier runs first. Raises as `run`."""
        return self._finished(None, earlier=True)

    def stop(self) -> None:
        """Have `run` or an iteration end soon, from any thread: nothing more is sent, nothing is lost.

        One that has not begun yet ends as soon as it does.
        """
        self._stopped.set()

    def status(self) -> BatchStatus:
        """Return where the batch stands, also while another process runs it. Asks the service nothing.

        Raises `InvalidRequestError` where no batch was begun, `ConfigurationError` for a database that cannot be used.
        """
        with self._books() as (ledger, id):
            return _status(ledger, id)

    def former(self) -> list[BatchResult]:
        """Return rows that are not in the input any more, and were sent before they left it; their index is 0.

        Raises as `status`.
        """
        with self._books() as (ledger, id):
            return [result_of(item, self.output) for item in ledger.former_rows(id)]

    def results(self, *statuses: Status) -> list[BatchResult]:
        """Return the rows of the input, in their order, with what came of them so far; all, or of some statuses.

        Raises as `status`.
        """
        with self._books() as (ledger, id):
            found = (result_of(item, self.output) for item in ledger.rows(id))
            return [result for result in found if not statuses or result.status in statuses]

    def cancel(self) -> int:
        """Have nothing more sent, also by other processes; return how many rows that were.

        What was accepted is fetched all the same, by whoever runs the batch or by the next `run`. One with rows
        takes the cancelled ones up again; one without does not. Raises as `status`.
        """
        with self._books() as (ledger, id):
            return ledger.cancel(id)

    def retry(self, *, unknown: bool = False, failed: bool = False) -> int:
        """Have the next `run` send rows again on purpose; return how many.

        `unknown` ones may be paid for twice: look at the account's history first. `failed` ones whose job did
        not itself fail are asked about once more instead. Raises as `status`, and `ConfigurationError` while another
        process works on the folder.
        """
        with self._books() as (ledger, id), self._alone():
            return ledger.retry(id, unknown=unknown, failed=failed)

    def write_report(self) -> None:
        """Write results.jsonl and the gallery, as `run` does now and then and at its end.

        Raises as `status`, and `DownloadError` where they cannot be written.
        """
        with self._books() as (ledger, id):
            self._report(ledger, id)

    # --- the run -----------------------------------------------------------------------------

    def _finished(self, on_event: OnEvent | None, *, earlier: bool) -> Iterator[BatchResult]:
        from modelslab_pony.batch import _session  # noqa: PLC0415 - DBOS takes a second to import

        events: Events = Events()
        tell = teller(events if on_event else None)
        with contextlib.ExitStack() as stack:
            rows = stack.enter_context(_read(self._rows, self._format, self._defaults))
            client = self._connect() if self._connect else _session.own_client(self._account)
            stack.callback(_session.close, client)
            ledger, id = stack.enter_context(self._books(create=True))
            stack.enter_context(self._alone())
            stack.callback(self._stopped.clear)
            with database_faults("the batch's database"):
                self._load(ledger, id, rows, client)
                self._store.tidy(ledger, id)
                ledger.limit(self._limit or self._known_limit(ledger))
                since = 0 if earlier else ledger.serial(id)
            try:
                with database_faults("the batch's database"):
                    with _session.running(self._store, ledger, client, self.output, events, on_event, tell) as engine:
                        yield from self._followed(ledger, id, since, engine, tell, lambda: hand_on(events, on_event))
                    tell("progress", _status(ledger, id).document())
                hand_on(events, on_event)
            except BaseException:
                with contextlib.suppress(Exception):  # what went wrong first is what is told
                    self._report(ledger, id)
                raise
            with database_faults("the batch's database"):
                self._report(ledger, id)

    def _followed(
        self, ledger: Ledger, id: str, since: int, engine: Engine, tell: Tell, hand_over: Callable[[], None]
    ) -> Iterator[BatchResult]:
        """Yield what is settled until nothing is left to be done, and tell how far it is."""
        report = Beat(lambda: self._report(ledger, id), REPORT_EVERY)
        told = Beat(lambda: tell("progress", _status(ledger, id).document()), PROGRESS_EVERY)
        money = Money(engine, tell)
        patience = Patience(tell)
        is_open = True
        while is_open and not self._stopped.is_set() and engine.work.halted is None:
            with patience:
                is_open = ledger.is_open(id)  # before the look at what is settled, so that nothing is missed
                found = list(itertools.islice(ledger.settled(id, since), AT_ONCE))
                report.now_and_then()
                told.now_and_then()
            if patience.is_away:
                is_open = True  # what was settled last may not have been seen
                self._stopped.wait(PROGRESS_EVERY)
                continue
            for item in found:
                since = item.serial or since
                yield result_of(item, self.output)
            money.ask()
            hand_over()
            is_open = is_open or len(found) == AT_ONCE
            if is_open and not found:
                self._stopped.wait(BEAT)
        money.ask_last()

    def _known_limit(self, ledger: Ledger) -> int:
        pace = ledger.pace()
        return DEFAULT_LIMIT if pace is None else pace.limit

    def _load(
        self, ledger: Ledger, id: str, rows: Iterator[_rows.Row | _rows.Problem] | None, client: AsyncPonyClient
    ) -> None:
        settings = client._settings  # noqa: SLF001 - a batch and its client are one unit
        check_place(ledger, id, settings.base_url)
        if rows is None:
            ledger.move(id, settings.base_url)
            ledger.go_on(id)
            return
        inputs = Inputs(self._store.folder / INPUTS)
        strict = bool(self._settings["strict"])
        checked = _rows.check(rows, inputs, strict=strict, redactor=settings.redactor)
        ledger.load(id, settings.base_url, self._settings, checked)
        ledger.go_on(id)
        ledger.revive(id)
        if isinstance(self._rows, Iterator):  # it can be read once; from now on the ledger has the rows
            self._rows = None

    def _report(self, ledger: Ledger, id: str) -> None:
        """Write the files for people. Raises `DownloadError` where that cannot be."""
        if self._store.is_gone():
            return
        known = ledger.batch(id)
        try:
            results = (result_of(item, self.output) for item in ledger.rows(id))
            write_results(self.output / RESULTS, results)
            again = (result_of(item, self.output) for item in ledger.rows(id))
            _gallery.write(self.output, again, _status(ledger, id), known["settings"].get("axes") if known else None)
        except OSError as fault:
            raise DownloadError(
                f"{RESULTS} and {PAGE} cannot be written ({fault}): make room, and run it again", is_local=True
            ) from None

    # --- its books ---------------------------------------------------------------------------

    @contextlib.contextmanager
    def _books(self, *, create: bool = False) -> Iterator[tuple[Ledger, str]]:
        with database_faults("the batch's database"):
            ledger = self._store.open(create=create)
        try:
            with database_faults("the batch's database"):
                id = self._store.id(ledger, self._named, begin=create and self._rows is not None)
            yield ledger, id
        finally:
            ledger.close()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        self._store.lock()
        try:
            yield
        finally:
            self._store.unlock()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {str(self.output)!r}>"


def _status(ledger: Ledger, id: str) -> BatchStatus:
    pace = ledger.pace()
    facts = {"limit": pace.limit, "allowed": pace.allowed} if pace else {}
    former = ledger.former(id)
    facts |= {"former": sum(former.values()), "former_unknown": former.get("unknown", 0)}
    return status_of(id, ledger.counts(id), **facts)


@contextlib.contextmanager
def _read(
    rows: Rows | None, format: Format | None, defaults: Mapping[str, Any]
) -> Iterator[Iterator[_rows.Row | _rows.Problem] | None]:
    if rows is None:
        yield None
    elif isinstance(rows, str | PathLike):
        path = Path(rows)
        with _rows.opened(path) as file:
            yield _rows.read(file, format or _rows.format_of(path), defaults=defaults, folder=path.parent)
    elif isinstance(rows, Mapping) or not isinstance(rows, Iterable):
        raise refused({"rows": [f"must be a file, or requests, not {shown(rows)}"]})
    else:
        yield _rows.of_requests(rows, defaults=defaults)
