"""What goes wrong, where, and for how long: the list that every client is measured under."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from attrs import frozen

Act = Literal[
    "hang up",  # before TLS, so nothing of the request is received: to the client, a connection that failed
    "silence",
    "half",
    "late",
    "502",
    "429",
    "html",
    "cut",
    "trickle",
    "redirect",
    "never done",
    "404",
    "no length",
    "oversized",
]
Phase = Literal["submit", "fetch", "download"]
Peer = Literal["fal-client", "replicate"]
Colour = Literal["sync", "async"]


@frozen
class Fault:
    name: str
    act: Act
    accepted: bool = True
    """At submit: whether the service took the request all the same."""


SUBMIT = (
    Fault("no connection", "hang up", accepted=False),
    Fault("connection lost before the answer", "silence"),
    Fault("connection lost in the midst of the answer", "half"),
    Fault("answer later than the limit", "late"),
    Fault("HTTP 502 page, not accepted", "502", accepted=False),
    Fault("HTTP 502 page, accepted", "502"),
    Fault("HTTP 429 with retry_after", "429", accepted=False),
    Fault("an answer of HTML under 200", "html"),
    Fault("an answer cut short", "cut"),
    Fault("an answer that trickles", "trickle"),
    Fault("redirect to another host", "redirect", accepted=False),
)
"""With the first request; the service is well again at the second."""

FETCH = (
    Fault("no connection", "hang up"),
    Fault("connection lost before the answer", "silence"),
    Fault("answer later than the limit", "late"),
    Fault("HTTP 502 page", "502"),
    Fault("HTTP 429", "429"),
    Fault("an answer of HTML under 200", "html"),
    Fault("an answer cut short", "cut"),
    Fault("an answer that trickles", "trickle"),
)
"""Each once, passing, and with every request, lasting."""

OVERDUE = Fault("job takes longer than the caller waits", "never done")

DOWNLOAD = (
    Fault("HTTP 404", "404"),
    Fault("connection lost in the midst", "half"),
    Fault("cut short without a length", "no length"),
    Fault("not an image under 200", "html"),
    Fault("trickles", "trickle"),
    Fault("larger than any image", "oversized"),
    Fault("redirect to another host", "redirect"),
)

NOTHING = Fault("none", "late")
"""A healthy service: no request is befallen."""


@frozen
class Case:
    """One call of one client, and what befalls it."""

    peer: Peer
    colour: Colour
    phase: Phase
    fault: Fault
    lasting: bool = False

    @property
    def label(self) -> str:
        """The fault in the words of the table."""
        if self.phase != "fetch" or self.fault is OVERDUE:
            return self.fault.name
        return f"{self.fault.name}, {'lasting' if self.lasting else 'passing'}"


def cases() -> Iterator[Case]:
    """Yield all of them, in the order of the table."""
    clients: tuple[Peer, ...] = ("fal-client", "replicate")
    colours: tuple[Colour, ...] = ("sync", "async")
    for peer in clients:
        for colour in colours:
            yield from (Case(peer, colour, "submit", fault) for fault in SUBMIT)
            yield from (Case(peer, colour, "fetch", fault, lasting) for fault in FETCH for lasting in (False, True))
            yield Case(peer, colour, "fetch", OVERDUE, lasting=True)
            if peer == "replicate":
                yield from (Case(peer, colour, "download", fault, lasting=True) for fault in DOWNLOAD)
