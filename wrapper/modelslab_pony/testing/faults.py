"""What can go wrong between an application and the service, on demand.

    simulator.faults.add(faults.HTML(502), on="text2img")             # the next submission
    simulator.faults.add(faults.Late(5), on="fetch", times=None)      # every fetch from now on
    simulator.faults.script(None, faults.Drop("during"), on="image")  # the second download
    simulator.faults.clear()
    simulator.faults.assert_used()                                    # did they all befall a request?

The connection: `Refuse`, `Drop`, `Late`, `Trickle`, `WrongLength`. What comes: `CutShort`, `Oversized`,
`ContentType`, `HTML`, `RateLimited`, `Redirect`, `Reply` (anything at all). Webhooks: `WebhookTwice`,
`WebhookLate`, `WebhookNever`. A fault of your own is a subclass of `Fault` with a `spoil`.

Where a fault applies, `on`: an operation of the spec (text2img, img2img, inpaint, fetch,
fetch_by_id, request_count, wallet_balance, model_reload, base64_to_url); a picture (output, proxy,
upload); a group (submission: the three generations; fetch: both of its forms; image: output and
proxy); a function of a `Call`; or None for every request. Times are in seconds, sizes in bytes.

The transport does to httpx what the server does on the wire. Two differ, and say so: `Refuse` and
`Drop("after")`.
"""

from __future__ import annotations

import json
import re
import reprlib
from collections.abc import Callable
from typing import Any, ClassVar, Literal

import attrs
from attrs import evolve, field, frozen

from modelslab_pony._settings import MOST_SECONDS
from modelslab_pony.testing._answers import Answer

__all__ = [
    "HTML",
    "ContentType",
    "CutShort",
    "Drop",
    "Fault",
    "Late",
    "Oversized",
    "RateLimited",
    "Redirect",
    "Refuse",
    "Reply",
    "Trickle",
    "WebhookFault",
    "WebhookLate",
    "WebhookNever",
    "WebhookTwice",
    "WrongLength",
]

MEBIBYTE = 2**20


def _that(is_right: Callable[[Any], bool], expected: str) -> Callable[[Any, attrs.Attribute[Any], Any], None]:
    """Return a validator: each says the field, what it must be, and the value."""

    def check(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        if not is_right(value):
            raise ValueError(f"{attribute.name} must be {expected}, not {reprlib.repr(value)}")

    return check


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < MOST_SECONDS


def _is_json(value: Any) -> bool:
    try:
        _content(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _content(body: Any) -> bytes:
    if isinstance(body, bytes | bytearray):
        return bytes(body)
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


def _is_text(pattern: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


_seconds = _that(_is_number, "a number of seconds, 0 or more")
_size = _that(lambda value: type(value) is int and value >= 0, "an integer, 0 or more")
_code = _that(
    lambda value: type(value) is int and 200 <= value <= 599 and value not in {204, 205, 304},
    "an HTTP status from 200 to 599 that has a body",
)
_flag = _that(lambda value: isinstance(value, bool), "True or False")
_media_type = _that(_is_text(r"[!-~][ -~]*"), "a media type")


@frozen
class Fault:
    """Something that goes wrong with one request. Each raises `ValueError` for a value that cannot be."""

    is_for_webhooks: ClassVar[bool] = False
    """Whether it befalls what is posted, and no request."""

    @property
    def reaches_service(self) -> bool:
        """Whether the service gets the request, and does what it asks: a generation is then accepted and billed."""
        return True

    def spoil(self, answer: Answer) -> Answer:
        """Return what becomes of an answer; of an empty one where the service never got the request."""
        return answer


@frozen
class _Instead(Fault):
    """Something else answers, and the service never gets the request."""

    @property
    def reaches_service(self) -> bool:
        """Whether the service gets the request."""
        return False


# --- the connection ------------------------------------------------------------------------------


@frozen
class Refuse(_Instead):
    """Nobody listens.

    Through the transport this is one request's fault. On the wire nobody knows how many knock at a
    closed door: the server stops listening for `seconds` as soon as this fault is next in line,
    whatever `on` says.
    """

    seconds: float = field(
        default=1.0, validator=_that(lambda value: _is_number(value) and value > 0, "a number of seconds above 0")
    )
    """How long the server is away, in seconds; above 0, default 1."""

    def spoil(self, answer: Answer) -> Answer:
        """Return what becomes of an answer."""
        return evolve(answer, loss="refused")


@frozen
class Drop(Fault):
    """The connection is lost: before the answer, after half of it ("during"), or after it.

    The service got the request, unless `accepted` is False. After a whole answer the client finds a
    dead connection where it left a live one, which only the server can show.
    """

    when: Literal["before", "during", "after"] = field(
        default="before",
        validator=_that(lambda value: value in {"before", "during", "after"}, "before, during or after"),
    )
    """Where in the answer it is lost, default "before"."""
    accepted: bool = field(default=True, validator=_flag)
    """Whether the service got the request, default True; it always did where it answered."""

    def __attrs_post_init__(self) -> None:
        """Refuse what contradicts itself: half of an answer that the service never gave."""
        if self.when != "before" and not self.accepted:
            raise ValueError(f"accepted must be True where the connection is lost {self.when} the answer")

    @property
    def reaches_service(self) -> bool:
        """Whether the service gets the request."""
        return self.accepted

    def spoil(self, answer: Answer) -> Answer:
        """Return what becomes of an answer."""
        return evolve(answer, loss=self.when)


@frozen
class Late(Fault):
    """The answer comes late."""

    seconds: float = field(validator=_seconds)
    """How late, in seconds."""

    def spoil(self, answer: Answer) -> Answer:
        """Return what becomes of an answer."""
        return evolve(answer, delay=self.seconds)


@frozen
class Trickle(Fault):
    """The answer comes in small pieces, with a pause before each."""

    size: int = field(
        default=16, validator=_that(lambda value: type(value) is int and value >= 1, "an integer, 1 or more")
    )
    """Bytes of each piece, at least 1, default 16."""
    pause: float = field(default=0.05, validator=_seconds)
    """Seconds before each, default 0.05."""

    def spoil(self, answer: Answer) -> Answer:
        """Return what becomes of an answer."""
        return evolve(answer, piece=self.size, pause=self.pause)


@frozen
class WrongLength(Fault):
    """The Content-Length is off `by` so many bytes: too large, and the rest never comes; too small, and it is cut."""

    by: int = field(
        default=100, validator=_that(lambda value: type(value) is int and value != 0, "an integer other than 0")
    )
    """Bytes, not 0, default 100; below 0 for a length that is too small."""

    def spoil(self, answer: Answer) -> Answer:
        """Return what becomes of an answer."""
        return evolve(answer, length=max(len(answer.content) + self.by, 0))


# --- what comes -------------------------------------------------------------------------------------


@frozen
class CutShort(Fault):
    """Only this part of the content comes, as if it were all: truncated JSON, half a picture."""

    keep: float = field(
        default=0.5, validator=_that(lambda value: _is_number(value) and value < 1, "from 0 to below 1")
    )
    """Which part, 0 to below 1, default 0.5."""

    def spoil(self, answer: Answer) -> Answer:
        """Return what becomes of an answer."""
        return evolve(answer, content=answer.content[: int(len(answer.content) * self.keep)])


@frozen
class Oversized(Fault):
    """The content is filled up with zeros to `size` bytes; the default is more than any image may have."""

    size: int = field(default=300 * MEBIBYTE, validator=_size)
    """Bytes in all, default 300 MiB; content that has more stays as it is."""

    def spoil(self, answer: Answer) -> Answer:
        """Return what becomes of an answer."""
        return evolve(answer, padding=max(0, self.size - len(answer.content)))


@frozen
class ContentType(Fault):
    """The content is what it should be, and called something else."""

    type: str = field(default="text/plain", validator=_media_type)
    """The media type that is stated, default `text/plain`."""

    def spoil(self, answer: Answer) -> Answer:
        """Return what becomes of an answer."""
        return evolve(answer, content_type=self.type)


@frozen
class HTML(Fault):
    """A gateway's page: 502, 503, 522, or a challenge under 200.

    The service never gets the request, unless `accepted`: a gateway also gives up on a request that
    it passed on.
    """

    status_code: int = field(default=502, validator=_code)
    """200 to 599, default 502."""
    accepted: bool = field(default=False, validator=_flag)
    """Whether the service got the request, default False."""

    @property
    def reaches_service(self) -> bool:
        """Whether the service gets the request."""
        return self.accepted

    def spoil(self, answer: Answer) -> Answer:
        """Return what becomes of an answer."""
        page = f"<!doctype html><title>{self.status_code}</title><h1>The origin gave no answer: {self.status_code}</h1>"
        return evolve(answer, status_code=self.status_code, content=page.encode(), content_type="text/html")


@frozen
class RateLimited(_Instead):
    """429, with the wait in the body, or with None without one."""

    retry_after: float | None = field(
        default=30.0, validator=_that(lambda value: value is None or _is_number(value), "a number of seconds, or None")
    )
    """The wait that is stated, in seconds, default 30; None states none."""

    def spoil(self, answer: Answer) -> Answer:
        """Return what becomes of an answer."""
        body = {"status": "error", "message": "Rate limit exceeded. Maximum 5 queued requests allowed."}
        wait = {} if self.retry_after is None else {"retry_after": self.retry_after}
        return evolve(answer, status_code=429, content=json.dumps(body | wait).encode())


@frozen
class Redirect(_Instead):
    """The client is sent elsewhere; 307 asks it to send the same again there, key and all."""

    to: str = field(default="https://elsewhere.example/", validator=_that(_is_text(r"[!-~]+"), "a URL"))
    """Where to, default `https://elsewhere.example/`, which is nowhere."""
    status_code: int = field(
        default=307, validator=_that(lambda value: value in {301, 302, 303, 307, 308}, "301, 302, 303, 307 or 308")
    )
    """301, 302, 303, 307 or 308, default 307."""

    def spoil(self, answer: Answer) -> Answer:
        """Return what becomes of an answer."""
        return evolve(answer, status_code=self.status_code, content=b"", headers={"location": self.to})


@frozen
class Reply(Fault):
    """Any answer at all: JSON, text or bytes. The service never gets the request, unless `accepted`."""

    status_code: int = field(validator=_code)
    """200 to 599, but for those without a body (204, 205, 304)."""
    body: Any = field(default=b"", repr=reprlib.repr, validator=_that(_is_json, "a text, bytes, or what JSON can say"))
    """A text, bytes, or what is to be written as JSON; empty by default."""
    content_type: str = field(default="application/json", validator=_media_type)
    """The media type that is stated, default `application/json`."""
    accepted: bool = field(default=False, validator=_flag)
    """Whether the service got the request, default False."""

    @property
    def reaches_service(self) -> bool:
        """Whether the service gets the request."""
        return self.accepted

    def spoil(self, answer: Answer) -> Answer:
        """Return what becomes of an answer."""
        content = _content(self.body)
        return evolve(answer, status_code=self.status_code, content=content, content_type=self.content_type)


# --- webhooks ------------------------------------------------------------------------------------------


@frozen
class WebhookFault(Fault):
    """Something that goes wrong with the webhook of the next job that names one."""

    is_for_webhooks: ClassVar[bool] = True
    """It befalls what is posted."""

    def times(self, ready_at: float) -> list[float]:
        """Return the times at which it is posted, for a job that is done at `ready_at`; seconds of the simulator."""
        return [ready_at]


@frozen
class WebhookTwice(WebhookFault):
    """The same event arrives again, `apart` seconds later."""

    apart: float = field(default=0.0, validator=_seconds)
    """Seconds in between, default 0."""

    def times(self, ready_at: float) -> list[float]:
        """Return when it is posted."""
        return [ready_at, ready_at + self.apart]


@frozen
class WebhookLate(WebhookFault):
    """The event arrives `seconds` after the job is done."""

    seconds: float = field(default=60.0, validator=_seconds)
    """How late, in seconds, default 60."""

    def times(self, ready_at: float) -> list[float]:
        """Return when it is posted."""
        return [ready_at + self.seconds]


@frozen
class WebhookNever(WebhookFault):
    """The event never arrives."""

    def times(self, ready_at: float) -> list[float]:  # noqa: ARG002 - there is no such time
        """Return when it is posted."""
        return []
