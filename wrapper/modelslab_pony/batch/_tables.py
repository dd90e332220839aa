"""The tables of the ledger, the same in SQLite and PostgreSQL."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from modelslab_pony.errors import ConfigurationError

metadata = sa.MetaData()

batches = sa.Table(
    "pony_batches",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("base_url", sa.Text, nullable=False),
    sa.Column("settings", sa.Text, nullable=False),  # JSON: template, metadata, strict, axes
    sa.Column("serial", sa.Integer, nullable=False),  # counts what was settled
    sa.Column("cancelled", sa.Boolean, nullable=False),  # nothing more is sent, until it is run again
)

items = sa.Table(
    "pony_items",
    metadata,
    # A PostgreSQL sequence, or SQLite's row id.
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("batch", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("occurrence", sa.Integer, nullable=False),  # which of the rows that ask for the same, from 1
    sa.Column("position", sa.Integer),  # the row's number, from 1; none once it left the input
    sa.Column("name", sa.Text),
    sa.Column("document", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("round", sa.Integer, nullable=False),  # each one is a workflow of its own
    sa.Column("queued", sa.Boolean, nullable=False),
    sa.Column("parked", sa.Boolean, nullable=False),  # left to the next run
    sa.Column("token", sa.Text),  # which execution sends it
    sa.Column("worker", sa.Text),
    sa.Column("claimed_at", sa.Float),
    sa.Column("held_until", sa.Float),
    sa.Column("job_id", sa.Text),  # JSON: the service's ids are integers and texts
    sa.Column("accepted_at", sa.Float),
    sa.Column("answer", sa.Text),  # JSON: what is known of the job
    sa.Column("answered_at", sa.Float),  # when the service was done
    sa.Column("files", sa.Text),  # JSON: names that were given out, below the output folder
    sa.Column("error", sa.Text),  # JSON: type and message
    sa.Column("settled_at", sa.Float),
    sa.Column("serial", sa.Integer),
    sa.UniqueConstraint("batch", "digest", "occurrence"),
)
sa.Index("pony_items_state", items.c.batch, items.c.state)
sa.Index("pony_items_position", items.c.batch, items.c.position)
sa.Index("pony_items_serial", items.c.batch, items.c.serial)
sa.Index("pony_items_open", items.c.queued, items.c.state, items.c.batch, items.c.position)

sa.Index("pony_items_under_way", items.c.state)
sa.Index("pony_items_held", items.c.held_until)

names = sa.Table(
    "pony_files",
    metadata,
    sa.Column("folder", sa.Text, primary_key=True),  # several batches may share one
    sa.Column("file", sa.Text, primary_key=True),
    sa.Column("item", sa.BigInteger, nullable=False),
)

paces = sa.Table(
    "pony_pace",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),  # there is one row
    sa.Column("limit", sa.Integer, nullable=False),
    sa.Column("allowed", sa.Integer, nullable=False),
    sa.Column("changed_at", sa.Float, nullable=False),
    sa.Column("interval", sa.Float, nullable=False),
)

workers = sa.Table(
    "pony_workers",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("since", sa.Float, nullable=False),
)

incoming = sa.Table(
    "pony_incoming",
    sa.MetaData(),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("name", sa.Text),
    sa.Column("document", sa.Text, nullable=False),
    prefixes=["TEMPORARY"],
)

LIVELY = {
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    "options": "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3",
}
"""How PostgreSQL is connected to: a machine that is gone is known to be so within half a minute, by either side."""
PATIENT = {**LIVELY, "options": f"{LIVELY['options']} -c lock_timeout=10s"}
"""Nobody waits for the locks of others for long."""
CLAIM_TIMEOUT = "10s"
"""How long a process may stand still while it keeps all others from claiming."""
READS = {"pony_reads": True}
"""Execution options of a connection that changes nothing."""


def sqlite_url(path: Path) -> sa.URL:
    """Return the address of a database file."""
    return sa.URL.create("sqlite", database=str(path))


def postgres_url(text: str) -> sa.URL:
    """Return the address of a PostgreSQL database. Raises `ConfigurationError`, without the password in it."""
    try:
        url = sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError):
        raise ConfigurationError("the database must look like postgresql://USER@HOST/NAME") from None
    if url.drivername not in {"postgresql", "postgres", "postgresql+psycopg"} or not url.database:
        raise ConfigurationError(
            f"the database must look like postgresql://USER@HOST/NAME, not {shown_url(url)!r}; "
            "without one, SQLite in the output folder is used"
        )
    return url.set(drivername="postgresql+psycopg")


def shown_url(url: sa.URL) -> str:
    """Return an address without what may be secret: a password may also stand in its query."""
    plain = url.set(drivername=url.get_backend_name(), query={})
    return plain.render_as_string(hide_password=True)


def open_engine(url: sa.URL, *, durable: bool) -> sa.Engine:
    """Return an engine. With SQLite, `durable` says whether a commit has to outlive a power cut."""
    if url.get_backend_name() != "sqlite":
        return sa.create_engine(url, connect_args=PATIENT, pool_pre_ping=True, pool_size=20, max_overflow=20)
    engine = sa.create_engine(url, connect_args={"timeout": 60.0, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _: Any) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA busy_timeout=60000")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _begun(connection: sa.Connection) -> None:
        is_read = connection.get_execution_options().get("pony_reads")
        connection.exec_driver_sql("BEGIN" if is_read else "BEGIN IMMEDIATE")

    return engine


@contextlib.contextmanager
def database_faults(what: str) -> Iterator[None]:
    """Say in our words that a database cannot be opened."""
    try:
        yield
    except (sa.exc.DBAPIError, sqlite3.Error) as fault:
        said = " ".join(str(getattr(fault, "orig", None) or fault).split())
        raise ConfigurationError(f"{what} cannot be used: {said}") from None
