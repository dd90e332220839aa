"""Uploads: once for the same bytes, within the caller's time, and never a paid call by mistake."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from modelslab_pony import AsyncPonyClient, ImageToImage, Inpaint, PonyClient, RetryPolicy, _pictures, errors
from modelslab_pony._uploads import URL_LIFE, Uploads
from modelslab_pony._wire import LocalImage
from modelslab_pony.testing import Simulator, VirtualClock
from support.both import KEY, Colour, Story
from support.scripted import PNG, Service

UPLOADED: dict[str, Any] = {"status": "success", "output": ["https://images.example/temp/a.png"]}
PATIENT = RetryPolicy(attempts=3, min_delay=1, max_delay=60)


def file_of(kind: str, size: tuple[int, int] = (1500, 1100)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size).save(file, kind)
    return file.getvalue()


def submitting(init_image: Any) -> Story:
    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.submit(ImageToImage("a lighthouse", init_image)))

    return story


# --- once ------------------------------------------------------------------------------------


def test_the_same_bytes_go_up_once(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """Whatever form they have, as image and as mask; other bytes go up, too."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        content = file_of("PNG")
        yield pony.submit(ImageToImage("x", content))
        yield pony.submit(Inpaint(init_image=content, mask_image=Image.open(io.BytesIO(content))))
        yield pony.submit(ImageToImage("x", file_of("PNG", (8, 8))))

    service.answers(UPLOADED, "processing", "processing", UPLOADED, "processing")
    colour.play(story, service, clock)
    assert service.paths == ["base64_to_url", "img2img", "inpaint", "base64_to_url", "img2img"]
    assert service.calls[2][1]["mask_image"] == service.calls[2][1]["init_image"] == UPLOADED["output"][0]


def test_an_upload_that_runs_out_goes_up_again(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """The service keeps it for 24 hours; an hour earlier it is not relied upon."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        for wait in (0, URL_LIFE - 1, 1):
            clock.time += wait
            yield pony.submit(ImageToImage("x", PNG))

    service.answers(UPLOADED, "processing", "processing", UPLOADED, "processing")
    colour.play(story, service, clock)
    assert service.paths == ["base64_to_url", "img2img", "img2img", "base64_to_url", "img2img"]


def test_an_upload_that_the_service_does_not_find_goes_up_again(
    colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """It may be gone before its time."""
    gone = {"status": "error", "message": "Unable to fetch image from provided URL"}

    def story(pony: Any) -> Generator[Any, Any, Any]:
        yield pony.submit(ImageToImage("x", PNG))
        try:
            yield pony.submit(ImageToImage("x", PNG))
        except errors.BadRequestError:
            yield pony.img2img("x", PNG)

    service.answers(UPLOADED, "processing", gone, UPLOADED, "success")
    colour.play(story, service, clock)
    assert service.paths == ["base64_to_url", "img2img", "img2img", "base64_to_url", "img2img"]


def test_an_upload_is_forgotten_when_its_job_fails(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """Also when that is learnt of by waiting, or by asking."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        job = yield pony.submit(ImageToImage("x", PNG))
        try:
            yield job.wait()
        except errors.GenerationFailed:
            job = yield pony.submit(ImageToImage("x", PNG))
        assert (yield job.refresh()).status == "failed"
        yield pony.submit(ImageToImage("x", PNG))

    for _ in range(2):
        service.answers(UPLOADED, "processing", "failed_try_again")
    colour.play(story, service.answers(UPLOADED, "processing"), clock)
    assert service.paths.count("base64_to_url") == 3


def test_what_has_run_out_takes_no_room(clock: VirtualClock) -> None:
    """Neither the URL nor its lock."""
    uploads = Uploads(threading.Lock)
    for number in range(50):
        image = LocalImage(str(number).encode(), "image/png")
        with uploads.lock(image):
            uploads.keep(image, "https://x.example/a.png", clock.time)
        clock.time += URL_LIFE / 2
    assert (len(uploads._found), len(uploads._locks)) == (2, 2)


def answer_slowly(request: httpx.Request, seen: list[str]) -> httpx.Response:
    seen.append(request.url.path.rpartition("/")[2])
    if seen[-1] == "base64_to_url":
        return httpx.Response(200, json=UPLOADED)
    return httpx.Response(200, json={"status": "processing", "id": 1})


def test_the_same_bytes_go_up_once_from_many_threads() -> None:
    """The others wait for the first one's URL."""
    seen: list[str] = []
    meet = threading.Barrier(4)

    def submit(pony: PonyClient) -> None:
        meet.wait(10)
        pony.submit(ImageToImage("x", PNG))

    transport = httpx.MockTransport(lambda request: answer_slowly(request, seen))
    with httpx.Client(transport=transport) as http, ThreadPoolExecutor(4) as pool:
        pony = PonyClient(KEY, http_client=http)
        for done in [pool.submit(submit, pony) for _ in range(4)]:
            done.result(10)
    assert (seen.count("base64_to_url"), seen.count("img2img")) == (1, 4)


def test_the_same_bytes_go_up_once_from_many_tasks() -> None:
    """Also when the first one is cancelled: the next takes over."""
    seen: list[str] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)
        return answer_slowly(request, seen)

    async def run() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
            pony = AsyncPonyClient(KEY, http_client=http)
            await asyncio.gather(*(pony.submit(ImageToImage("x", PNG)) for _ in range(10)))
            assert (seen.count("base64_to_url"), seen.count("img2img")) == (1, 10)
            other = PNG + b"another"
            first, second = (asyncio.create_task(pony.submit(ImageToImage("x", other))) for _ in range(2))
            while seen.count("base64_to_url") < 2 and not first.done():
                await asyncio.sleep(0)
                first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            await second
            assert seen.count("img2img") == 11

    asyncio.run(run())


# --- when it goes wrong ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [httpx.ReadTimeout("no answer"), httpx.ConnectError("refused"), "html_502", "error_429", "html_200"],
    ids=str,
)
def test_an_upload_costs_nothing_and_is_tried_again(
    fault: Any, colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """Whatever became of the first one."""
    service.answers(fault, UPLOADED, "processing")
    assert colour.play(submitting(PNG), service, clock, retry=PATIENT).id == 70010006
    assert service.paths == ["base64_to_url", "base64_to_url", "img2img"]


FAULTS: dict[str, tuple[Any, type[errors.PonyError]]] = {
    "no answer": (httpx.ReadTimeout("no answer"), errors.TransportError),
    "a wrong key": ("error_401", errors.AuthenticationError),
    "a refusal under 200": ({"status": "error", "message": "The base64 string is invalid"}, errors.BadRequestError),
    "failed": ({"status": "failed", "message": "Failed, Try Again", "output": ""}, errors.ServerError),
    "no url": ({"status": "success", "output": []}, errors.UnexpectedResponseError),
    "not yet": ({"status": "processing", "id": 5}, errors.UnexpectedResponseError),
    "no address at all": ({"status": "success", "output": ["https://x y/z.png"]}, errors.UnexpectedResponseError),
    "no web address": ({"status": "success", "output": ["file:///etc/passwd"]}, errors.UnexpectedResponseError),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_an_upload_that_fails_says_that_nothing_was_asked_for(
    fault: str, colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """An error of its own kind, never one that leaves open whether something was paid for."""
    answer, kind = FAULTS[fault]
    with pytest.raises(kind, match="uploading init_image; no image was asked for yet") as raised:
        colour.play(submitting(PNG), service.answers(answer), clock, retry=RetryPolicy(attempts=1))
    assert type(raised.value) is kind
    assert raised.value.job_id is None
    assert service.paths == ["base64_to_url"]


def test_an_upload_is_not_tried_past_the_callers_own_limit(
    colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """`wait_timeout` covers it, too."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        yield pony.img2img("x", PNG, wait_timeout=20)

    with pytest.raises(errors.RateLimitError):
        colour.play(story, service.answers("error_429"), clock, retry=PATIENT)
    assert clock.time == 0


def slow(seconds: float, clock: VirtualClock) -> Any:
    def answer() -> httpx.Response:
        clock.time += seconds
        return httpx.Response(200, json=UPLOADED)

    return answer


def test_an_image_is_not_asked_for_after_the_callers_limit(
    colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """An upload took all of the time: nothing is bought that nobody waits for."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        yield pony.img2img("x", PNG, wait_timeout=20)

    with pytest.raises(errors.UploadTimeout, match="the time was over") as raised:
        colour.play(story, service.answers(slow(21, clock)), clock)
    assert isinstance(raised.value, TimeoutError)
    colour.play(story, service.answers(slow(19, clock), "success"), clock)
    assert service.paths == ["base64_to_url", "base64_to_url", "img2img"]


def test_without_time_an_image_that_is_there_is_asked_for(
    colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """`wait_timeout=0` submits and looks once, as it does without an image."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        yield pony.submit(ImageToImage("x", PNG))
        yield pony.img2img("x", PNG, wait_timeout=0)

    with pytest.raises(errors.JobTimeout):
        colour.play(story, service.answers(UPLOADED, "processing", "processing", "processing"), clock)
    assert service.paths == ["base64_to_url", "img2img", "img2img", "fetch"]


def test_no_thread_waits_for_anothers_upload_beyond_its_limit() -> None:
    """The first one's goes on."""
    going_on, finish = threading.Event(), threading.Event()

    def answer(request: httpx.Request) -> httpx.Response:
        going_on.set()
        finish.wait(10)
        return answer_slowly(request, [])

    with httpx.Client(transport=httpx.MockTransport(answer)) as http, ThreadPoolExecutor(1) as pool:
        pony = PonyClient(KEY, http_client=http)
        first = pool.submit(pony.submit, ImageToImage("x", PNG))
        going_on.wait(10)
        with pytest.raises(errors.TransportError, match="no image was asked for yet"):
            pony.img2img("x", PNG, wait_timeout=0.01)
        finish.set()
        assert first.result(10).id == 1


def test_no_task_waits_for_anothers_upload_beyond_its_limit() -> None:
    """The first one's goes on."""

    async def run() -> None:
        going_on, finish = asyncio.Event(), asyncio.Event()

        async def answer(request: httpx.Request) -> httpx.Response:
            going_on.set()
            await finish.wait()
            return answer_slowly(request, [])

        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
            pony = AsyncPonyClient(KEY, http_client=http)
            first = asyncio.create_task(pony.submit(ImageToImage("x", PNG)))
            await going_on.wait()
            with pytest.raises(errors.TransportError, match="no image was asked for yet"):
                await pony.img2img("x", PNG, wait_timeout=0.01)
            finish.set()
            assert (await first).id == 1

    asyncio.run(run())


class _Stop(Exception):
    pass


def test_what_ends_an_upload_is_told_that_nothing_was_asked_for(
    colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """Ctrl-C, a cancelled task: by a note, as a job's id is told later."""
    service.answers(_Stop())
    with pytest.raises(_Stop) as raised:
        colour.play(submitting(PNG), service, clock)
    where, doing = raised.value.__notes__
    assert where.startswith("raised while a request was under way")
    assert doing == "uploading init_image; no image was asked for yet"


@pytest.mark.parametrize("name", ["url", "link", "output"])
def test_the_url_is_found_where_neighbouring_calls_have_it(
    name: str, colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """As a list or alone."""
    service.answers({"status": "success", name: "https://images.example/b.png"}, "processing")
    colour.play(submitting(PNG), service, clock)
    assert service.calls[1][1]["init_image"] == "https://images.example/b.png"


def test_a_job_keeps_its_request_and_no_file(
    colour: Colour, service: Service, clock: VirtualClock, tmp_path: Path
) -> None:
    """A thousand waiting jobs do not hold a thousand files in memory."""
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    job = colour.play(submitting(path), service.answers(UPLOADED, "processing"), clock)
    assert job.request == ImageToImage("a lighthouse", path)
    assert dict(job._prepared.local) == {}
    assert "base64" not in str(job._prepared.fields)


OTHER: dict[str, Any] = {"status": "success", "output": ["https://images.example/temp/b.png"]}


GONE: dict[str, Any] = {"status": "error", "message": "Unable to fetch image from provided URL"}


FAILED: dict[str, Any] = {"status": "failed", "id": 5, "message": "Failed, Try Again", "output": ""}


def test_two_images_go_up_once_each(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """Keeping the second one's URL does not forget the first one's."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        for _ in range(2):
            yield pony.submit(Inpaint(init_image=PNG + b"1", mask_image=PNG + b"2"))

    colour.play(story, service.answers(UPLOADED, OTHER, "processing", "processing"), clock)
    assert service.paths == ["base64_to_url", "base64_to_url", "inpaint", "inpaint"]
    for _, body in service.calls[2:]:
        assert [body["init_image"], body["mask_image"]] == [UPLOADED["output"][0], OTHER["output"][0]]


def test_images_that_begin_alike_are_two(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """Whatever is told apart by its last byte goes up by itself."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        for last in (b"1", b"2"):
            yield pony.submit(ImageToImage("x", PNG + bytes(10**6) + last))

    colour.play(story, service.answers(UPLOADED, "processing", OTHER, "processing"), clock)
    assert [body["init_image"] for place, body in service.calls if place == "img2img"] == [
        UPLOADED["output"][0],
        OTHER["output"][0],
    ]


@pytest.mark.parametrize("method", ["submit", "generate"])
@pytest.mark.parametrize("fault", [GONE, FAILED], ids=["refused", "failed"])
def test_the_uploads_of_a_request_that_came_to_nothing_are_forgotten(
    fault: Any, method: str, colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """One may be gone before its time; those of other requests are still relied upon."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        yield pony.submit(ImageToImage("x", PNG + b"other"))
        yield pony.submit(ImageToImage("x", PNG))
        try:
            yield getattr(pony, method)(ImageToImage("x", PNG))
        except (errors.BadRequestError, errors.GenerationFailed):
            yield pony.submit(ImageToImage("x", PNG))
            yield pony.submit(ImageToImage("x", PNG + b"other"))

    service.answers(OTHER, "processing", UPLOADED, "processing", fault, UPLOADED, "processing", "processing")
    colour.play(story, service, clock)
    up, make = "base64_to_url", "img2img"
    assert service.paths == [up, make, up, make, make, up, make, make]


def test_an_upload_is_taken_anew_before_the_service_forgets_it(colour: Colour, clock: VirtualClock) -> None:
    """The simulator keeps one as long as the service does."""
    simulator = Simulator(eta=0, clock=clock)

    def story(pony: Any) -> Generator[Any, Any, Any]:
        for hours in (0, 22, 2, 22, 1, 1):
            clock.time += hours * 3600
            yield pony.img2img("x", PNG)

    colour.play_on(story, simulator.transport(), clock)
    assert len(simulator.jobs) == 6


def test_an_upload_lives_from_when_it_was_sent(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """The clock of a machine begins anywhere, and a client may be a day old."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        for seconds in (10**6, 22 * 3600):
            clock.time += seconds
            yield pony.submit(ImageToImage("x", PNG))

    colour.play(story, service.answers(UPLOADED, "processing", "processing"), clock)
    assert service.paths == ["base64_to_url", "img2img", "img2img"]


def test_different_images_go_up_side_by_side() -> None:
    """Only the same one is waited for."""

    async def run() -> None:
        under_way, together = 0, asyncio.Event()

        async def answer(request: httpx.Request) -> httpx.Response:
            nonlocal under_way
            if request.url.path.endswith("base64_to_url"):
                under_way += 1
                if under_way == 4:
                    together.set()
                await asyncio.wait_for(together.wait(), 10)
            return answer_slowly(request, [])

        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
            pony = AsyncPonyClient(KEY, http_client=http)
            await asyncio.gather(*(pony.submit(ImageToImage("x", PNG + bytes([n]))) for n in range(4)))

    asyncio.run(run())


def test_reading_a_file_does_not_hold_up_the_event_loop(clock: VirtualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow disk holds up its own call alone."""
    seen: list[threading.Thread] = []
    load = _pictures.load

    def watched(given: Any) -> Any:
        seen.append(threading.current_thread())
        return load(given)

    monkeypatch.setattr(_pictures, "load", watched)

    def story(pony: Any) -> Generator[Any, Any, Any]:
        yield pony.submit(ImageToImage("x", PNG))

    Colour("async").play(story, Service(clock).answers(UPLOADED, "processing"), clock)
    assert len(seen) == 1
    assert seen[0] is not threading.main_thread()


def test_the_time_of_an_upload_is_part_of_the_wait(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """`wait_timeout` covers all that the call does."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        yield pony.img2img("x", PNG, wait_timeout=40)

    service.answers("error_429", UPLOADED, *["processing"] * 20)
    with pytest.raises(errors.JobTimeout):
        colour.play(story, service, clock, retry=PATIENT)
    assert clock.time == 40


def test_the_first_url_of_an_upload_counts(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """Others may be previews of it."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        yield pony.submit(ImageToImage("x", PNG))

    both = {"status": "success", "output": [*UPLOADED["output"], *OTHER["output"]]}
    colour.play(story, service.answers(both, "processing"), clock)
    assert service.calls[1][1]["init_image"] == UPLOADED["output"][0]
