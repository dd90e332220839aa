"""Images of this machine: each form that they have, the size that they give, what is refused."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from modelslab_pony import ImageToImage, Inpaint, RetryPolicy, errors
from modelslab_pony._pictures import MAX_UPLOAD_BYTES
from modelslab_pony.testing import VirtualClock
from support.both import Colour
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


def test_a_picture_of_pillow_goes_up_as_it_is_seen(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """PNG readers do not turn what lies on its side; the size is the same as for its file."""
    exif = Image.Exif()
    exif[0x0112] = 6
    opened = Image.open(io.BytesIO(file_of("JPEG", (1800, 1200), exif=exif)))
    colour.play(submitting(opened), service.answers(UPLOADED, "processing"), clock)
    assert (service.calls[1][1]["width"], service.calls[1][1]["height"]) == (1200, 1800)
    with Image.open(io.BytesIO(uploaded(service))) as sent:
        assert (sent.size, sent.getexif().get(0x0112, 1)) == ((1200, 1800), 1)
    assert opened.size == (1800, 1200)


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


def test_a_view_of_bytes_goes_up(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """As bytes do."""
    colour.play(submitting(memoryview(PNG)), service.answers(UPLOADED, "processing"), clock)
    assert service.paths == ["base64_to_url", "img2img"]
