"""A process that joins the batches of a shared database."""

from __future__ import annotations

import contextlib
import threading
from os import PathLike
from pathlib import Path

from modelslab_pony.batch._events import Events, OnEvent, Patience, hand_on, teller
from modelslab_pony.batch._store import Account, Store, check_place, checked_limit
from modelslab_pony.batch._tables import database_faults
from modelslab_pony.batch._work import Connect

BEAT = 0.2
"""Seconds between looks at whether to go on."""


class Worker:
    """Works on every batch of a `postgresql://` database, beside other workers.

    Images are saved below `output`: a folder that the machines share, or one of this machine's own.
    `limit` sets what the account may have queued, of all workers together; by default it stays as it
    is. Other arguments as for `Batch`. Raises `ConfigurationError` for what cannot work.
    """

    def __init__(
        self,
        output: str | PathLike[str],
        *,
        database: str,
        api_key: str | None = None,
        base_url: str | None = None,
        limit: int | None = None,
        connect: Connect | None = None,
    ) -> None:
        self.output = Path(output)
        """The folder for images."""
        self._store = Store(self.output, database)
        self._limit = checked_limit(limit)
        self._connect = connect
        self._account = Account(api_key=api_key, base_url=base_url)
        self._stopped = threading.Event()

    def run(self, on_event: OnEvent | None = None, *, until_done: bool = False) -> None:
        """Work until `stop`, or until nothing is left to be done.

        Raises the error that concerns every row, as `Batch.run` does.
        """
        from modelslab_pony.batch import _session  # noqa: PLC0415 - DBOS takes a second to import

        events: Events = Events()
        tell = teller(events if on_event else None)
        with contextlib.ExitStack() as stack:
            client = self._connect() if self._connect else _session.own_client(self._account)
            stack.callback(_session.close, client)
            stack.callback(self._stopped.clear)
            with database_faults("the batches' database"):
                ledger = self._store.open(create=True)
            stack.callback(ledger.close)
            for id in ledger.batches():
                check_place(ledger, id, client._settings.base_url)  # noqa: SLF001 - a worker and its client are one unit
            if self._limit is not None:
                ledger.limit(self._limit)
            patience = Patience(tell)
            with _session.running(self._store, ledger, client, self.output, events, on_event, tell) as engine:
                is_open = True
                while is_open and not self._stopped.is_set() and engine.work.halted is None:
                    hand_on(events, on_event)
                    self._stopped.wait(BEAT)
                    with patience:
                        is_open = not until_done or any(ledger.is_open(id) for id in ledger.batches())

    def stop(self) -> None:
        """Have `run` end soon, from any thread: nothing more is sent, and the others take over what is under way."""
        self._stopped.set()
