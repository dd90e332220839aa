"""What can be done with a picture: saved with its recipe, opened in Pillow, shown in a notebook."""

from __future__ import annotations

import html
import io
import re
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from modelslab_pony import PonyClient, RetryPolicy, TextToImage, _disk, errors, read_recipe
from modelslab_pony._steps import Save
from modelslab_pony.testing import VirtualClock
from support.both import KEY, Colour
from support.scripted import Service

ONCE = RetryPolicy(attempts=1)


def file_of(kind: str, size: tuple[int, int] = (64, 48), mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    Image.new(mode, size, (9, 99, 199)).save(file, kind)
    return file.getvalue()


def making(request: TextToImage, then: Any) -> Any:
    def story(pony: Any) -> Generator[Any, Any, Any]:
        generation = yield pony.generate(request)
        return (yield then(generation.images[0]))

    return story


# --- saved -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_saved_picture_tells_how_it_was_made(
    kind: str, colour: Colour, service: Service, clock: VirtualClock, tmp_path: Path
) -> None:
    """The request that was sent, the seed that was used; Pillow opens it."""
    request = TextToImage("a lighthouse", sampler="Euler a")
    story = making(request, lambda image: image.save(tmp_path))
    path = colour.play(story, service.answers("success", file_of(kind)), clock)
    with Image.open(path) as picture:
        assert (picture.format, picture.size) == (kind, (64, 48))
    recipe = read_recipe(path)
    assert recipe is not None
    assert (recipe.request(), recipe.seed, recipe.job_id) == (request, 3166507001, 70010001)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_each_picture_tells_its_place(colour: Colour, service: Service, clock: VirtualClock, tmp_path: Path) -> None:
    """Among those of its request; a job that was waited for does so, too."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        job = yield pony.submit(TextToImage("a lighthouse", samples=4))
        generation = yield job.wait()
        assert generation.request == job.request == TextToImage("a lighthouse", samples=4)
        return (yield generation.images[3].save(tmp_path / "a.png"))

    service.answers("processing", "success_four_samples", file_of("PNG"))
    recipe = read_recipe(colour.play(story, service, clock))
    assert recipe is not None
    assert recipe.index == 3


def test_without_metadata_the_file_is_as_it_came(
    colour: Colour, service: Service, clock: VirtualClock, tmp_path: Path
) -> None:
    """Byte for byte."""
    content = file_of("PNG")
    story = making(TextToImage("x"), lambda image: image.save(tmp_path / "a.png", metadata=False))
    path = colour.play(story, service.answers("success", content), clock)
    assert path.read_bytes() == content


def test_reading_gives_the_file_as_it_came(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """Only what is saved is written into."""
    content = file_of("PNG")
    story = making(TextToImage("x"), lambda image: image.read())
    assert colour.play(story, service.answers("success", content), clock) == content


def test_a_picture_taken_up_by_its_id_tells_what_is_known(
    colour: Colour, service: Service, clock: VirtualClock, tmp_path: Path
) -> None:
    """The service's record; nothing at all where there is none."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        generation = yield pony.job(70010001).wait()
        assert generation.request is None
        return (yield generation.images[0].save(tmp_path))

    path = colour.play(story, service.answers("success", file_of("PNG")), clock)
    recipe = read_recipe(path)
    assert recipe is not None
    assert (recipe.parameters or "").startswith("a lighthouse\nSteps: 30, Seed: 3166507001, Size: 1024x1024")
    path = colour.play(story, service.answers("fetch_success_minimal", file_of("PNG")), clock)
    assert read_recipe(path) is None


def test_a_picture_is_not_lost_to_what_is_written_into_it(
    colour: Colour, service: Service, clock: VirtualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Should that fail, it is saved as it came; so is a file too large to be looked at."""

    def fail(*_: Any) -> Any:
        raise RuntimeError("a fault of ours")

    content = file_of("PNG")
    story = making(TextToImage("x"), lambda image: image.save(tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr("modelslab_pony.recipes.writer", lambda *_: fail)
        assert colour.play(story, service.answers("success", content), clock).read_bytes() == content
    monkeypatch.setattr(_disk, "MOST_FINISHED", len(content) - 1)
    assert colour.play(story, service.answers("success", content), clock).read_bytes() == content


def test_a_disk_that_fills_up_while_it_is_written_leaves_nothing(
    colour: Colour, service: Service, clock: VirtualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a picture is none; the error names the job."""

    def full(*_: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    story = making(TextToImage("x"), lambda image: image.save(tmp_path))
    with pytest.raises(errors.DownloadError, match="No space left") as raised:
        colour.play(story, service.answers("success", file_of("PNG")), clock)
    assert raised.value.job_id == 70010001
    assert list(tmp_path.iterdir()) == []


def test_the_uploads_url_is_not_in_the_file(
    colour: Colour, service: Service, clock: VirtualClock, tmp_path: Path
) -> None:
    """It lives for a day, and may let in whoever has it."""
    upload = {"status": "success", "output": ["https://images.example/temp/uploaded.png"]}

    def story(pony: Any) -> Generator[Any, Any, Any]:
        generation = yield pony.img2img("x", file_of("PNG"))
        return (yield generation.images[0].save(tmp_path))

    path = colour.play(story, service.answers(upload, "success", file_of("PNG")), clock)
    assert b"uploaded.png" not in path.read_bytes()


# --- Pillow ----------------------------------------------------------------------------------


def test_a_picture_opens_in_pillow(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """Read to its end, so that it needs no file."""
    story = making(TextToImage("x"), lambda image: image.to_pil())
    picture = colour.play(story, service.answers("success", file_of("WEBP")), clock)
    assert (picture.format, picture.size) == ("WEBP", (64, 48))
    red, green, blue = picture.convert("RGB").getpixel((3, 3))
    assert max(abs(red - 9), abs(green - 99), abs(blue - 199)) < 12


def test_without_pillow_the_error_says_what_to_install(
    colour: Colour, service: Service, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is downloaded; it is an ImportError, too."""
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    monkeypatch.setitem(sys.modules, "PIL", None)
    story = making(TextToImage("x"), lambda image: image.to_pil())
    with pytest.raises(errors.MissingExtraError, match=re.escape("pip install 'modelslab-pony[images]'")) as raised:
        colour.play(story, service.answers("success"), clock)
    assert isinstance(raised.value, ImportError)


def test_what_pillow_cannot_read_is_a_failed_download(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """It begins as a picture and is none; the job is named."""
    story = making(TextToImage("x"), lambda image: image.to_pil())
    with pytest.raises(errors.DownloadError, match="Pillow cannot read it") as raised:
        colour.play(story, service.answers("success", file_of("PNG")[:-60] + bytes(48) + b"IEND\xaeB`\x82"), clock)
    assert (raised.value.job_id, raised.value.url) == (70010001, "https://images.example/generations/a1-0.png")


# --- notebooks -------------------------------------------------------------------------------


def generation_of(service: Service, *answers: Any, request: TextToImage | None = None) -> Any:
    """What a notebook has at hand, with the blocking client."""
    service.answers(*answers)
    http = httpx.Client(transport=httpx.MockTransport(service))
    return PonyClient(KEY, http_client=http, retry=ONCE).generate(request or TextToImage("a lighthouse"))


def test_a_notebook_shows_the_picture_and_loads_it_once(service: Service) -> None:
    """The file as PNG; as HTML a small copy inside the page, with prompt and seed."""
    content = file_of("PNG", (1200, 900))
    image = generation_of(service, "success", content).images[0]
    assert image._repr_png_() == content
    page = image._repr_html_()
    assert len(service.calls) == 2
    assert 'src="data:image/jpeg;base64,' in page
    assert "a lighthouse · seed 3166507001 · job 70010001" in html.unescape(page)
    assert len(page) < 20_000


def test_a_notebook_without_pillow_gets_the_whole_file(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it came."""
    image = generation_of(service, "success", file_of("WEBP")).images[0]
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    assert image._repr_png_() is None
    assert 'src="data:image/webp;base64,' in image._repr_html_()


def test_several_pictures_stand_side_by_side(service: Service) -> None:
    """As one PNG there is nothing to show; one alone is shown as itself."""
    several = generation_of(service, "success_four_samples", *[file_of("PNG")] * 4)
    assert several._repr_png_() is None
    assert several._repr_html_().count("<figure") == 4
    one = generation_of(service, "success", file_of("PNG"))
    assert one._repr_png_() == file_of("PNG")
    assert one._repr_html_() == f"<div>{one.images[0]._repr_html_()}</div>"


def test_a_picture_that_is_not_to_be_had_says_why(service: Service) -> None:
    """A notebook is no place for a traceback; the job's id is told."""
    gone = httpx.Response(403)
    image = generation_of(service, "success", gone, gone, gone, gone).images[0]
    assert image._repr_png_() is None
    page = html.unescape(image._repr_html_())
    assert "HTTP 403" in page
    assert "client.job(70010001)" in page


def test_words_are_no_html(service: Service) -> None:
    """Neither a prompt nor a URL can do anything to the page."""
    evil = '"><script>alert(1)</script>'
    body = {"status": "success", "id": 5, "output": [f"https://x.example/{evil}"]}
    page = generation_of(service, body, file_of("PNG"), request=TextToImage(evil))._repr_html_()
    assert "<script" not in page
    assert page.count("<figure") == 1


def test_an_asynchronous_picture_is_shown_from_where_it_is(clock: VirtualClock, service: Service) -> None:
    """Nothing can be awaited while a notebook draws."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.text2img("a lighthouse"))

    generation = Colour("async").play(story, service.answers("success"), clock)
    page = generation._repr_html_()
    assert 'src="https://images.example/generations/a1-0.png"' in page
    assert "a lighthouse · seed 3166507001" in page
    assert len(service.calls) == 1


def test_pictures_can_be_told_apart_and_put_into_sets(service: Service) -> None:
    """By what they are, not by how they were made."""
    several = generation_of(service, "success_four_samples")
    assert len(set(several.images)) == 4


@pytest.mark.parametrize("way", ["refresh", "told by wait", "told by generate"])
def test_every_way_to_a_picture_tells_how_it_was_made(
    way: str, colour: Colour, service: Service, clock: VirtualClock, tmp_path: Path
) -> None:
    """Also the one that a status has."""
    request = TextToImage("a lighthouse", sampler="Euler a")
    told: list[Any] = []

    def story(pony: Any) -> Generator[Any, Any, Any]:
        if way == "told by generate":
            yield pony.generate(request, on_update=told.append)
        else:
            job = yield pony.submit(request)
            if way == "refresh":
                told.append((yield job.refresh()))
            else:
                yield job.wait(on_update=told.append)
        generation = told[-1].generation
        assert generation.request == request
        return (yield generation.images[0].save(tmp_path))

    recipe = read_recipe(colour.play(story, service.answers("processing", "success", file_of("PNG")), clock))
    assert recipe is not None
    assert recipe.request() == request


def test_a_file_that_becomes_smaller_has_nothing_left_behind_it(tmp_path: Path) -> None:
    """What it was before does not show."""
    opened = _disk.open_sink(
        Save(url="https://x.example/a.png", path=tmp_path, max_bytes=100, finish=lambda _: b"small")
    )
    opened.write(b"a long one")
    path, _ = opened.commit(".png")
    opened.discard()
    assert path is not None
    assert path.read_bytes() == b"small"


EVIL = '"><script>alert(1)</script>'


def test_an_asynchronous_picture_is_no_html(clock: VirtualClock, service: Service) -> None:
    """Its URL stands in the page twice."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.text2img(EVIL))

    body = {"status": "success", "id": 5, "output": [f"https://x.example/{EVIL}"]}
    page = Colour("async").play(story, service.answers(body), clock)._repr_html_()
    assert "<script" not in page
    assert html.escape(f"https://x.example/{EVIL}") in page


def test_what_was_downloaded_instead_of_a_picture_is_no_html(service: Service) -> None:
    """The reason repeats its first bytes."""
    page = generation_of(service, "success", b"<script>", b"<script>")._repr_html_()
    assert "<script" not in page
    assert "it begins with" in html.unescape(page)


def test_a_long_prompt_does_not_fill_the_page(service: Service) -> None:
    """Its beginning is shown."""
    page = generation_of(service, "success", file_of("PNG"), request=TextToImage("lighthouse " * 1000))._repr_html_()
    assert len(page) < 5000


def test_a_transparent_picture_is_shown_small(service: Service) -> None:
    """JPEG has no place for it."""
    page = generation_of(service, "success", file_of("PNG", (1200, 900), "RGBA"))._repr_html_()
    assert 'src="data:image/jpeg;base64,' in page
