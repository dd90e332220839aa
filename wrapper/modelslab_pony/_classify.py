"""What an answer means.

`status` in the body is read first, then the HTTP status. Out comes a `Snapshot` of the job, or
an error with the body kept; nothing odd ever becomes a result. The facts are in the vendor's
spec and docs, the oddities in captured replies (tests/replies/).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from modelslab_pony._shapes import (
    bounded,
    brief,
    claims_acceptance,
    field_errors,
    flag,
    job_id,
    message_of,
    meta_of,
    number,
    proxies,
    said_once,
    seed,
    shallow,
    status_of,
    urls,
)
from modelslab_pony._snapshot import Link, Snapshot
from modelslab_pony._steps import Reply
from modelslab_pony.errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
    InsufficientCreditsError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    UnexpectedResponseError,
)

BODY_KEPT = 100_000
"""Characters kept of a body that is not JSON; characters and values of one that is."""
DEEPEST = 64
"""Levels of JSON that are kept."""
LONGEST_NUMERAL = 300
"""Digits of an integer; a longer one is beyond every float, and Python may refuse to write it."""
MESSAGE_SHOWN = 500
"""Characters of the service's message that an error's own text repeats."""

_BY_CODE: Mapping[int, type[APIError]] = {
    401: AuthenticationError,
    402: InsufficientCreditsError,
    403: PermissionDeniedError,
    404: NotFoundError,
    422: BadRequestError,
    429: RateLimitError,
}

# Under HTTP 200 and 400 only the text tells the refusals apart. First match wins.
_BY_TEXT: Sequence[tuple[re.Pattern[str], type[APIError]]] = [
    (re.compile(pattern, re.IGNORECASE), error)
    for pattern, error in (
        (r"rate limit|too many requests|queued requests allowed", RateLimitError),
        (r"(?<!\[)api key", AuthenticationError),  # in brackets it stands for a key that the answer repeated
        (r"insufficient (credit|balance|fund)|add more credits", InsufficientCreditsError),
        (r"premium subscription|upgrade your plan|not (included|available) in your plan", PermissionDeniedError),
        (r"(model|request)( id)? not found", NotFoundError),
        (r"unable to fetch image|is required|must be|invalid", BadRequestError),
        (r"internal server error|try again", ServerError),
    )
]

_ADVICE: Sequence[tuple[type[APIError], str]] = [
    (AuthenticationError, "check the key in MODELSLAB_API_KEY or api_key="),
    (InsufficientCreditsError, "add credits to the account, then send it again"),
    (PermissionDeniedError, "the account's plan has to include it"),
    (NotFoundError, "check the id of the model or the job"),
    (RateLimitError, "wait, or lower what is queued at once"),
    (BadRequestError, "correct the fields and send it again"),
    (ServerError, "the service is at fault, and may be well again later"),
    (UnexpectedResponseError, "this answer is in no contract; see .body"),
    (APIError, "see .body for the whole answer"),
]


def snapshot(reply: Reply) -> Snapshot:
    """Return where the job stands, as if this was the first answer for it (see `Snapshot.after`).

    Raises `APIError` if the answer does not say.
    """
    answer = parse(reply)
    if not isinstance(answer, dict) or not (200 <= reply.status_code < 300):
        raise refusal(reply.status_code, reply.headers, answer)
    word = status_of(answer)
    if word == "error":
        raise refusal(reply.status_code, reply.headers, answer)
    if word == "failed":
        return _failed(reply, answer)
    if word == "success":
        return _success(reply, answer)
    if word != "processing" and job_id(answer.get("id")) is None:
        raise unexpected(reply, answer, message_of(answer))
    return _processing(reply, answer)


def refusal(status_code: int, headers: Mapping[str, str], answer: Any) -> APIError:
    """Return the error for an answer that is no job."""
    message = message_of(answer)
    kind = _kind(status_code, answer, message)
    error = _error(kind, status_code, message, answer)
    if isinstance(error, BadRequestError):
        error.errors = field_errors(error.body)
    if isinstance(error, RateLimitError):
        error.retry_after = _retry_after(answer, headers)
    return error


def unexpected(reply: Reply, answer: Any, message: str) -> APIError:
    """Return the error for an answer that is in no contract."""
    return _error(UnexpectedResponseError, reply.status_code, message, answer)


def knows_no_such_call(reply: Reply) -> bool:
    """Tell whether a server said, not in the service's words, that it has nothing at this address."""
    answer = parse(reply)
    return reply.status_code in {404, 405} and not (isinstance(answer, dict) and status_of(answer))


def is_ours(error: APIError) -> bool:
    """Tell whether the answer is the service's own, and not a gateway's."""
    return isinstance(error.body, dict) and status_of(error.body) is not None


def is_refusal(error: APIError) -> bool:
    """Tell whether the service itself said no, so that it cannot have accepted the request.

    Where it failed at something (5xx), nobody knows whether that was before it accepted or after.
    """
    if (error.status_code or 0) >= 500:
        return False
    if isinstance(error.body, dict) and status_of(error.body) in {"error", "failed"}:
        return True
    return error.status_code in {400, *_BY_CODE} and not isinstance(error, UnexpectedResponseError)


# --- the three kinds of job ------------------------------------------------------------------


def _success(reply: Reply, answer: dict[str, Any]) -> Snapshot:
    outputs = urls(answer.get("output"))
    if not outputs:
        raise unexpected(reply, answer, "a success without images")
    from modelslab_pony import _raw  # noqa: PLC0415 - the first call pays for it

    copies = proxies(answer.get("proxy_links"))
    meta = meta_of(answer)
    found = _raw.success(
        {**answer, "status": "success", "id": job_id(answer.get("id")), "output": outputs, "meta": meta}
    )
    return Snapshot(
        status="success",
        id=found.id,
        message=message_of(answer),
        links=tuple([Link(url=url, proxy_url=copies.get(index)) for index, url in enumerate(found.output)]),
        seed=seed(answer),
        meta=meta,
        generation_time=number(_raw.value(found.generation_time)),
        nsfw_content_detected=flag(_raw.value(found.nsfw_content_detected)),
        raw=answer,
        accepted_at=reply.at,
        first_at=reply.at,
    )


def _processing(reply: Reply, answer: dict[str, Any]) -> Snapshot:
    from modelslab_pony import _raw  # noqa: PLC0415 - the first call pays for it

    found = _raw.processing({**answer, "status": "processing", "id": job_id(answer.get("id")), "meta": meta_of(answer)})
    eta = number(_raw.value(found.eta))
    return Snapshot(
        status="processing",
        id=_raw.value(found.id),
        eta=eta,
        message=message_of(answer),
        seed=seed(answer),
        meta=meta_of(answer),
        raw=bounded(answer, BODY_KEPT),
        accepted_at=reply.at,
        first_at=reply.at,
        first_eta=eta,
    )


def _failed(reply: Reply, answer: dict[str, Any]) -> Snapshot:
    message = message_of(answer)
    if re.search(r"not found", message, re.IGNORECASE):
        raise _error(NotFoundError, reply.status_code, message, answer)
    raw = bounded(answer, BODY_KEPT)
    return Snapshot(status="failed", id=job_id(answer.get("id")), message=brief(message, MESSAGE_SHOWN), raw=raw)


# --- parsing ---------------------------------------------------------------------------------


def parse(reply: Reply) -> Any:
    """Return the JSON of an answer, or the text if it is none."""
    try:
        answer = _read(reply.body)
    except (ValueError, RecursionError):
        answer = reply.body[: BODY_KEPT * 4].decode("utf-8", "replace")
    return answer[:BODY_KEPT] if isinstance(answer, str) else answer


def is_whole_object(body: bytes) -> bool:
    """Tell whether a body holds a JSON object that came to its end."""
    try:
        return isinstance(_read(body), dict)
    except (ValueError, RecursionError):
        return False


def _read(body: bytes) -> Any:
    encoding = json.detect_encoding(body)
    try:
        return _json(_text_of(body, encoding))
    except ValueError:
        if encoding.startswith("utf-8"):
            raise
        # A zero in front is enough to make it look like UTF-16.
        return _json(_text_of(body, "utf-8"))


def _text_of(body: bytes, encoding: str) -> str:
    try:
        return body.decode(encoding)
    except UnicodeDecodeError:
        return body.decode("latin-1")


def _json(text: str) -> Any:
    """Parse JSON, also below a warning that PHP printed, with raw line breaks in its strings.

    NaN and infinities, which JSON does not have, become null; so do integers of that size.
    """
    try:
        answer = _DECODER.decode(text.removeprefix("\ufeff"))
    except ValueError:
        start = text.find("{")
        if start <= 0:
            raise
        answer = _DECODER.decode(text[start:])
    return shallow(answer, DEEPEST) if text.count("[") + text.count("{") > DEEPEST else answer


def _finite(numeral: str) -> float | None:
    found = float(numeral)
    return found if math.isfinite(found) else None


def _integer(numeral: str) -> int | None:
    return int(numeral) if len(numeral) <= LONGEST_NUMERAL else None


_DECODER = json.JSONDecoder(
    parse_constant=lambda _: None,
    parse_float=_finite,
    parse_int=_integer,
    object_pairs_hook=said_once,
    strict=False,
)


# --- refusals --------------------------------------------------------------------------------


def _kind(status_code: int, answer: Any, message: str) -> type[APIError]:
    stated = status_of(answer) if isinstance(answer, dict) else None
    if status_code >= 500:
        return ServerError
    if claims_acceptance(answer) or status_code < 200 or 300 <= status_code < 400:
        return UnexpectedResponseError  # the code says the opposite, or nothing that could be meant
    if status_code in _BY_CODE:
        return _BY_CODE[status_code]
    fallback: type[APIError] = (
        BadRequestError if status_code == 400 else APIError if stated else UnexpectedResponseError
    )
    if field_errors(answer):
        return BadRequestError if stated else fallback
    return next((kind for pattern, kind in _BY_TEXT if stated and pattern.search(message)), fallback)


def _retry_after(answer: Any, headers: Mapping[str, str]) -> float | None:
    """Return the stated wait: in the body, in a hint ("wait for 30 seconds"), or in the header."""
    if isinstance(answer, dict):
        stated = number(answer.get("retry_after"))
        if stated is not None:
            return stated
        hints = " ".join(str(answer[name]) for name in ("tips", "tip", "message", "messege") if _is_text(answer, name))
        found = re.search(r"wait (?:for )?(\d{1,5}) ?s(?:ec|\b)", hints, re.IGNORECASE)
        if found:
            return float(found[1])
    return number(headers.get("retry-after"))


def _is_text(answer: Mapping[str, Any], name: str) -> bool:
    return isinstance(answer.get(name), str)


def _error(kind: type[APIError], status_code: int, message: str, answer: Any) -> APIError:
    advice = next(advice for base, advice in _ADVICE if issubclass(kind, base))
    said = brief(message, MESSAGE_SHOWN).rstrip(".") or "no message"
    return kind(
        f"{said} (HTTP {status_code}): {advice}",
        status_code=status_code,
        message=message,
        body=bounded(answer, BODY_KEPT),
        job_id=job_id(answer.get("id")) if isinstance(answer, dict) else None,
    )
