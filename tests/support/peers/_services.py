"""The two services: each speaks what its own client expects, and counts what costs money."""

from __future__ import annotations

import contextlib
import json
import re
import ssl
import struct
import threading
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, cast, get_args

from attrs import define, evolve

from support.peers._door import Answer, Door, Request, Way
from support.peers._faults import NOTHING, OVERDUE, Case

KEY = "planted-0123456789"
MARK = "5afe4a0b"
"""Stands in every job's id, and nowhere else: how a caller is seen to have one."""
_HOST = "127.0.0.1"
_OTHER_HOST = "localhost"
_NGINX = b"<html><head><title>502 Bad Gateway</title></head><body><center>nginx</center></body></html>"
_CHALLENGE = b"<!doctype html><title>Just a moment...</title><p>Checking your browser."


def _picture() -> bytes:
    """Return a PNG of 32 x 32 grey pixels."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", 32, 32, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(32 * 33), 0)  # not packed, so that half of it is plainly half
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


PICTURE = _picture()


@define
class Counts:
    posts: int = 0
    """Requests for an image."""
    accepted: int = 0
    """Of these, those that are billed."""
    looks: int = 0
    """Requests about a job that were answered, well or badly."""
    cancels: int = 0
    downloads: int = 0
    token_at_output: bool = False
    """Whether the key came to the host of the output."""
    token_elsewhere: bool = False
    """Whether it came to a host that a request was sent on to."""


class Service(ABC):
    """A stand-in. Three ports: the API, the host of the output, and a host that nobody should be sent on to."""

    def __init__(self, case: Case, tls: ssl.SSLContext) -> None:
        self._case = case
        self._used = case.fault is NOTHING
        self._lock = threading.Lock()
        self.counts = Counts()
        self._api = Door(tls, self._at_api, self._hangs_up)
        self._output = Door(tls, self._at_output, lambda: False)
        self._elsewhere = Door(tls, self._at_elsewhere, lambda: False)

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        with self._api.open(), self._output.open(), self._elsewhere.open():
            yield

    @property
    def mistakes(self) -> list[BaseException]:
        """What went wrong in the stand-in itself: then nothing of the client has been measured."""
        return [mistake for door in (self._api, self._output, self._elsewhere) for mistake in door.mistakes]

    @property
    def address(self) -> str:
        """Host and port of the API."""
        return f"{_HOST}:{self._api.port}"

    @abstractmethod
    def _phase(self, request: Request) -> str:
        """Return submit, fetch or cancel."""

    @abstractmethod
    def _submitted(self, job: str) -> Answer: ...

    @abstractmethod
    def _looked(self, request: Request, job: str) -> Answer: ...

    def _picture_url(self, job: str) -> str:
        return f"https://{_OTHER_HOST}:{self._output.port}/files/{job}/out-0.png"

    def _is_done(self) -> bool:
        """A job is done at once, or, where asking for it is what is measured, at the second look."""
        return self._case.fault is not OVERDUE and (self._case.phase != "fetch" or self.counts.looks > 1)

    def _hangs_up(self) -> bool:
        with self._lock:
            phase = "fetch" if self.counts.accepted else "submit"
            return self._case.fault.act == "hang up" and self._is_due(phase)

    def _is_due(self, phase: str) -> bool:
        if phase != self._case.phase or (self._used and not self._case.lasting) or self._case.fault is NOTHING:
            return False
        self._used = True
        return True

    def _at_api(self, request: Request) -> Answer:
        with self._lock:
            phase = self._phase(request)
            if phase == "cancel":
                self.counts.cancels += 1
                return _json({"status": "CANCELLATION_REQUESTED"}, 202)
            if phase == "fetch":
                found = re.search(rf"{MARK}[\w-]*", request.path)
                assert found is not None, request.path
                self.counts.looks += 1
                return self._as_it_befalls(phase, self._looked(request, found.group()))
            self.counts.posts += 1
            job = f"{MARK}-0000-4000-8000-{self.counts.posts:012}"
            return self._as_it_befalls(phase, self._submitted(job))

    def _as_it_befalls(self, phase: str, answer: Answer) -> Answer:
        is_due = self._is_due(phase)
        if phase == "submit" and (not is_due or self._case.fault.accepted):
            self.counts.accepted += 1
        return self._spoilt(answer) if is_due else answer

    def _at_output(self, request: Request) -> Answer:
        with self._lock:
            self.counts.downloads += 1
            self.counts.token_at_output |= KEY in request.headers.get("authorization", "")
            whole = Answer(PICTURE, type="image/png")
            return self._spoilt(whole) if self._is_due("download") else whole

    def _at_elsewhere(self, request: Request) -> Answer:
        with self._lock:
            self.counts.token_elsewhere |= KEY in request.headers.get("authorization", "")
            return Answer(PICTURE, type="image/png") if request.method == "GET" else _json({"detail": "no key"}, 401)

    def _spoilt(self, answer: Answer) -> Answer:
        act: str = self._case.fault.act
        if act in get_args(Way):
            return evolve(answer, way=cast("Way", act))
        if act == "cut":
            return evolve(answer, content=answer.content[: len(answer.content) // 2])
        elsewhere = {"location": f"https://{_OTHER_HOST}:{self._elsewhere.port}/taken"}
        instead = {
            "502": Answer(_NGINX, 502, "text/html"),
            "429": evolve(
                _json({"detail": "Rate limit exceeded.", "retry_after": 1}, 429), headers={"retry-after": "1"}
            ),
            "html": Answer(_CHALLENGE, type="text/html"),
            "redirect": Answer(b"", 307, headers=elsewhere),
            "404": _json({"detail": "Not found."}, 404),
        }
        return instead.get(act, answer)


class Fal(Service):
    """The queue of fal: submit, ask for the status, get the result. The picture is a link in it."""

    def _phase(self, request: Request) -> str:
        if request.method == "PUT":
            return "cancel"
        return "submit" if request.method == "POST" else "fetch"

    def _urls(self, job: str) -> dict[str, str]:
        base = f"https://{self.address}/fal-ai/fast-sdxl/requests/{job}"
        return {"response_url": base, "status_url": f"{base}/status", "cancel_url": f"{base}/cancel"}

    def _submitted(self, job: str) -> Answer:
        return _json({"status": "IN_QUEUE", "request_id": job, **self._urls(job), "queue_position": 0})

    def _looked(self, request: Request, job: str) -> Answer:
        if request.path.endswith("/status"):
            status = "COMPLETED" if self._is_done() else "IN_PROGRESS"
            return _json({"status": status, "request_id": job, **self._urls(job), "logs": None, "metrics": {}})
        return _json({"images": [{"url": self._picture_url(job), "content_type": "image/png"}], "seed": 7})


class Replicate(Service):
    """Predictions of Replicate: the first answer has the output already, if the job is done by then."""

    def _phase(self, request: Request) -> str:
        if request.path.endswith("/cancel"):
            return "cancel"
        return "submit" if request.method == "POST" else "fetch"

    def _submitted(self, job: str) -> Answer:
        return self._prediction(job, "starting", 201)

    def _looked(self, request: Request, job: str) -> Answer:  # noqa: ARG002 - there is one thing to ask for
        return self._prediction(job, "processing", 200)

    def _prediction(self, job: str, pending: str, code: int) -> Answer:
        is_done = self._is_done()
        urls = {name: f"https://{self.address}/v1/predictions/{job}{path}" for name, path in _PATHS}
        words: dict[str, Any] = {
            "id": job,
            "model": "stability-ai/sdxl",
            "version": "hidden",
            "input": {"prompt": "a lighthouse"},
        }
        words |= {"output": [self._picture_url(job)] if is_done else None, "logs": "", "error": None}
        return _json(words | {"status": "succeeded" if is_done else pending, "urls": urls}, code)


_PATHS = (("get", ""), ("cancel", "/cancel"))


def _json(words: dict[str, Any], status: int = 200) -> Answer:
    return Answer(json.dumps(words).encode(), status=status)
