"""A process at work on a ledger: its client, its engine, and how both end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from modelslab_pony.async_client import AsyncPonyClient
from modelslab_pony.batch._engine import Engine
from modelslab_pony.batch._events import Events, OnEvent, hand_on
from modelslab_pony.batch._ledger import Ledger
from modelslab_pony.batch._store import Account, Store
from modelslab_pony.batch._surely import Tell
from modelslab_pony.batch._tables import database_faults
from modelslab_pony.batch._work import Work
from modelslab_pony.errors import PonyError
from modelslab_pony.policies import RetryPolicy

CONNECTIONS = 64
"""Calls and downloads under way at once; the account's limit is kept by the queue."""


def own_client(account: Account) -> AsyncPonyClient:
    """Return a client that tries nothing again by itself: the ledger has to know of each try.

    Nor does it check: rows were, when they were read, as strictly as was wanted then.
    """
    return AsyncPonyClient(
        account.api_key,
        base_url=account.base_url,
        strict=False,
        retry=RetryPolicy(attempts=1),
        max_in_flight=CONNECTIONS,
    )


def close(client: AsyncPonyClient) -> None:
    """Close a client that no engine has closed: from a thread, since the caller may be inside a loop of its own."""
    if not client._httpx.is_closed:  # noqa: SLF001 - a batch and its client are one unit
        with ThreadPoolExecutor(1) as pool:
            pool.submit(asyncio.run, client.close()).result()


@contextlib.contextmanager
def running(
    store: Store,
    ledger: Ledger,
    client: AsyncPonyClient,
    output: Path,
    events: Events,
    on_event: OnEvent | None,
    tell: Tell,
) -> Iterator[Engine]:
    """Have an engine work; at the end it sends nothing more, and waits for the answers that are on their way.

    Raises the error that concerns every row, once all has ended.
    """
    with database_faults("the database of the workflows"):
        workflows = store.workflows()
    engine = Engine(ledger, workflows, lambda worker: Work(ledger, client, output, worker, tell, store.is_gone))
    try:
        engine.start()
        yield engine
        _say_stopping(engine, tell, events, on_event)
    except KeyboardInterrupt:
        _say_stopping(engine, tell, events, on_event)
        engine.stop()
        hand_on(events, on_event)
        raise
    finally:
        engine.stop()
    hand_on(events, on_event)
    if engine.work.halted is not None:
        raise _with_unwritten(engine.work.halted, engine.work.unwritten())


def _with_unwritten(error: PonyError, unwritten: str) -> PonyError:
    """Add to an error what nobody else knows any more once this process has ended."""
    if unwritten and error.args:
        error.args = (f"{error}; {unwritten}",)
    return error


def _say_stopping(engine: Engine, tell: Tell, events: Events, on_event: OnEvent | None) -> None:
    if engine.work.sending:
        tell("stopping", {"sending": engine.work.sending})
    hand_on(events, on_event)
