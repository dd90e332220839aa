"""What a download may be."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from modelslab_pony._files import Arrival, NotAnImageError, check_status, file_name, numbered
from modelslab_pony._formats import has_trailer, image_suffix
from support.scripted import PNG


@pytest.mark.parametrize(
    ("head", "suffix"),
    [
        (PNG, ".png"),
        (b"\xff\xd8\xff\xe0 jfif", ".jpg"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", ".webp"),
        (b"GIF89a", ".gif"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", None),
        (b"<html>", None),
        (b"", None),
    ],
)
def test_an_image_is_told_by_its_first_bytes(head: bytes, suffix: str | None) -> None:
    """The content type is not asked: the CDN sends images as text/plain."""
    assert image_suffix(head) == suffix


@pytest.mark.parametrize("size", [1, 3, 100])
def test_bytes_may_arrive_in_any_pieces(size: int) -> None:
    """One at a time or all at once."""
    arrival = Arrival(10_000, str(len(PNG)))
    for start in range(0, len(PNG), size):
        arrival.add(PNG[start : start + size])
    assert arrival.end() == ".png"


def test_html_is_refused_as_soon_as_its_first_bytes_are_there() -> None:
    """A page of any length is not downloaded to its end."""
    arrival = Arrival(10_000, None)
    with pytest.raises(NotAnImageError, match="not an image"):
        arrival.add(b"<!doctype html><title>")


@pytest.mark.parametrize(("announced", "sent"), [("101", 0), (None, 101)])
def test_the_size_limit_holds_for_what_is_announced_and_for_what_arrives(announced: str | None, sent: int) -> None:
    """A length that lies is no way around the limit."""
    with pytest.raises(NotAnImageError, match="larger than 100 bytes") as raised:
        Arrival(100, announced).add(PNG + b"x" * sent)
    assert not raised.value.again


def test_a_download_cut_short_is_refused() -> None:
    """Fewer bytes than announced, and none at all."""
    arrival = Arrival(10_000, "1000")
    arrival.add(PNG)
    with pytest.raises(NotAnImageError, match=f"cut short after {len(PNG)} of 1000"):
        arrival.end()
    with pytest.raises(NotAnImageError, match="empty"):
        Arrival(10_000, None).end()


@pytest.mark.parametrize(("code", "again"), [(404, True), (500, True), (403, False), (301, False), (206, False)])
def test_only_http_200_brings_a_file(code: int, again: bool) -> None:
    """An image that is not ready yet answers 404, so that is worth another try."""
    check_status(200)
    with pytest.raises(NotAnImageError, match=f"HTTP {code}") as raised:
        check_status(code)
    assert raised.value.again is again


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://x.example/generations/a1-0.png", "a1-0.png"),
        ("https://x.example/a.jpeg?sig=1", "a.png"),
        ("https://x.example/..%2f..%2fetc%2fpasswd", "passwd.png"),
        ("https://x.example/..", "image.png"),
        ("https://x.example/", "image.png"),
        ("https://x.example/%00a%0ab", "a_b.png"),
        ("https://x.example/.bashrc", "bashrc.png"),
        ("https://x.example/C:%5Cwindows%5Ca", "C_windows_a.png"),
    ],
)
def test_a_name_from_a_url_is_harmless(url: str, name: str) -> None:
    """The last part of the path, without what could leave the folder or hide the file."""
    assert file_name(url, ".png") == name


@given(st.text())
def test_no_url_leaves_the_folder(path: str) -> None:
    """Whatever a URL's path says, the name is one plain, visible file name."""
    name = file_name(f"https://x.example/{path.replace('[', '').replace(']', '')}", ".png")
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*\.png", name)
    assert len(name) <= 104


def test_taken_names_are_numbered() -> None:
    """They become a.png, a-2.png, a-3.png."""
    assert [numbered(Path("d/a.png"), n).name for n in (1, 2, 3)] == ["a.png", "a-2.png", "a-3.png"]


@pytest.mark.parametrize(
    ("suffix", "whole"),
    [
        (".png", PNG),
        (".jpg", b"\xff\xd8\xff\xe0 jfif \xff\xd9"),
        (".gif", b"GIF89a and the rest;"),
        (".webp", b"RIFF\x0c\0\0\0WEBPVP8 1234"),
    ],
)
def test_where_the_protocol_tells_no_end_the_picture_does(suffix: str, whole: bytes) -> None:
    """A body that ends with its connection may have been cut anywhere."""
    assert has_trailer(suffix, whole[:16], whole, len(whole))
    cut = whole[:-4]
    assert not has_trailer(suffix, cut[:16], cut, len(cut))
    arrival = Arrival(10_000, None)
    arrival.add(cut)
    with pytest.raises(NotAnImageError, match="no end"):
        arrival.end()
    arrival = Arrival(10_000, None)
    arrival.add(whole)
    assert arrival.end() == suffix
