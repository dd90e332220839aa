"""What can go wrong between an application and the service, on demand.

    simulator.faults.add(faults.HTML(502), on="text2img")            # the next submission
    simulator.faults.add(faults.Late(5), on="fetch", times=None)     # every fetch from now on
    simulator.faults.script(None, faults.Drop("during"), on="image") # the second download

Where a fault applies, `on`: an operation of the spec (text2img, img2img, inpaint, fetch,
fetch_by_id, request_count, wallet_balance, model_reload, base64_to_url); a picture (output, proxy,
upload); a group (submission: the three generations; fetch: both of its forms; image: output and
proxy); a function of a `Call`; or None for every request. Times are in seconds, sizes in bytes.

The transport does to httpx what the server does on the wire. Two differ, and say so: `Refuse` and
`Drop("after")`.
"""

from __future__ import annotations

import json
import math
from typing import Any, ClassVar, Literal

import attrs
from attrs import evolve, field, frozen

from modelslab_pony.testing._answers import Answer

MEBIBYTE = 2**20


def _seconds(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not (0 <= value < math.inf):
        raise ValueError(f"{attribute.name} must be a number of seconds, 0 or more, not {value!r}")


def _whole(_: Any, attribute: attrs.Attribute[int], value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{attribute.name} must be an integer, not {value!r}")  # noqa: TRY004 - one error for all of them


def _seconds_or_none(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if value is not None:
        _seconds(_, attribute, value)


def _code(_: Any, attribute: attrs.Attribute[int], value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not (200 <= value <= 599):
        raise ValueError(f"{attribute.name} must be an HTTP status from 200 to 599, not {value!r}")


@frozen
class Fault:
    """Something that goes wrong with one request."""

    is_for_webhooks: ClassVar[bool] = False

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

    seconds: float = field(default=1.0, validator=_seconds)

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
        default="before", validator=attrs.validators.in_(("before", "during", "after"))
    )
    accepted: bool = True

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

    def spoil(self, answer: Answer) -> Answer:
        """Return what becomes of an answer."""
        return evolve(answer, delay=self.seconds)


@frozen
class Trickle(Fault):
    """The answer comes in small pieces, with a pause before each."""

    size: int = field(default=16, validator=[_whole, attrs.validators.ge(1)])
    pause: float = field(default=0.05, validator=_seconds)

    def spoil(self, answer: Answer) -> Answer:
        """Return what becomes of an answer."""
        return evolve(answer, piece=self.size, pause=self.pause)


@frozen
class WrongLength(Fault):
    """The Content-Length is off `by` so many bytes: too large, and the rest never comes; too small, and it is cut."""

    by: int = field(default=100, validator=[_whole, attrs.validators.not_(attrs.validators.in_((0,)))])

    def spoil(self, answer: Answer) -> Answer:
        """Return what becomes of an answer."""
        return evolve(answer, length=max(len(answer.content) + self.by, 0))


# --- what comes -------------------------------------------------------------------------------------


@frozen
class CutShort(Fault):
    """Only this part of the content comes, as if it were all: truncated JSON, half a picture."""

    keep: float = field(default=0.5, validator=[attrs.validators.ge(0), attrs.validators.lt(1)])

    def spoil(self, answer: Answer) -> Answer:
        """Return what becomes of an answer."""
        return evolve(answer, content=answer.content[: int(len(answer.content) * self.keep)])


@frozen
class Oversized(Fault):
    """The content is filled up with zeros to `size` bytes; the default is more than any image may have."""

    size: int = field(default=300 * MEBIBYTE, validator=[_whole, attrs.validators.ge(0)])

    def spoil(self, answer: Answer) -> Answer:
        """Return what becomes of an answer."""
        return evolve(answer, padding=max(0, self.size - len(answer.content)))


@frozen
class ContentType(Fault):
    """The content is what it should be, and called something else."""

    type: str = field(default="text/plain", validator=attrs.validators.matches_re(r"[!-~][ -~]*"))

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
    accepted: bool = False

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

    retry_after: float | None = field(default=30.0, validator=_seconds_or_none)

    def spoil(self, answer: Answer) -> Answer:
        """Return what becomes of an answer."""
        body = {"status": "error", "message": "Rate limit exceeded. Maximum 5 queued requests allowed."}
        wait = {} if self.retry_after is None else {"retry_after": self.retry_after}
        return evolve(answer, status_code=429, content=json.dumps(body | wait).encode())


@frozen
class Redirect(_Instead):
    """The client is sent elsewhere; 307 asks it to send the same again there, key and all."""

    to: str = field(default="https://elsewhere.example/", validator=attrs.validators.matches_re(r"[!-~]+"))
    status_code: int = field(default=307, validator=_code)

    def spoil(self, answer: Answer) -> Answer:
        """Return what becomes of an answer."""
        return evolve(answer, status_code=self.status_code, content=b"", headers={"location": self.to})


@frozen
class Reply(Fault):
    """Any answer at all: JSON, text or bytes. The service never gets the request, unless `accepted`."""

    status_code: int = field(validator=_code)
    body: Any = b""
    content_type: str = field(default="application/json", validator=attrs.validators.matches_re(r"[!-~][ -~]*"))
    accepted: bool = False

    @property
    def reaches_service(self) -> bool:
        """Whether the service gets the request."""
        return self.accepted

    def spoil(self, answer: Answer) -> Answer:
        """Return what becomes of an answer."""
        body = self.body.encode() if isinstance(self.body, str) else self.body
        content = bytes(body) if isinstance(body, bytes | bytearray) else json.dumps(body).encode()
        return evolve(answer, status_code=self.status_code, content=content, content_type=self.content_type)


# --- webhooks ------------------------------------------------------------------------------------------


@frozen
class WebhookFault(Fault):
    """Something that goes wrong with the webhook of the next job that names one."""

    is_for_webhooks: ClassVar[bool] = True

    def times(self, ready_at: float) -> list[float]:
        """Return when it is posted."""
        return [ready_at]


@frozen
class WebhookTwice(WebhookFault):
    """The same event arrives again, `apart` seconds later."""

    apart: float = field(default=0.0, validator=_seconds)

    def times(self, ready_at: float) -> list[float]:
        """Return when it is posted."""
        return [ready_at, ready_at + self.apart]


@frozen
class WebhookLate(WebhookFault):
    """The event arrives `seconds` after the job is done."""

    seconds: float = field(default=60.0, validator=_seconds)

    def times(self, ready_at: float) -> list[float]:
        """Return when it is posted."""
        return [ready_at + self.seconds]


@frozen
class WebhookNever(WebhookFault):
    """The event never arrives."""

    def times(self, ready_at: float) -> list[float]:  # noqa: ARG002 - there is no such time
        """Return when it is posted."""
        return []
