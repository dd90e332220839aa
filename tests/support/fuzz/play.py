"""Journeys of both clients through odd answers: what was asked, what came back, how it ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import httpx
from attrs import field, frozen, mutable

from modelslab_pony import AsyncPonyClient, PollPolicy, PonyClient, TextToImage
from modelslab_pony.testing import VirtualClock
from support.both import KEY
from support.fuzz.wires import MAX_REAL, Recipe, Wire, good, made, stuck
from support.pictures import PICTURE

WAIT = 90.0
"""Seconds of the clock that a job is waited for."""
JOB = 70010006
REQUEST = TextToImage("a lighthouse at dusk", track_id="fuzz-1")
ENDINGS = ["good", "stuck", "refused"]


@frozen
class Example:
    """One thing to try: a journey, the odd answers on its way, and how the service goes on after them."""

    journey: str
    recipes: tuple[Recipe, ...]
    ending: str = "good"


@frozen
class Exchange:
    """One request, and the answer that it was given."""

    place: str
    content: bytes = field(repr=False)
    wire: Wire
    is_odd: bool


@mutable
class Trip:
    """One way through a journey."""

    journey: str
    client: str
    exchanges: list[Exchange] = field(factory=list)
    outcome: Any = None
    error: BaseException | None = None
    virtual: float = 0.0
    """Seconds of the clock that it took."""
    real: float = 0.0
    """Seconds of a processor."""
    left_over: list[str] = field(factory=list)
    """Files that are there afterwards, but for the one that was asked for."""

    @property
    def kind(self) -> tuple[str, ...]:
        """What has to be the same for both clients."""
        if self.error is not None:
            about = getattr(self.error, "job_id", None)
            return type(self.error).__name__, str(self.error).replace("Async", ""), repr(about)
        name = type(self.outcome).__name__.removeprefix("Async")
        facts = [repr(getattr(self.outcome, fact, None)) for fact in ("id", "status", "seed", "meta", "message")]
        urls = [image.url for image in getattr(self.outcome, "images", ())]
        return (name, *facts, repr(urls))


class Transport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Gives the odd answers in order, then goes on as it was told; notes each exchange."""

    def __init__(self, wires: list[Wire], ending: str, clock: VirtualClock) -> None:
        self.odd = list(wires)
        self.first: list[Wire] = []
        """What is answered before the odd ones."""
        self.given = 0
        self.exchanges: list[Exchange] = []
        self._ending, self._clock = ending, clock

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._answer(request, request.read())

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return self._answer(request, await request.aread())

    def _answer(self, request: httpx.Request, content: bytes) -> httpx.Response:
        path = request.url.path
        place = "GET" if request.method == "GET" else "fetch" if "/fetch" in path else path.rsplit("/", 1)[-1]
        is_odd = not self.first and bool(self.odd)
        if self.first:
            wire = self.first.pop(0)
        elif self.odd:
            wire = self.odd.pop(0)
            self.given += 1
        else:
            wire = _END[self._ending](place)
        self.exchanges.append(Exchange(place, content, wire, is_odd))
        return wire.response(request, self._pass)

    def _pass(self, seconds: float) -> None:
        self._clock.time += seconds


class Clock(VirtualClock):
    """One task alone needs no turns."""

    async def sleep_async(self, seconds: float) -> None:
        self.sleep(seconds)


def _stuck(place: str) -> Wire:
    return stuck() if place in {"text2img", "img2img", "fetch"} else good(place)


_END: dict[str, Callable[[str], Wire]] = {
    "good": good,
    "stuck": _stuck,
    "refused": lambda _: made(Recipe("success", end="refused")),
}

# --- journeys --------------------------------------------------------------------------------

Story = Generator[Any, Any, Any]
Tell = Callable[[Any, Path, int], Story]
FIRST = {"accepted": ["processing"], "read": ["success"], "save": ["success_four_samples"]}
"""What a journey begins with, before anything odd."""


def _simple(call: Callable[[Any], Any]) -> Tell:
    def tell(pony: Any, _: Path, __: int) -> Story:
        return (yield call(pony))

    return tell


def _upload(pony: Any, _: Path, turn: int) -> Story:
    picture = PICTURE + b"%d" % turn  # other bytes each time, or it would go up only once
    return (yield pony.img2img("a lighthouse", picture, wait_timeout=WAIT))


def _read(pony: Any, _: Path, __: int) -> Story:
    job = yield pony.submit(REQUEST)
    generation = yield job.wait()
    return (yield generation.images[0].read())


def _save(pony: Any, folder: Path, turn: int) -> Story:
    job = yield pony.submit(REQUEST)
    generation = yield job.wait()
    return (yield generation.images[0].save(folder if turn % 2 else folder / f"{turn}.png"))


JOURNEYS: dict[str, Tell] = {
    "submit": _simple(lambda pony: pony.submit(REQUEST)),
    "generate": _simple(lambda pony: pony.generate(REQUEST, wait_timeout=WAIT)),
    "accepted": _simple(lambda pony: pony.generate(REQUEST, wait_timeout=WAIT)),
    "fetch": _simple(lambda pony: pony.fetch(JOB)),
    "wait": _simple(lambda pony: pony.job(JOB).wait(WAIT)),
    "upload": _upload,
    "balance": _simple(lambda pony: pony.balance()),
    "queued": _simple(lambda pony: pony.queued()),
    "reload": _simple(lambda pony: pony.reload_model("pony-realism")),
    "read": _read,
    "save": _save,
}

# --- clients ---------------------------------------------------------------------------------

OPTIONS: dict[str, Any] = {"api_key": KEY, "poll": PollPolicy(jitter=0.0), "timeout": MAX_REAL}


def sync_trips(example: Example, wires: list[Wire], folder: Path) -> list[Trip]:
    """Return the trips of the blocking client: as many as it takes to be given all that is odd."""
    clock, trips = Clock(), list[Trip]()
    transport = Transport(wires, example.ending, clock)
    with (
        httpx.Client(transport=transport, trust_env=False) as http,
        PonyClient(http_client=http, **OPTIONS) as pony,
    ):
        clock.drive(pony)
        while transport.odd and len(trips) < len(wires):
            trip, story, begun = _begin(example, "sync", transport, clock, pony, folder, len(trips))
            try:
                trip.outcome = _tell(story)
            except BaseException as error:  # noqa: BLE001 - whatever it is, the judge has to see it
                trip.error = _told(error)
            trips.append(_end(trip, transport, clock, begun, folder))
    return trips


async def async_trips(example: Example, wires: list[Wire], folder: Path) -> list[Trip]:
    """Same for the asynchronous client."""
    clock, trips = Clock(), list[Trip]()
    transport = Transport(wires, example.ending, clock)
    async with (
        httpx.AsyncClient(transport=transport, trust_env=False) as http,
        AsyncPonyClient(http_client=http, **OPTIONS) as pony,
    ):
        clock.drive(pony)
        while transport.odd and len(trips) < len(wires):
            trip, story, begun = _begin(example, "async", transport, clock, pony, folder, len(trips))
            try:
                trip.outcome = await _tell_async(story)
            except BaseException as error:  # noqa: BLE001 - whatever it is, the judge has to see it
                trip.error = _told(error)
            trips.append(_end(trip, transport, clock, begun, folder))
    return trips


def _begin(
    example: Example, client: str, transport: Transport, clock: Clock, pony: Any, folder: Path, turn: int
) -> tuple[Trip, Story, float]:
    transport.exchanges = []
    transport.first = [made(Recipe(name)) for name in FIRST.get(example.journey, [])]
    trip = Trip(example.journey, client, virtual=clock.time)
    return trip, JOURNEYS[example.journey](pony, folder, turn), time.process_time()


def _end(trip: Trip, transport: Transport, clock: Clock, begun: float, folder: Path) -> Trip:
    trip.real = time.process_time() - begun
    trip.virtual = clock.time - trip.virtual
    trip.exchanges = transport.exchanges
    if trip.journey == "save":
        kept = {trip.outcome.name} if isinstance(trip.outcome, Path) else set()
        trip.left_over = sorted({path.name for path in folder.iterdir()} - kept)
        if isinstance(trip.outcome, Path):
            content = trip.outcome.read_bytes()
            trip.outcome.unlink()
            trip.outcome = content
    return trip


def _told(error: BaseException) -> BaseException:
    if isinstance(error, KeyboardInterrupt | SystemExit | asyncio.CancelledError):
        raise error
    return error


def _tell(story: Story) -> Any:
    value = None
    while True:
        try:
            value = story.send(value)
        except StopIteration as end:
            return end.value


async def _tell_async(story: Story) -> Any:
    value = None
    while True:
        try:
            call = story.send(value)
        except StopIteration as end:
            return end.value
        value = await call if hasattr(call, "__await__") else call
