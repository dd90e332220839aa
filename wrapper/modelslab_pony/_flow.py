"""The order of events of a job: submit, wait, look. No I/O, no clock; see `_steps` for the protocol.

Whether a generation POST may be sent again is decided here, in `submit`; a batch has that switched off, and decides in
`batch._verdicts`, by the same errors.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Generator, Mapping
from typing import Any

from modelslab_pony._asks import Context, Tries, patience, read, report, send, sleep
from modelslab_pony._classify import is_refusal, knows_no_such_call, snapshot as read_snapshot
from modelslab_pony._experience import Experience, Outlook
from modelslab_pony._schedule import THOUGHT_OVER, believed, poll_delay
from modelslab_pony._snapshot import Snapshot
from modelslab_pony._steps import Event, Flow, Lost, Reply, Send, Step
from modelslab_pony.errors import (
    APIError,
    GenerationFailed,
    JobId,
    JobTimeout,
    NotFoundError,
    PonyError,
    RateLimitError,
    ServerError,
    SubmissionUnknown,
    TransportError,
    UnexpectedResponseError,
    UnknownResponseError,
    UnknownServerError,
)
from modelslab_pony.requests import Request


def generate(
    context: Context, request: Request, fields: Mapping[str, Any], now: float, timeout: float
) -> Flow[Snapshot]:
    """Submit, then wait; the timeout covers both."""
    deadline = now + timeout
    job, now = yield from _submit(context, request, fields, deadline)
    return (yield from _wait(context, job, now, deadline))


def submit(context: Context, request: Request, fields: Mapping[str, Any]) -> Flow[Snapshot]:
    """Send a generation POST; return what the service made of it."""
    job, _ = yield from _submit(context, request, fields, math.inf)
    return job


def fetch(context: Context, job: Snapshot, now: float) -> Flow[Snapshot]:
    """Look at a job once; passing faults are tried again."""
    tries = Tries(context, now)
    while True:
        event = yield from _ask_about(context, job, tries.now, within=tries.left)
        found = _look(event, job)
        if isinstance(found, Snapshot):
            return found
        delay = tries.delay(event, found)
        if delay is None:
            raise found
        tries.now = yield from sleep(delay)


def wait(context: Context, job: Snapshot, now: float, timeout: float) -> Flow[Snapshot]:
    """Look at a job until it is done; a job that is done already is not asked about."""
    return (yield from _wait(context, job, now, now + timeout))


# --- submit ----------------------------------------------------------------------------------


def _submit(
    context: Context, request: Request, fields: Mapping[str, Any], deadline: float
) -> Generator[Step, Event, tuple[Snapshot, float]]:
    tried = 0
    while True:
        event = yield from send(request.operation, fields, deadline, is_paid=True)
        found = _accepted(event, request)
        if isinstance(found, Snapshot):
            return found, event.at
        tried += 1
        # Sent again only here: there was no connection, or the service refused for its rate limit.
        # Whatever else went wrong, the POST may have been accepted, or was refused for good.
        again = isinstance(found, TransportError | RateLimitError) and found.job_id is None
        delay = patience(context.retry, tried, found) if again else None
        if delay is None or event.at + delay >= deadline:
            raise found
        yield from sleep(delay)


def _accepted(event: Reply | Lost, request: Request) -> Snapshot | PonyError:
    """Return the job that a generation POST began, or what went wrong."""
    if isinstance(event, Lost):
        return _unanswered(event, request) if event.sent else _no_connection(event)
    try:
        job = read_snapshot(event)
    except APIError as refused:
        error = refused
    else:
        if job.status == "failed":
            return _failed(job)
        if job.status == "processing" and job.id is None:
            error = UnexpectedResponseError(
                "accepted, but without an id", status_code=event.status_code, body=job.raw, message=job.message
            )
        else:
            return job
    if is_refusal(error) or error.job_id is not None:
        return error
    return _unclear(error, request)


def _no_connection(event: Lost) -> TransportError:
    return TransportError(
        f"no connection was made, so nothing was sent ({event.reason}): "
        "check the network and MODELSLAB_BASE_URL, then try again"
    )


def _unanswered(event: Lost, request: Request) -> SubmissionUnknown:
    error = SubmissionUnknown(
        f"the request was sent and no answer came ({event.reason}): it may have been accepted and billed, "
        "and is not sent again by itself; look at the account's history before you repeat it"
    )
    error.request = request
    return error


def _unclear(error: APIError, request: Request) -> SubmissionUnknown:
    kind = UnknownServerError if isinstance(error, ServerError) else UnknownResponseError
    unclear = kind(
        f"{error}; the request may have been accepted and billed all the same, and is not sent again by itself",
        status_code=error.status_code,
        message=error.message,
        body=error.body,
    )
    unclear.request = request
    return unclear


# --- wait ------------------------------------------------------------------------------------


def _wait(context: Context, job: Snapshot, now: float, deadline: float) -> Flow[Snapshot]:
    if job.raw:  # a job taken up by its id has no answer yet that could be told
        now = max(now, (yield from report(job)))
    if job.status == "processing":
        job = yield from _until_ended(context, job, now, deadline)
    if job.status == "failed":
        raise _failed(job)
    return job


def _until_ended(context: Context, job: Snapshot, now: float, deadline: float) -> Flow[Snapshot]:
    """Look until the job has ended, well or not."""
    asked = faults = 0
    at_least = 0.0
    lesson = Lesson(context.experience, job, now, deadline)
    while job.status == "processing":
        chance = context.random()
        while True:
            remaining = max(0.0, deadline - now)
            delay = poll_delay(context.poll, asked, lesson.outlook(), now - lesson.begun, remaining, chance)
            if asked or delay <= THOUGHT_OVER or delay >= remaining:
                break
            now = max(now + delay / 2, (yield from sleep(delay / 2)))
        delay = max(at_least, delay)
        is_last = delay >= remaining
        pause = min(delay, remaining)
        # A clock may be set back; what was slept has passed all the same.
        now = max(now + pause, (yield from sleep(pause)))
        event = yield from _ask_about(context, job, now, deadline)
        looked = now + event.waited
        now, asked = max(now, event.at), asked + 1
        found = _look(event, job)
        if isinstance(found, Snapshot):
            job, fault, faults, at_least = found, None, 0, 0.0
            lesson.looked(looked, job)
            now = max(now, (yield from report(job)))
        else:
            fault, faults = found, faults + 1
            lesson.is_over = True  # what is found after a fault is found late
            again = patience(context.retry, faults, fault)
            if again is None:
                raise fault
            at_least = again
        # A look that took long may itself have passed the deadline; then there is no other.
        if (is_last or now >= deadline) and job.status == "processing":
            raise _timeout(job) from fault
    return job


class Lesson:
    """What one job teaches of how long jobs take: nothing if it was not looked at in time."""

    def __init__(self, experience: Experience, job: Snapshot, now: float, deadline: float) -> None:
        self._experience = experience
        self._eta = believed(job.first_eta, deadline - now)
        self._before = experience.beliefs.jobs
        self._last = 0.0
        self.begun = now if job.first_at is None else min(now, job.first_at)
        self.is_over = job.accepted_at is None or now - self.begun >= self.outlook().first

    def outlook(self) -> Outlook:
        """Return when to look, by what is known by now."""
        return self._experience.beliefs.outlook(self._eta)

    def looked(self, at: float, found: Snapshot) -> None:
        """Learn from a look at that time."""
        if found.status == "success" and not self.is_over:
            self._experience.learn(self._eta, self._last, at - self.begun, self._before)
        self._last = at - self.begun


def _ask_about(
    context: Context, job: Snapshot, now: float, deadline: float = math.inf, *, within: float = math.inf
) -> Generator[Step, Event, Reply | Lost]:
    """Ask with the id in the body; where a server knows no such call, with the id in the path. Both have one limit."""
    event = yield from send("fetch", {"request_id": str(job.id)}, deadline, within=within)
    if isinstance(event, Reply) and knows_no_such_call(event):
        left = max(0.0, min(context.answer, within) - (event.at - now - event.waited))
        return (yield from send("fetch_by_id", {"id": str(job.id)}, deadline, within=left))
    return event


def _look(event: Reply | Lost, job: Snapshot) -> Snapshot | PonyError:
    """Return where the job stands, or the error, which names the job."""
    found = read(event, read_snapshot)
    if isinstance(found, Snapshot):
        return found.after(job)
    found.job_id = job.id
    lost = isinstance(found, NotFoundError)
    found.args = (f"{found} [asking about job {job.id}{'' if lost else f'; {_way_back(job.id)}'}]",)
    return found


def _timeout(job: Snapshot) -> JobTimeout:
    return JobTimeout(f"job {job.id} was still running when the time was over; {_way_back(job.id)}", job_id=job.id)


def _way_back(job: JobId | None) -> str:
    return (
        f"it is not lost: ask again with client.job({job!r}).wait() or `pony fetch {job}`, and do not submit it again"
    )


# --- what is said on whatever ends a call ----------------------------------------------------


def name_submission(fault: BaseException, step: object) -> None:
    """Say on what broke off a generation POST (Ctrl-C, a cancelled task) that it may have been accepted."""
    if isinstance(step, Send) and step.is_paid and not isinstance(fault, PonyError):
        with contextlib.suppress(Exception):
            fault.add_note(
                "a request for an image was under way: it may have been accepted and billed; "
                "look at the account's history before you repeat it"
            )


def name_job(fault: BaseException, job: JobId | None) -> None:
    """Put the id of an accepted job on whatever ends a call: our errors, a callback's, Ctrl-C."""
    if job is None:
        return
    if isinstance(fault, PonyError):
        fault.job_id = job if fault.job_id is None else fault.job_id
        if fault.job_id == job:
            return
    with contextlib.suppress(Exception):  # an exception of the caller's may take no notes
        fault.add_note(f"job {job} was accepted; {_way_back(job)}")


def _failed(job: Snapshot) -> GenerationFailed:
    said = job.message.rstrip(".") or "no reason given"
    return GenerationFailed(
        f"the service could not make the image ({said}); submit it again if you like", job_id=job.id
    )
