"""What is posted to an application when a job is done: which, when, and where to."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import json
import ssl
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
from attrs import define, field

from modelslab_pony._addresses import is_this_machine
from modelslab_pony.testing._jobs import SimulatedJob
from modelslab_pony.testing.faults import WebhookFault

C = TypeVar("C", httpx.Client, httpx.AsyncClient)
LIMIT = 30.0
"""Seconds within which an application has to answer (vendor docs, webhooks page)."""


@define(kw_only=True, eq=False)
class Webhook:
    """An event, and what became of it."""

    url: str = field(repr=False)  # it may hold a token
    """Where it is posted to: the request's `webhook`."""
    body: Mapping[str, Any] = field(repr=False)
    """What is posted, as JSON has it."""
    due_at: float
    """Seconds of the simulator's clock."""
    job_id: int | str
    """The job that has ended."""
    status_code: int | None = None
    """What the application answered; None before, and if it did not."""
    error: str = ""
    """Why it was not posted, or not answered."""


class Webhooks:
    """The events to come, in the order of their times, and those that were."""

    def __init__(self, *, hosts: Collection[str], retention: int) -> None:
        self.anywhere = False
        """Whether any host may be posted to, since nothing leaves this process."""
        self._hosts = frozenset(host.lower() for host in hosts)
        self._waiting: list[tuple[float, int, Webhook]] = []
        self._count = itertools.count()
        self.past: deque[Webhook] = deque(maxlen=retention)
        """What was posted, or should have been."""

    def add(self, job: SimulatedJob, fault: WebhookFault | None) -> None:
        """Have the end of a job posted, as the fault wants it."""
        times = [job.ready_at] if fault is None else fault.times(job.ready_at)
        error = "" if times else f"not posted: {fault!r}"
        for time in times or [job.ready_at]:
            webhook = Webhook(url=job.request["webhook"], body=_event(job), due_at=time, job_id=job.id, error=error)
            heapq.heappush(self._waiting, (time, next(self._count), webhook))

    def due(self, now: float) -> list[Webhook]:
        """Return the events whose time has come and whose host may be posted to."""
        found: list[Webhook] = []
        while self._waiting and self._waiting[0][0] <= now:
            webhook = heapq.heappop(self._waiting)[2]
            self.past.append(webhook)
            if not webhook.error and not self._may_post(webhook.url):
                webhook.error = "not posted: neither this machine nor one of webhook_hosts"
            if not webhook.error:
                found.append(webhook)
        return found

    def _may_post(self, url: str) -> bool:
        try:
            host = (urlsplit(url).hostname or "").lower()
        except ValueError:
            return False
        return self.anywhere or host in self._hosts or is_this_machine(host)


def post(webhooks: Sequence[Webhook], transport: httpx.BaseTransport | None) -> None:
    """Post events; whatever the application does is noted, and is no fault of ours."""
    if webhooks:
        with _closing(httpx.Client(transport=transport, **_manners()), transport) as client:
            for webhook in webhooks:
                with _noting(webhook):
                    webhook.status_code = client.post(webhook.url, **_sent(webhook)).status_code


async def post_async(webhooks: Sequence[Webhook], transport: httpx.AsyncBaseTransport | None) -> None:
    """Same as `post`, awaited, and all at once."""

    async def one(client: httpx.AsyncClient, webhook: Webhook) -> None:
        with _noting(webhook):
            webhook.status_code = (await client.post(webhook.url, **_sent(webhook))).status_code

    if webhooks:
        async with _closing(httpx.AsyncClient(transport=transport, **_manners()), transport) as client:
            await asyncio.gather(*(one(client, webhook) for webhook in webhooks))


def _closing(client: C, transport: object) -> Any:
    """Return what ends a client, which would end its transport: one that was lent is left as it is."""
    return client if transport is None else contextlib.nullcontext(client)


@contextlib.contextmanager
def _noting(webhook: Webhook) -> Iterator[None]:
    try:
        yield
    except Exception as fault:  # noqa: BLE001 - an application in this process may raise anything
        webhook.error = f"{type(fault).__name__}: {fault}"
    except asyncio.CancelledError:
        webhook.error = "cancelled before it was answered"
        raise


def _sent(webhook: Webhook) -> dict[str, Any]:
    # httpx would write a lone surrogate of a prompt as it stands, which no UTF-8 has.
    return {"content": json.dumps(webhook.body), "headers": {"content-type": "application/json"}}


def _manners() -> dict[str, Any]:
    return {"timeout": LIMIT, "trust_env": False, "verify": _certificates()}


@cache
def _certificates() -> ssl.SSLContext:
    """Return what takes some 40 ms to load, once."""
    return ssl.create_default_context()


def _event(job: SimulatedJob) -> dict[str, Any]:
    """Return what is posted (vendor docs, webhooks page)."""
    about = {"id": job.id, "track_id": job.request.get("track_id")}
    if job.outcome == "failed":
        return {"status": "failed", "message": "Processing failed", **about}
    return {
        "status": "success",
        "output": job.image_urls(),
        "generationTime": round(job.ready_at - job.started_at, 3),
        "meta": job.meta(),
        **about,
    }
