"""The rows of a batch in the ledger: what is asked for, and what came of it."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

import sqlalchemy as sa
from attrs import fields, frozen
from sqlalchemy.dialects import postgresql, sqlite

from modelslab_pony.batch._rows import Checked
from modelslab_pony.batch._tables import READS, batches, incoming, items, metadata, open_engine, workers
from modelslab_pony.errors import JobId

State = Literal["waiting", "submitting", "running", "done", "failed", "unknown", "cancelled"]
OPEN = ("waiting", "submitting", "running")
SETTLED = ("done", "failed", "unknown", "cancelled")
CHUNK = 500
"""Rows that are in memory at once."""
DEADLOCKS = 10
"""Tries to take the input in beside workers that note what becomes of its rows."""


@frozen(kw_only=True)
class Item:
    """A row of the input, and what became of it."""

    id: int
    batch: str
    position: int | None
    name: str | None
    document: Mapping[str, Any]
    state: State
    attempt: int
    round: int
    parked: bool
    token: str | None
    worker: str | None
    claimed_at: float | None
    job_id: JobId | None
    accepted_at: float | None
    answer: Mapping[str, Any]
    answered_at: float | None
    files: Sequence[str]
    error: Mapping[str, str] | None
    settled_at: float | None
    serial: int | None

    @property
    def workflow(self) -> str:
        """The name of the workflow that it has; an earlier one may still be about."""
        return workflow_name(self.id, self.attempt, self.round)


class RowBook:
    """The part of the ledger that has the rows."""

    def __init__(self, url: sa.URL, *, create: bool = True) -> None:
        self.url = url
        self.engine = open_engine(url, durable=True)
        self.is_shared = url.get_backend_name() != "sqlite"
        if not create:
            return
        with self.engine.begin() as connection:
            if self.is_shared:  # two that begin at once would both make the tables
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('pony_tables'))"))
            metadata.create_all(connection)

    def close(self) -> None:
        """Let the connections go."""
        self.engine.dispose()

    # --- batches -----------------------------------------------------------------------------

    def batch(self, id: str) -> Mapping[str, Any] | None:
        """Return what is known of a batch."""
        with self._reading() as connection:
            found = connection.execute(sa.select(batches).where(batches.c.id == id)).mappings().first()
        return None if found is None else {**found, "settings": json.loads(found["settings"])}

    def batches(self) -> list[str]:
        """Return every batch of this database, the oldest first."""
        with self._reading() as connection:
            return list(connection.scalars(sa.select(batches.c.id).order_by(batches.c.created_at, batches.c.id)))

    def load(self, id: str, base_url: str, settings: Mapping[str, Any], rows: Iterable[Checked]) -> int:
        """Make the input of a batch these rows, all or none; return how many left it.

        A row that was there before keeps what became of it, wherever it stands now. One that is new
        waits; one that left the input is not sent any more, and fetched if it was.
        """
        with self.engine.begin() as connection:
            if self.is_shared:  # one after the other, however long the first one takes
                connection.execute(sa.text("SET LOCAL lock_timeout = 0"))
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext(:batch))"), {"batch": id})
            incoming.create(connection, checkfirst=False)
            counted = enumerate(rows, 1)
            while chunk := list(itertools.islice(counted, CHUNK)):
                told = [
                    {"position": at, "digest": row.digest, "name": row.name, "document": row.document}
                    for at, row in chunk
                ]
                connection.execute(sa.insert(incoming), told)
            for tries_left in reversed(range(DEADLOCKS)):
                try:
                    with connection.begin_nested():
                        # Locked before its rows are, as by whoever settles one.
                        self._keep_batch(connection, id, base_url, settings)
                        count = self._take_in(connection, id)
                    break
                except sa.exc.OperationalError as fault:
                    if not tries_left or getattr(fault.orig, "sqlstate", None) != "40P01":  # deadlock_detected
                        raise
            incoming.drop(connection, checkfirst=False)
        return count

    def _take_in(self, connection: sa.Connection, id: str) -> int:
        mine = items.c.batch == id
        self._rank(connection, id)
        connection.execute(sa.update(items).where(mine).values(position=-items.c.position))
        connection.execute(self._merge(id))
        left = sa.and_(mine, items.c.position < 0)
        count = connection.scalar(sa.select(sa.func.count()).where(left)) or 0
        unsent = sa.and_(left, items.c.state == "waiting")
        connection.execute(sa.update(items).where(unsent).values(state="cancelled", settled_at=time.time()))
        connection.execute(sa.update(items).where(left).values(position=None))
        return count

    def _keep_batch(self, connection: sa.Connection, id: str, base_url: str, settings: Mapping[str, Any]) -> None:
        values: dict[str, Any] = {"base_url": base_url, "settings": json.dumps(dict(settings))}
        fresh = {"id": id, "created_at": time.time(), "serial": 0, "cancelled": False}
        insert = self._dialect_insert()(batches).values(**fresh, **values)
        connection.execute(insert.on_conflict_do_update(index_elements=["id"], set_=values))

    @staticmethod
    def _rank(connection: sa.Connection, id: str) -> None:
        """Of rows that ask for the same, keep those that came furthest where the input has fewer than before."""
        mine = items.c.batch == id
        alike = sa.select(items.c.digest, sa.func.count().label("number")).where(mine).group_by(items.c.digest)
        there = alike.having(sa.func.count() > 1).subquery()
        asked = sa.select(incoming.c.digest, sa.func.count().label("number")).group_by(incoming.c.digest).subquery()
        both = there.outerjoin(asked, there.c.digest == asked.c.digest)
        wanted = sa.func.coalesce(asked.c.number, 0)
        fewer = sa.select(there.c.digest).select_from(both).where(there.c.number > wanted)
        far = sa.case(
            {state: place for place, state in enumerate(_FURTHEST)}, value=items.c.state, else_=len(_FURTHEST)
        )
        order = sa.func.row_number().over(partition_by=items.c.digest, order_by=(far, items.c.occurrence))
        ranked = sa.select(items.c.id, order.label("place")).where(mine, items.c.digest.in_(fewer)).subquery()
        # In two steps: on the way no two may have the same number.
        change = sa.update(items).where(items.c.id == ranked.c.id)
        connection.execute(change.values(occurrence=-ranked.c.place))
        connection.execute(sa.update(items).where(mine, items.c.occurrence < 0).values(occurrence=-items.c.occurrence))

    def _merge(self, id: str) -> Any:
        """Return the statement that puts the new rows beside the old ones; each asks once for each time it stands."""
        source = sa.select(
            sa.literal(id),
            incoming.c.digest,
            sa.func.row_number().over(partition_by=incoming.c.digest, order_by=incoming.c.position),
            incoming.c.position,
            incoming.c.name,
            incoming.c.document,
            sa.literal("waiting"),
            sa.literal(1),
            sa.literal(1),
            sa.false(),
            sa.false(),
        ).where(sa.true())  # or SQLite takes ON CONFLICT for a join
        columns = ["batch", "digest", "occurrence", "position", "name", "document"]
        columns += ["state", "attempt", "round", "queued", "parked"]
        insert = self._dialect_insert()(items).from_select(columns, source)
        return insert.on_conflict_do_update(
            index_elements=["batch", "digest", "occurrence"],
            set_={name: insert.excluded[name] for name in ("position", "name", "document")},
        )

    def _dialect_insert(self) -> Any:
        return postgresql.insert if self.is_shared else sqlite.insert

    # --- before a run ------------------------------------------------------------------------

    def move(self, id: str, base_url: str) -> None:
        """Note where the jobs of a batch are."""
        with self.engine.begin() as connection:
            connection.execute(sa.update(batches).where(batches.c.id == id).values(base_url=base_url))

    def go_on(self, id: str) -> None:
        """Have a run take up what an earlier one had left to the next."""
        left = sa.and_(items.c.batch == id, items.c.parked, items.c.state.in_(OPEN))
        with self.engine.begin() as connection:
            connection.execute(sa.update(items).where(left).values(**NEXT_ROUND))

    def revive(self, id: str) -> None:
        """Have a run take up what was cancelled."""
        mine = sa.and_(items.c.batch == id, items.c.position.is_not(None))
        with self.engine.begin() as connection:
            connection.execute(sa.update(batches).where(batches.c.id == id).values(cancelled=False))
            cancelled = sa.and_(mine, items.c.state == "cancelled")
            connection.execute(sa.update(items).where(cancelled).values(state="waiting", **_ANEW))

    def retry(self, id: str, *, unknown: bool, failed: bool) -> int:
        """Have items sent again on purpose; return how many. A job that did not itself fail is asked about instead."""
        mine = sa.and_(items.c.batch == id, items.c.position.is_not(None))
        is_failed = sa.and_(mine, items.c.state == "failed")
        has_job = sa.and_(items.c.job_id.is_not(None), items.c.error.not_like(_GAVE_UP))
        again = {"attempt": items.c.attempt + 1, "job_id": None, "answer": None, **_ANEW}
        changes: list[tuple[Any, dict[str, Any]]] = []
        if unknown:
            changes.append((sa.and_(mine, items.c.state == "unknown"), {"state": "waiting", **again}))
        if failed:
            changes.append((sa.and_(is_failed, has_job), {"state": "running", **_ANEW}))
            changes.append((is_failed, {"state": "waiting", **again}))
        with self.engine.begin() as connection:
            connection.execute(sa.update(batches).where(batches.c.id == id).values(cancelled=False))
            return sum(
                connection.execute(sa.update(items).where(which).values(**values)).rowcount for which, values in changes
            )

    def cancel(self, id: str) -> int:
        """Have nothing more sent; return how many rows that were. What was accepted is fetched all the same."""
        waiting = sa.and_(items.c.batch == id, items.c.state == "waiting")
        values = {"state": "cancelled", "settled_at": time.time(), "parked": False}
        with self.engine.begin() as connection:
            # What the service refuses for now from here on does not wait for its next turn either.
            connection.execute(sa.update(batches).where(batches.c.id == id).values(cancelled=True))
            return connection.execute(sa.update(items).where(waiting).values(**values)).rowcount

    # --- what came of it ---------------------------------------------------------------------

    def counts(self, id: str) -> dict[str, int]:
        """Return how many rows of the input are in each state; parked ones count as such."""
        state = sa.case((items.c.parked, "parked"), else_=items.c.state).label("state")
        query = sa.select(state, sa.func.count().label("count")).where(items.c.batch == id)
        query = query.where(items.c.position.is_not(None)).group_by(state)
        with self._reading() as connection:
            return {row.state: row[1] for row in connection.execute(query)}

    def is_open(self, id: str) -> bool:
        """Tell whether anything of a batch is still to be done in this run, rows that left the input included."""
        still = sa.and_(items.c.batch == id, items.c.state.in_(OPEN), sa.not_(items.c.parked))
        with self._reading() as connection:
            return connection.execute(sa.select(items.c.id).where(still).limit(1)).first() is not None

    def former(self, id: str) -> dict[str, int]:
        """Return how many rows that left the input after they were sent are in each state."""
        query = sa.select(items.c.state, sa.func.count()).where(self._gone(id)).group_by(items.c.state)
        with self._reading() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def former_rows(self, id: str) -> Iterator[Item]:
        """Yield them."""
        yield from self._paged(self._gone(id), items.c.id, 0)

    @staticmethod
    def _gone(id: str) -> Any:
        return sa.and_(items.c.batch == id, items.c.position.is_(None), items.c.state != "cancelled")

    def has_jobs(self, id: str) -> bool:
        """Tell whether the service has jobs of a batch that are not fetched to the end."""
        open_ = sa.and_(items.c.batch == id, items.c.state == "running")
        with self._reading() as connection:
            return connection.execute(sa.select(items.c.id).where(open_).limit(1)).first() is not None

    def folders(self, id: str) -> set[str]:
        """Return the folders that have a batch's files, relative to the output folder."""
        nested = sa.select(items.c.files).where(items.c.batch == id, items.c.files.like("%/%"))
        with self._reading() as connection:
            found = connection.execution_options(yield_per=CHUNK).scalars(nested)
            return {"", *(file.rpartition("/")[0] for files in found for file in json.loads(files))}

    def rows(self, id: str) -> Iterator[Item]:
        """Yield every row of the input, in its order, a few at a time."""
        yield from self._paged(sa.and_(items.c.batch == id, items.c.position.is_not(None)), items.c.position, 0)

    def settled(self, id: str, since: int) -> Iterator[Item]:
        """Yield what was settled after a serial number, in that order."""
        there = sa.and_(items.c.batch == id, items.c.position.is_not(None), items.c.state.in_(SETTLED))
        yield from self._paged(there, items.c.serial, since)

    def serial(self, id: str) -> int:
        """Return the number of what was settled last."""
        with self._reading() as connection:
            return connection.scalar(sa.select(batches.c.serial).where(batches.c.id == id)) or 0

    def _paged(self, which: Any, key: Any, since: int) -> Iterator[Item]:
        while True:
            page = sa.select(items).where(which, key > since).order_by(key).limit(CHUNK)
            with self._reading() as connection:
                found = connection.execute(page).mappings().all()
            yield from map(item_of, found)
            if len(found) < CHUNK:
                return
            since = found[-1][key.name]

    # --- workers -----------------------------------------------------------------------------

    def joined(self, worker: str, host: str) -> None:
        """Note a process that works on the batches of this database, once."""
        insert = self._dialect_insert()(workers).values(id=worker, host=host, since=time.time())
        with self.engine.begin() as connection:
            connection.execute(insert.on_conflict_do_nothing())

    def left(self, worker: str) -> None:
        """Forget a process."""
        with self.engine.begin() as connection:
            connection.execute(sa.delete(workers).where(workers.c.id == worker))

    def workers(self) -> list[str]:
        """Return the processes that joined and did not leave, be they alive or not."""
        with self._reading() as connection:
            return list(connection.scalars(sa.select(workers.c.id).order_by(workers.c.since)))

    # --- transactions ------------------------------------------------------------------------

    def _reading(self) -> Any:
        return self.engine.connect().execution_options(**READS)


def workflow_name(id: int, attempt: int, round: int) -> str:
    """Return what the workflow of an item is called; a name is run once."""
    return f"{id}-{attempt}-{round}"


OPEN_AGAIN: dict[str, Any] = {"error": None, "settled_at": None, "serial": None}
NEXT_ROUND: dict[str, Any] = {"round": items.c.round + 1, "queued": False, "parked": False}
_ANEW: dict[str, Any] = {
    **NEXT_ROUND,
    "token": None,
    "error": None,
    "settled_at": None,
    "serial": None,
    "answered_at": None,
}
_FURTHEST = ("done", "running", "submitting", "unknown", "failed")
_GAVE_UP = '{"type": "GenerationFailed"%'


def item_of(row: Mapping[str, Any]) -> Item:
    names = [attribute.name for attribute in fields(Item)]
    values = {name: row[name] for name in names}
    for name in ("document", "job_id", "answer", "files", "error"):
        values[name] = None if values[name] is None else json.loads(values[name])
    values["answer"] = values["answer"] or {}
    values["files"] = tuple(values["files"] or ())
    return Item(**values)
