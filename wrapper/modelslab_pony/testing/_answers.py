"""A request as it came in, a response as it goes out: plain values, and no decision."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from attrs import field, frozen

PIECE = 65536
"""Bytes that are sent at once."""

Loss = Literal["", "refused", "before", "during", "after"]


@frozen(kw_only=True)
class Call:
    """A request as it came in."""

    method: str
    """POST, GET …"""
    url: str
    """As it was sent; in a log, without query, user and password."""
    body: bytes = field(default=b"", repr=False)
    """Its content: JSON, with the key in it."""
    root: str = ""
    """Where the application is mounted, in front of each path."""
    has_door: bool = False
    """Whether it came to a server, which closes its door where a refusal is next in line."""
    operation: str = ""
    """Which operation of the spec it calls; output, proxy or upload for a picture; "" for none."""


@frozen(kw_only=True)
class Answer:
    """A response as it goes out, and what goes wrong on its way."""

    status_code: int = 200
    """The HTTP status."""
    content: bytes = field(default=b"", repr=False)
    """Its body, before what goes wrong on the way."""
    content_type: str = "application/json"
    """What it is called."""
    headers: Mapping[str, str] = field(factory=dict)
    """Headers beside its type and its length."""
    said: str = ""
    """What was answered, for a log."""
    operation: str = ""
    """What was called, as in `Call`."""
    job_id: int | str | None = None
    """The job that it is about."""
    fault: str = ""
    """What was done to it on demand; "" for nothing."""
    loss: Loss = ""
    """Where the connection is lost: never opened, before, during or after the answer."""
    delay: float = 0.0
    """Seconds that it comes late."""
    piece: int = 0
    """Bytes of each of its pieces; 0 for all at once."""
    pause: float = 0.0
    """Seconds before each piece."""
    padding: int = 0
    """Zeros after its content, which are many and not kept."""
    is_bodiless: bool = False
    """Whether it answers HEAD, and nothing follows its headers."""
    length: int | None = None
    """The Content-Length that it states, where that is not its own."""

    @property
    def arrives(self) -> int:
        """Bytes of its body that are sent."""
        if self.is_bodiless:
            return 0
        whole = len(self.content) + self.padding
        return whole // 2 if self.loss == "during" else whole

    @property
    def stated_length(self) -> int:
        """The Content-Length that it states."""
        return len(self.content) + self.padding if self.length is None else self.length

    @property
    def is_whole(self) -> bool:
        """Whether all that it states is sent, and nothing else."""
        return self.is_bodiless or self.arrives == self.stated_length

    def head(self) -> dict[str, str]:
        """Return all its headers."""
        return {"content-type": self.content_type, "content-length": str(self.stated_length), **self.headers}

    def pieces(self) -> Iterator[bytes]:
        """Yield what is sent of its body."""
        size = self.piece or PIECE
        for start in range(0, self.arrives, size):
            wanted = min(size, self.arrives - start)
            yield self.content[start : start + wanted].ljust(wanted, b"\0")


def say(body: Mapping[str, Any], *, status_code: int = 200, job_id: int | str | None = None) -> Answer:
    """Return a JSON answer."""
    name = body.get("id") or job_id
    about = f" (id {name})" if name else f" ({body['message']})" if body.get("status") == "error" else ""
    return Answer(
        status_code=status_code,
        content=json.dumps(body).encode(),
        said=f"{body.get('status')}{about}",
        job_id=job_id,
    )


def nothing(said: str) -> Answer:
    """Return what is answered where there is no file."""
    return Answer(status_code=404, content=b"not found", content_type="text/plain; charset=utf-8", said=said)
