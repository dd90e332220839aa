"""What one fault did to one call of one client: counted by the service, told by the caller."""

from __future__ import annotations

from attrs import frozen


@frozen(kw_only=True)
class Row:
    client: str
    """Which client was called: "modelslab-pony, sync", "fal-client 1.0.3"."""
    phase: str
    """What was under way: submit, fetch, download, webhook."""
    fault: str
    """What went wrong, in a few words."""
    saw: str
    """What the caller got: a result, or the error's class and what it names."""
    posts: int
    """Requests for an image that the service got."""
    accepted: int
    """Of these, how many it accepted, and bills."""
    lost: int
    """Accepted, and neither a result, nor an id, nor a word that it may have been accepted, reached the caller."""
    twice: int
    """Accepted beyond the one that the caller asked for."""
