"""The service as a function: (request, time) → answer. No sockets, no clock, no chance of its own.

What it says is the dialect's part (`_dialects`), what goes wrong on demand that of `faults`.
"""

from __future__ import annotations

import base64
import hashlib
import random
import re
from collections import OrderedDict, deque
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import unquote, urlsplit

from attrs import evolve

from modelslab_pony._formats import MEDIA_TYPES, image_suffix
from modelslab_pony.testing._answers import Answer, Call, nothing, say
from modelslab_pony.testing._dialects import DIALECTS, Spec
from modelslab_pony.testing._jobs import (
    CDN_PATH,
    FIRST_ID,
    IMAGES_PATH,
    Jobs,
    Queue,
    SimulatedJob,
    Submission,
)
from modelslab_pony.testing._options import DAY, Options
from modelslab_pony.testing._schema import Problem, problems, read_json
from modelslab_pony.testing._script import GENERATIONS, WEBHOOK, Faults
from modelslab_pony.testing._spec import BASE_PATH, allowed_methods, body_schema, route
from modelslab_pony.testing._webhooks import Webhooks
from modelslab_pony.testing.faults import WebhookFault

UPLOADS_PATH = "/uploads"
"""Where images are that were given in base64."""
UPLOAD_MOST = 5_000_000
"""Bytes of an upload (vendor docs, base64 to URL page)."""
UPLOADS_KEPT = 256
RELOAD_TIME = 120.0
"""Seconds (vendor docs, model reload page)."""
IDLE_TIME = 7 * DAY
"""Seconds after which a model that nobody used is put away (vendor docs, model reload page)."""
COUNTS_A_MINUTE = 30
"""Calls of request_count (vendor docs, check requests page)."""
_PORTS = {"http": 80, "https": 443}
PLACES = {IMAGES_PATH: "output", CDN_PATH: "proxy", UPLOADS_PATH: "upload"}


class Core:
    """The state of the service, and what it answers."""

    def __init__(self, options: Options, chance: random.Random) -> None:
        self.options = options
        self.jobs = Jobs(options.retention)
        self.queue = Queue(options.workers)
        self.webhooks = Webhooks(hosts=options.webhook_hosts, retention=options.retention)
        self.faults = Faults()
        self.submissions: deque[Submission] = deque(maxlen=options.retention)
        self._uploads: OrderedDict[str, tuple[bytes, float]] = OrderedDict()
        self._models: OrderedDict[str, float] = OrderedDict()
        self._counted: deque[float] = deque(maxlen=COUNTS_A_MINUTE)
        self._chance = chance

    def answer(self, call: Call, now: float) -> Answer:
        """Answer one request, with the fault that befalls it."""
        try:
            parts = urlsplit(call.url)
            origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{call.root}"
        except ValueError as error:  # a host that is none
            return self._says.error(400, f"the request cannot be read: {error}")
        path = parts.path.removeprefix(call.root)
        call = evolve(call, operation=_operation(call.method, path))
        fault = self.faults.take(call)
        answer = Answer(said="nothing")
        if fault is None or fault.reaches_service:
            answer = self._answer(call, path, origin, now)
        if fault is not None:
            answer = evolve(fault.spoil(answer), fault=repr(fault), said=f"{answer.said}, but {fault!r}")
        if call.operation in GENERATIONS:
            self._note(call, answer, now)
        return evolve(answer, operation=call.operation, is_bodiless=call.method == "HEAD")

    @property
    def _says(self) -> Spec:
        return DIALECTS[self.options.dialect]

    # --- which call it is -----------------------------------------------------------------------

    def _answer(self, call: Call, path: str, origin: str, now: float) -> Answer:
        name = unquote(path.rpartition("/")[2])
        if call.operation in {"output", "proxy"}:
            return self._image(name, now, call.operation)
        if call.operation == "upload":
            return self._uploaded(name, now)
        found = route(call.method, path)
        return self._no_such_call(call.method, path) if found is None else self._called(*found, call.body, origin, now)

    def _called(self, operation: str, place: dict[str, str], content: bytes, origin: str, now: float) -> Answer:
        body = self._checked(operation, content)
        if isinstance(body, Answer):
            return body
        calls: dict[str, Callable[[], Answer]] = {
            "fetch": lambda: self._fetch(body["request_id"], now),
            "fetch_by_id": lambda: self._fetch(place["id"], now),
            "request_count": lambda: self._request_count(now),
            "wallet_balance": self._wallet_balance,
            "model_reload": lambda: self._model_reload(body["model_id"], now),
            "base64_to_url": lambda: self._base64_to_url(body["base64_string"], origin, now),
        }
        return calls.get(operation, partial(self._generate, operation, body, origin, now))()

    def _no_such_call(self, method: str, path: str) -> Answer:
        allowed = allowed_methods(path)
        if not allowed:
            message = f"no such endpoint: {method} {path}; a base URL here ends in {BASE_PATH}"
            return say({"status": "error", "message": message}, status_code=404)
        answer = say({"status": "error", "message": f"{method} is not allowed here"}, status_code=405)
        return evolve(answer, headers={"allow": ", ".join(allowed)})

    def _checked(self, operation: str, content: bytes) -> dict[str, Any] | Answer:
        """Return the body if its key is right and it obeys the spec, else the refusal."""
        says = self._says
        try:
            body = says.read(operation, read_json(content))
        except ValueError as error:
            return says.bad_request(
                operation, [Problem("body", "", "", f"the body is no JSON that can be read: {error}")]
            )
        if isinstance(body, dict) and self.options.key is not None and body.get("key") != self.options.key:
            return says.wrong_key()
        found = problems(operation, body)
        if found:
            return says.bad_request(operation, found)
        checked: dict[str, Any] = body
        return checked

    # --- generations ------------------------------------------------------------------------------

    def _generate(self, operation: str, body: dict[str, Any], origin: str, now: float) -> Answer:
        options, says = self.options, self._says
        request = {name: value for name, value in body.items() if name != "key"}
        if options.models is not None and request["model_id"] not in options.models:
            return says.unknown_model(request["model_id"])
        images = {"init_image", "mask_image"} & request.keys() & body_schema(operation)["properties"].keys()
        given = {name: self._given(request[name], origin, now) for name in images}
        if any(image is not None and image_suffix(image) is None for image in given.values()):
            return says.bad_image("Unable to fetch image from provided URL")
        wait = self.queue.wait(now, options.queue_limit)
        if wait is not None:
            return says.too_many(f"Rate limit exceeded. Maximum {options.queue_limit} queued requests allowed.", wait)
        job = self._job(operation, request, origin, now)
        left = round(options.balance - options.price * job.samples, 9)  # or cents would drift
        if left < 0:
            return says.no_credits()
        job.given = {name: image for name, image in given.items() if image is not None}
        job.started_at, job.ready_at = self.queue.enter(now, options.eta)
        options.balance = left
        self.jobs.add(job, now)
        self._use(job.request["model_id"], now)
        if job.request.get("webhook"):
            fault = self.faults.take(Call(method="POST", url=job.request["webhook"], operation=WEBHOOK))
            self.webhooks.add(job, fault if isinstance(fault, WebhookFault) else None)
        return self._standing(job, now, first=True)

    def _job(self, operation: str, request: dict[str, Any], origin: str, now: float) -> SimulatedJob:
        number = self.jobs.accepted + 1
        seed = request.get("seed")
        job = SimulatedJob(
            id=self._says.id(number, FIRST_ID + self.jobs.accepted),
            number=number,
            operation=operation,
            request=request,
            seed=self._chance.randrange(2**32) if seed is None else int(seed),
            accepted_at=now,
            started_at=now,
            ready_at=now,
            outcome=self.options.outcome,
            origin=origin,
        )
        words = set(re.findall(r"\w+", job.prompt.lower()))
        job.nsfw = job.field("safety_checker") == "yes" and not words.isdisjoint(self.options.unsafe_words)
        return job

    def _note(self, call: Call, answer: Answer, now: float) -> None:
        """Keep what was asked for, without the key."""
        try:
            body = read_json(call.body)
        except ValueError:
            body = None
        request = {name: value for name, value in body.items() if name != "key"} if isinstance(body, dict) else {}
        status_code = None if answer.loss in {"refused", "before", "during"} else answer.status_code
        self.submissions.append(
            Submission(
                operation=call.operation,
                request=request,
                status_code=status_code,
                said=answer.said,
                job_id=answer.job_id,
                at=now,
            )
        )

    def _fetch(self, name: str, now: float) -> Answer:
        job = self.jobs.find(name)
        return self._says.no_such_job() if job is None else self._standing(job, now)

    def _standing(self, job: SimulatedJob, now: float, *, first: bool = False) -> Answer:
        if now < job.ready_at:
            return self._says.processing(job, now, first=first)
        if job.outcome == "failed":
            return self._says.failed(job)
        return self._says.success(job, first=first)

    def _image(self, name: str, now: float, place: str) -> Answer:
        number, _, index = name.removesuffix(".png").rpartition("-")
        job = self.jobs.find(number)
        known = job is not None and re.fullmatch(r"[0-3]", index) and int(index) < job.samples
        if job is None or not known or job.outcome != "success":
            return nothing(f"no image {name}")
        if now < job.ready_at:
            return self._says.not_ready(job.number, name)
        if now >= job.ready_at + self.options.image_life:
            return nothing(f"image {name} has expired")
        from modelslab_pony.testing._render import picture  # noqa: PLC0415 - without a picture no Pillow

        return Answer(
            content=picture(job, int(index)),
            content_type=self._says.image_type(place),
            said=f"image {name}",
        )

    # --- the account, models, and images to begin with ---------------------------------------------

    def _request_count(self, now: float) -> Answer:
        if len(self._counted) == COUNTS_A_MINUTE and now < self._counted[0] + 60:
            wait = self._counted[0] + 60 - now
            return self._says.too_many(f"Rate limit exceeded. Maximum {COUNTS_A_MINUTE} a minute.", wait)
        self._counted.append(now)
        said = "Current processing request count retrieved successfully"
        return say({"status": "success", "processing_count": self.queue.length(now), "message": said})

    def _wallet_balance(self) -> Answer:
        return say({"status": "success", "data": {"balance": self.options.balance, "currency": "USD"}})

    def _model_reload(self, model_id: str, now: float) -> Answer:
        """Begin to load a model, or tell whether it is there; one that nobody used for a week is put away."""
        if self.options.models is not None and model_id not in self.options.models:
            return self._says.unknown_model(model_id)
        there = self._models.get(model_id)
        if there is None or now >= there + IDLE_TIME:
            self._use(model_id, now + RELOAD_TIME)
            there = now + RELOAD_TIME
        if now < there:
            return say({"status": "processing", "message": f"{model_id} is being loaded"})
        self._use(model_id, now)
        return say({"status": "success", "message": f"{model_id} is loaded"})

    def _use(self, model_id: str, time: float) -> None:
        """Keep when a model was used last, or will have been loaded."""
        self._models[model_id] = max(time, self._models.pop(model_id, time))
        while len(self._models) > self.jobs.retention:
            self._models.popitem(last=False)

    def _base64_to_url(self, text: str, origin: str, now: float) -> Answer:
        """Keep an image given as a data URI, or in base64 alone."""
        try:
            content = base64.b64decode(text.rpartition("base64,")[2], validate=True)
        except ValueError:
            return self._says.bad_image("Invalid base64 string")
        suffix = image_suffix(content)
        if suffix is None or len(content) > UPLOAD_MOST:
            return self._says.bad_image("The file must be an image of at most 5 MB")
        name = f"{hashlib.sha256(content).hexdigest()[:16]}{suffix}"
        self._uploads.pop(name, None)
        self._uploads[name] = (content, now)
        while len(self._uploads) > UPLOADS_KEPT:
            self._uploads.popitem(last=False)
        return say({"status": "success", "output": [f"{origin}{UPLOADS_PATH}/{name}"]})

    def _upload(self, name: str, now: float) -> bytes | None:
        content, since = self._uploads.get(name, (None, now))
        return content if now < since + DAY else None

    def _uploaded(self, name: str, now: float) -> Answer:
        content = self._upload(name, now)
        if content is None:
            return nothing(f"no upload {name}")
        kind = MEDIA_TYPES[image_suffix(content) or ".png"]
        return Answer(content=content, content_type=kind, said=f"upload {name}")

    def _given(self, url: str, origin: str, now: float) -> bytes | None:
        """Return an image of ours, b"" where there is none; None for another host's, which is taken to be there."""
        try:
            folder, name = _place(url, origin)
        except ValueError:  # a port that is none
            return b""
        if folder not in PLACES:
            return None
        place = PLACES[folder]
        if place == "upload":
            return self._upload(name, now) or b""
        answer = self._image(name, now, place)
        return answer.content if answer.status_code == 200 else b""


def _place(url: str, origin: str) -> tuple[str, str]:
    """Return the folder and the name of a URL of ours; nothing for another host's."""
    parts, here = urlsplit(url), urlsplit(origin)
    if (parts.hostname, parts.port or _PORTS.get(parts.scheme)) != (
        here.hostname,
        here.port or _PORTS.get(here.scheme),
    ):
        return "", ""
    folder, _, name = parts.path.removeprefix(here.path).rpartition("/")
    return folder, unquote(name)


def _operation(method: str, path: str) -> str:
    """Return the operation that a request calls, or the kind of picture; "" for none."""
    folder = path.rpartition("/")[0]
    if method in {"GET", "HEAD"}:
        return PLACES.get(folder, "")
    found = route(method, path)
    return found[0] if found else ""
