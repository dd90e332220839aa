"""Whole stories: the simulator behind `prism proxy --errors`, which validates both directions."""

from __future__ import annotations

import io
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from PIL import Image

from modelslab_pony import ImageToImage, TextToImage, errors, read_recipe
from modelslab_pony.testing import Simulator, VirtualClock
from support.both import KEY, Colour
from support.wire import Wire


@pytest.fixture
def wire(colour: Colour, proxy_url: str) -> Wire:
    return Wire(colour, proxy_url)


@pytest.fixture(autouse=True)
def _fresh(simulator: Simulator) -> Iterator[None]:
    """Each journey begins with the same service."""
    simulator.eta, simulator.outcome, simulator.key = 20, "success", KEY
    yield
    simulator.key = simulator.models = None
    simulator.balance, simulator.queue_limit, simulator.image_life = 25, 5, 24 * 3600


def test_from_prompt_to_file(wire: Wire, virtual: VirtualClock, simulator: Simulator, tmp_path: Path) -> None:
    """Submitted, processing, done after its eta, saved: the picture that was asked for."""
    seen: list[str] = []

    def story(pony: Any) -> Generator[Any, Any, Any]:
        generation = yield pony.text2img(
            "a lighthouse at dusk",
            width=1152,
            height=1024,
            seed=7,
            sampler="DPM++ 2M Karras",
            on_update=lambda status: seen.append(status.status),
        )
        return generation, (yield generation.images[0].save(tmp_path / "lighthouse.png"))

    began = virtual.time
    generation, path = wire.play(story, clock=virtual)
    with Image.open(path) as picture:
        assert (picture.format, picture.size) == ("PNG", (1152, 1024))
    assert (seen[0], seen[-1]) == ("processing", "success")
    assert 20 <= virtual.time - began < 25
    job = simulator.jobs[generation.id]
    assert (generation.seed, job.seed, job.request["width"]) == (7, 7, 1152)
    assert generation.images[0].url == job.image_urls()[0]
    assert job.request["scheduler"] == "DPMSolverMultistepScheduler"
    assert wire.violations == []


def test_several_images_saved_into_a_folder(wire: Wire, virtual: VirtualClock, tmp_path: Path) -> None:
    """Four samples, four different files, named after their URLs."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        generation = yield pony.text2img("a lighthouse", samples=4, safety_checker=False)
        first, second, third, fourth = generation.images
        saved = [(yield first.save(tmp_path)), (yield second.save(tmp_path))]
        return [*saved, (yield third.save(tmp_path)), (yield fourth.save(tmp_path))]

    paths = wire.play(story, clock=virtual)
    assert len({path.read_bytes() for path in paths}) == 4
    assert sorted(tmp_path.iterdir()) == sorted(paths)


def pixel(picture: Image.Image, place: tuple[int, int]) -> tuple[int, int, int]:
    found: Any = picture.convert("RGB").getpixel(place)
    return found[0], found[1], found[2]


def test_from_a_local_image_to_another(wire: Wire, virtual: VirtualClock, tmp_path: Path) -> None:
    """img2img: the file goes up once, gives the size, and shows through; the saved picture tells how it was made."""
    first = tmp_path / "first.jpg"
    Image.new("RGB", (1301, 1100), (250, 20, 20)).save(first)

    def story(pony: Any) -> Generator[Any, Any, Any]:
        again = yield pony.submit(ImageToImage("a lighthouse", first, strength=0.0, seed=3))
        generation = yield pony.img2img("a lighthouse", first, strength=0.25, seed=3)
        yield again.wait()
        return generation, (yield generation.images[0].save(tmp_path / "second.png"))

    generation, path = wire.play(story, clock=virtual)
    with Image.open(path) as picture:
        assert (picture.format, picture.size) == ("PNG", (1304, 1104))
        red, green, _ = pixel(picture, (5, 5))
    assert red > 180 > green + 60
    assert wire.paths.count("/base64_to_url") == 1
    assert wire.violations == []
    recipe = read_recipe(path)
    assert recipe is not None
    assert recipe.request() == generation.request == ImageToImage("a lighthouse", first, strength=0.25, seed=3)
    assert "Size: 1304x1104" in (recipe.parameters or "")


def test_a_masked_part_is_painted_anew(wire: Wire, virtual: VirtualClock, simulator: Simulator, tmp_path: Path) -> None:
    """inpaint: bytes and a PIL image go up; what the mask leaves black stays as it was."""
    whole, mask = Image.new("RGB", (600, 520), (250, 20, 20)), Image.new("L", (600, 520), 0)
    mask.paste(255, (300, 0, 600, 520))
    file = io.BytesIO()
    whole.save(file, "PNG")

    def story(pony: Any) -> Generator[Any, Any, Any]:
        generation = yield pony.inpaint(
            "the sea", init_image=file.getvalue(), mask_image=mask, num_inference_steps=5, strength=1.0
        )
        return generation, (yield generation.images[0].save(tmp_path))

    generation, path = wire.play(story, clock=virtual)
    with Image.open(path) as picture:
        assert (picture.format, picture.size) == ("PNG", (600, 520))
        kept, painted = pixel(picture, (20, 20)), pixel(picture, (580, 20))
    assert kept == (250, 20, 20) != painted
    assert simulator.jobs[generation.id].request["steps"] == 5
    assert wire.paths.count("/base64_to_url") == 2
    assert wire.violations == []
    recipe = read_recipe(path)
    assert recipe is not None
    assert recipe.omitted == ("init_image", "mask_image")


def test_the_account_and_a_model(wire: Wire, virtual: VirtualClock) -> None:
    """What is queued is counted until it is done, and paid for; loading a model takes two minutes."""
    model_id = f"a-model-at-{virtual.time}"  # the journeys share one service

    def story(pony: Any) -> Generator[Any, Any, Any]:
        before, idle = (yield pony.balance()), (yield pony.queued())
        job = yield pony.submit(TextToImage("a lighthouse", samples=4))
        busy = yield pony.queued()
        yield job.wait()
        done, after, begun = (yield pony.queued()), (yield pony.balance()), (yield pony.reload_model(model_id))
        virtual.sleep(120)
        return before, idle, busy, done, after, begun, (yield pony.reload_model(model_id))

    before, idle, busy, done, after, begun, loaded = wire.play(story, clock=virtual)
    assert (before.currency, begun.status, loaded.status) == ("USD", "processing", "success")
    assert (busy - idle, done - idle) == (1, 0)
    assert before.balance - after.balance == pytest.approx(0.04)
    assert wire.violations == []


def test_a_job_left_and_taken_up_by_another_client(wire: Wire, virtual: VirtualClock) -> None:
    """Time ran out; the error's id is all that the second process has."""

    def first(pony: Any) -> Generator[Any, Any, Any]:
        try:
            yield pony.text2img("a lighthouse", wait_timeout=5)
        except errors.JobTimeout as timeout:
            return timeout.job_id

    def second(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.job(job_id).wait())

    job_id = wire.play(first, clock=virtual)
    assert wire.play(second, clock=virtual).id == job_id


def test_a_job_that_succeeds_at_once(wire: Wire, virtual: VirtualClock, simulator: Simulator) -> None:
    """One call."""
    simulator.eta = 0

    def story(pony: Any) -> Generator[Any, Any, Any]:
        job = yield pony.submit(TextToImage("a lighthouse"))
        return (yield job.wait())

    assert len(wire.play(story, clock=virtual).images) == 1
    assert len(wire.sent) == 1


def test_a_job_that_fails(wire: Wire, virtual: VirtualClock, simulator: Simulator) -> None:
    """The service's words, and the job's id although the answer's is empty."""
    simulator.outcome = "failed"

    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.text2img("a lighthouse"))

    with pytest.raises(errors.GenerationFailed, match="Failed, Try Again") as raised:
        wire.play(story, clock=virtual)
    assert raised.value.job_id in simulator.jobs


def test_a_job_that_nobody_knows(wire: Wire, virtual: VirtualClock) -> None:
    """Asked about by id."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.fetch(1))

    with pytest.raises(errors.NotFoundError) as raised:
        wire.play(story, clock=virtual)
    assert raised.value.job_id == 1


def test_a_full_queue_is_waited_for(wire: Wire, virtual: VirtualClock, simulator: Simulator) -> None:
    """429 with its wait goes through the proxy; the request is sent again then, and accepted once."""
    simulator.queue_limit = 1

    def story(pony: Any) -> Generator[Any, Any, Any]:
        first = yield pony.submit(TextToImage("first"))
        second = yield pony.submit(TextToImage("second"))
        return (yield first.wait()), (yield second.wait())

    before = simulator.jobs.accepted
    first, second = wire.play(story, clock=virtual)
    assert first.id != second.id
    assert simulator.jobs.accepted == before + 2
    assert wire.paths.count("/text2img") == 3
    assert wire.violations == []


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("balance", 0, errors.InsufficientCreditsError),
        ("models", {"another"}, errors.NotFoundError),
        ("key", "sk-another-key-0123", errors.AuthenticationError),
    ],
)
def test_a_refusal(
    name: str, value: Any, error: type[errors.APIError], wire: Wire, virtual: VirtualClock, simulator: Simulator
) -> None:
    """As documented, through the proxy; nothing is accepted."""
    setattr(simulator, name, value)
    before = simulator.jobs.accepted

    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.text2img("a lighthouse"))

    with pytest.raises(error):
        wire.play(story, clock=virtual)
    assert simulator.jobs.accepted == before
    assert wire.violations == []


def test_images_that_have_expired(wire: Wire, virtual: VirtualClock, simulator: Simulator) -> None:
    """Paid for, and gone from both addresses: the error names the job."""
    simulator.image_life = 60

    def story(pony: Any) -> Generator[Any, Any, Any]:
        generation = yield pony.text2img("a lighthouse")
        virtual.sleep(100)
        return (yield generation.images[0].read())

    with pytest.raises(errors.DownloadError) as raised:
        wire.play(story, clock=virtual)
    assert raised.value.job_id in simulator.jobs


def test_the_cdn_gives_what_the_output_url_does_not(wire: Wire, virtual: VirtualClock) -> None:
    """An output URL that answers 404 costs nothing: the same picture comes from its second address."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        generation = yield pony.text2img("a lighthouse")
        (image,) = generation.images
        gone = attrs.evolve(image, url=image.url.replace("-0.png", "-3.png"))
        return (yield image.read()), (yield gone.read())

    whole, again = wire.play(story, clock=virtual)
    assert whole == again


def test_this_proxy_refuses_what_breaks_the_spec(wire: Wire, virtual: VirtualClock) -> None:
    """Without local checks a bad width reaches the proxy, and no further."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.text2img("a lighthouse", width=1023))

    with pytest.raises(errors.BadRequestError) as raised:
        wire.play(story, clock=virtual, strict=False)
    assert raised.value.status_code == 422
