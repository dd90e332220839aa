"""The workflows of a batch, carried out by DBOS: durable sleeps, and items that outlive their process.

The ledger decides; a workflow only remembers where an item stands between two steps. DBOS is one to
a process, and so is an engine.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import dbos
import sqlalchemy as sa
from dbos import DBOS

from modelslab_pony.batch._ledger import Ledger
from modelslab_pony.batch._memory import FIRST, Next
from modelslab_pony.batch._store import tidy_after
from modelslab_pony.batch._tables import LIVELY, database_faults
from modelslab_pony.batch._work import Work
from modelslab_pony.errors import ConfigurationError

GENERATE, SAVE = "pony-generate", "pony-save"
"""The queues: one place each of the account's queue, and one for each download."""
DOWNLOADS = 4
"""Images that one process downloads at once."""
LONGEST_JOIN = 15.0
"""Seconds that the end waits for a database that does not answer."""
LOOK_AGAIN = 0.02
"""Seconds between two looks at whether the last answers have come."""
LONGEST_STOP = 150.0
"""Seconds that the end waits for answers: longer than a call may take."""
THREADS = 16
"""For the database and the disk; DBOS would take as many as it likes."""
POLLING = 0.1
"""Seconds between looks for work."""
AHEAD = 4
"""Items that have a workflow before their turn, as a multiple of the limit: memory does not grow with the input."""
LEAST_AHEAD = 32
TICK = 0.2
"""Seconds between looks at what is to be begun."""
CHECK = 2.0
"""Seconds between looks for workers that are gone, and for items whose workflow is."""
VERSION = "1"
"""Workflows are taken up by processes of the same version; it changes with their steps."""
LOCAL = "local"
"""The worker of a batch in SQLite, of which there is one at a time."""
BEGUN, WAITING = 1, 2
"""Priorities: what may have a place in the account's queue already comes first."""

_current: Work | None = None
_lock = threading.Lock()


def _work() -> Work:
    if _current is None:
        raise RuntimeError("no engine is running")
    return _current


@DBOS.step(name="pony_step")
async def _step(item: int, name: str, memory: Next) -> Next:
    return await _work().do(item, name, memory)


@DBOS.workflow(name="pony_generate", max_recovery_attempts=None)
async def _generate(item: int, name: str) -> None:
    """Have one item made; it has a place in the account's queue for as long as this runs."""
    memory = await _step(item, name, FIRST)
    while memory["then"] in {"submit", "look"}:
        if memory["wait"]:
            await DBOS.sleep_async(memory["wait"])
        memory = await _step(item, name, memory)
    if memory["then"] == "save":
        with dbos.SetWorkflowID(f"{name}-save"):
            await DBOS.enqueue_workflow_async(SAVE, _download, item, name, memory)


@DBOS.workflow(name="pony_save", max_recovery_attempts=None)
async def _download(item: int, name: str, memory: Next) -> None:
    """Save one item's images."""
    while memory["then"] == "save":
        if memory["wait"]:
            await DBOS.sleep_async(memory["wait"])
        memory = await _step(item, name, memory)


_LOCK = sa.text("SELECT pg_try_advisory_lock(hashtextextended(:worker, 0))")
_TRY_LOCK = sa.text("SELECT pg_try_advisory_xact_lock(hashtextextended(:worker, 0))")


class Engine:
    """Carries out the items of every batch of a ledger, until it is stopped."""

    def __init__(self, ledger: Ledger, database: sa.URL, make_work: Callable[[str], Work]) -> None:
        self.ledger = ledger
        self.worker = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}" if ledger.is_shared else LOCAL
        self.work = make_work(self.worker)
        self._database = database
        self._stop = threading.Event()
        self._feeder = threading.Thread(target=self._feed, name="pony-feeder", daemon=True)
        self._is_started = False
        self._log_level = logging.getLogger("dbos").level
        self._alive: sa.Connection | None = None
        self._allowed, self._ahead = 0, LEAST_AHEAD
        self._gone: set[str] = set()
        self._missing: dict[int, str] = {}

    # --- life --------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin. Raises `ConfigurationError` where DBOS is in use already, or the database cannot be used."""
        # In a thread of its own: DBOS would carry out workflows on the caller's event loop, which waits for them.
        with ThreadPoolExecutor(1) as pool:
            pool.submit(self._start).result()

    def _start(self) -> None:
        global _current  # noqa: PLW0603 - DBOS is one to a process
        if not _lock.acquire(blocking=False):
            raise ConfigurationError("a batch runs in this process already: DBOS is one to a process")
        if _is_used():
            _lock.release()
            raise ConfigurationError(
                "this process uses DBOS for itself: run the batch in a process of its own, as `pony batch` does"
            )
        self._is_started = True
        try:
            _current = self.work
            with database_faults("the batches' database"):
                self._join()
            logging.getLogger("dbos").setLevel(logging.CRITICAL)
            with database_faults("the database of the workflows"):
                DBOS(config=self._config())
                DBOS.launch()
                self._queues()
            self._feeder.start()
        except BaseException:
            self._end()
            raise

    def _config(self) -> Any:
        return {
            "name": "modelslab-pony",
            "system_database_url": self._database.render_as_string(hide_password=False),
            "application_version": VERSION,
            "executor_id": self.worker,
            "log_level": "CRITICAL",
            "max_executor_threads": THREADS,
            "db_engine_kwargs": {"connect_args": dict(LIVELY)} if self.ledger.is_shared else {},
            "notification_listener_polling_interval_sec": 0.2,
        }

    def _queues(self) -> None:
        pace = self.ledger.pace()
        allowed = pace.allowed if pace else 1
        DBOS.register_queue(
            GENERATE, global_concurrency=allowed, polling_interval_sec=POLLING, on_conflict="always_update"
        )
        DBOS.register_queue(
            SAVE, worker_concurrency=DOWNLOADS, polling_interval_sec=POLLING, on_conflict="always_update"
        )

    def stop(self) -> None:
        """Send nothing more, wait for the answers that are on their way, and end. May be called twice."""
        self.work.stopping = True
        self._stop.set()
        deadline = time.monotonic() + LONGEST_STOP
        try:
            while self._is_started and self.work.sending and time.monotonic() < deadline:
                time.sleep(LOOK_AGAIN)
        finally:
            self._end()

    def _end(self) -> None:
        global _current  # noqa: PLW0603 - DBOS is one to a process
        if not self._is_started:
            return
        self._is_started = False
        self._stop.set()
        if self._feeder.is_alive():
            self._feeder.join(LONGEST_JOIN)
        try:
            if _is_used():
                _end_dispatch()
                with contextlib.suppress(Exception):  # nothing is left to be lost
                    asyncio.run_coroutine_threadsafe(self.work.close(), self._loop()).result(5)
                DBOS.destroy(workflow_completion_timeout_sec=0)
            with contextlib.suppress(sa.exc.SQLAlchemyError):
                self._leave()
                if self.ledger.is_shared:  # what it had begun is taken over by its name in the workflows
                    self.ledger.left(self.worker)
        finally:
            logging.getLogger("dbos").setLevel(self._log_level)
            _current = None
            _lock.release()

    # --- what is begun, and by whom ------------------------------------------------------------

    def _feed(self) -> None:
        """Give items their workflows, a few ahead of their turn; look after the pace and after other workers."""
        checked = 0.0
        while not self._stop.wait(TICK):
            try:
                if not self.work.is_closing:
                    self._keep_pace()
                    self._begin()
                if time.monotonic() - checked > CHECK:
                    checked = time.monotonic()
                    self._check_place()
                    self._recover_others()
                    self._requeue_orphans()
            except Exception as fault:  # noqa: BLE001 - the next tick may fare better; nothing else feeds the queue
                self.work.tell("database", {"message": " ".join(str(getattr(fault, "orig", None) or fault).split())})

    def _check_place(self) -> None:
        """Send nothing more where the folder of the batch was taken away: its images would go elsewhere."""
        if self.work.is_gone():
            self.work.halt(self.work.gone())

    def _keep_pace(self) -> None:
        pace = self.ledger.pace()
        if pace is None:
            return
        if pace.allowed < pace.limit and (more := self.ledger.recovered()):
            pace = more
            self.work.tell("recovered", {"allowed": pace.allowed, "limit": pace.limit})
        if pace.allowed != self._allowed:
            registered = DBOS.retrieve_queue(GENERATE)
            if registered is not None:
                registered.set_global_concurrency(pace.allowed)
            self._allowed = pace.allowed
        self._ahead = max(LEAST_AHEAD, AHEAD * pace.limit)

    def _begin(self) -> None:
        found = self.ledger.unqueued(self._ahead)
        for id, name, is_begun in found:
            with (
                dbos.SetWorkflowID(name),
                dbos.SetEnqueueOptions(priority=BEGUN if is_begun else WAITING),
            ):
                DBOS.enqueue_workflow(GENERATE, _generate, id, name)
        if found:
            self.ledger.set_queued([id for id, _, _ in found])

    def _requeue_orphans(self) -> None:
        """Give an item a new workflow whose own is gone, as after its database was lost or restored."""
        there = self.ledger.queued()
        rows = DBOS.list_workflows(status=["PENDING", "ENQUEUED", "DELAYED"], load_input=False, load_output=False)
        alive = {row.workflow_id.removesuffix("-save") for row in rows}
        missing = {id: name for id, name in there.items() if name not in alive}
        # Twice in a row: between the two looks above, one may have ended.
        twice = {id: name for id, name in missing.items() if self._missing.get(id) == name}
        self._missing = missing
        if twice:
            self.ledger.requeue(twice)

    # --- other workers -------------------------------------------------------------------------

    def _join(self) -> None:
        """Be seen alive by the other workers: a lock of the database that ends with the process that holds it."""
        if self.ledger.is_shared:
            self._lock_on(self.ledger.engine.connect())
            self.ledger.joined(self.worker, socket.gethostname())

    def _lock_on(self, connection: sa.Connection) -> None:
        """Take the lock, unless a connection that is half gone still has it: then the next check does."""
        self._alive = connection.execution_options(isolation_level="AUTOCOMMIT")
        if not self._alive.scalar(_LOCK, {"worker": self.worker}):
            self._leave()

    def _leave(self) -> None:
        alive, self._alive = self._alive, None
        if alive is not None:
            alive.invalidate()  # closed for good, and the lock with it
            alive.close()

    def _stay(self) -> None:
        """Take the lock again where the connection that held it was lost, and be in the list."""
        try:
            if self._alive is None:
                self._lock_on(self.ledger.engine.connect())
            else:
                self._alive.execute(sa.text("SELECT 1"))
        except sa.exc.SQLAlchemyError:
            with contextlib.suppress(sa.exc.SQLAlchemyError):
                self._leave()
            raise
        self.ledger.joined(self.worker, socket.gethostname())

    def _recover_others(self) -> None:
        """Take over the workflows of workers that are gone, once they were missing twice in a row."""
        if not self.ledger.is_shared:
            return
        self._stay()
        own = ["pony_generate", "pony_save"]  # another application may have its workflows in the same database
        rows = DBOS.list_workflows(name=own, status="PENDING", load_input=False, load_output=False)
        known = {*self.ledger.workers(), *(row.executor_id for row in rows if row.executor_id)} - {self.worker}
        gone = {worker for worker in known if self._is_gone(worker)}
        for worker in gone & self._gone:
            with self.ledger.engine.begin() as connection:
                if not connection.scalar(_TRY_LOCK, {"worker": worker}):
                    continue  # it has come back
                DBOS._recover_pending_workflows([worker])
                self.ledger.left(worker)
            self.work.tell("worker gone", {"worker": worker})
            tidy_after(self.ledger, self.work.output, worker)
        self._gone = gone

    def _is_gone(self, worker: str) -> bool:
        with self.ledger.engine.begin() as connection:
            return bool(connection.scalar(_TRY_LOCK, {"worker": worker}))

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Future[Any]:
        """Have something done on the loop that the client lives on."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop())

    @staticmethod
    def _loop() -> asyncio.AbstractEventLoop:
        loop = dbos._dbos._get_dbos_instance()._background_event_loop.target_loop()
        if loop is None:
            raise RuntimeError("no engine is running")
        return loop


def _end_dispatch() -> None:
    """End the threads of DBOS that begin workflows, while the loop that they begin them on still runs.

    DBOS ends the loop first; a workflow begun in between is lost with a warning, or never answers its thread.
    """
    for event in dbos._dbos._get_dbos_instance().background_thread_stop_events:
        event.set()
    deadline = time.monotonic() + LONGEST_JOIN
    for thread in threading.enumerate():
        if thread.name.startswith("queue-worker-"):
            thread.join(max(0.0, deadline - time.monotonic()))


def _is_used() -> bool:
    return getattr(dbos._dbos, "_dbos_global_instance", None) is not None
