"""What the simulated account holds: its jobs in their queue, and what was asked of it."""

from __future__ import annotations

import heapq
import math
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Literal

from attrs import define, field, frozen

from modelslab_pony.testing._spec import body_schema

IMAGES_PATH = "/images"
CDN_PATH = "/cdn"
"""Where the same images are to be had a second time."""
FIRST_ID = 70010001

Outcome = Literal["success", "failed"]


@define(kw_only=True, eq=False)
class SimulatedJob:
    """A generation that was accepted."""

    id: int | str
    """As it was told: an integer, or a text in the observed dialect."""
    number: int
    """Counts the jobs of a simulator, from 1."""
    operation: str
    """text2img, img2img or inpaint."""
    request: Mapping[str, Any] = field(repr=False)
    """The fields as they were sent, without the key."""
    seed: int
    """Its own, or the simulator's choice."""
    accepted_at: float
    """When it was accepted, in seconds of the simulator's clock."""
    started_at: float
    """When its turn comes: the queue is first in, first out."""
    ready_at: float
    """When it is done, by the same clock."""
    outcome: Outcome
    """What becomes of it: success or failed."""
    origin: str
    """Where its images are served: scheme and host."""
    nsfw: bool = False
    """Whether the safety checker withholds its images."""
    given: Mapping[str, bytes] = field(factory=dict, repr=False)
    """The uploaded images that it begins with, by field."""

    def field(self, name: str) -> Any:
        """Return a field as it was sent, else the spec's default."""
        found = self.request.get(name)
        return body_schema(self.operation)["properties"].get(name, {}).get("default") if found is None else found

    @property
    def prompt(self) -> str:
        """What the images show; "" where nothing was said."""
        return str(self.field("prompt") or "")

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, in pixels."""
        return int(self.field("width")), int(self.field("height"))

    @property
    def samples(self) -> int:
        """How many images it has."""
        return int(self.field("samples"))  # 1.0 is an integer to JSON Schema

    def status(self, now: float) -> Literal["queued", "processing", "success", "failed"]:
        """Return queued, processing, or its outcome."""
        return "queued" if now < self.started_at else "processing" if now < self.ready_at else self.outcome

    def image_urls(self, path: str = IMAGES_PATH) -> list[str]:
        """Return the URL of each image, or of its copy below another path."""
        return [f"{self.origin}{path}/{self.id}-{index}.png" for index in range(self.samples)]

    def meta(self) -> dict[str, Any]:
        """Return the request as the service records it, under its internal names."""
        names = {"width": "W", "height": "H", "num_inference_steps": "steps", "samples": "n_samples"}
        return {names.get(name, name): value for name, value in self.request.items()} | {"seed": self.seed}


@frozen(kw_only=True)
class Submission:
    """A generation that was asked for, accepted or not."""

    operation: str
    """text2img, img2img or inpaint."""
    request: Mapping[str, Any]
    """The fields as they were sent, without the key; empty if they could not be read."""
    status_code: int | None
    """What was answered; None where the connection was lost before."""
    said: str
    """The same in words, a refusal's too."""
    job_id: int | str | None
    """The job that it began, whether or not the answer arrived; None if it was not accepted."""
    at: float
    """Seconds of the simulator's clock."""

    @property
    def accepted(self) -> bool:
        """Whether it was accepted, and paid for."""
        return self.job_id is not None


class Queue:
    """First in, first out: when each job of an account begins and ends; `workers` are worked on at once."""

    def __init__(self, workers: int) -> None:
        self._ends: list[float] = []
        self._free: list[float] = [-math.inf] * workers

    def length(self, now: float) -> int:
        """Return how many jobs wait or are worked on."""
        while self._ends and self._ends[0] <= now:
            heapq.heappop(self._ends)
        return len(self._ends)

    def wait(self, now: float, limit: int | None) -> float | None:
        """Return the seconds until fewer than `limit` wait or are worked on; None if that is so, or without a limit."""
        length = self.length(now)
        if limit is None or length < limit:
            return None
        return sorted(self._ends)[length - limit] - now

    def enter(self, now: float, seconds: float) -> tuple[float, float]:
        """Take a place; return when the work begins and when it ends."""
        began = max(now, heapq.heappop(self._free))
        heapq.heappush(self._free, began + seconds)
        heapq.heappush(self._ends, began + seconds)
        return began, began + seconds


class Jobs(Mapping[int | str, SimulatedJob]):
    """Every job by its id, in the order of acceptance; the oldest finished ones are forgotten."""

    def __init__(self, retention: int) -> None:
        self.retention = retention
        self.accepted = 0
        self._jobs: dict[int | str, SimulatedJob] = {}

    def __getitem__(self, id: int | str) -> SimulatedJob:
        return self._jobs[id]

    def __iter__(self) -> Iterator[int | str]:
        return iter(list(self._jobs))  # another thread may add one

    def __len__(self) -> int:
        return len(self._jobs)

    def add(self, job: SimulatedJob, now: float) -> None:
        """Keep a job, and forget the oldest finished ones beyond the limit."""
        self.accepted += 1
        self._jobs[job.id] = job
        surplus = max(len(self._jobs) - self.retention, 0)
        finished = (name for name, old in self._jobs.items() if old.ready_at <= now and old is not job)
        for name in list(islice(finished, surplus)):
            del self._jobs[name]

    def find(self, text: str) -> SimulatedJob | None:
        """Return a job by its id as it stands in a request: a text."""
        number = int(text) if re.fullmatch(r"[1-9][0-9]{0,17}", text) else text
        return self._jobs.get(number)
