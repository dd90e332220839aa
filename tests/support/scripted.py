"""A service that gives prepared answers in order and remembers what it was asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from attrs import frozen

from modelslab_pony.testing import VirtualClock

REPLIES = Path(__file__).parent.parent / "replies"
PNG = b"\x89PNG\r\n\x1a\n" + b"the rest of a picture" + b"\0\0\0\0IEND\xaeB`\x82"


@frozen
class Captured:
    """A captured answer of the service."""

    name: str
    why: str
    http_status: int
    content_type: str
    body: Any

    @property
    def content(self) -> bytes:
        return self.body.encode() if isinstance(self.body, str) else json.dumps(self.body).encode()


def captured(name: str) -> Captured:
    return Captured(name=name, **json.loads((REPLIES / f"{name}.json").read_text("utf-8")))


ALL_REPLIES = [captured(path.stem) for path in sorted(REPLIES.glob("*.json"))]
# What the service posts to a webhook is no answer.
ANSWERS = [reply for reply in ALL_REPLIES if not reply.name.startswith("webhook")]

Answer = str | dict[str, Any] | bytes | Exception | httpx.Response | Callable[[], httpx.Response]


class Service:
    """Call it as an `httpx.MockTransport` handler."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._answers: list[Answer] = []
        self.calls: list[tuple[str, Any]] = []
        """(path or URL, body) of each request."""
        self.asked_at: list[float] = []

    def answers(self, *answers: Answer) -> Service:
        """Add answers: a captured reply's name, a JSON body, an image's bytes, a fault, or a response."""
        self._answers.extend(answers)
        return self

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.calls]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked_at.append(self._clock.time)
        is_call = request.method == "POST"
        place = request.url.path.rsplit("/", 1)[-1] if is_call else str(request.url)
        self.calls.append((place, json.loads(request.content) if is_call else None))
        assert self._answers, f"nobody prepared an answer to request {len(self.calls)}, {request.method} {request.url}"
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx.Response):
            # A copy, since reading one uses it up, and a test's parameters are used twice.
            return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)
        if callable(answer):
            return answer()
        if isinstance(answer, bytes):
            return httpx.Response(200, content=answer, headers={"content-type": "image/png"})
        if isinstance(answer, str):
            reply = captured(answer)
            return httpx.Response(
                reply.http_status, content=reply.content, headers={"content-type": reply.content_type}
            )
        return httpx.Response(200, json=answer)
