"""The service as a function: (request, time) → answer. No sockets, no clock, no chance of its own.

Answers have the shapes of the effective spec. Requests are held to its schemas; the vendor's
own words are used for refusals where they are known.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from attrs import define, field, frozen
from jsonschema import Draft202012Validator

from modelslab_pony.testing._spec import effective_spec, operations

FIRST_ID = 70010001
IMAGES_PATH = "/images"
CDN_PATH = "/cdn"
"""Where the same images are to be had a second time."""

Outcome = Literal["success", "failed"]


@frozen(kw_only=True)
class Call:
    """A request as it came in."""

    method: str
    url: str
    body: bytes = field(repr=False)


@frozen(kw_only=True)
class Answer:
    """A response as it goes out."""

    status_code: int
    content: bytes = field(repr=False)
    content_type: str = "application/json"
    said: str = ""
    """What was answered, for a log."""


@define(kw_only=True)
class SimulatedJob:
    """A generation that was accepted."""

    id: int
    request: Mapping[str, Any] = field(repr=False)
    """The fields as they were sent, without the key."""
    seed: int
    accepted_at: float
    ready_at: float
    outcome: Outcome
    origin: str
    """Where its images are served: scheme and host."""

    def image_urls(self, path: str = IMAGES_PATH) -> list[str]:
        """Return the URL of each image, or of its copy below another path."""
        samples = int(self.request.get("samples", 1))  # 1.0 is an integer to JSON Schema
        return [f"{self.origin}{path}/{self.id}-{index}.png" for index in range(samples)]


class Core:
    """The state of the service, and what it answers."""

    def __init__(self, *, key: str | None, eta: float, outcome: Outcome, chance: random.Random) -> None:
        self.key = key
        self.eta = eta
        self.outcome = checked_outcome(outcome)
        self.jobs: dict[int, SimulatedJob] = {}
        self._chance = chance

    def answer(self, call: Call, now: float) -> Answer:
        """Answer one request."""
        try:
            return self._answer(call, now)
        except (ValueError, RecursionError) as fault:  # a host that is none, fields nested too deep
            return _refuse(400, f"the request cannot be read: {type(fault).__name__}")

    def _answer(self, call: Call, now: float) -> Answer:
        parts = urlsplit(call.url)
        folder, _, name = parts.path.rpartition("/")
        if call.method == "GET" and folder in {IMAGES_PATH, CDN_PATH}:
            return self._image(name, now)
        operation = _operations().get((call.method, parts.path))
        if operation is None:
            return _refuse(404, f"no such endpoint: {call.method} {parts.path}")
        body = self._checked(operation, call.body)
        if isinstance(body, Answer):
            return body
        if operation == "text2img":
            return self._text2img(body, f"{parts.scheme}://{parts.netloc}", now)
        return self._fetch(body["request_id"], now)

    def _checked(self, operation: str, content: bytes) -> dict[str, Any] | Answer:
        """Return the body if its key is right and it obeys the spec, else the refusal."""
        try:
            body = json.loads(content)
        except (ValueError, RecursionError):
            return _refuse(400, "the body is not JSON")
        if isinstance(body, dict) and self.key is not None and body.get("key") != self.key:
            return _refuse(401, "Invalid API key")
        problems = [
            f"{'.'.join(map(str, error.absolute_path)) or 'body'}: {error.message}"
            for error in _validator(operation).iter_errors(body)
        ]
        if problems:
            # The validator repeats the value; a key that is not a text must not come back.
            return _refuse(400, "; ".join(problem for problem in problems if not problem.startswith("key:")) or "key")
        checked: dict[str, Any] = body
        return checked

    def _text2img(self, body: dict[str, Any], origin: str, now: float) -> Answer:
        request = {name: value for name, value in body.items() if name != "key"}
        seed = request.get("seed")
        job = SimulatedJob(
            id=FIRST_ID + len(self.jobs),
            request=request,
            seed=self._chance.randrange(2**32) if seed is None else seed,
            accepted_at=now,
            ready_at=now + self.eta,
            outcome=self.outcome,
            origin=origin,
        )
        self.jobs[job.id] = job
        return self._standing(job, now, first=True)

    def _fetch(self, request_id: str, now: float) -> Answer:
        job = self._job(request_id)
        if job is None:
            return _say({"status": "failed", "id": "", "message": "Request not found", "output": ""})
        return self._standing(job, now)

    def _job(self, number: str) -> SimulatedJob | None:
        return self.jobs.get(int(number)) if re.fullmatch(r"[0-9]{1,18}", number) else None

    def _standing(self, job: SimulatedJob, now: float, *, first: bool = False) -> Answer:
        if now < job.ready_at:
            return _say(
                {
                    "status": "processing",
                    "id": job.id,
                    "eta": round(job.ready_at - now, 3),
                    "message": "Try to fetch request after seconds estimated",
                    "output": [],
                    **({"meta": _meta(job), "future_links": job.image_urls()} if first else {}),
                }
            )
        if job.outcome == "failed":
            return _say({"status": "failed", "id": "", "message": "Failed, Try Again", "output": ""}, job.id)
        return _say(
            {
                "status": "success",
                "id": job.id,
                "generationTime": round(job.ready_at - job.accepted_at, 3),
                "output": job.image_urls(),
                "proxy_links": job.image_urls(CDN_PATH),
                "nsfw_content_detected": False,
                "meta": _meta(job),
            }
        )

    def _image(self, name: str, now: float) -> Answer:
        number, _, index = name.removesuffix(".png").partition("-")
        job = self._job(number)
        known = job is not None and re.fullmatch(r"[0-3]", index) and int(index) < job.request.get("samples", 1)
        if job is None or not known or now < job.ready_at or job.outcome != "success":
            return Answer(status_code=404, content=b"not found", content_type="text/plain", said=f"no image {name}")
        from modelslab_pony.testing._render import render  # noqa: PLC0415 - without a picture no Pillow

        width, height = int(job.request.get("width", 1024)), int(job.request.get("height", 1024))
        content = render(job.request["prompt"], job.seed + int(index), width, height)
        return Answer(status_code=200, content=content, content_type="image/png", said=f"image {name}")


def checked_outcome(given: Outcome) -> Outcome:
    """Return an outcome. Raises `ValueError` for what is none, which would pass for a success."""
    if given not in get_args(Outcome):
        raise ValueError(f"outcome must be one of {', '.join(get_args(Outcome))}, not {given!r}")
    return given


def _meta(job: SimulatedJob) -> dict[str, Any]:
    """Return the request as the service records it, under its internal names."""
    names = {"width": "W", "height": "H", "num_inference_steps": "steps", "samples": "n_samples"}
    return {names.get(name, name): value for name, value in job.request.items()} | {"seed": job.seed}


def _say(body: dict[str, Any], job: int | None = None) -> Answer:
    shown = job or body["id"] or "?"
    eta = f", eta {body['eta']} s" if "eta" in body else ""
    return Answer(status_code=200, content=json.dumps(body).encode(), said=f"{body['status']} (job {shown}{eta})")


def _refuse(status_code: int, message: str) -> Answer:
    content = json.dumps({"status": "error", "message": message}).encode()
    return Answer(status_code=status_code, content=content, said=f"error ({message})")


@cache
def _operations() -> dict[tuple[str, str], str]:
    """Return operationIds by method and full path."""
    spec = effective_spec()
    base = urlsplit(spec["servers"][0]["url"]).path
    return {(method, base + path): operation["operationId"] for method, path, operation in operations(spec)}


@cache
def _validator(operation_id: str) -> Draft202012Validator:
    spec = effective_spec()
    (found,) = [operation for _, _, operation in operations(spec) if operation["operationId"] == operation_id]
    schema = found["requestBody"]["content"]["application/json"]["schema"]
    return Draft202012Validator({**schema, "components": spec["components"]})
