"""The service as a function: (request, time) → answer. No sockets, no clock, no chance of its own.

Answers have the shapes of the effective spec. Requests are held to its schemas; the vendor's
own words are used for refusals where they are known.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from attrs import define, field, frozen
from jsonschema import Draft202012Validator

from modelslab_pony._formats import MEDIA_TYPES, image_suffix
from modelslab_pony.testing._spec import body_schema, effective_spec, route

FIRST_ID = 70010001
IMAGES_PATH = "/images"
CDN_PATH = "/cdn"
"""Where the same images are to be had a second time."""
UPLOADS_PATH = "/uploads"
"""Where images are that were given in base64."""
UPLOAD_LIFE = 24 * 3600.0
"""Seconds (vendor docs, base64 to URL page)."""
UPLOAD_MOST = 5_000_000
"""Bytes of an upload (vendor docs, base64 to URL page)."""
FIRST_BALANCE = 25.0
PRICE = 0.01
"""What an image costs here."""

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
    operation: str
    """text2img, img2img or inpaint."""
    request: Mapping[str, Any] = field(repr=False)
    """The fields as they were sent, without the key."""
    seed: int
    accepted_at: float
    ready_at: float
    outcome: Outcome
    origin: str
    """Where its images are served: scheme and host."""

    def field(self, name: str) -> Any:
        """Return a field as it was sent, else the spec's default."""
        return self.request.get(name, body_schema(self.operation)["properties"].get(name, {}).get("default"))

    @property
    def samples(self) -> int:
        """How many images it has."""
        return int(self.field("samples"))  # 1.0 is an integer to JSON Schema

    def image_urls(self, path: str = IMAGES_PATH) -> list[str]:
        """Return the URL of each image, or of its copy below another path."""
        return [f"{self.origin}{path}/{self.id}-{index}.png" for index in range(self.samples)]


class Core:
    """The state of the service, and what it answers."""

    def __init__(self, *, key: str | None, eta: float, outcome: Outcome, chance: random.Random) -> None:
        self.key = key
        self.eta = eta
        self.outcome = checked_outcome(outcome)
        self.jobs: dict[int, SimulatedJob] = {}
        self.balance = FIRST_BALANCE
        self._uploads: dict[str, tuple[bytes, float]] = {}
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
        if call.method == "GET" and folder == UPLOADS_PATH:
            return self._uploaded(name, now)
        found = route(call.method, parts.path)
        if found is None:
            return _refuse(404, f"no such endpoint: {call.method} {parts.path}")
        operation, place = found
        body = self._checked(operation, call.body)
        if isinstance(body, Answer):
            return body
        answers: dict[str, Callable[[], Answer]] = {
            "fetch": lambda: self._fetch(body["request_id"], now),
            "fetch_by_id": lambda: self._fetch(place["id"], now),
            "request_count": lambda: self._request_count(now),
            "wallet_balance": self._wallet_balance,
            "model_reload": lambda: _say({"status": "success", "message": f"{body['model_id']} is loaded"}),
            "base64_to_url": lambda: self._base64_to_url(body["base64_string"], _origin(call.url), now),
        }
        return answers.get(operation, lambda: self._generate(operation, body, _origin(call.url), now))()

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

    def _generate(self, operation: str, body: dict[str, Any], origin: str, now: float) -> Answer:
        request = {name: value for name, value in body.items() if name != "key"}
        for name in ("init_image", "mask_image"):
            if name in request and not self._is_there(request[name], origin, now):
                return _refuse(400, "Unable to fetch image from provided URL")
        seed = request.get("seed")
        job = SimulatedJob(
            id=FIRST_ID + len(self.jobs),
            operation=operation,
            request=request,
            seed=self._chance.randrange(2**32) if seed is None else seed,
            accepted_at=now,
            ready_at=now + self.eta,
            outcome=self.outcome,
            origin=origin,
        )
        self.jobs[job.id] = job
        self.balance -= PRICE * job.samples
        return self._standing(job, now, first=True)

    # --- the account, and images to begin with ----------------------------------------------

    def _request_count(self, now: float) -> Answer:
        count = sum(now < job.ready_at for job in self.jobs.values())
        said = "Current processing request count retrieved successfully"
        return _say({"status": "success", "processing_count": count, "message": said})

    def _wallet_balance(self) -> Answer:
        return _say({"status": "success", "data": {"balance": round(self.balance, 4), "currency": "USD"}})

    def _base64_to_url(self, text: str, origin: str, now: float) -> Answer:
        """Keep an image given as a data URI, or in base64 alone."""
        try:
            content = base64.b64decode(text.rpartition("base64,")[2], validate=True)
        except ValueError:
            return _refuse(400, "Invalid base64 string")
        suffix = image_suffix(content)
        if suffix is None or len(content) > UPLOAD_MOST:
            return _refuse(400, "The file must be an image of at most 5 MB")
        name = f"{hashlib.sha256(content).hexdigest()[:16]}{suffix}"
        self._uploads[name] = (content, now)
        return _say({"status": "success", "output": [f"{origin}{UPLOADS_PATH}/{name}"]})

    def _upload(self, name: str, now: float) -> bytes | None:
        content, since = self._uploads.get(name, (None, now))
        return content if now < since + UPLOAD_LIFE else None

    def _uploaded(self, name: str, now: float) -> Answer:
        content = self._upload(name, now)
        if content is None:
            return Answer(status_code=404, content=b"not found", content_type="text/plain", said=f"no upload {name}")
        kind = MEDIA_TYPES[image_suffix(content) or ".png"]
        return Answer(status_code=200, content=content, content_type=kind, said=f"upload {name}")

    def _is_there(self, url: str, origin: str, now: float) -> bool:
        """Whether an image can be had; those of other hosts are taken to be there."""
        _, ours, name = url.partition(f"{origin}{UPLOADS_PATH}/")
        return not ours or self._upload(name, now) is not None

    def _given(self, job: SimulatedJob, name: str) -> bytes | None:
        """Return an uploaded image that a job begins with."""
        content, _ = self._uploads.get(str(job.request.get(name)).rpartition("/")[2], (None, 0.0))
        return content

    # --- jobs ---------------------------------------------------------------------------------

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
        known = job is not None and re.fullmatch(r"[0-3]", index) and int(index) < job.samples
        if job is None or not known or now < job.ready_at or job.outcome != "success":
            return Answer(status_code=404, content=b"not found", content_type="text/plain", said=f"no image {name}")
        from modelslab_pony.testing._render import painted_over, render  # noqa: PLC0415 - without a picture no Pillow

        prompt, size = job.field("prompt") or "", (int(job.field("width")), int(job.field("height")))
        content = render(prompt, job.seed + int(index), *size)
        first = self._given(job, "init_image")
        if first is not None:
            content = painted_over(first, content, self._given(job, "mask_image"), job.field("strength"))
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
    eta = f", eta {body['eta']} s" if "eta" in body else ""
    about = f" (job {job or body['id'] or '?'}{eta})" if "id" in body else ""
    return Answer(status_code=200, content=json.dumps(body).encode(), said=f"{body['status']}{about}")


def _refuse(status_code: int, message: str) -> Answer:
    content = json.dumps({"status": "error", "message": message}).encode()
    return Answer(status_code=status_code, content=content, said=f"error ({message})")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


@cache
def _validator(operation_id: str) -> Draft202012Validator:
    return Draft202012Validator({**body_schema(operation_id), "components": effective_spec()["components"]})
