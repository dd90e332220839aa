"""What a workflow remembers between two steps: what comes next, and how often it was tried."""

from __future__ import annotations

from typing import Literal, TypedDict

Then = Literal["submit", "look", "save", "end"]


class Next(TypedDict):
    """What a workflow does after a step; it is recorded, and holds nothing that is secret."""

    then: Then
    wait: float
    tried: int
    """How often in a row this was tried in vain."""
    asked: int
    """How often the job was looked at."""
    missed: int
    """How often in a row the service did not know it."""
    since: float
    """When the waiting, or the trying, began, in seconds since 1970."""


def then(what: Then, wait: float = 0.0, *, tried: int = 0, asked: int = 0, since: float = 0.0) -> Next:
    """Return what comes next, with whatever was not tried yet at nothing."""
    return Next(then=what, wait=wait, tried=tried, asked=asked, missed=0, since=since)


FIRST = then("submit")
END = then("end")
