"""Plays a case of the matrix: a simulator on a real port, a client, one picture to be made and saved."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import Generator, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from attrs import define, evolve, field, frozen
from PIL import Image

from modelslab_pony import (
    AsyncPonyClient,
    PollPolicy,
    PonyClient,
    PonyError,
    RetryPolicy,
    SubmissionUnknown,
    TextToImage,
)
from modelslab_pony.testing import Call, Simulator
from modelslab_pony.testing.faults import WebhookFault
from modelslab_pony.testing.server import serving
from support import hooks
from support.both import KEY, _tell
from support.evidence import Row
from support.matrix import ON, Case, Place

ETA = 0.3
"""Seconds that a job takes."""
POLL = PollPolicy(min_delay=0.1, max_delay=0.3, jitter=0.0, lead=1.0)
RETRY = RetryPolicy(attempts=3, min_delay=0.4, max_delay=1.0)
PATIENCE = 8.0
"""Seconds that a caller waits to be told by a webhook, before it asks."""
MOST = 60.0
"""Seconds that a case may take."""
COLOURS = ("sync", "async")
Story = Generator[Any, Any, Any]


@frozen(kw_only=True)
class Run:
    """What came of a case."""

    row: Row
    problems: tuple[str, ...]
    """What it left behind, or did and must not do; nothing, if all is well."""


def play(case: Case, colour: str) -> Run:
    """Run a case with one of the two clients."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, _scene(case, Path(folder)) as scene:
        options: dict[str, Any] = {"base_url": scene.url, "timeout": case.timeout, "poll": POLL, "retry": RETRY}
        if colour == "sync":
            with PonyClient(KEY, **options) as pony, hooks.blocking(pony, case.hook) as hook:
                asyncio.run(_tell(scene.story(pony, hook)))
        else:
            asyncio.run(_awaited(scene, options))
        scene.look_at_files()
        scene.look_at_faults()
    if time.monotonic() - began > MOST:
        scene.problems.append(f"it took longer than {MOST:g} s")
    return Run(row=scene.row(f"modelslab-pony, {colour}"), problems=tuple(scene.problems))


async def _awaited(scene: Scene, options: dict[str, Any]) -> None:
    async with AsyncPonyClient(KEY, **options) as pony, hooks.awaited(pony, scene.case.hook) as hook:
        await _tell(scene.story(pony, hook))
    left = asyncio.all_tasks() - {asyncio.current_task()}
    if left:
        scene.problems.append(f"tasks that go on: {left}")


@contextlib.contextmanager
def _scene(case: Case, folder: Path) -> Iterator[Scene]:
    told: list[Call] = []
    with contextlib.ExitStack() as servers:
        simulator = Simulator(eta=ETA)
        url = servers.enter_context(serving(simulator))
        place = Place(phase=case.phase, origin=_origin(url))
        if case.kind == "Redirect":
            other = servers.enter_context(serving(Simulator(log=lambda call, _: told.append(call))))
            place = evolve(place, elsewhere=_origin(other))
        yield Scene(case=case, place=place, simulator=simulator, url=url, folder=folder, told=told)


def _origin(url: str) -> str:
    return url.partition("/api/")[0]


@define(kw_only=True)
class Scene:
    """One case under way: the service, the caller, and what each of them knows in the end."""

    case: Case
    place: Place
    simulator: Simulator
    url: str
    folder: Path
    told: list[Call]
    """What another host was sent."""
    problems: list[str] = field(factory=list)
    error: Exception | None = None
    """What the caller's one call raised."""
    later: Exception | None = None
    """What asking again raised, with the id that the error has."""
    saved: bool = False
    """Whether the caller has the picture, then or after asking again."""
    word: str = ""
    """How the caller learned of the picture, where there are two ways."""
    _is_armed: bool = False

    # --- what the caller does ---------------------------------------------------------------

    def story(self, pony: Any, hook: Any) -> Story:
        """Make a picture and save it; where that fails, take the error's id and ask again without the fault."""
        try:
            yield from self._make(pony, hook)
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller saw it
            self.error = error
            self.look_at_files()
            self.simulator.faults.clear()
            job_id = getattr(error, "job_id", None)
            if job_id is not None:
                try:
                    yield from self._ask_again(pony, job_id)
                except Exception as later:  # noqa: BLE001 - whatever it is, the caller saw it
                    self.later = later

    def _make(self, pony: Any, hook: Any) -> Story:
        case = self.case
        if case.phase == "submit":
            self._arm()
        if case.phase == "webhook":
            generation = yield from self._by_webhook(pony, hook)
        else:
            generation = yield pony.text2img("a lighthouse", seed=7, wait_timeout=case.wait, on_update=self._on_update)
        if case.phase == "download":
            self._arm()
        yield from self._save(generation)

    def _by_webhook(self, pony: Any, hook: Any) -> Story:
        if self.case.kind != "Refuse":  # else nothing could be submitted; nothing is asked before the webhook comes
            self._arm()
        job = yield pony.submit(TextToImage("a lighthouse", seed=7, webhook=hook.url, track_id="order-17"))
        self._arm()
        status = yield hook.wait(PATIENCE)
        if status is not None and status.generation is not None:
            self.word = ", told by the webhook"
            return status.generation
        self.word = ", found by asking"
        return (yield job.wait(self.case.wait))

    def _ask_again(self, pony: Any, job_id: Any) -> Story:
        generation = yield pony.job(job_id).wait(10)
        yield from self._save(generation)

    def _save(self, generation: Any) -> Story:
        yield generation.images[0].save(self.folder)
        self.saved = True

    def _on_update(self, _: Any) -> None:
        """Have asking go wrong, from when the job was accepted."""
        if self.case.phase == "fetch":
            self._arm()

    # --- what goes wrong ------------------------------------------------------------------------

    def _make_fault(self) -> Any:
        return self.case.make(self.place) if self.case.make else None

    def _arm(self) -> None:
        fault = self._make_fault()
        if fault is not None and not self._is_armed:
            self._is_armed = True
            on = None if isinstance(fault, WebhookFault) else ON[self.case.phase]
            self.simulator.faults.add(fault, on=on, times=self.case.times)

    # --- what is found ---------------------------------------------------------------------------

    def look_at_files(self) -> None:
        """There is the one picture, whole; or, before it was saved, nothing."""
        found = sorted(self.folder.iterdir())
        if len(found) != int(self.saved) or not all(_is_whole(path.read_bytes()) for path in found):
            self.problems.append(f"files: {[path.name for path in found]}, saved: {self.saved}")

    def look_at_faults(self) -> None:
        """The fault befell a request; and another host got no POST, and no key."""
        fault = self._make_fault()
        on_wire = any(exchange.fault for exchange in self.simulator.requests)
        on_hooks = isinstance(fault, WebhookFault) and (len(self.simulator.faults) == 0)
        if fault is not None and self.case.kind != "Refuse" and not (on_wire or on_hooks):
            self.problems.append("the fault befell no request")
        if any(call.method != "GET" or KEY.encode() in call.body for call in self.told):
            self.problems.append("another host was sent what is the service's alone")

    def row(self, client: str) -> Row:
        """Return what the service counted and the caller saw."""
        asked = self.simulator.submissions
        accepted = sum(one.accepted for one in asked)
        knows = self.saved or isinstance(self.error, SubmissionUnknown)
        return Row(
            client=client,
            phase=self.case.phase,
            fault=self.case.fault,
            saw=self._saw(accepted),
            posts=len(asked),
            accepted=accepted,
            lost=int(accepted > 0 and not knows),
            twice=max(0, accepted - 1),
        )

    def _saw(self, accepted: int) -> str:
        if self.error is None:
            return f"the picture{self.word}"
        name = type(self.error).__name__
        if isinstance(self.error, SubmissionUnknown):
            also = "" if name == "SubmissionUnknown" else ", a SubmissionUnknown"
            return f"{name}{also}: it may have been accepted (it was{'' if accepted else ' not'})"
        if not isinstance(self.error, PonyError):
            name += ", none of our errors"
        if getattr(self.error, "job_id", None) is None:
            return f"{name} without an id; {'it was accepted' if accepted else 'nothing was accepted'}"
        if self.saved:
            return f"{name} with the id; the picture was there when asked again"
        return f"{name} with the id; asked again: {type(self.later).__name__}"


@cache
def _is_whole(content: bytes) -> bool:
    """Whether a PNG can be read to its end."""
    import io

    try:
        with Image.open(io.BytesIO(content)) as opened:
            opened.load()
    except (OSError, SyntaxError):
        return False
    return content.rstrip(b"\0")[-8:-4] == b"IEND"
