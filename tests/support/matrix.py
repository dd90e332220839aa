"""The cases of the matrix: each fault, in each phase where it has a meaning, once and each time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

from attrs import evolve, field, frozen

from modelslab_pony.testing import faults
from modelslab_pony.testing._jobs import CDN_PATH, FIRST_ID
from modelslab_pony.testing.faults import (
    HTML,
    ContentType,
    CutShort,
    Drop,
    Fault,
    Late,
    Oversized,
    RateLimited,
    Redirect,
    Refuse,
    Reply,
    Trickle,
    WebhookFault,
    WebhookLate,
    WebhookNever,
    WebhookTwice,
    WrongLength,
)

Phase = Literal["submit", "fetch", "download", "webhook"]
PHASES: tuple[Phase, ...] = ("submit", "fetch", "download", "webhook")
ON = {"submit": "text2img", "fetch": "fetch", "download": "image", "webhook": "fetch"}
"""Which requests a phase's fault befalls; with a webhook, the question that confirms it."""
LIMIT = 2.0
"""Seconds that the clients wait for an answer, where it is the time that goes wrong."""
PATIENT = 20.0
"""The same elsewhere: a busy machine is none of the faults."""
WAIT = 40.0
"""Seconds that they wait for a job: longer than any row of faults lasts that they do not sit out."""
FOREVER = 600.0
"""Seconds: beyond the end of any case."""

Hook = Literal["none", "open", "closed", "failing"]
Make = Callable[["Place"], Fault]


@frozen(kw_only=True)
class Place:
    """Where a fault is to happen."""

    phase: Phase = "submit"
    origin: str = "http://127.0.0.1:1"
    """Scheme and host of the service."""
    elsewhere: str = "http://127.0.0.2:1"
    """Those of a host that is none of its."""


@frozen(kw_only=True)
class Case:
    """A fault in a phase."""

    phase: Phase
    fault: str
    """What goes wrong, in words; no two cases of a phase have the same."""
    make: Make | None = None
    """The fault itself; None where it is the application that is at fault."""
    times: int | None = 1
    """How many requests it befalls; None for each of them."""
    timeout: float = PATIENT
    wait: float = WAIT
    hook: Hook = "none"
    """The application that takes the webhook: not needed, there, away, or failing."""

    @property
    def name(self) -> str:
        """What a test is called by."""
        return f"{self.phase}: {self.fault}"

    @property
    def kind(self) -> str:
        """The class of its fault; "" without one."""
        return type(self.make(Place(phase=self.phase))).__name__ if self.make else ""


@frozen
class Kind:
    """A fault, and where it is tried.

    `where` has a letter for each phase: s, f, d and w for once (a picture has two addresses: once at
    each), in capitals for each time.
    """

    words: str
    fault: Fault | Make
    where: str
    more: dict[str, Any] = field(factory=dict)

    def cases(self) -> Iterator[Case]:
        """Yield its cases."""
        for phase in PHASES:
            hook: Hook = "open" if phase == "webhook" else "none"
            first = Case(phase=phase, fault=self.words, make=self._make, hook=hook, **self.more)
            if phase[0] in self.where:
                is_spent_at_once = isinstance(self.fault, Refuse)  # a closed door stays so, whatever address is asked
                yield evolve(first, times=2 if phase == "download" and not is_spent_at_once else 1)
            if phase[0].upper() in self.where:
                yield evolve(first, fault=f"{self.words}, each time", times=None)

    def _make(self, place: Place) -> Fault:
        return self.fault if isinstance(self.fault, Fault) else self.fault(place)


def _slowly(place: Place) -> Fault:
    """Each piece comes within the limit, the whole answer does not."""
    return Trickle({"submit": 96, "fetch": 20, "download": 5000, "webhook": 96}[place.phase], LIMIT / 4)


def _too_much(place: Place) -> Fault:
    return Oversized() if place.phase == "download" else Oversized(33 * faults.MEBIBYTE)


def _same_host(place: Place) -> Fault:
    paths = {"submit": "/api/v6/images/text2img", "download": f"{CDN_PATH}/{FIRST_ID}-0.png"}
    return Redirect(place.origin + paths.get(place.phase, "/api/v6/images/fetch"))


def _other_host(place: Place) -> Fault:
    return Redirect(f"{place.elsewhere}/api/v6/images/{ON[place.phase]}")


_HURRIED = {"timeout": LIMIT}
_FAILED = {"status": "failed", "id": "", "message": "Failed, Try Again", "output": ""}
_NOT_FOUND = {"status": "error", "message": "Request not found"}
_ANOTHER_WORD = {"status": "perhaps", "message": "ok"}

KINDS: tuple[Kind, ...] = (
    # --- the connection
    Kind("nobody listens for a moment", Refuse(0.55), "sfdw"),
    Kind("nobody listens", Refuse(FOREVER), "SFDW"),
    Kind("connection lost before the answer", Drop(), "sSfFdDwW"),
    Kind("connection lost before the service read the request", Drop(accepted=False), "sS"),
    Kind("connection lost in the middle of the answer", Drop("during"), "sSfFdDw"),
    Kind("connection lost after the answer", Drop("after"), "sSfFdDw"),
    Kind("answer late, within the limit", Late(LIMIT / 5), "sfdw", _HURRIED),
    Kind("answer later than the limit", Late(LIMIT * 2), "sSfFdDwW", _HURRIED),
    Kind("answer in small pieces, within the limit", Trickle(4096, 0.001), "sfdw", _HURRIED),
    Kind("answer in small pieces, in all longer than the limit", _slowly, "sfFdDw", _HURRIED),
    Kind("length stated too large", WrongLength(100), "sfFdDw"),
    Kind("length stated too small", WrongLength(-50), "sfFdDw"),
    # --- what comes
    Kind("half of the answer, as if it were all", CutShort(), "sSfFdDwW"),
    Kind("an empty answer", CutShort(0), "sfFdDw"),
    Kind("an answer larger than any may be", _too_much, "sfdDw"),
    Kind("the answer, called text/html", ContentType("text/html"), "sfdw"),
    Kind("gateway's page, 502", HTML(502), "sSfFdDwW"),
    Kind("gateway's page, 503", HTML(503), "sfdw"),
    Kind("gateway's page, 522", HTML(522), "sSfFdDw"),
    Kind("gateway's page, 502, and the service took the request", HTML(502, accepted=True), "sS"),
    Kind("gateway's page, 504, and the service took the request", HTML(504, accepted=True), "sS"),
    Kind("gateway's page, 522, and the service took the request", HTML(522, accepted=True), "sS"),
    Kind("gateway's page, 200", HTML(200), "sfFdDwW"),
    Kind("gateway's page, 200, and the service took the request", HTML(200, accepted=True), "s"),
    Kind("gateway's page, 403", HTML(403), "sfFdDw"),
    Kind("gateway's page, 404", HTML(404), "sfFdDw"),
    Kind("429, wait 0.2 s", RateLimited(0.2), "sSfFdDw"),
    Kind("429, wait 1000000000 s", RateLimited(1e9), "sfdw"),
    Kind("429, no wait stated", RateLimited(None), "sSfFdDw"),
    Kind("redirect to the same host", _same_host, "sfFdDw"),
    Kind("redirect to another host", _other_host, "sfFdDw"),
    # --- odd JSON
    Kind("JSON []", Reply(200, []), "sfFdw"),
    Kind("JSON {}", Reply(200, {}), "sfFdw"),
    Kind("JSON null", Reply(200, None), "sfw"),
    Kind("JSON success, without images", Reply(200, {"status": "success", "output": []}), "sfFw"),
    Kind("JSON processing, without an id", Reply(200, {"status": "processing", "eta": 0.2}), "sfw"),
    Kind("still processing", Reply(200, {"status": "processing", "eta": 0.2}), "F", {"wait": 2.0}),
    Kind("JSON of an unknown status, without an id", Reply(200, _ANOTHER_WORD), "sfFw"),
    Kind("JSON failed", Reply(200, _FAILED), "sfFw"),
    Kind("JSON error: not found, 404", Reply(404, _NOT_FOUND), "sfFdDw"),
    Kind("JSON error: wrong key, 401", Reply(401, {"status": "error", "message": "Invalid API key"}), "sfFdw"),
    Kind("JSON error: no credits, 402", Reply(402, {"status": "error", "message": "Insufficient credits"}), "sfw"),
    Kind("JSON error: 500", Reply(500, {"status": "error", "message": "Internal Server Error"}), "sSfFdDw"),
    Kind(
        "JSON error: 500, and the service took the request",
        Reply(500, {"status": "error", "message": "Internal Server Error"}, accepted=True),
        "s",
    ),
    Kind("bytes that are no text", Reply(200, b"\xff\xfe\x00{"), "sfdw"),
    Kind("JSON [], and the service took the request", Reply(200, [], accepted=True), "s"),
    Kind("JSON {}, and the service took the request", Reply(200, {}, accepted=True), "s"),
    Kind(
        "JSON processing, without an id, and the service took the request",
        Reply(200, {"status": "processing", "eta": 0.2}, accepted=True),
        "s",
    ),
    Kind("500, empty, and the service took the request", Reply(500, accepted=True), "sS"),
    # --- webhooks
    Kind("the webhook comes twice at once", WebhookTwice(), "w"),
    Kind("the webhook comes twice, one after the other", WebhookTwice(0.2), "w"),
    Kind("the webhook comes late", WebhookLate(0.5), "w"),
    Kind("the webhook comes when nobody waits any more", WebhookLate(FOREVER), "w"),
    Kind("the webhook never comes", WebhookNever(), "w"),
)
APPLICATIONS = (
    Case(phase="webhook", fault="nobody listens where the webhook is posted to", hook="closed"),
    Case(phase="webhook", fault="the application fails when it is told", hook="failing"),
)
_ALL = [*(case for kind in KINDS for case in kind.cases()), *APPLICATIONS]
CASES: tuple[Case, ...] = tuple(case for phase in PHASES for case in _ALL if case.phase == phase)
"""Every case, by phase."""

FAULTS = [name for name in faults.__all__ if not getattr(faults, name).__subclasses__()]
"""Every fault that can be demanded; the others are what they have in common."""
MEANINGLESS: dict[str, tuple[tuple[Phase, ...], str]] = {
    kind.__name__: (("submit", "fetch", "download"), "a webhook is posted when the job is done; nobody asks for it")
    for kind in WebhookFault.__subclasses__()
}
"""Where a fault has no meaning, and why."""

SAME: dict[tuple[str, str], str] = {
    ("submit", "no connection"): "nobody listens for a moment",
    ("submit", "connection lost in the midst of the answer"): "connection lost in the middle of the answer",
    ("submit", "HTTP 502 page, not accepted"): "gateway's page, 502",
    ("submit", "HTTP 502 page, accepted"): "gateway's page, 502, and the service took the request",
    ("submit", "HTTP 429 with retry_after"): "429, wait 0.2 s",
    ("submit", "an answer of HTML under 200"): "gateway's page, 200, and the service took the request",
    ("submit", "an answer cut short"): "half of the answer, as if it were all",
    ("submit", "an answer that trickles"): "answer in small pieces, in all longer than the limit",
    ("fetch", "no connection, passing"): "nobody listens for a moment",
    ("fetch", "no connection, lasting"): "nobody listens, each time",
    ("fetch", "connection lost before the answer, passing"): "connection lost before the answer",
    ("fetch", "connection lost before the answer, lasting"): "connection lost before the answer, each time",
    ("fetch", "answer later than the limit, passing"): "answer later than the limit",
    ("fetch", "answer later than the limit, lasting"): "answer later than the limit, each time",
    ("fetch", "HTTP 502 page, passing"): "gateway's page, 502",
    ("fetch", "HTTP 502 page, lasting"): "gateway's page, 502, each time",
    ("fetch", "HTTP 429, passing"): "429, no wait stated",
    ("fetch", "HTTP 429, lasting"): "429, no wait stated, each time",
    ("fetch", "an answer of HTML under 200, passing"): "gateway's page, 200",
    ("fetch", "an answer of HTML under 200, lasting"): "gateway's page, 200, each time",
    ("fetch", "an answer cut short, passing"): "half of the answer, as if it were all",
    ("fetch", "an answer cut short, lasting"): "half of the answer, as if it were all, each time",
    ("fetch", "an answer that trickles, passing"): "answer in small pieces, in all longer than the limit",
    ("fetch", "an answer that trickles, lasting"): "answer in small pieces, in all longer than the limit, each time",
    ("fetch", "job takes longer than the caller waits"): "still processing, each time",
    ("download", "HTTP 404"): "gateway's page, 404, each time",
    ("download", "connection lost in the midst"): "connection lost in the middle of the answer, each time",
    ("download", "cut short without a length"): "half of the answer, as if it were all, each time",
    ("download", "not an image under 200"): "gateway's page, 200, each time",
    ("download", "trickles"): "answer in small pieces, in all longer than the limit, each time",
    ("download", "larger than any image"): "an answer larger than any may be, each time",
    ("download", "redirect to another host"): "redirect to another host, each time",
}
"""The faults that other clients are measured under: their phase and words, and ours for the same."""
