"""What a webhook claims. No signature exists, so nothing of it is more than a hint.

The facts are in the vendor's docs; what was posted is in tests/replies/webhook_*.json.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, TypeGuard

from attrs import field, frozen

from modelslab_pony import _classify, _shapes
from modelslab_pony._rules import HUGE, shown
from modelslab_pony._steps import Reply
from modelslab_pony.errors import InvalidWebhookError, JobId

MAX_BODY = 1024 * 1024
"""Bytes of a post that are read at most: 1 MiB; a real one has a few kilobytes."""
BODY_SHOWN = 1000
"""Characters of a body that an error keeps."""
STATUS_KEPT = 40
"""Characters of a status; a longer one is none."""
MESSAGE_KEPT = 500
"""Characters of a message, and of a `track_id`."""

# An id is asked about, stands in logs and may stand in a path: it is what ids are made of, no more.
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}", re.ASCII)
_NUMERAL = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)
_ENDS: Mapping[str, Literal["success", "failed"]] = {"success": "success", "failed": "failed", "error": "failed"}


@frozen(kw_only=True)
class WebhookEvent:
    """What a post to a webhook claims of a job.

    Whoever knows the address can post anything there. So there are no images here: their URLs would
    be whatever the sender wants you to load, show or pass on. Ask the service with `job_id`; what it
    answers is true. `raw` has the rest, for looking at, not for acting upon.
    """

    job_id: JobId
    """As it came: an integer, or a text of letters, digits, `-` and `_`, at most 100 characters."""
    status: str
    """Claimed: success, failed, error, processing, or any other word, in lower case."""
    track_id: str | None = None
    """Claimed; it is whatever the request had, if the post is real. None without one; at most 500 characters."""
    message: str = ""
    """Claimed; at most 500 characters, which may be any."""
    raw: Mapping[str, Any] = field(repr=False)
    """The body as it came."""

    @property
    def claimed_end(self) -> Literal["success", "failed"] | None:
        """How the job is said to have ended: `success` or `failed`; None if it is not said to have."""
        return _ENDS.get(self.status)


def parse(body: bytes | str | Mapping[str, Any]) -> WebhookEvent:
    """Read what was posted: the body as it arrived (at most 1 MiB), or its JSON.

    Nothing in it is proven; see `WebhookEvent`. Raises `InvalidWebhookError` and nothing else.
    """
    answer = _object(body)
    try:
        found, status = _shapes.job_id(answer.get("id")), _shapes.status_of(answer)
        message, track = _shapes.message_of(answer), answer.get("track_id")
    except (ValueError, RecursionError):  # a number too long to be written down, in a mapping of the caller's
        raise _invalid("its values are no JSON", body) from None
    if not is_usable(found):
        raise _invalid(f"its id is {shown(answer.get('id'))}" if "id" in answer else "it has no id", body)
    if not status or not status.isprintable() or len(status) > STATUS_KEPT:
        what = f"its status is {shown(answer.get('status'))}" if "status" in answer else "it has no status"
        raise _invalid(what, body)
    return WebhookEvent(job_id=found, status=status, track_id=_track(track), message=message[:MESSAGE_KEPT], raw=answer)


def is_usable(found: JobId | None) -> TypeGuard[JobId]:
    """Tell whether this can be the id of a job."""
    if found is None or (isinstance(found, int) and not (0 <= found < HUGE)):
        return False
    return _ID.fullmatch(str(found)) is not None


def one_type(text: str) -> JobId:
    """Return an id in the one type that all its spellings have: 5 and "5" are the same job."""
    return int(text) if _NUMERAL.fullmatch(text) else text


def _object(body: Any) -> dict[str, Any]:
    if isinstance(body, Mapping):
        return {name: value for name, value in body.items() if isinstance(name, str)}
    if not isinstance(body, bytes | bytearray | str):
        raise _invalid(f"it is {shown(body)}", body)
    content = body.encode("utf-8", "replace") if isinstance(body, str) else bytes(body)
    if len(content) > MAX_BODY:
        raise _invalid(f"it has {len(content)} bytes, of which {MAX_BODY} are read", body)
    answer = _classify.parse(Reply(at=0.0, status_code=200, headers={}, body=content))
    if not isinstance(answer, dict):
        raise _invalid("it is no JSON object" if content.strip() else "it is empty", body)
    return answer


def _track(given: Any) -> str | None:
    if isinstance(given, bool) or not isinstance(given, int | str):
        return None
    return given[:MESSAGE_KEPT] if isinstance(given, str) else str(given) if abs(given) < HUGE else None


def _invalid(why: str, body: Any) -> InvalidWebhookError:
    if isinstance(body, bytes | bytearray):
        text = bytes(body[: BODY_SHOWN * 4]).decode("utf-8", "replace")
    else:
        text = body if isinstance(body, str) else shown(body)
    return InvalidWebhookError(f"this is no webhook of the service: {why}", body=text[:BODY_SHOWN])
