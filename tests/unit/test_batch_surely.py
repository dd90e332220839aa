"""What the ledger is told is not lost while its database is away, and what only this process knows is told."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping
from typing import Any

import pytest
import sqlalchemy.exc
from attrs import evolve

from modelslab_pony import ConfigurationError
from modelslab_pony.batch._row_book import Item
from modelslab_pony.batch._surely import Surely
from support.batches import ITEM

FULL = sqlalchemy.exc.OperationalError("UPDATE", {}, sqlite3.OperationalError("disk is full"))


class Told:
    """What was told, and how long was slept."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Mapping[str, Any]]] = []
        self.slept: list[float] = []

    def __call__(self, kind: str, facts: Mapping[str, Any]) -> None:
        self.events.append((kind, facts))

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    told = Told()
    monkeypatch.setattr(asyncio, "sleep", told.sleep)
    return told


class Database:
    """Is away for so many calls."""

    def __init__(self, faults: int, surely: Surely | None = None) -> None:
        self.faults, self.surely = faults, surely
        self.seen: list[str] = []

    def __call__(self) -> str:
        self.seen.append(self.surely.unwritten() if self.surely else "")
        if self.faults:
            self.faults -= 1
            raise FULL
        return "done"


def test_a_database_is_asked_until_it_answers(told: Told) -> None:
    """Less and less often."""
    assert asyncio.run(Surely(told)(Database(8))) == "done"
    assert told.slept == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert told.events == [("database", {"message": "disk is full"})] * 8


def test_it_is_asked_for_as_long_as_is_said(told: Told) -> None:
    """Then it is a fault of the whole run."""
    with pytest.raises(ConfigurationError, match=r"cannot be written \(disk is full\)"):
        asyncio.run(Surely(told)(Database(8), most=0.0))


def test_a_fault_of_ours_is_not_waited_for(told: Told) -> None:
    """No time mends it."""

    def wrong() -> None:
        raise sqlalchemy.exc.IntegrityError("INSERT", {}, sqlite3.IntegrityError("twice"))

    with pytest.raises(sqlalchemy.exc.IntegrityError):
        asyncio.run(Surely(told)(wrong))
    assert told.slept == []


def test_a_job_is_told_once_and_until_it_is_written_down(told: Told) -> None:
    """Its id is nowhere else."""
    surely = Surely(told)
    database = Database(3, surely)
    item: Item = evolve(ITEM, position=4)
    assert asyncio.run(surely.noted(item, 7001, database)) == "done"
    said = [facts for kind, facts in told.events if kind == "unwritten"]
    assert said == [{"batch": "b", "index": 4, "name": "fox", "job_id": 7001, "message": "disk is full"}]
    assert [("7001" in text, "rows 4 " in text) for text in database.seen] == [(False, False), *[(True, True)] * 3]
    assert surely.unwritten() == ""
