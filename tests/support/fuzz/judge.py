"""The judge: whether what became of a trip is allowed."""

from __future__ import annotations

import json
import pickle
from typing import Any

from attrs import evolve

from modelslab_pony import errors
from modelslab_pony._snapshot import Balance, ModelStatus
from modelslab_pony.async_client import AsyncJob
from modelslab_pony.client import Job
from modelslab_pony.results import AsyncGeneration, AsyncJobStatus, Generation, JobStatus
from support.both import KEY
from support.fuzz.play import JOB, WAIT, Exchange, Trip
from support.fuzz.said import Said, said
from support.fuzz.wires import MAX_REAL, Wire

TEXT_BOUND = 2_000
"""Characters of an error's text."""
BODY_BOUND = 150_000
"""Characters and values of an error's body."""
MESSAGE_BOUND = 100_000
REAL_BOUND = 20.0
"""Seconds of a processor that a trip may take; what hangs is ended by the test's own limit."""
MOST_REQUESTS = {"generate": 100, "accepted": 100, "wait": 100, "upload": 110, "read": 150, "save": 150}
"""Requests of a trip; for what is not named, three tries at two addresses."""
GENERATIONS = {"text2img", "img2img"}
RESULTS: dict[str, tuple[type, ...]] = {
    "submit": (Job, AsyncJob),
    "fetch": (JobStatus, AsyncJobStatus),
    "balance": (Balance,),
    "queued": (int,),
    "reload": (ModelStatus,),
    "read": (bytes,),
    "save": (bytes,),
}
KINDS: dict[int, type[errors.APIError]] = {
    401: errors.AuthenticationError,
    402: errors.InsufficientCreditsError,
    403: errors.PermissionDeniedError,
    404: errors.NotFoundError,
    422: errors.BadRequestError,
    429: errors.RateLimitError,
}
"""What a refusal in the service's own words is, by its HTTP status."""
_CLASSES = {kind for kind in vars(errors).values() if isinstance(kind, type)}
_OURS = (errors.ConfigurationError, errors.InvalidRequestError)


class Escape(AssertionError):
    """Something became of an answer that may not."""


def judge(trip: Trip) -> None:
    """Raise `Escape` unless a trip ended as it may.

    It ends with a result of the call's own type, which the last answer really says: a generation has
    images with http(s) addresses. Or with an error of `modelslab_pony.errors`, which does not blame
    the caller for what the service said, is short, can be shown, sent to another process, and does
    not hold the key; the error of an answer has its HTTP status and its body, bounded. Whatever was
    accepted, its id is there. A generation POST goes out once, but for rate-limit refusals and where
    no connection was made; if its answer is neither a refusal nor an acceptance, it is unknown. All
    this within the time of the caller, and a bounded number of requests.
    """
    _check(trip.real < REAL_BOUND, f"took {trip.real:.1f} s of a processor")
    most = WAIT + MAX_REAL if trip.journey in {"wait", "generate", "accepted"} else 10 * MAX_REAL
    _check(trip.virtual <= most + 0.001, f"took {trip.virtual} s of the clock")
    _check(len(trip.exchanges) <= MOST_REQUESTS.get(trip.journey, 6), f"made {len(trip.exchanges)} requests")
    _check(not trip.left_over, f"left files behind: {trip.left_over}")
    sent = [exchange for exchange in trip.exchanges if exchange.place in GENERATIONS]
    for exchange in sent[:-1]:
        allowed = exchange.wire.end == "refused" or _was_limited(exchange.wire)
        _check(allowed, f"sent a generation again after {exchange.wire}")
    if trip.error is not None:
        _judge_error(trip, trip.error)
    else:
        _judge_result(trip, trip.outcome)
    if sent and trip.journey not in {"read", "save"}:
        _judge_submission(trip, sent[-1])
    elif trip.journey in {"wait", "fetch"}:
        about = trip.outcome.id if trip.error is None else getattr(trip.error, "job_id", None)
        _check(about == JOB, f"lost the job: {about!r}")


def _was_limited(wire: Wire) -> bool:
    """Tell whether an answer was a refusal for the rate limit; where its packing is odd, what was packed counts."""
    return said(wire).may_repeat or (wire.plain is None and said(evolve(wire, plain=wire.inside)).may_repeat)


def _judge_submission(trip: Trip, sent: Exchange) -> None:
    """What the last generation POST was answered, and what became of it."""
    answer = said(sent.wire)
    error = trip.error
    about = getattr(error, "job_id", None) if error is not None else trip.outcome.id
    is_unknown = isinstance(error, errors.SubmissionUnknown)
    if is_unknown and 300 <= sent.wire.code < 400:
        return  # httpx does not give us a redirect whose place is no URL: all that can be told is that nobody knows
    if answer.ids:
        _check(about in answer.ids, f"lost the job {answer.ids}: {about!r}")
    if sent.wire.end == "silence" or (answer.kind in {"odd", "pending"} and not answer.ids):
        _check(is_unknown, f"an answer that is neither yes nor no became {error!r}")
    if sent.wire.end == "refused":
        _check(type(error) is errors.TransportError, f"no connection became {error!r}")
    if answer.kind == "refused":
        # Where the service failed at something, nobody knows whether that was before it accepted or after.
        may_be_paid = sent.wire.code >= 500 and not answer.ids
        _check(isinstance(error, errors.APIError) and is_unknown == may_be_paid, f"a refusal became {error!r}")
    if answer.kind == "failed":
        _check(isinstance(error, errors.GenerationFailed | errors.NotFoundError), f"a failure became {error!r}")
    if answer.kind == "done":
        _check(error is None, f"a success became {error!r}")
    if answer.kind == "pending" and answer.ids:
        if trip.journey == "submit":
            _check(error is None and trip.outcome.status == "processing", f"a job became {error or trip.outcome!r}")
        else:
            _check(not is_unknown, "an accepted job became unknown")


def _judge_result(trip: Trip, outcome: Any) -> None:
    expected = RESULTS.get(trip.journey, (Generation, AsyncGeneration))
    _check(type(outcome) in expected, f"gave {type(outcome).__name__}")
    last = trip.exchanges[-1]
    answer = said(last.wire)
    _check(last.wire.end in {"whole", "torn"}, "gave a result without an answer")
    if isinstance(outcome, Generation | AsyncGeneration):
        _judge_images(outcome, answer)
    elif isinstance(outcome, JobStatus | AsyncJobStatus):
        expected_status = {"done": "success", "pending": "processing", "failed": "failed"}
        if answer.kind != "unclear":
            _check(outcome.status == expected_status.get(answer.kind), f"{answer} became {outcome.status}")
        _check((outcome.generation is not None) == (outcome.status == "success"), "a success without images")
        if outcome.generation is not None:
            _judge_images(outcome.generation, answer)
        _judge_raw(outcome.raw)
    elif isinstance(outcome, Job | AsyncJob):
        _judge_job(outcome, answer)
    elif isinstance(outcome, bytes):
        _check(outcome[:4] in {b"\x89PNG", b"GIF8", b"RIFF"} or outcome[:2] == b"\xff\xd8", "gave what is no picture")
        _check(last.wire.code == 200, f"gave the content of HTTP {last.wire.code}")
    else:
        _judge_account(trip.journey, outcome, last.wire.code, answer)


def _judge_job(job: Any, answer: Said) -> None:
    _check(job.status in {"processing", "success"}, f"gave a job that is {job.status}")
    _check(job.id is not None or job.status == "success", "gave a job without an id")
    if answer.kind != "unclear":
        _check({"done": "success", "pending": "processing"}.get(answer.kind) == job.status, f"{answer}")
    if job.status == "success":
        _check(bool(job._snapshot.links), "a success without images")


def _judge_account(journey: str, outcome: Any, code: int, answer: Said) -> None:
    _check(200 <= code < 300, f"took HTTP {code} for a success")
    if isinstance(answer.document, dict) and answer.is_plain:
        status = str(answer.document.get("status")).strip().lower()
        allowed = {"success", "processing"} if journey == "reload" else {"success"}
        _check(status in allowed, f"took {status} for a success")
    if isinstance(outcome, int):
        _check(outcome >= 0, "counted less than nothing")
    else:
        _judge_raw(outcome.raw)


def _judge_images(generation: Any, answer: Said) -> None:
    _check(len(generation.images) > 0, "a success without images")
    urls = tuple(image.url for image in generation.images)
    for url in urls[:50]:
        _check(url.lower().startswith(("http://", "https://")) and url.isprintable(), f"an image at {url!r}")
    if answer.kind != "unclear":
        _check(urls == answer.urls, f"{answer} became a success")
    _judge_raw(generation.raw)
    repr(generation)


def _judge_raw(raw: Any) -> None:
    """What came can be written as JSON again, and the key is not in it."""
    _check(KEY not in json.dumps(raw, allow_nan=False, ensure_ascii=False).replace("\\", ""), "gave the key away")


def _judge_error(trip: Trip, error: BaseException) -> None:
    if not isinstance(error, errors.PonyError):
        raise Escape(f"{type(error).__name__} got out: {str(error)[:300]}") from error
    _check(type(error) in _CLASSES, f"{type(error)} is not in errors")
    _check(not isinstance(error, _OURS), f"the caller is blamed: {error!r:.300}")
    text = str(error)
    _check(len(text) <= TEXT_BOUND, f"an error's text of {len(text)} characters: {text[:200]}")
    _check(text.isprintable(), f"an error that cannot be shown: {text[:300]!r}")
    _check("Traceback" not in text, text)
    carried = pickle.dumps(error)
    _check(KEY.encode() not in carried.replace(b"\0", b""), "the key is in the error")
    again = pickle.loads(carried)  # noqa: S301 - written a line above
    _check(type(again) is type(error) and str(again) == text, "an error that does not travel")
    link: BaseException | None = error
    while link is not None:
        _check(KEY not in repr(link), "the key is in what caused the error")
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    if isinstance(error, errors.APIError):
        _judge_api_error(error, trip.exchanges[-1])
    if isinstance(error, errors.JobTimeout):
        _check(trip.virtual >= WAIT - 0.001, f"gave up after {trip.virtual} s")
    if isinstance(error, errors.DownloadError):
        _check(trip.journey in {"read", "save"}, "a download that nobody asked for")


def _judge_api_error(error: errors.APIError, last: Exchange) -> None:
    _check(error.status_code == last.wire.code, f"HTTP {last.wire.code} became {error.status_code}")
    _check(len(error.message) <= MESSAGE_BOUND, f"a message of {len(error.message)} characters")
    _check(_size(error.body) <= BODY_BOUND, "a body without bound")
    field_errors = getattr(error, "errors", {})
    _check(_size(dict(field_errors)) <= BODY_BOUND, "field errors without bound")
    answer = said(last.wire)
    document = answer.document
    if last.place == "fetch" or (last.place in GENERATIONS and answer.ids):
        is_lost = isinstance(error, errors.NotFoundError) and answer.kind == "failed"
        _check(answer.kind not in {"done", "pending", "failed"} or is_lost, f"{answer} became {error!r:.300}")
    if answer.kind == "refused" and answer.is_plain and isinstance(document, dict) and _says_no(document):
        expected = KINDS.get(last.wire.code, errors.ServerError if last.wire.code >= 500 else errors.APIError)
        _check(isinstance(error, expected), f"HTTP {last.wire.code} became {error!r:.300}")
        is_known = not 300 <= last.wire.code < 400 and last.wire.code >= 200
        _check(not (is_known and isinstance(error, errors.UnexpectedResponseError)), f"a refusal became {error!r:.300}")
    if answer.is_plain:
        _check(error.body == answer.document, f"said {answer.document!r:.300}, kept {error.body!r:.300}")
    elif answer.kind in {"odd", "refused"} and answer.document is None and last.wire.plain is not None:
        _check(isinstance(error.body, str), f"kept {error.body!r:.300}")
        # The key is taken out of what is kept, in whatever spelling it was repeated.
        names = {name for name, _ in last.wire.recipe.changes}
        if "echo" not in names and KEY.encode() not in last.wire.plain.translate(None, b"\\\0"):
            _check(error.body[:200] == last.wire.plain[:2000].decode("utf-8", "replace")[:200], "kept something else")


def _says_no(document: dict[str, Any]) -> bool:
    return str(document.get("status")).strip().lower() in {"error", "failed"}


def _size(value: Any) -> int:
    size, rest = 0, [value]
    while rest and size <= BODY_BOUND:
        one = rest.pop()
        size += len(one) if isinstance(one, str) else 1
        if isinstance(one, dict):
            rest += [*one.keys(), *one.values()]
        elif isinstance(one, list | tuple):
            rest += one
    return size


def _check(is_so: bool, otherwise: str) -> None:
    if not is_so:
        raise Escape(otherwise)
