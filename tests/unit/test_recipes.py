"""How a picture was made: written into its file, and read back the same."""

from __future__ import annotations

import contextlib
import io
import json
import os
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from PIL import Image
from PIL.ExifTags import IFD
from PIL.PngImagePlugin import PngInfo

from modelslab_pony import (
    ImageToImage,
    Inpaint,
    InvalidRequestError,
    Recipe,
    TextToImage,
    _embed,
    _exif,
    _formats,
    read_recipe,
    samplers,
)
from modelslab_pony._embed import Texts, embed
from modelslab_pony._private import may_be_kept
from modelslab_pony._redact import Redactor
from modelslab_pony._wire import prepare
from modelslab_pony.recipes import parse, recipe_of, recipe_of_meta, writer
from modelslab_pony.requests import Request
from support import a1111
from support.both import KEY
from support.pictures import DONE, KINDS, URLS, picture, read_back, recipe_for, written


def pixels(content: bytes) -> tuple[tuple[int, int], bytes]:
    with Image.open(io.BytesIO(content)) as opened:
        return opened.size, opened.convert("RGBA").tobytes()


# A busy machine is no fault of a test.
PATIENT = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


# --- there and back --------------------------------------------------------------------------

# What may hold a secret is left out of a picture (`test_private.py`), and so does not come back.
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(
    lambda text: text.strip() and may_be_kept("", text)
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
).filter(lambda value: may_be_kept("", value))
images = st.sampled_from(URLS) | st.builds(Path, st.just("pictures"), st.just("first image.png"))
sizes = st.integers(128, 256).map(lambda eighths: eighths * 8)
common: dict[str, Any] = {
    "model_id": texts,
    "negative_prompt": st.none() | texts,
    "samples": st.integers(1, 4),
    "guidance_scale": st.floats(1, 20) | st.integers(1, 20),
    "safety_checker": st.booleans(),
    "seed": st.none() | st.integers(-(2**63), 2**64),
    "use_karras_sigmas": st.none() | st.just(True),
    "clip_skip": st.integers(1, 4),
    "webhook": st.none() | st.just("https://hook.example/done"),
    "track_id": st.none() | texts,
    "sampler": st.none() | st.sampled_from(sorted(samplers.SAMPLERS)).map(str.upper),
    "extra": st.dictionaries(st.sampled_from(["zeta", "lora_model", "upscale"]), json_values, max_size=2),
}
requests: st.SearchStrategy[Request] = st.one_of(
    st.builds(TextToImage, texts, width=sizes, height=sizes, num_inference_steps=st.integers(20, 50), **common),
    st.builds(ImageToImage, texts, images, strength=st.floats(0, 1), width=st.none() | sizes, **common),
    st.builds(Inpaint, st.none() | texts, init_image=images, mask_image=images, strength=st.floats(0, 1), **common),
)


@pytest.mark.parametrize("kind", KINDS)
@settings(PATIENT, max_examples=200)
@given(request=requests)
def test_a_request_comes_back_from_a_picture(kind: str, request: Request) -> None:
    """The very same one, with every type; and the picture is as it was."""
    before = picture(kind)
    after = written(request, before)
    recipe = read_back(after)
    assert (recipe.omitted, recipe.request()) == ((), request)
    assert type(recipe.request()) is type(request)
    assert pixels(after) == pixels(before)


@pytest.mark.parametrize("kind", KINDS)
def test_the_file_tells_what_the_service_did(kind: str) -> None:
    """The seed that was really used, the job, and which of its pictures it is."""
    request = TextToImage("a lighthouse", samples=4)
    recipe = recipe_of(prepare(request, {}, strict=True), attrs.evolve(DONE, seed=3166507001), 2)
    finish = writer(recipe, Redactor(KEY))
    assert finish is not None
    found = read_back(finish(picture(kind)))
    assert found == recipe
    assert (found.seed, found.job_id, found.index) == (3166507001, 70010001, 2)
    assert found.request().seed is None
    assert found.request(seed=found.seed).seed == 3166507001


def test_saving_anew_replaces_the_recipe() -> None:
    """There is never an older one beside it."""
    for kind in KINDS:
        once = written(TextToImage("first"), picture(kind))
        twice = written(TextToImage("second"), once)
        assert read_back(twice).request() == TextToImage("second")
        assert b"first" not in twice
        assert "first".encode("utf-16-be") not in twice
        assert abs(len(once) - len(twice)) < 20


# --- Automatic1111 ---------------------------------------------------------------------------


def parameters(request: Request, seed: int | None = 7) -> str:
    return recipe_for(request, attrs.evolve(DONE, seed=seed)).parameters or ""


def test_the_text_is_automatic1111s() -> None:
    """Prompt, negative prompt, and the settings in that tool's order."""
    request = TextToImage("a lighthouse, dusk", negative_prompt="rain", sampler="dpm++ 2m karras")
    lines = parameters(request).splitlines()
    assert lines[:2] == ["a lighthouse, dusk", "Negative prompt: rain"]
    assert lines[2].startswith(
        "Steps: 30, Sampler: DPM++ 2M Karras, CFG scale: 7.5, Seed: 7, Size: 1024x1024, "
        "Model: pony-realism, Clip skip: 2, Version: modelslab-pony "
    )
    assert len(lines) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_parses_with_automatic1111s_grammar(kind: str) -> None:
    """As Pillow hands the text to it, from each kind of file."""
    request = TextToImage(
        "a lighthouse:\ntwo lines, (weighted:1.2) <lora:x:1>",
        negative_prompt="rain, wind",
        model_id='odd, "model": x',
        sampler="DPM++ 2M Karras",
        guidance_scale=7,
    )
    with Image.open(io.BytesIO(written(request, picture(kind)))) as opened:
        if kind == "PNG":
            text = opened.info["parameters"]
        else:
            comment = opened.getexif().get_ifd(IFD.Exif)[0x9286]
            assert comment[:8] == b"UNICODE\0"
            text = comment[8:].decode("utf-16-be")
    found = a1111.read(text)
    assert found.pop("Version").startswith("modelslab-pony")
    assert found == {
        "Prompt": request.prompt,
        "Negative prompt": "rain, wind",
        "Steps": "30",
        "Sampler": "DPM++ 2M Karras",
        "CFG scale": "7",
        "Seed": "7",
        "Size": "1024x1024",
        "Model": 'odd, "model": x',
        "Clip skip": "2",
    }


SAMPLED: list[tuple[dict[str, Any], str]] = [
    ({}, "DPM++ 2M SDE Karras"),
    ({"use_karras_sigmas": False}, "DPM++ 2M SDE"),
    ({"algorithm_type": None}, "DPM++ 2M Karras"),
    ({"algorithm_type": "no"}, "DPM++ 2M Karras"),
    ({"sampler": "dpm++ 3m sde karras"}, "DPM++ 3M SDE Karras"),
    ({"sampler": "DPM++ 2M", "use_karras_sigmas": True}, "DPM++ 2M Karras"),
    ({"sampler": "plms"}, "PLMS"),
    ({"sampler": "pndm"}, "PNDM"),
    ({"scheduler": "EulerAncestralDiscreteScheduler"}, "Euler a"),
    ({"scheduler": "EulerDiscreteScheduler", "use_karras_sigmas": True}, "Euler"),
    ({"scheduler": "BrandNewScheduler"}, "BrandNewScheduler"),
]


@pytest.mark.parametrize(("options", "name"), SAMPLED, ids=[str(options) for options, _ in SAMPLED])
def test_the_sampler_is_named_as_people_know_it(options: dict[str, Any], name: str) -> None:
    """For what was really sent; a scheduler that nobody has a name for is named itself."""
    assert a1111.read(parameters(TextToImage("x", **options)))["Sampler"] == name


def test_other_operations_tell_what_is_theirs() -> None:
    """The size that was sent, the strength, the steps of inpainting."""
    assert "Size: 1024x1024, Model: pony-realism, Denoising strength: 0.25" in parameters(
        ImageToImage("x", b"bytes", strength=0.25)
    )
    text = parameters(Inpaint(init_image=b"bytes", mask_image=b"bytes", num_inference_steps=9))
    assert a1111.read(text)["Steps"] == "9"
    assert a1111.read(text)["Prompt"] == ""
    assert "Seed" not in a1111.read(parameters(TextToImage("x"), seed=None))


def test_a_picture_fetched_by_its_id_tells_what_the_service_recorded() -> None:
    """No request is known then; the record's own names are put right, and nothing is made up."""
    meta = {"prompt": "a lighthouse", "W": 1152, "H": 1024, "steps": 21, "n_samples": 2, "model_id": "m", "key": KEY}
    recipe = recipe_of_meta(attrs.evolve(DONE, meta=meta), 0)
    assert recipe is not None
    found = a1111.read(recipe.parameters or "")
    assert (found["Prompt"], found["Steps"], found["Seed"], found["Size"]) == ("a lighthouse", "21", "7", "1152x1024")
    assert (recipe.operation, recipe.document(), KEY in repr(recipe)) == (None, None, False)
    with pytest.raises(InvalidRequestError, match="fetched by its id, or made by another tool"):
        recipe.request()
    assert recipe_of_meta(attrs.evolve(DONE, meta={"seed": 5}), 0) is None
    assert recipe_of_meta(attrs.evolve(DONE, meta={"prompt": None}), 0) is None


# --- files ------------------------------------------------------------------------------------

MODES = [("PNG", mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA")] + [
    ("JPEG", "L"),
    ("JPEG", "RGB"),
    ("JPEG", "CMYK"),
    ("WEBP", "RGB"),
    ("WEBP", "RGBA"),
]


@pytest.mark.parametrize(("kind", "mode"), MODES)
@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"icc_profile": b"profile"}, {"optimize": True}], ids=str)
def test_every_kind_of_picture_stays_what_it_was(kind: str, mode: str, options: dict[str, Any]) -> None:
    """Pixels, mode and colour profile; odd sizes, transparent ones."""
    before = picture(kind, (13, 7), mode, **options)
    after = written(TextToImage("a lighthouse"), before)
    assert after != before
    assert pixels(after) == pixels(before)
    with Image.open(io.BytesIO(before)) as old, Image.open(io.BytesIO(after)) as new:
        assert (new.format, new.mode) == (old.format, old.mode)
        assert new.info.get("icc_profile") == old.info.get("icc_profile")
    assert read_back(after).request() == TextToImage("a lighthouse")


def test_which_way_is_up_is_kept() -> None:
    """A picture that comes with EXIF of its own keeps its orientation."""
    exif = Image.Exif()
    exif[0x0112] = 6
    for kind in ("JPEG", "WEBP"):
        after = written(TextToImage("x"), picture(kind, exif=exif))
        with Image.open(io.BytesIO(after)) as opened:
            assert opened.getexif()[0x0112] == 6
        assert read_back(after).request() == TextToImage("x")


def test_other_texts_of_a_png_stay() -> None:
    """Only those that are written anew are replaced; one by another tool is read, packed or not."""
    for packed in (False, True):
        info = PngInfo()
        info.add_itxt("parameters", "by another tool: ü", zip=packed)
        info.add_text("Comment", "stays", zip=packed)
        before = picture("PNG", pnginfo=info)
        assert parse(before) == Recipe(parameters="by another tool: ü")
        after = written(TextToImage("x"), before)
        with Image.open(io.BytesIO(after)) as opened:
            assert opened.info["Comment"] == "stays"
        assert (read_back(after).parameters or "").startswith("x\nSteps: 30")


def test_an_animated_webp_keeps_its_frames() -> None:
    """And a still one of several chunks its order."""
    file = io.BytesIO()
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "green", "blue")]
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:], xmp=b"<x/>")
    after = written(TextToImage("x"), file.getvalue())
    with Image.open(io.BytesIO(after)) as opened:
        assert (getattr(opened, "n_frames", 0), opened.info.get("xmp")) == (3, b"<x/>")
    assert read_back(after).request() == TextToImage("x")


def test_what_cannot_take_a_recipe_stays_as_it_is() -> None:
    """A GIF, no picture at all, a broken one, a JPEG whose segment would be too long."""
    broken = [content[:cut] for kind in KINDS for content in [picture(kind)] for cut in (12, 20, 30)]
    for content in (picture("GIF"), b"", b"<html>", *broken):
        assert written(TextToImage("x"), content) == content
        assert parse(content) is None


def test_a_model_with_a_private_url_breaks_no_setting() -> None:
    """Each value is judged by itself."""
    found = a1111.read(
        parameters(ImageToImage("x", "https://x.example/a.png", model_id="https://m.example/x?token=abc"))
    )
    assert (found["Model"], found["Denoising strength"]) == ("[URL]", "0.7")


def test_a_long_prompt_keeps_the_request_at_least() -> None:
    """A segment of a JPEG has 64 KB; the other formats have no such limit."""
    long, too_long = TextToImage("lighthouse " * 3000), TextToImage("lighthouse " * 6000)
    recipe = read_back(written(long, picture("JPEG")))
    assert (recipe.request(), recipe.parameters) == (long, "")
    assert written(too_long, picture("JPEG")) == picture("JPEG")
    only_text = TextToImage("x" * 10_000, negative_prompt="\u4e00" * 20_000)
    recipe = read_back(written(only_text, picture("JPEG")))
    assert (recipe.operation, recipe.parameters) == (None, recipe_for(only_text).parameters)
    for kind in ("PNG", "WEBP"):
        assert read_back(written(too_long, picture(kind))).request() == too_long


def test_a_picture_that_is_cut_is_not_made_to_look_whole() -> None:
    """A byte short: the file stays as it came, with all that is there."""
    file = io.BytesIO()
    frames = [Image.new("RGBA", (16, 16), colour) for colour in ("red", "green", "blue")]
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:])
    for content in (file.getvalue(), picture("WEBP", mode="RGBA", exact=True), picture("PNG")):
        assert written(TextToImage("x"), content[:-1]) == content[:-1]


def test_what_stands_behind_or_between_is_no_hindrance() -> None:
    """Bytes after a PNG's end; fill bytes in front of a JPEG's markers."""
    padded = picture("PNG") + bytes(100)
    after = written(TextToImage("x"), padded)
    assert (after[-100:], read_back(after).request()) == (bytes(100), TextToImage("x"))
    filled = picture("JPEG").replace(b"\xff\xda", b"\xff\xff\xff\xda", 1)
    after = written(TextToImage("x"), filled)
    assert read_back(after).request() == TextToImage("x")
    assert pixels(after) == pixels(filled)


def test_a_path_that_is_no_text_comes_back() -> None:
    """As the system gave it."""
    request = ImageToImage("x", Path(os.fsdecode(b"/pictures/\xff.png")))
    for kind in KINDS:
        assert read_back(written(request, picture(kind))).request() == request


class _Watched(bytes):
    """Counts the bytes that are cut out of it."""

    taken = 0

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        self.taken += len(found) if isinstance(found, bytes) else 1
        return found


def test_a_hostile_file_costs_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts that nobody asked for are not unpacked; no value is read twice; a file of a million parts is left alone."""
    unpacked: list[bytes] = []

    def unpack(content: bytes) -> bytes:
        unpacked.append(content)
        return b"x"

    monkeypatch.setattr(_embed, "_unpacked", unpack)
    info = PngInfo()
    for number in range(50):
        info.add_text(f"bomb {number}", "x" * 1000, zip=True)
    info.add_text("parameters", "one", zip=True)
    info.add_text("parameters", "two", zip=True)
    content = picture("PNG", pnginfo=info)
    assert parse(content) == Recipe(parameters="x")
    written(TextToImage("x"), content)
    assert len(unpacked) == 1
    entry = b"\x92\x7c\x00\x07\x00\x10\x00\x00\x00\x00\x00\x00"
    tables = b"MM\0*\0\0\0\x08\0\x01\x87\x69\0\x04\0\0\0\x01\0\0\0\x1a\0\0\0\0" + b"\x03\xe8" + entry * 1000
    watched = _Watched(tables + bytes(2**20))
    assert _exif.read(watched) == (None, None)
    assert 2**20 <= watched.taken < 2**21
    monkeypatch.setattr(_formats, "MOST_PARTS", 4)
    assert written(TextToImage("x"), content) == content


@pytest.mark.parametrize("kind", KINDS)
@settings(PATIENT, max_examples=300)
@given(cuts=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=6), end=st.integers(0, 10**6))
def test_no_broken_file_makes_it_fall_over(kind: str, cuts: list[tuple[int, int]], end: int) -> None:
    """Bytes changed, the end missing: a recipe or none, a file or the same one."""
    content = bytearray(written(TextToImage("a lighthouse"), picture(kind)))
    for place, value in cuts:
        content[place % len(content)] = value
    spoilt = bytes(content[: end % len(content) + 1])
    recipe = parse(spoilt)
    if recipe is not None and recipe.operation is not None:
        with contextlib.suppress(InvalidRequestError):
            recipe.request()
    assert len(written(TextToImage("x"), spoilt)) >= len(spoilt) - 2000


DOCUMENTS: list[Any] = [
    5,
    [],
    {},
    {"format": 2, "operation": "text2img", "request": {"prompt": "x"}},
    {"format": 1, "operation": "fetch", "request": {"prompt": "x"}},
    {"format": 1, "operation": ["text2img"], "request": {"prompt": "x"}},
    {"format": 1, "operation": "text2img", "request": []},
    {"format": 1, "operation": "img2img", "request": {"init_image": {"file": "x"}}},
    {"format": 1, "operation": "img2img", "request": {"init_image": {"path": 5}}},
    {"format": 1, "operation": "text2img", "request": {"prompt": "x"}, "omitted": 5},
    {"format": 1, "operation": "text2img", "request": {"prompt": "x"}, "digests": [1]},
    {"format": 1, "operation": "text2img", "request": {"prompt": "x", "extra": ["upscale"]}},
    {"format": 1, "operation": "text2img", "request": {"prompt": "x", "guidance_scale": float("nan")}},
]


@pytest.mark.parametrize("document", DOCUMENTS, ids=range(len(DOCUMENTS)))
def test_a_document_of_another_shape_is_no_recipe(document: Any) -> None:
    """By a later version, or by somebody who means harm."""
    assert parse(embed(picture("PNG"), Texts(None, json.dumps(document)))) is None


def test_a_document_with_fields_that_are_none_is_refused() -> None:
    """With the name of the field; odd facts beside it are dropped."""
    document = {
        "format": 1,
        "operation": "text2img",
        "request": {"prompt": "x", "later": 1},
        "seed": "7",
        "job_id": [1],
        "index": None,
    }
    recipe = read_back(embed(picture("PNG"), Texts(None, json.dumps(document))))
    assert (recipe.seed, recipe.job_id, recipe.index) == (None, None, 0)
    with pytest.raises(InvalidRequestError, match="later is not a field"):
        recipe.request()
    document["request"] = {"prompt": "x", "self": 1}
    with pytest.raises(InvalidRequestError, match="self is not a field"):
        read_back(embed(picture("PNG"), Texts(None, json.dumps(document)))).request()


def test_a_file_is_read_by_its_path(tmp_path: Path) -> None:
    """What is no file that can be read is said so; a picture without a recipe has none."""
    path = tmp_path / "a.png"
    path.write_bytes(written(TextToImage("x"), picture("PNG")))
    found = read_recipe(path)
    assert found is not None
    assert found.request() == TextToImage("x")
    path.write_bytes(picture("PNG"))
    assert read_recipe(str(path)) is None
    for bad in (tmp_path, tmp_path / "nothing.png", 5):
        with pytest.raises(InvalidRequestError, match="path"):
            read_recipe(bad)  # type: ignore[arg-type]  # one of them is no path at all


def test_the_seed_that_was_asked_for_counts_where_the_service_tells_none() -> None:
    """It is the one that was used then."""
    recipe = recipe_for(TextToImage("x", seed=5), attrs.evolve(DONE, seed=None))
    assert recipe.seed == 5
    assert "Seed: 5," in (recipe.parameters or "")


def test_each_picture_of_a_fetched_job_has_its_place() -> None:
    """And the job's id."""
    recipe = recipe_of_meta(attrs.evolve(DONE, meta={"prompt": "x"}), 3)
    assert recipe is not None
    assert (recipe.index, recipe.job_id) == (3, 70010001)


def test_true_is_no_seed() -> None:
    """Although Python takes it for 1."""
    document = '{"format": 1, "operation": "text2img", "request": {"prompt": "x"}, "seed": true}'
    found = parse(embed(picture("PNG"), Texts(None, document)))
    assert found is not None
    assert found.seed is None


def test_a_setting_stays_on_its_line() -> None:
    """A line break in a model's name would begin another prompt."""
    text = recipe_for(TextToImage("x", model_id="a\nb")).parameters or ""
    assert len(text.splitlines()) == 2


def test_a_large_picture_is_read_to_its_end(tmp_path: Path) -> None:
    """A WebP has its recipe behind the pixels; 5 MB are the limit of uploads alone."""
    content = embed(picture("WEBP"), Texts(None, None))
    at = content.index(b"EXIF")
    inner = content[8:at] + b"JUNK" + (6_000_000).to_bytes(4, "little") + bytes(6_000_000) + content[at:]
    path = tmp_path / "large.webp"
    path.write_bytes(written(TextToImage("x"), b"RIFF" + len(inner).to_bytes(4, "little") + inner))
    found = read_recipe(path)
    assert found is not None
    assert found.request() == TextToImage("x")


def test_a_file_that_may_not_be_read_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As our own error; a name too long for any file is one, too."""

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    with pytest.raises(InvalidRequestError, match="path"):
        read_recipe("a" * 5000)
    path = tmp_path / "a.png"
    path.write_bytes(picture("PNG"))
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InvalidRequestError, match="Permission denied"):
        read_recipe(path)
