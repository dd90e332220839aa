"""Picture files of many makes: what they tell, and what is written into them."""

from __future__ import annotations

import io
import zlib
from typing import Any

import pytest
from PIL import Image
from PIL.ExifTags import IFD
from PIL.PngImagePlugin import PngInfo

from modelslab_pony import Recipe, TextToImage
from modelslab_pony._embed import Texts, embed, extract
from modelslab_pony._exif import build
from modelslab_pony._formats import image_size
from modelslab_pony.recipes import parse
from support.pictures import picture, written


def chunks_of_webp(content: bytes) -> list[bytes]:
    names, at = [], 12
    while at < len(content):
        names.append(content[at : at + 4])
        size = int.from_bytes(content[at + 4 : at + 8], "little")
        at += 8 + size + size % 2
    assert at == len(content) == 8 + int.from_bytes(content[4:8], "little")
    return names


def test_the_first_text_of_a_name_counts() -> None:
    """Two tools may have written one each."""
    info = PngInfo()
    info.add_text("parameters", "first")
    info.add_text("parameters", "second")
    assert parse(picture("PNG", pnginfo=info)) == Recipe(parameters="first")


def test_a_png_without_its_end_is_left_as_it_is() -> None:
    """Half a picture is not made to look whole."""
    cut = picture("PNG")[:-12]
    assert written(TextToImage("x"), cut) == cut


def test_what_stands_behind_a_png_stays() -> None:
    """Some tools hide data there."""
    after = written(TextToImage("x"), picture("PNG") + b"tail")
    assert after.endswith(b"IEND\xaeB`\x82tail")


def test_a_nul_in_a_prompt_ends_no_text() -> None:
    """PNG's texts have none."""
    after = written(TextToImage("a\0b"), picture("PNG"))
    with Image.open(io.BytesIO(after)) as opened:
        assert opened.info["parameters"].startswith("a\ufffdb\nSteps: 30")


def test_a_packed_text_is_not_unpacked_without_end() -> None:
    """A stranger's file of a few kilobytes could fill the memory."""
    body = b"parameters\0\0" + zlib.compress(b"x" * 20_000_000)
    chunk = len(body).to_bytes(4, "big") + b"zTXt" + body + zlib.crc32(b"zTXt" + body).to_bytes(4, "big")
    content = picture("PNG")
    found = extract(content[:33] + chunk + content[33:])
    assert len(found.parameters or "") == 1_000_000


def test_a_packed_text_that_is_none_is_empty() -> None:
    """It does not make the rest unreadable."""
    body = b"parameters\0\0no zlib"
    chunk = len(body).to_bytes(4, "big") + b"zTXt" + body + zlib.crc32(b"zTXt" + body).to_bytes(4, "big")
    content = picture("PNG")
    assert parse(content[:33] + chunk + content[33:]) is None


def test_a_jpeg_takes_as_much_as_a_segment_holds() -> None:
    """And not a byte more, which would make it none."""
    took = set()
    for length in range(32_600, 32_760):
        after = embed(picture("JPEG"), Texts("x" * length, None))
        assert after == picture("JPEG") or extract(after).parameters == "x" * length
        took.add(after != picture("JPEG"))
    assert took == {False, True}


def test_jfif_stays_in_front() -> None:
    """Its segment has to be the first of a JPEG."""
    assert written(TextToImage("x"), picture("JPEG"))[2:4] == picture("JPEG")[2:4] == b"\xff\xe0"


@pytest.mark.parametrize("options", [{}, {"icc_profile": b"profile"}, {"lossless": True}], ids=str)
def test_a_webp_says_that_it_has_exif(options: dict[str, Any]) -> None:
    """Readers believe the flag; Pillow does."""
    after = written(TextToImage("x"), picture("WEBP", **options))
    with Image.open(io.BytesIO(after)) as opened:
        assert 0x9286 in opened.getexif().get_ifd(IFD.Exif)


def test_a_transparent_webp_says_so() -> None:
    """Its first form has the flag elsewhere, and browsers believe the one of the second."""
    file = io.BytesIO()
    Image.new("RGBA", (13, 7), (9, 99, 199, 50)).save(file, "WEBP", lossless=True)
    assert file.getvalue()[12:16] == b"VP8L"
    after = written(TextToImage("x"), file.getvalue())
    assert (after[12:16], after[20] & 0x10) == (b"VP8X", 0x10)
    assert written(TextToImage("x"), picture("WEBP", lossless=True))[20] & 0x10 == 0


@pytest.mark.parametrize("length", [1, 2])
def test_a_webp_is_built_as_its_format_demands(length: int) -> None:
    """Chunks of even length, and EXIF in front of XMP."""
    content = picture("WEBP", xmp=b"<x/>", icc_profile=b"profile")
    after = embed(content, Texts("x", "d" * length))
    assert chunks_of_webp(after) == [b"VP8X", b"ICCP", b"VP8 ", b"EXIF", b"XMP "]


def test_exif_of_a_webp_may_begin_as_in_a_jpeg() -> None:
    """Some writers leave those six bytes there."""
    block = b"Exif\0\0" + build("by another tool", "", 6)
    plain = embed(picture("WEBP"), Texts(None, None))
    at = plain.index(b"EXIF")
    body = block + b"\0" * (len(block) % 2)
    inner = plain[8:at] + b"EXIF" + len(block).to_bytes(4, "little") + body
    content = b"RIFF" + len(inner).to_bytes(4, "little") + inner
    assert parse(content) == Recipe(parameters="by another tool")
    with Image.open(io.BytesIO(written(TextToImage("x"), content))) as opened:
        assert opened.getexif()[0x0112] == 6


def test_xmp_of_a_jpeg_stays_and_hides_nothing() -> None:
    """It stands in a segment of the same kind as EXIF, before or behind it."""
    xmp = b"http://ns.adobe.com/xap/1.0/\0<x/>"
    segment = b"\xff\xe1" + (len(xmp) + 2).to_bytes(2, "big") + xmp
    whole = written(TextToImage("a lighthouse"), picture("JPEG"))
    for content in (whole[:2] + segment + whole[2:], whole[:20] + segment + whole[20:]):
        found = parse(content)
        assert found is not None
        assert found.request() == TextToImage("a lighthouse")
        assert segment in written(TextToImage("x"), content)


def foreign(comment: bytes, order: str) -> bytes:
    """A JPEG whose EXIF another tool wrote, in its byte order, with a maker's note of its own."""

    def number(value: int, size: int) -> bytes:
        return value.to_bytes(size, order)  # type: ignore[arg-type]  # "big" or "little"

    note = b"Canon\0"
    at = 8 + 2 + 12 + 4 + 2 + 24 + 4
    block = (b"II*\0" if order == "little" else b"MM\0*") + number(8, 4)
    block += number(1, 2) + number(0x8769, 2) + number(4, 2) + number(1, 4) + number(26, 4) + bytes(4)
    block += number(2, 2)
    for tag, value, place in ((0x927C, note, at), (0x9286, comment, at + len(note))):
        block += number(tag, 2) + number(7, 2) + number(len(value), 4) + number(place, 4)
    block += bytes(4) + note + comment
    body = b"Exif\0\0" + block
    content = picture("JPEG")
    return content[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body + content[2:]


FOREIGN: list[tuple[bytes, str]] = [
    (b"UNICODE\0" + "a lighthouse".encode("utf-16-be"), "big"),
    (b"UNICODE\0" + "a lighthouse".encode("utf-16-be"), "little"),
    (b"UNICODE\0" + "a lighthouse".encode("utf-16-le"), "little"),
    (b"ASCII\0\0\0a lighthouse\0", "big"),
    (b"ASCII\0\0\0a lighthouse", "little"),
]


@pytest.mark.parametrize(("comment", "order"), FOREIGN, ids=range(len(FOREIGN)))
def test_a_comment_by_another_tool_is_read(comment: bytes, order: str) -> None:
    """In the codes and byte orders that they write; another maker's note is no recipe of ours."""
    assert extract(foreign(comment, order)) == Texts("a lighthouse", None)


def test_a_comment_that_points_outside_the_file_is_none() -> None:
    """Half of it is not taken for the whole."""
    whole = foreign(FOREIGN[3][0], "big")
    end = whole.index(b"ASCII") + 8 + len(b"a lighthouse\0")
    body = whole[6 : end - 5]
    content = whole[:4] + (len(body) + 2).to_bytes(2, "big") + body + picture("JPEG")[2:]
    assert extract(content) == Texts(None, None)


def test_an_orientation_that_is_none_is_not_passed_on() -> None:
    """Only 1 to 8 are."""
    exif = Image.Exif()
    exif[0x0112] = 77
    with Image.open(io.BytesIO(written(TextToImage("x"), picture("JPEG", exif=exif)))) as opened:
        assert opened.getexif()[0x0112] == 1


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("turned", range(1, 9))
def test_the_size_is_the_one_that_is_seen(turned: int, kind: str) -> None:
    """5 to 8 lie on their side."""
    exif = Image.Exif()
    exif[0x0112] = turned
    assert image_size(picture(kind, (30, 20), exif=exif)) == ((20, 30) if turned >= 5 else (30, 20))


SHAPES: list[tuple[str, dict[str, Any]]] = [
    ("PNG", {}),
    ("GIF", {}),
    ("JPEG", {}),
    ("JPEG", {"progressive": True}),
    ("WEBP", {}),
    ("WEBP", {"lossless": True}),
    ("WEBP", {"icc_profile": b"profile"}),
]


@pytest.mark.parametrize(("kind", "options"), SHAPES, ids=str)
def test_every_format_tells_its_size(kind: str, options: dict[str, Any]) -> None:
    """Each form that it has."""
    assert image_size(picture(kind, (301, 203), **options)) == (301, 203)


def test_the_size_of_a_jpeg_is_in_its_frame_and_nowhere_else() -> None:
    """Tables may stand before it, and fill bytes between the segments."""
    content = picture("JPEG", (301, 203))
    table = b"\xff\xc4" + (2 + 17 + 3).to_bytes(2, "big") + bytes([0, 0, 3, *bytes(14), 1, 2, 3])
    assert image_size(content[:2] + table + content[2:]) == (301, 203)
    assert image_size(content[:20] + b"\xff\xff" + content[20:]) == (301, 203)


def test_a_lossy_webp_may_say_how_it_is_shown() -> None:
    """The two highest bits of each side are a scale and no pixels."""
    content = bytearray(picture("WEBP", (301, 203)))
    content[27] |= 0x40
    content[29] |= 0x40
    assert image_size(bytes(content)) == (301, 203)


def test_no_picture_has_a_side_of_nothing() -> None:
    """Such a header tells no size."""
    content = bytearray(picture("PNG"))
    content[16:20] = bytes(4)
    assert image_size(bytes(content)) is None
