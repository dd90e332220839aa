"""The books of a batch: what was asked for, what may be paid, what came of it. Never the API key.

Whatever decides about money is one transaction here, so that two processes, or one that was cut
off, cannot both believe that they may send an item. The workflows above only carry it out.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import sqlalchemy as sa
from attrs import asdict

from modelslab_pony.batch import _pace
from modelslab_pony.batch._row_book import CHUNK, NEXT_ROUND, OPEN, OPEN_AGAIN, Item, RowBook, item_of, workflow_name
from modelslab_pony.batch._tables import (
    CLAIM_TIMEOUT,
    batches,
    items,
    names,
    paces,
)
from modelslab_pony.errors import JobId

Claim = Literal["claimed", "full", "taken"]


class Ledger(RowBook):
    """One database. Its methods may be called from any thread."""

    # --- the queue ---------------------------------------------------------------------------

    def unqueued(self, most: int) -> list[tuple[int, str, bool]]:
        """Return items that have no workflow yet: id, its workflow's name, and whether it may have been sent before.

        Of those that wait, as many as there are to be `most` ahead of their turn.
        """
        at_work = sa.not_(items.c.parked)
        ahead = sa.select(sa.func.count()).where(items.c.queued, at_work, items.c.state == "waiting")
        free = sa.and_(sa.not_(items.c.queued), at_work)
        columns = sa.select(items.c.id, items.c.attempt, items.c.round, items.c.state)
        began = columns.where(free, items.c.state.in_(("submitting", "running"))).limit(most)
        waiting = columns.where(free, items.c.state == "waiting").order_by(items.c.batch, items.c.position)
        with self._reading() as connection:
            wanted = max(0, most - (connection.scalar(ahead) or 0))
            found = [*connection.execute(began), *(connection.execute(waiting.limit(wanted)) if wanted else ())]
        return [(row.id, workflow_name(row.id, row.attempt, row.round), row.state != "waiting") for row in found]

    def set_queued(self, ids: Sequence[int]) -> None:
        """Note that items have their workflows."""
        with self.engine.begin() as connection:
            connection.execute(sa.update(items).where(items.c.id.in_(ids)).values(queued=True))

    def queued(self) -> dict[int, str]:
        """Return the workflows of items that are not settled: those that have one."""
        columns = sa.select(items.c.id, items.c.attempt, items.c.round)
        is_there = sa.and_(items.c.queued, sa.not_(items.c.parked), items.c.state.in_(OPEN))
        with self._reading() as connection:
            found = connection.execute(columns.where(is_there))
            return {row.id: workflow_name(row.id, row.attempt, row.round) for row in found}

    def requeue(self, found: Mapping[int, str]) -> int:
        """Give items new workflows whose own are gone, unless they have one by now or are settled."""
        count = 0
        with self.engine.begin() as connection:
            for id, name in found.items():
                _, attempt, round = name.split("-")
                same = sa.and_(items.c.id == id, items.c.attempt == int(attempt), items.c.round == int(round))
                alive = sa.and_(items.c.queued, sa.not_(items.c.parked), items.c.state.in_(OPEN))
                count += connection.execute(sa.update(items).where(same, alive).values(**NEXT_ROUND)).rowcount
        return count

    # --- one item ----------------------------------------------------------------------------

    def item(self, id: int) -> Item:
        """Return an item as it stands."""
        with self._reading() as connection:
            return item_of(connection.execute(sa.select(items).where(items.c.id == id)).mappings().one())

    def claim(self, id: int, token: str, worker: str, workflow: str | None = None) -> Claim:
        """Take the right to send an item, which only one execution ever has; note it before the POST leaves.

        full: the account's queue has no place now. taken: it is not waiting any more, or for another workflow.
        """
        now = time.time()
        with self.engine.begin() as connection:
            pace = self._locked_pace(connection)
            columns = (items.c.id, items.c.attempt, items.c.round, items.c.state, items.c.token)
            found = connection.execute(sa.select(*columns).where(items.c.id == id)).one()
            if found.state == "submitting" and found.token == token:
                return "claimed"  # the answer to this very claim was lost
            if found.state != "waiting" or workflow not in {None, workflow_name(found.id, found.attempt, found.round)}:
                return "taken"
            if self._under_way(connection, now) >= pace.allowed:
                return "full"
            values = {"state": "submitting", "token": token, "worker": worker, "claimed_at": now, "error": None}
            connection.execute(sa.update(items).where(items.c.id == id).values(**values))
        return "claimed"

    def unclaim(self, id: int, token: str) -> None:
        """Give the right back: the POST was provably not accepted. What nobody wants any more does not wait again."""
        with self.engine.begin() as connection:
            self._unclaim(connection, id, token)

    @staticmethod
    def _unclaim(connection: sa.Connection, id: int, token: str) -> None:
        mine = sa.and_(items.c.id == id, items.c.state == "submitting", items.c.token == token)
        is_cancelled = sa.select(batches.c.cancelled).where(batches.c.id == items.c.batch).scalar_subquery()
        unwanted = sa.or_(items.c.position.is_(None), is_cancelled)
        state = sa.case((unwanted, "cancelled"), else_="waiting")
        connection.execute(sa.update(items).where(mine).values(state=state, token=None, claimed_at=None))

    def accepted(self, id: int, token: str, job_id: JobId | None, answer: Mapping[str, Any]) -> bool:
        """Note the job that an item has; False if the item has been given to somebody else meanwhile."""
        mine = sa.and_(items.c.id == id, items.c.token == token, items.c.state.in_(("submitting", "unknown")))
        values = {"state": "running", "job_id": _job(job_id), "accepted_at": time.time(), **OPEN_AGAIN}
        # A late answer gives the place back that was held for it.
        held = sa.case((items.c.state == "unknown", sa.null()), else_=items.c.held_until)
        with self.engine.begin() as connection:
            update = sa.update(items).where(mine).values(answer=json.dumps(dict(answer)), held_until=held, **values)
            if connection.execute(update).rowcount == 1:
                return True
            # The answer to this very entry was lost, and it is made again.
            there = sa.and_(items.c.id == id, items.c.token == token, items.c.job_id == _job(job_id))
            return connection.execute(sa.select(items.c.id).where(there)).first() is not None

    def answered(self, id: int, answer: Mapping[str, Any]) -> None:
        """Note that the service is done with an item's job: its place in the queue is free."""
        running = sa.and_(items.c.id == id, items.c.state == "running")
        with self.engine.begin() as connection:
            values = {"answer": json.dumps(dict(answer)), "answered_at": time.time()}
            connection.execute(sa.update(items).where(running).values(**values))

    def reserve(self, id: int, folder: str, candidates: Iterable[str]) -> str:
        """Give out the first file name that nobody has in a folder; the item keeps it over restarts."""
        for file in candidates:
            try:
                with self.engine.begin() as connection:
                    values = {"folder": folder, "file": file.casefold(), "item": id}
                    connection.execute(sa.insert(names).values(**values))
                    before = connection.scalar(sa.select(items.c.files).where(items.c.id == id))
                    files = [*json.loads(before or "[]"), file]
                    connection.execute(sa.update(items).where(items.c.id == id).values(files=json.dumps(files)))
            except sa.exc.IntegrityError:
                continue
            return file
        raise AssertionError  # the candidates have no end

    def done(self, id: int) -> None:
        """Note that every image of an item is saved."""
        self._settle(id, ("running",), {"state": "done", "error": None})

    def failed(self, id: int, error: BaseException, *, token: str | None = None, job_id: JobId | None = None) -> bool:
        """Note that an item comes to nothing, by the service's own word or for its own fault.

        With a `token` it is a submission that failed: one that nobody has begun, or that token's own.
        Without one it is the item's job.
        """
        values: dict[str, Any] = {"state": "failed", "error": _told(error)}
        if job_id is not None:
            values["job_id"] = _job(job_id)
        if token is None:
            return self._settle(id, ("running",), values)
        mine = sa.or_(items.c.state == "waiting", items.c.token == token)
        return self._settle(id, ("waiting", "submitting"), values, mine)

    def unknown(self, id: int, error: BaseException | None = None) -> bool:
        """Note that an item may have been sent, and that nobody knows; it keeps its place for a while."""
        now = time.time()
        with self.engine.begin() as connection:
            until = _pace.held_until(now, self._longest(connection))
            values = {"state": "unknown", "held_until": until, "error": _told(error) if error else _CUT_OFF}
            return self._settle_in(connection, id, ("submitting",), values)

    def park(self, id: int, error: BaseException) -> None:
        """Leave an item to the next run."""
        with self.engine.begin() as connection:
            still = sa.and_(items.c.id == id, items.c.state.in_(OPEN))
            connection.execute(sa.update(items).where(still).values(parked=True, error=_told(error)))

    # --- the account's queue -----------------------------------------------------------------

    def pace(self) -> _pace.Pace | None:
        """Return how many requests may be under way; None before anybody said."""
        with self._reading() as connection:
            return _paced(connection.execute(sa.select(paces)).mappings().first())

    def limit(self, limit: int) -> _pace.Pace:
        """Set the account's limit."""
        with self.engine.begin() as connection:
            return self._keep_pace(connection, _pace.limited(self._locked_pace(connection, limit), limit, time.time()))

    def refused(self, id: int, token: str) -> _pace.Pace:
        """Give the right to send an item back after a rate-limit refusal, and slow down."""
        now = time.time()
        with self.engine.begin() as connection:
            before = self._locked_pace(connection)
            self._unclaim(connection, id, token)
            return self._keep_pace(connection, _pace.refused(before, self._under_way(connection, now), now))

    def recovered(self) -> _pace.Pace | None:
        """Let one more through if it is time; None if nothing changed."""
        with self.engine.begin() as connection:
            after = _pace.recovered(self._locked_pace(connection), time.time())
            return None if after is None else self._keep_pace(connection, after)

    def _locked_pace(self, connection: sa.Connection, limit: int = 1) -> _pace.Pace:
        """Return the pace, and keep every other claim out until this transaction ends."""
        insert = self._dialect_insert()(paces).values(
            id=1, limit=limit, allowed=limit, changed_at=time.time(), interval=_pace.FIRST_INTERVAL
        )
        connection.execute(insert.on_conflict_do_nothing())
        if self.is_shared:  # a process that stands still loses its connection, or the whole fleet would wait for it
            connection.execute(sa.text(f"SET LOCAL idle_in_transaction_session_timeout = '{CLAIM_TIMEOUT}'"))
        found = _paced(connection.execute(sa.select(paces).with_for_update()).mappings().one())
        assert found is not None  # noqa: S101 - it was just put there
        return found

    def _keep_pace(self, connection: sa.Connection, pace: _pace.Pace) -> _pace.Pace:
        connection.execute(sa.update(paces).values(**asdict(pace)))
        return pace

    def _under_way(self, connection: sa.Connection, now: float) -> int:
        """Return how many places of the account's queue are taken, as far as is known."""
        running = sa.and_(items.c.state == "running", items.c.answered_at.is_(None), sa.not_(items.c.parked))
        known = sa.select(sa.func.count()).where(sa.or_(items.c.state == "submitting", running))
        known = known.where(items.c.state.in_(("submitting", "running")))
        held = sa.select(sa.func.count()).where(items.c.held_until > now)
        return (connection.scalar(known) or 0) + (connection.scalar(held) or 0)

    def _longest(self, connection: sa.Connection) -> float | None:
        took = (items.c.answered_at - items.c.accepted_at).label("took")
        late = sa.select(took).where(items.c.answered_at.is_not(None), items.c.accepted_at.is_not(None))
        lately = late.order_by(items.c.serial.desc()).limit(CHUNK).subquery()
        longest: float | None = connection.scalar(sa.select(sa.func.max(lately.c.took)))
        return longest

    # --- transactions ------------------------------------------------------------------------

    def _settle(self, id: int, states: Sequence[str], values: Mapping[str, Any], which: Any = None) -> bool:
        with self.engine.begin() as connection:
            return self._settle_in(connection, id, states, values, which)

    def _settle_in(
        self, connection: sa.Connection, id: int, states: Sequence[str], values: Mapping[str, Any], which: Any = None
    ) -> bool:
        """Settle an item, with the next serial number.

        Who reads in that order misses nothing, since the batch's row is locked until the commit.
        """
        batch = sa.select(items.c.batch).where(items.c.id == id).scalar_subquery()
        count = sa.update(batches).where(batches.c.id == batch).values(serial=batches.c.serial + 1)
        serial = connection.scalar(count.returning(batches.c.serial))
        still = sa.and_(items.c.id == id, items.c.state.in_(states), sa.true() if which is None else which)
        settled = {"settled_at": time.time(), "serial": serial, "parked": False}
        return connection.execute(sa.update(items).where(still).values(**values, **settled)).rowcount == 1


_CUT_OFF = json.dumps(
    {
        "type": "SubmissionUnknown",
        "message": "the process ended while this was being sent: it may have been accepted and billed, "
        "and is not sent again by itself",
    }
)


def _told(error: BaseException) -> str:
    return json.dumps({"type": type(error).__name__, "message": " ".join(str(error).split())})


def _job(id: JobId | None) -> str | None:
    return None if id is None else json.dumps(id)


def _paced(row: sa.RowMapping | None) -> _pace.Pace | None:
    return (
        None
        if row is None
        else _pace.Pace(**{name: row[name] for name in ("limit", "allowed", "changed_at", "interval")})
    )
