"""What the differences between two specs mean for who calls the service: the one table that says it.

A difference narrows what may be said, widens it, or makes it another thing. For what we send and for
what we read that means opposite things. What has no rule is breaking: nothing unknown is ever safe.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from enum import IntEnum

from attrs import evolve, frozen

from spec import Document
from spec_schemas import Difference
from spec_valid import upgraded
from spec_walk import differences


class Level(IntEnum):
    """What a change asks for, from nothing to a decision."""

    SAFE = 0
    WRAPPER = 1
    BREAKING = 2

    def __str__(self) -> str:
        """Return the word of the reports."""
        return ("safe", "needs the wrapper", "breaking")[self]


@frozen
class Change:
    """A difference, with what it means."""

    level: Level
    why: str
    difference: Difference


S, W, B = Level.SAFE, Level.WRAPPER, Level.BREAKING
RULES: Mapping[tuple[str, str], tuple[Level, str]] = {
    # What we send.
    ("request", "field added"): (W, "the wrapper cannot send it yet"),
    ("request", "required field added"): (B, "a request without it is refused"),
    ("request", "field removed"): (B, "what was sent until now is not known any more"),
    ("request", "field renamed"): (B, "the old name is not known any more; the new one is described alike"),
    ("request", "narrowed"): (B, "what was sent until now may be refused"),
    ("request", "widened"): (W, "the service takes more than the wrapper lets through"),
    ("request", "changed"): (B, "what was sent until now may be refused, or mean another thing"),
    ("request", "default"): (W, "the wrapper states the same default"),
    ("request", "branch added"): (W, "the service takes a form that the wrapper does not know"),
    ("request", "branch removed"): (B, "a request of this form may be refused"),
    # What we read.
    ("answer", "field added"): (S, "what is read stays as it was"),
    ("answer", "required field added"): (S, "what is read stays as it was"),
    ("answer", "field removed"): (B, "what was read until now does not come any more"),
    ("answer", "field renamed"): (B, "the old name does not come any more; the new one is described alike"),
    ("answer", "narrowed"): (S, "every such answer could come before"),
    ("answer", "widened"): (W, "answers may hold what the wrapper has not met"),
    ("answer", "changed"): (B, "what was read until now is another thing"),
    ("answer", "default"): (S, "an answer says what it says"),
    ("answer", "branch added"): (W, "the wrapper has to say what such an answer means"),
    ("answer", "branch removed"): (W, "the wrapper still reads such answers"),
    ("answer", "code added"): (W, "the wrapper has to say what such an answer means"),
    ("answer", "code removed"): (S, "the service does not answer so any more"),
    ("answer", "success removed"): (B, "this was how the service said yes"),
    ("answer", "notice"): (W, "the service posts this to us"),
    ("answer", "header"): (W, "whoever reads this header has to know"),
    # How a call is made.
    ("call", "operation added"): (W, "the wrapper cannot call it yet"),
    ("call", "operation removed"): (B, "what was called until now is not there any more"),
    ("call", "operation renamed"): (B, "the old one is not there any more; the new one takes and answers the same"),
    ("call", "named"): (W, "the generated function has another name"),
    ("call", "server"): (B, "the API key goes to this address: a person has to decide that"),
    ("call", "security"): (B, "the service is told in another way who calls"),
    # Both, and neither.
    ("request", "named"): (W, "the generated class has another name"),
    ("answer", "named"): (W, "the generated class has another name"),
    ("request", "words"): (S, "words"),
    ("answer", "words"): (S, "words"),
    ("call", "words"): (S, "words"),
    ("document", "words"): (S, "words"),
    ("request", "unknown"): (B, "what that means cannot be told"),
    ("answer", "unknown"): (B, "what that means cannot be told"),
    ("call", "unknown"): (B, "what that means cannot be told"),
    ("document", "unknown"): (B, "what that means cannot be told"),
    ("document", "unused"): (S, "of operations that came or went, or of none"),
    ("document", "wording"): (S, "written in another way, means the same"),
}


def changes(today: Document, new: Document) -> list[Change]:
    """Return every change, the gravest first; none only where both say the same in the same words."""
    found = list(differences(upgraded(today), upgraded(new)))
    if not found and json.dumps(today) != json.dumps(new):
        found = [Difference("document", "$", "wording", "wording", None, None)]
    return _sorted(_classed(difference) for difference in found)


def for_the_client(vendor: Iterable[Change], effective: Iterable[Change]) -> list[Change]:
    """Return the vendor's changes as they reach the client: through an overlay, which may say the same already."""
    effective, seen, met = list(effective), [], set()
    for change in vendor:
        about = [other for other in effective if other.difference.key == change.difference.key]
        alike = [other for other in about if other.difference.turn == change.difference.turn]
        met |= {id(other) for other in alike or about}
        if alike or about:
            reaching = max(alike or about, key=lambda other: other.level)
            seen.append(evolve(change, level=reaching.level, why=reaching.why))
        elif change.difference.turn == "wording":
            seen.append(change)
        else:
            seen.append(evolve(change, level=Level.SAFE, why="the overlay has it so already"))
    through = [other for other in effective if id(other) not in met and other.difference.turn != "wording"]
    return _sorted([*seen, *(evolve(other, why=f"{other.why} (through the overlay)") for other in through)])


def worst(found: Iterable[Change]) -> Level:
    """Return the gravest level; safe for nothing."""
    return max((change.level for change in found), default=Level.SAFE)


def _classed(difference: Difference) -> Change:
    unknown = (Level.BREAKING, f"{difference.turn}: no rule is known for that")
    level, why = RULES.get((difference.side, difference.turn), unknown)
    return Change(level, why, difference)


def _sorted(found: Iterable[Change]) -> list[Change]:
    return sorted(found, key=lambda change: -change.level)
