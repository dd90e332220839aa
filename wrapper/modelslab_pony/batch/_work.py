"""What is done for one item: submit it, look at its job, save its images. Each is a step of a workflow.

A step may be carried out twice, when the process ended before its outcome was recorded. So each one
looks at the ledger first, and goes on from what is there.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from modelslab_pony._snapshot import Balance
from modelslab_pony.async_client import AsyncJob, AsyncPonyClient
from modelslab_pony.batch import _verdicts
from modelslab_pony.batch._ledger import Claim, Ledger
from modelslab_pony.batch._memory import END, Next, Then, then
from modelslab_pony.batch._row_book import Item
from modelslab_pony.batch._rows import checked_request
from modelslab_pony.batch._saving import check_room, known, save_images, snapshot_of
from modelslab_pony.batch._store import remembers
from modelslab_pony.batch._surely import Surely, Tell
from modelslab_pony.errors import (
    APIError,
    ConfigurationError,
    GenerationFailed,
    JobId,
    JobTimeout,
    NotFoundError,
    PonyError,
    TransportError,
)
from modelslab_pony.requests import Request

Connect = Callable[[], AsyncPonyClient]

DATABASE_PATIENCE = 30.0
"""Seconds without the database before nothing more is sent; what was accepted is kept for as long as it takes."""
ROOM = 0.2
"""Seconds between looks for a place in the account's queue."""
FRESH_LINKS = 3
"""Downloads that fail before the job is asked for its links again."""


class _NotNowError(Exception):
    """An item may not be sent: the queue is full, or another execution has the right to."""


class Work:
    """One process's part of the work; all but `__init__` runs on the engine's event loop."""

    def __init__(
        self,
        ledger: Ledger,
        client: AsyncPonyClient,
        output: Path,
        worker: str,
        tell: Tell,
        is_gone: Callable[[], bool] = lambda: False,
    ) -> None:
        self.ledger = ledger
        self.output = output
        self.stopping = False
        """Whether nothing more is to be sent."""
        self.halted: PonyError | None = None
        """Why nothing more can be sent."""
        self.sending = 0
        """Submissions under way; whoever stops waits for them, or nobody knows what became of them."""
        self.started_at = time.time()
        self._client = client
        self._worker = worker
        self.tell = tell
        self._surely = Surely(tell)
        self._batches: dict[str, Mapping[str, Any]] = {}
        self._odd = 0
        self._refused: tuple[str, int] = ("", 0)
        """What the service last said no with, and how often in a row."""
        self.is_gone = is_gone
        """Whether the folder of the batch was taken away."""
        self._offline_since: float | None = None

    async def do(self, id: int, workflow: str, memory: Next) -> Next:
        """Do what comes next for an item. A fault of ours leaves it to the next run, and takes no other with it."""
        steps = {"submit": self._submit, "look": self._look, "save": self._save}
        try:
            item = await self._surely(lambda: self.ledger.item(id))
            if item.workflow != workflow:
                return END  # it was cancelled and is wanted again: that is for the workflow that it has now
            await self._batch_of(item)
            found = await steps[memory["then"]](item, memory)
        except ConfigurationError as error:
            self.halt(error)
            await _forever()
        except Exception as fault:  # noqa: BLE001 - whatever it is, the item stays in the books
            item = await self._surely(lambda: self.ledger.item(id))
            return await self._parked(item, fault)
        if self._client._sleep is not asyncio.sleep:  # a test's virtual clock, which only a sleeping client moves
            await self._client._sleep(found["wait"])
            found = {**found, "wait": 0.0}
        return found

    # --- submit ------------------------------------------------------------------------------

    async def _submit(self, item: Item, memory: Next) -> Next:
        """Send an item if it is waiting, and go on from wherever it stands."""
        if item.state == "running":
            return then("save") if item.answered_at else then("look")
        if item.state == "submitting":  # by an execution that was cut off
            if await self._surely(lambda: self.ledger.unknown(item.id)):
                self._say("unknown", item)
            return END
        return await self._send(item, memory["tried"] + 1) if item.state == "waiting" else END

    async def _send(self, item: Item, tried: int) -> Next:
        token = uuid.uuid4().hex
        claimed = False
        ready: Request | None = None

        async def claim() -> None:
            """Write down that the POST is about to leave; nothing is sent before that is on the disk."""
            nonlocal claimed
            found = (
                "full"
                if self.is_closing
                else await self._surely(lambda: self._claim(item, token), most=DATABASE_PATIENCE)
            )
            if found != "claimed":
                raise _NotNowError(found)
            claimed = True

        while True:
            if self.is_closing:
                await _forever()
            self.sending += 1
            try:
                if ready is None:
                    ready = await asyncio.to_thread(checked_request, item.document)
                job = await self._client._submitted(ready, claim)
                return await self._accepted(item, token, job.id, known(job._snapshot), job)
            except _NotNowError as refusal:
                if str(refusal) == "taken":
                    return END
            except PonyError as error:
                verdict = _verdicts.of_submission(error, tried, claimed=claimed)
                found = await self._unsent(item, token, error, tried, verdict)
                if found is not None:
                    return found
            finally:
                self.sending -= 1
            await asyncio.sleep(ROOM)

    def _claim(self, item: Item, token: str) -> Claim:
        check_room(self.output)
        return self.ledger.claim(item.id, token, self._worker, item.workflow)

    @property
    def is_closing(self) -> bool:
        """Whether nothing more is sent."""
        return self.stopping or self.halted is not None

    async def _accepted(
        self, item: Item, token: str, job_id: JobId | None, answer: Mapping[str, Any], job: AsyncJob | None = None
    ) -> Next:
        is_ours = await self._surely.noted(item, job_id, lambda: self.ledger.accepted(item.id, token, job_id, answer))
        self._odd, self._offline_since, self._refused = 0, None, ("", 0)
        if not is_ours:
            self._say("stray", item, job_id=job_id)
            return END
        self._say("accepted", item, job_id=job_id)
        if job is not None and job.status == "success":
            await self._surely(lambda: self.ledger.answered(item.id, answer))
            return then("save")
        return then("look", _verdicts.next_look(0, job.eta if job else None), since=time.time())

    async def _unsent(
        self, item: Item, token: str, error: PonyError, tried: int, verdict: _verdicts.Verdict
    ) -> Next | None:
        """Return what comes next for an item that was not simply accepted; None if nothing more is sent."""
        if verdict.fate in {"refused", "again", "halt"}:
            return await self._not_yet(item, token, error, tried, verdict)
        if verdict.fate == "accepted":
            return await self._accepted(item, token, error.job_id, {})
        if verdict.fate == "unknown":
            await self._surely(lambda: self.ledger.unknown(item.id, error))
            self._odd += 1
            if self._odd >= _verdicts.ODD_IN_A_ROW:
                self.halt(error)
        else:
            await self._surely(lambda: self.ledger.failed(item.id, error, token=token, job_id=error.job_id))
            self._count_refusal(error)
        self._say(verdict.fate, item, error=error)
        return END

    async def _not_yet(
        self, item: Item, token: str, error: PonyError, tried: int, verdict: _verdicts.Verdict
    ) -> Next | None:
        """Give the right to send an item back, since nothing was accepted, and wait."""
        if verdict.fate == "refused":
            pace = await self._surely(lambda: self.ledger.refused(item.id, token))
            self._say("slowed", item, error=error, allowed=pace.allowed, limit=pace.limit, wait=verdict.wait)
            return then("submit", verdict.wait, tried=tried)
        await self._surely(lambda: self.ledger.unclaim(item.id, token))
        if verdict.fate == "halt":
            self.halt(error)
            return None
        if not isinstance(error, TransportError) and tried >= _verdicts.UPLOADS:
            return await self._parked(item, error)
        self._offline(error)
        self._say("delayed", item, error=error, wait=verdict.wait)
        return then("submit", verdict.wait, tried=tried)

    def _count_refusal(self, error: PonyError) -> None:
        """Send nothing more where the service has said the same no to every row: it is not about the rows."""
        if isinstance(error, APIError):
            before, count = self._refused
            self._refused = (str(error), count + 1 if before == str(error) else 1)
            if self._refused[1] >= _verdicts.REFUSED_IN_A_ROW:
                self.halt(error)

    def _offline(self, error: PonyError) -> None:
        if not isinstance(error, TransportError):
            return
        now = time.time()
        self._offline_since = self._offline_since or now
        if now - self._offline_since > _verdicts.PATIENCE:
            self.halt(error)

    # --- look --------------------------------------------------------------------------------

    async def _look(self, item: Item, memory: Next) -> Next:
        """Ask once where an item's job stands."""
        if item.state != "running" or item.answered_at:
            return then("save") if item.state == "running" else END
        job = AsyncJob(self._client, snapshot_of(item, "processing"))
        since = max(memory["since"], self.started_at)
        try:
            status = await job.refresh()
        except PonyError as error:
            return await self._unseen(item, error, memory, since)
        if status.status == "failed":
            said = status.message.rstrip(".") or "no reason given"
            failure = GenerationFailed(f"the service could not make the image ({said})", job_id=item.job_id)
            await self._surely(lambda: self.ledger.failed(item.id, failure))
            self._say("failed", item, error=failure)
            return END
        if status.status == "processing":
            if time.time() - since > _verdicts.WAIT:
                return await self._parked(item, JobTimeout(f"job {item.job_id} is still running", job_id=item.job_id))
            asked = memory["asked"] + 1
            return then("look", _verdicts.next_look(asked, status.eta), asked=asked, since=since)
        answer = known(job._snapshot)
        await self._surely(lambda: self.ledger.answered(item.id, answer))
        return then("save")

    async def _unseen(self, item: Item, error: PonyError, memory: Next, since: float) -> Next:
        faults, missed = memory["tried"] + 1, memory["missed"] + 1 if isinstance(error, NotFoundError) else 0
        verdict = _verdicts.of_look(error, faults, missed)
        if verdict.fate == "failed":
            await self._surely(lambda: self.ledger.failed(item.id, error))
            self._say("failed", item, error=error)
            return END
        if verdict.fate == "halt":
            self.halt(error)
            await _forever()
        self._say("delayed", item, error=error, wait=verdict.wait)
        found = await self._later(item, "look", error, verdict.wait, faults, since)
        return {**found, "missed": missed}

    async def _later(self, item: Item, what: Then, error: PonyError, wait: float, faults: int, since: float) -> Next:
        """Try again after a fault, or leave the item to the next run after many."""
        now = time.time()
        begun = now if faults == 1 else max(since, self.started_at)
        if now - begun > _verdicts.PATIENCE:
            return await self._parked(item, error)
        return then(what, wait, tried=faults, asked=1, since=begun)

    async def _parked(self, item: Item, error: Exception) -> Next:
        await self._surely(lambda: self.ledger.park(item.id, error))
        self._say("parked", item, error=error)
        return END

    # --- save --------------------------------------------------------------------------------

    async def _save(self, item: Item, memory: Next) -> Next:
        """Download an item's images, whole or not at all, and note that it is done."""
        if item.state != "running":
            return END
        try:
            if self.is_gone():
                raise self.gone()
            if memory["tried"] and memory["tried"] % FRESH_LINKS == 0:
                item = await self._asked_again(item)
            settings = (await self._batch_of(item))["settings"]
            folder = self._folder(item, settings)
            images = await save_images(item, settings, self._client, self.ledger, folder, self._surely)
        except PonyError as error:
            faults = memory["tried"] + 1
            verdict = _verdicts.of_download(error, faults)
            self._say("delayed", item, error=error, wait=verdict.wait)
            if verdict.fate == "halt":
                self.halt(error)
                await _forever()
            return await self._later(item, "save", error, verdict.wait, faults, memory["since"])
        if self.is_gone():
            self.halt(self.gone())
            await _forever()
        await self._surely(lambda: self.ledger.done(item.id))
        self._say("done", item, images=images)
        return END

    async def _asked_again(self, item: Item) -> Item:
        """Ask for the links once more: they may have run out."""
        job = AsyncJob(self._client, snapshot_of(item, "processing"))
        status = await job.refresh()
        if status.status == "success":
            answer = known(job._snapshot)
            await self._surely(lambda: self.ledger.answered(item.id, answer))
        return await self._surely(lambda: self.ledger.item(item.id))

    async def _batch_of(self, item: Item) -> Mapping[str, Any]:
        """Return what is known of an item's batch. Raises `ConfigurationError` for one of another service."""
        here = self._client._settings.base_url
        found = self._batches.get(item.batch)
        if found is None or found["base_url"] != here:
            found = await self._surely(lambda: self.ledger.batch(item.batch)) or {"base_url": here, "settings": {}}
            self._batches[item.batch] = found
        if found["base_url"] != here:
            raise ConfigurationError(
                f"the batch {item.batch} is at {found['base_url']}, and this process at {here}: "
                f"have both work with the same MODELSLAB_BASE_URL"
            )
        return found

    def _folder(self, item: Item, settings: Mapping[str, Any]) -> Path:
        """Return where a batch's images go: its own folder where this machine has it, else this process's."""
        own = Path(settings.get("output") or self.output)
        return own if self.ledger.is_shared and remembers(own, item.batch) else self.output

    # --- what all of them use ----------------------------------------------------------------

    def unwritten(self) -> str:
        """Return what is to be said of jobs that only this process knows; nothing if there are none."""
        return self._surely.unwritten()

    async def balance(self) -> Balance:
        """Ask what money the account has left."""
        return await self._client.balance()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def gone(self) -> ConfigurationError:
        """Return the error for a folder that was taken away: images would go where nobody looks for them."""
        return ConfigurationError(f"{self.output} is not what it was: was the folder moved? Go on where it is now")

    def halt(self, error: PonyError) -> None:
        """Send nothing more, for a reason that concerns every item.

        At the end of a run there is none: its connections are closed, with the items of others under way on them.
        """
        if not self.stopping:
            self.halted = self.halted or error

    def _say(self, event: str, item: Item, *, error: Exception | None = None, **facts: Any) -> None:
        told: dict[str, Any] = {"batch": item.batch, "index": item.position, "name": item.name, **facts}
        if error is not None:
            told["error"] = {"type": type(error).__name__, "message": str(error)}
        self.tell(event, told)


async def _forever() -> NoReturn:
    """Wait until the engine stops; the item's workflow is taken up by the next run."""
    await asyncio.get_running_loop().create_future()
    raise AssertionError  # nobody sets it
