"""Two clients, one face."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from modelslab_pony import (
    AsyncGeneration,
    AsyncImage,
    AsyncJob,
    AsyncJobStatus,
    AsyncPonyClient,
    Generation,
    Image,
    Job,
    JobStatus,
    PonyClient,
)
from modelslab_pony.batch import AsyncBatch, Batch

PAIRS = [
    (PonyClient, AsyncPonyClient),
    (Job, AsyncJob),
    (Image, AsyncImage),
    (Generation, AsyncGeneration),
    (JobStatus, AsyncJobStatus),
    (Batch, AsyncBatch),
]


def public(kind: type) -> dict[str, Any]:
    return {name: value for name, value in inspect.getmembers(kind) if not name.startswith("_")}


def normal(signature: inspect.Signature) -> str:
    return str(signature).replace("Async", "").replace("async_client", "client")


@pytest.mark.parametrize(("blocking", "awaited"), PAIRS, ids=lambda kind: kind.__name__)
def test_both_have_the_same_members_with_the_same_signatures(blocking: type, awaited: type) -> None:
    """Names, parameters, defaults; return types but for the word Async."""
    assert public(blocking).keys() == public(awaited).keys()
    for name, member in public(blocking).items():
        if inspect.isfunction(member):
            twin = public(awaited)[name]
            assert normal(inspect.signature(member)) == normal(inspect.signature(twin)), name


def test_both_are_made_alike() -> None:
    """The same settings, the same defaults; one of the two can have its calls go through aiohttp."""
    blocking, awaited = normal(inspect.signature(PonyClient)), normal(inspect.signature(AsyncPonyClient))
    assert blocking == awaited.replace("\"httpx.Client | Literal['aiohttp'] | None\"", "'httpx.Client | None'")
