"""Images of this machine: checked, uploaded once, and gone from the request that is sent."""

from __future__ import annotations

import asyncio
import base64
import io
import os
import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from modelslab_pony import AsyncPonyClient, ImageToImage, Inpaint, PonyClient, RetryPolicy, errors
from modelslab_pony._pictures import MAX_UPLOAD_BYTES
from modelslab_pony._uploads import URL_LIFE, Uploads
from modelslab_pony._wire import LocalImage
from modelslab_pony.testing import VirtualClock
from support.both import KEY, Colour
from support.scripted import PNG, Service

UPLOADED: dict[str, Any] = {"status": "success", "output": ["https://images.example/temp/a.png"]}
PATIENT = RetryPolicy(attempts=3, min_delay=1, max_delay=60)


def file_of(kind: str, size: tuple[int, int] = (1500, 1100), mode: str = "RGB", **options: Any) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size).save(file, kind, **options)
    return file.getvalue()


def submitting(init_image: Any, **options: Any) -> Any:
    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.submit(ImageToImage("a lighthouse", init_image, **options)))

    return story


def uploaded(service: Service) -> bytes:
    """What the first call sent up."""
    place, body = service.calls[0]
    assert place == "base64_to_url"
    head, _, content = body["base64_string"].partition(";base64,")
    assert head.startswith("data:image/")
    return base64.b64decode(content, validate=True)


# --- each form -------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["path", "text", "bytes", "bytearray", "picture"])
def test_each_form_goes_up_and_its_url_is_sent(
    form: str, colour: Colour, service: Service, clock: VirtualClock, tmp_path: Path
) -> None:
    """A path, its text, bytes of both kinds, a PIL image: the request names the URL that came back."""
    content = file_of("PNG")
    path = tmp_path / "first.png"
    path.write_bytes(content)
    forms: dict[str, Any] = {
        "path": path,
        "text": str(path),
        "bytes": content,
        "bytearray": bytearray(content),
        "picture": Image.open(io.BytesIO(content)),
    }
    colour.play(submitting(forms[form]), service.answers(UPLOADED, "processing"), clock)
    assert service.paths == ["base64_to_url", "img2img"]
    assert Image.open(io.BytesIO(uploaded(service))).size == (1500, 1100)
    assert service.calls[1][1]["init_image"] == UPLOADED["output"][0]
    assert (service.calls[1][1]["width"], service.calls[1][1]["height"]) == (1504, 1104)


def test_a_url_is_sent_as_it_is(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """Nothing goes up, and the size is the spec's default."""
    colour.play(submitting("https://x.example/a.png?sig=1"), service.answers("processing"), clock)
    ((place, body),) = service.calls
    assert (place, body["init_image"], body["width"]) == ("img2img", "https://x.example/a.png?sig=1", 2048)


MODES = {mode: mode for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")} | {
    **dict.fromkeys(("CMYK", "YCbCr", "HSV", "LAB", "RGBX"), "RGB"),
    **dict.fromkeys(("PA", "RGBa", "La"), "RGBA"),
}


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_with_colours_goes_up_as_png(
    mode: str, colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """What PNG has no place for is turned into colours that it has, without the profile of others."""
    picture = Image.new(mode, (16, 16))
    picture.info["icc_profile"] = b"profile"
    colour.play(submitting(picture), service.answers(UPLOADED, "processing"), clock)
    with Image.open(io.BytesIO(uploaded(service))) as sent:
        assert (sent.format, sent.mode) == ("PNG", MODES[mode])
        assert ("icc_profile" in sent.info) == (mode == MODES[mode])


@pytest.mark.parametrize("mode", ["I", "F", "I;16B"])
def test_a_mode_without_colours_is_refused(mode: str, colour: Colour, service: Service, clock: VirtualClock) -> None:
    """Clipped to white or black it would be paid for, and be no picture."""
    assert 'give it as picture.convert("L")' in str(refused(Image.new(mode, (8, 8)), colour, service, clock))


@pytest.mark.parametrize(("kind", "media"), [("PNG", "png"), ("JPEG", "jpeg"), ("WEBP", "webp"), ("GIF", "gif")])
def test_bytes_go_up_unchanged_under_their_own_type(
    kind: str, media: str, colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """Whatever the file is called: the first bytes tell, and the header's size counts."""
    content = file_of(kind)
    colour.play(submitting(content), service.answers(UPLOADED, "processing"), clock)
    assert uploaded(service) == content
    assert service.calls[0][1]["base64_string"].startswith(f"data:image/{media};base64,")
    assert service.calls[1][1]["width"] == 1504


# --- size ------------------------------------------------------------------------------------

SIZES: dict[tuple[str, tuple[int, int]], tuple[int, int]] = {
    ("img2img", (1024, 2048)): (1024, 2048),
    ("img2img", (1027, 1028)): (1024, 1032),
    ("img2img", (600, 5000)): (1024, 2048),
    ("inpaint", (516, 1021)): (520, 1024),
    ("inpaint", (511, 4000)): (512, 1024),
}


@pytest.mark.parametrize(("operation", "size"), SIZES)
def test_the_size_is_the_local_images_as_far_as_it_fits(
    operation: str, size: tuple[int, int], colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """Rounded to 8, clipped to the operation's bounds."""
    content = file_of("PNG", size)

    def story(pony: Any) -> Generator[Any, Any, Any]:
        if operation == "img2img":
            yield pony.submit(ImageToImage("x", content))
        else:
            yield pony.submit(Inpaint(init_image=content, mask_image="https://x.example/m.png"))

    colour.play(story, service.answers(UPLOADED, "processing"), clock)
    assert (service.calls[1][1]["width"], service.calls[1][1]["height"]) == SIZES[operation, size]


def test_a_size_that_is_given_counts(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """Each of the two by itself, also the one that is the spec's default."""
    colour.play(submitting(file_of("PNG"), width=2048), service.answers(UPLOADED, "processing"), clock)
    assert (service.calls[1][1]["width"], service.calls[1][1]["height"]) == (2048, 1104)


def test_a_photograph_on_its_side_gives_the_size_that_is_seen(
    colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """As its EXIF turns it."""
    exif = Image.Exif()
    exif[0x0112] = 6
    content = file_of("JPEG", (1800, 1200), exif=exif)
    colour.play(submitting(content), service.answers(UPLOADED, "processing"), clock)
    assert (service.calls[1][1]["width"], service.calls[1][1]["height"]) == (1200, 1800)


def test_an_image_that_does_not_tell_its_size_has_the_specs(
    colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """A header cut short is no reason to refuse it."""
    colour.play(submitting(PNG), service.answers(UPLOADED, "processing"), clock)
    assert (service.calls[1][1]["width"], service.calls[1][1]["height"]) == (2048, 2048)


# --- what is refused here --------------------------------------------------------------------


def refused(init_image: Any, colour: Colour, service: Service, clock: VirtualClock, **options: Any) -> Any:
    with pytest.raises(errors.InvalidRequestError) as raised:
        colour.play(submitting(init_image, **options), service, clock)
    assert service.calls == []
    assert "Nothing was sent." in str(raised.value)
    return raised.value


BAD: list[tuple[Any, str]] = [
    ("no-such-file.png", "neither an http(s) URL nor a file"),
    (Path("no-such-file.png"), "'no-such-file.png' is neither an http(s) URL nor a file"),
    ("http://", "must be an http(s) URL, a path, bytes or a PIL image, not 'http://'"),
    ("https://x.example/ü.png", "must be an http(s) URL"),
    ("https://x.example/a\x00b.png", "must be an http(s) URL"),
    (Path("/"), "is a folder"),
    ("a\0b", "neither an http(s) URL nor a file"),
    (b"", "it is empty"),
    (b"<html>not found</html>", "is no PNG, JPEG, WebP or GIF: it begins with b'<html>not fo'"),
    (b"BM" + bytes(100), "is no PNG, JPEG, WebP or GIF"),
    (PNG + bytes(MAX_UPLOAD_BYTES), "larger than the 5 MB"),
    (7, "must be an http(s) URL, a path, bytes or a PIL image, not 7 (int)"),
    (None, "must be an http(s) URL, a path, bytes or a PIL image, not None"),
    ([b"x"], "must be an http(s) URL, a path, bytes or a PIL image"),
]


@pytest.mark.parametrize(("given", "said"), BAD, ids=range(len(BAD)))
def test_what_cannot_be_uploaded_is_refused(
    given: Any, said: str, colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """With the field, the value and the way out; together with every other field's fault."""
    error = refused(given, colour, service, clock, strength=2, samples=0)
    assert set(error.errors) == {"init_image", "strength", "samples"}
    assert said in error.errors["init_image"][0]


def test_both_images_are_judged(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """At once."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        yield pony.inpaint(init_image="nothing.png", mask_image=b"text")

    with pytest.raises(errors.InvalidRequestError) as raised:
        colour.play(story, service, clock)
    assert set(raised.value.errors) == {"init_image", "mask_image"}


def test_exactly_5_mb_go_up(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """A byte more does not."""
    most = PNG + bytes(MAX_UPLOAD_BYTES - len(PNG))
    colour.play(submitting(most), service.answers(UPLOADED, "processing"), clock)
    assert len(uploaded(service)) == 5_000_000
    refused(most + b"\0", colour, Service(clock), clock)


def test_a_large_file_is_not_read_to_its_end(
    colour: Colour, service: Service, clock: VirtualClock, tmp_path: Path
) -> None:
    """As much of it as proves that it is too large; what is no file at all is not opened."""
    path = tmp_path / "large.png"
    with path.open("wb") as file:
        file.write(PNG)
        file.truncate(10**12)  # a hole: it takes no room
    assert "5 MB" in str(refused(path, colour, service, clock))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert "nor a file" in str(refused(pipe, colour, service, clock))


def test_a_picture_that_cannot_be_read_is_refused(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """Pillow finds out only when it is asked for the pixels."""
    cut = Image.open(io.BytesIO(file_of("PNG", (600, 600))[:-40]))
    assert "cannot be written as PNG" in str(refused(cut, colour, service, clock))


@pytest.mark.parametrize(
    ("text", "extra"),
    [
        ("iVBORw0KGgo", {"base64": "yes"}),
        ("data:image/png;base64,iVBO", {}),
        ("iVBORw0KGgo" * 20, {}),
        ("http://ü", {}),
    ],
)
def test_without_strict_what_may_be_an_image_is_sent_as_it_is(
    text: str, extra: dict[str, str], colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """Community models take base64 itself."""
    colour.play(submitting(text, extra=extra), service.answers("processing"), clock, strict=False)
    assert service.calls[0][1]["init_image"] == text


def test_without_strict_a_path_that_names_nothing_is_still_refused(
    colour: Colour, service: Service, clock: VirtualClock, tmp_path: Path
) -> None:
    """A slip would be paid for; so would a file that is too large, and bytes that are no image."""
    large = tmp_path / "large.png"
    large.write_bytes(PNG + bytes(MAX_UPLOAD_BYTES))
    for given in ("typo.png", "~/pictures/me.png", str(large), large, b"text"):
        with pytest.raises(errors.InvalidRequestError, match="init_image"):
            colour.play(submitting(given), service, clock, strict=False)
    assert service.calls == []


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

    with pytest.raises(errors.TransportError, match="the time was over"):
        colour.play(story, service.answers(slow(21, clock)), clock)
    colour.play(story, service.answers(slow(19, clock), "success"), clock)
    assert service.paths == ["base64_to_url", "base64_to_url", "img2img"]


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
    assert raised.value.__notes__ == ["uploading init_image; no image was asked for yet"]


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
