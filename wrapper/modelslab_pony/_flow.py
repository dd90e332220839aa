"""The order of events: submit, wait, download. No I/O, no clock; see `_steps` for the protocol.

Whether a generation POST may be sent again is decided here, in `submit`, and nowhere else.
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable, Generator, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

from attrs import evolve, frozen

from modelslab_pony._account import uploaded
from modelslab_pony._classify import is_ours, is_refusal, knows_no_such_call, snapshot as read_snapshot
from modelslab_pony._schedule import Random, poll_delay, retry_delay
from modelslab_pony._snapshot import Link, Snapshot
from modelslab_pony._steps import Event, Flow, Lost, Reply, Report, Save, Saved, Send, Sleep, Step, Unsaved, Woke
from modelslab_pony._wire import LocalImage
from modelslab_pony.errors import (
    APIError,
    DownloadError,
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
    UploadTimeout,
)
from modelslab_pony.policies import PollPolicy, RetryPolicy
from modelslab_pony.requests import Request

T = TypeVar("T")


@frozen(kw_only=True)
class Context:
    """What every flow goes by."""

    poll: PollPolicy
    retry: RetryPolicy
    random: Random


def generate(
    context: Context, request: Request, fields: Mapping[str, Any], now: float, timeout: float
) -> Flow[Snapshot]:
    """Submit, then wait; the timeout covers both."""
    deadline = now + timeout
    job, now = yield from _submit(context, request, fields, deadline)
    return (yield from _wait(context, job, now, deadline))


def submit(context: Context, request: Request, fields: Mapping[str, Any]) -> Flow[Snapshot]:
    """Send a generation POST; return what the service made of it."""
    job, _ = yield from _submit(context, request, fields, float("inf"))
    return job


def fetch(context: Context, job: Snapshot) -> Flow[Snapshot]:
    """Look at a job once; passing faults are tried again."""
    tried = 0
    while True:
        event = yield from _ask_about(job)
        found = _look(event, job)
        if isinstance(found, Snapshot):
            return found
        tried += 1
        delay = _patience(context.retry, tried, found)
        if delay is None:
            raise found
        yield from _sleep(delay)


def wait(context: Context, job: Snapshot, now: float, timeout: float) -> Flow[Snapshot]:
    """Look at a job until it is done; a job that is done already is not asked about."""
    return (yield from _wait(context, job, now, now + timeout))


def ask(
    context: Context,
    operation: str,
    fields: Mapping[str, Any],
    meaning: Callable[[Reply], T],
    *,
    doing: str = "",
    deadline: float = float("inf"),
) -> Flow[T]:
    """Make a call that costs nothing, so that it may be made again; return what its answer means."""
    tried = 0
    while True:
        event = yield from _send(operation, fields)
        found = _read(event, meaning)
        if not isinstance(found, PonyError):
            return found
        tried += 1
        delay = _patience(context.retry, tried, found)
        if delay is None or event.at + delay >= deadline:
            found.args = (f"{found}{doing}",)
            found.job_id = None  # an id in such an answer is no job's
            raise found
        yield from _sleep(delay)


def upload(context: Context, name: str, image: LocalImage, deadline: float) -> Flow[str]:
    """Give an image of this machine to the service; return its URL."""
    content = base64.b64encode(image.content).decode()
    fields = {"base64_string": f"data:{image.media_type};base64,{content}"}
    doing = f" [{uploading(name)}]"
    return (yield from ask(context, "base64_to_url", fields, uploaded, doing=doing, deadline=deadline))


def uploading(name: str) -> str:
    """Say what is being done while an image goes up, for whatever ends that."""
    return f"uploading {name}; no image was asked for yet"


def too_late(name: str) -> UploadTimeout:
    """Return the error for an upload that took all of the caller's time."""
    return UploadTimeout(f"the time was over [{uploading(name)}]")


def download(context: Context, link: Link, job: JobId | None, save: Save) -> Flow[Saved]:
    """Download an image from its URL, else from the CDN's copy of it."""
    tried = 0
    while True:
        failures: list[Unsaved] = []
        for url in filter(None, (link.url, link.proxy_url)):
            event = yield from _save(evolve(save, url=url))
            if isinstance(event, Saved):
                return event
            failures.append(event)
            if event.local:
                raise _download_error(url, job, event.reason, is_local=True)
        tried += 1
        delay = retry_delay(context.retry, tried, None) if any(failure.again for failure in failures) else None
        if delay is None:
            raise _download_error(link.url, job, "; then from the CDN: ".join(failure.reason for failure in failures))
        yield from _sleep(delay)


# --- submit ----------------------------------------------------------------------------------


def _submit(
    context: Context, request: Request, fields: Mapping[str, Any], deadline: float
) -> Generator[Step, Event, tuple[Snapshot, float]]:
    tried = 0
    while True:
        event = yield from _send(request.operation, fields)
        found = _accepted(event, request)
        if isinstance(found, Snapshot):
            return found, event.at
        tried += 1
        # Sent again only here: there was no connection, or the service refused for its rate limit.
        # Whatever else went wrong, the POST may have been accepted, or was refused for good.
        again = isinstance(found, TransportError | RateLimitError) and found.job_id is None
        delay = _patience(context.retry, tried, found) if again else None
        if delay is None or event.at + delay >= deadline:
            raise found
        yield from _sleep(delay)


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
    asked = faults = 0
    patience = 0.0
    if job.raw:  # a job taken up by its id has no answer yet that could be told
        yield from _report(job)
    while job.status == "processing":
        remaining = max(0.0, deadline - now)
        delay = max(patience, poll_delay(context.poll, asked, job.eta, remaining, context.random))
        is_last = delay >= remaining
        yield from _sleep(min(delay, remaining))
        event = yield from _ask_about(job)
        now, asked = event.at, asked + 1
        found = _look(event, job)
        if isinstance(found, Snapshot):
            job, fault, faults, patience = found, None, 0, 0.0
            yield from _report(job)
        else:
            fault, faults = found, faults + 1
            again = _patience(context.retry, faults, fault)
            if again is None:
                raise fault
            patience = again
        # A look that took long may itself have passed the deadline; then there is no other.
        if (is_last or now >= deadline) and job.status == "processing":
            raise _timeout(job) from fault
    if job.status == "failed":
        raise _failed(job)
    return job


def _ask_about(job: Snapshot) -> Generator[Step, Event, Reply | Lost]:
    """Ask with the id in the body; where a server knows no such call, with the id in the path."""
    event = yield from _send("fetch", {"request_id": str(job.id)})
    if isinstance(event, Reply) and knows_no_such_call(event):
        return (yield from _send("fetch_by_id", {"id": str(job.id)}))
    return event


def _look(event: Reply | Lost, job: Snapshot) -> Snapshot | PonyError:
    """Return where the job stands, or the error, which names the job."""
    found = _read(event, read_snapshot)
    if isinstance(found, Snapshot):
        return found.after(job)
    found.job_id = job.id
    lost = isinstance(found, NotFoundError)
    found.args = (f"{found} [asking about job {job.id}{'' if lost else f'; {_way_back(job.id)}'}]",)
    return found


def _read(event: Reply | Lost, meaning: Callable[[Reply], T]) -> T | PonyError:
    """Return what the answer to a call means that is no submission, or what went wrong."""
    if isinstance(event, Lost):
        return TransportError(f"no answer came ({event.reason})")
    try:
        return meaning(event)
    except APIError as refused:
        if not (400 <= event.status_code < 500) or isinstance(refused, RateLimitError) or is_ours(refused):
            return refused
        # A gateway's page says nothing about what was asked.
        return UnexpectedResponseError(
            str(refused), status_code=refused.status_code, message=refused.message, body=refused.body
        )


def _timeout(job: Snapshot) -> JobTimeout:
    return JobTimeout(f"job {job.id} was still running when the time was over; {_way_back(job.id)}", job_id=job.id)


def _way_back(job: JobId | None) -> str:
    return (
        f"it is not lost: ask again with client.job({job!r}).wait() or `pony fetch {job}`, and do not submit it again"
    )


# --- what several flows use ------------------------------------------------------------------


def _patience(retry: RetryPolicy, tried: int, error: PonyError) -> float | None:
    """Return how long to wait before trying again, or None if that would not help."""
    if not isinstance(error, TransportError | RateLimitError | ServerError | UnexpectedResponseError):
        return None
    return retry_delay(retry, tried, error.retry_after if isinstance(error, RateLimitError) else None)


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


def check_time(name: str, now: float, deadline: float) -> None:
    """Refuse to go on after an upload that took all of the caller's time."""
    if now > deadline:
        raise too_late(name)


def name_upload(fault: BaseException, name: str) -> None:
    """Say on what ends an upload (Ctrl-C, a cancelled task) that nothing was asked for; our errors say so already."""
    if not isinstance(fault, PonyError):
        with contextlib.suppress(Exception):
            fault.add_note(uploading(name))


def _failed(job: Snapshot) -> GenerationFailed:
    said = job.message.rstrip(".") or "no reason given"
    return GenerationFailed(
        f"the service could not make the image ({said}); submit it again if you like", job_id=job.id
    )


def _download_error(url: str, job: JobId | None, reason: str, *, is_local: bool = False) -> DownloadError:
    again = "" if job is None else f"; the image is made and paid for: client.job({job!r}).wait() gives its URL again"
    return DownloadError(f"{reason} ({url}){again}", url=url, job_id=job, is_local=is_local)


# A shell answers each step with its own kind of event; these four say so to the type checker.


def _send(operation: str, fields: Mapping[str, Any]) -> Generator[Step, Event, Reply | Lost]:
    event = yield Send(operation=operation, fields=fields)
    if isinstance(event, Reply | Lost):
        return event
    raise _mismatch(event)


def _save(step: Save) -> Generator[Step, Event, Saved | Unsaved]:
    if not _is_web(step.url):
        return Unsaved(at=0.0, reason="not an http(s) URL", again=False)
    event = yield step
    if isinstance(event, Saved | Unsaved):
        return event
    raise _mismatch(event)


def _is_web(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        return False


def _sleep(seconds: float) -> Generator[Step, Event, None]:
    event = yield Sleep(seconds)
    if not isinstance(event, Woke):
        raise _mismatch(event)


def _report(snapshot: Snapshot) -> Generator[Step, Event, None]:
    event = yield Report(snapshot)
    if not isinstance(event, Woke):
        raise _mismatch(event)


def _mismatch(event: Event) -> TypeError:
    return TypeError(
        f"a shell answered a step with {type(event).__name__}: a fault in modelslab_pony, please report it"
    )
