"""An image comes whole, from its URL or from the CDN's copy of it, or not at all."""

from __future__ import annotations

import gzip
import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest

from modelslab_pony import RetryPolicy, errors
from modelslab_pony.testing import VirtualClock
from support.both import Colour
from support.scripted import PNG, Service
from support.stories import read, save_to

URL = "https://images.example/generations/a1-0.png"
PROXY = "https://cdn.example/generations/a1-0.png"
ONCE = RetryPolicy(attempts=1)
WHOLE = PNG * 50 + b"IEND\xaeB`\x82"


def test_read_gives_the_bytes(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """From the output URL."""
    assert colour.play(read, service.answers("success", PNG), clock) == PNG
    assert service.paths == ["text2img", URL]


def test_save_gives_the_path(colour: Colour, service: Service, clock: VirtualClock, tmp_path: Path) -> None:
    """Also as a text; the folder is made."""
    path = tmp_path / "new" / "a.png"
    assert colour.play(save_to(path), service.answers("success", PNG), clock) == path
    assert path.read_bytes() == PNG


def test_in_a_folder_the_file_is_named_after_the_url(
    colour: Colour, service: Service, clock: VirtualClock, tmp_path: Path
) -> None:
    """The path that comes back is that of the file."""
    assert colour.play(save_to(tmp_path), service.answers("success", PNG), clock) == tmp_path / "a1-0.png"


def test_a_text_that_ends_as_a_folder_is_one(
    colour: Colour, service: Service, clock: VirtualClock, tmp_path: Path
) -> None:
    """`save("new/")`: the folder is made, where there is none, and the file is named after the URL."""
    folder = tmp_path / "new" / "inner"
    assert colour.play(save_to(f"{folder}/"), service.answers("success", PNG), clock) == folder / "a1-0.png"


def test_a_folder_that_is_a_file_is_refused(
    colour: Colour, service: Service, clock: VirtualClock, tmp_path: Path
) -> None:
    """`save("a.txt/", overwrite=True)` replaces no file."""
    file = tmp_path / "a.txt"
    file.write_text("mine", "utf-8")
    with pytest.raises(errors.DownloadError, match=r"a\.txt") as raised:
        colour.play(save_to(f"{file}/", overwrite=True), service.answers("success", PNG), clock)
    assert file.read_text("utf-8") == "mine"
    assert (raised.value.is_local, raised.value.job_id) == (True, 70010001)


def test_an_image_called_text_is_an_image(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """The CDN's content type is not believed."""
    labelled = httpx.Response(200, content=PNG, headers={"content-type": "text/plain"})
    assert colour.play(read, service.answers("success", labelled), clock) == PNG


@pytest.mark.parametrize(
    "fault",
    [
        (404, b"not yet"),
        (200, b"<html>wait</html>"),
        (200, b""),
        (500, b""),
        (403, b""),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
    ],
    ids=str,
)
def test_the_cdn_has_a_second_copy(fault: Any, colour: Colour, service: Service, clock: VirtualClock) -> None:
    """Whatever is wrong with the output URL, the proxy link is asked at once."""
    bad = fault if isinstance(fault, Exception) else httpx.Response(fault[0], content=fault[1])
    assert colour.play(read, service.answers("success", bad, PNG), clock, retry=ONCE) == PNG
    assert service.paths == ["text2img", URL, PROXY]


def test_both_are_asked_again_while_it_may_help(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """An image that is not ready yet answers 404; three tries, then it is there."""
    not_yet = [httpx.Response(404) for _ in range(4)]
    retry = RetryPolicy(attempts=3, min_delay=1)
    assert colour.play(read, service.answers("success", *not_yet, PNG), clock, retry=retry) == PNG
    assert clock.sleeps == [1, 2]


def test_a_download_that_fails_says_what_is_not_lost(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """URL, job id, both reasons, and the way back to the image."""
    service.answers("success", httpx.Response(404), httpx.Response(200, text="<html>"))
    with pytest.raises(errors.DownloadError, match=r"HTTP 404.*not an image.*client\.job\(70010001\)") as raised:
        colour.play(read, service, clock, retry=ONCE)
    assert (raised.value.url, raised.value.job_id) == (URL, 70010001)


@pytest.mark.parametrize("content", [b"<html>", b"", b"\x89PNG"])
def test_nothing_is_left_behind(
    content: bytes, colour: Colour, service: Service, clock: VirtualClock, tmp_path: Path
) -> None:
    """Neither the file, nor half of it, nor a temporary one."""
    service.answers("fetch_success_minimal", content)
    with pytest.raises(errors.DownloadError):
        colour.play(save_to(tmp_path / "a.png"), service, clock, retry=ONCE)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_exists_is_kept(colour: Colour, service: Service, clock: VirtualClock, tmp_path: Path) -> None:
    """The error says how to replace it, and nothing is downloaded."""
    path = tmp_path / "a.png"
    path.write_bytes(b"mine")
    with pytest.raises(errors.DownloadError, match="overwrite=True"):
        colour.play(save_to(path), service.answers("success"), clock)
    assert (path.read_bytes(), service.paths) == (b"mine", ["text2img"])
    assert colour.play(save_to(path, overwrite=True), service.answers("success", PNG), clock) == path
    assert path.read_bytes() == PNG


def test_a_folder_that_cannot_be_written_is_named(
    colour: Colour, service: Service, clock: VirtualClock, tmp_path: Path
) -> None:
    """A file stands where the folder should be."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(errors.DownloadError, match="cannot write") as raised:
        colour.play(save_to(tmp_path / "file" / "a.png"), service.answers("success"), clock)
    assert (raised.value.job_id, service.paths) == (70010001, ["text2img"])


@pytest.mark.parametrize("url", ["http://[::1", "http:///x", "file:///etc/passwd", "gopher://x"])
def test_an_address_that_is_none_leaves_the_cdn(
    url: str, colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """The image is not lost for a bad output URL, and only web addresses are opened."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        generation = yield pony.text2img("x")
        image = attrs.evolve(generation.images[0], url=url)
        return (yield image.read())

    assert colour.play(story, service.answers("success", PNG), clock, retry=ONCE) == PNG
    assert service.paths == ["text2img", PROXY]


@pytest.mark.parametrize("stated", [True, False])
def test_a_picture_without_its_end_is_not_kept(
    stated: bool, colour: Colour, service: Service, clock: VirtualClock, tmp_path: Path
) -> None:
    """Cut by its connection, where no length shows it; or by a cache, which states the length of what it has."""

    def cut() -> httpx.Response:
        response = httpx.Response(200, content=PNG[:-4])
        if not stated:
            del response.headers["content-length"]
        return response

    with pytest.raises(errors.DownloadError, match="no end"):
        colour.play(save_to(tmp_path / "a.png"), service.answers("fetch_success_minimal", cut), clock, retry=ONCE)
    assert list(tmp_path.iterdir()) == []


def test_a_compressed_picture_is_whole(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """Its announced length is that of the compressed bytes."""

    def packed() -> httpx.Response:
        return httpx.Response(200, content=gzip.compress(WHOLE), headers={"content-encoding": "gzip"})

    assert colour.play(read, service.answers("success", packed), clock, retry=ONCE) == WHOLE


def test_a_compressed_picture_that_was_cut_is_not_kept(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """Its length is right, and unpacking does not complain."""
    whole = gzip.compress(PNG + os.urandom(5000))

    def cut() -> httpx.Response:
        return httpx.Response(200, content=whole[: len(whole) // 2], headers={"content-encoding": "gzip"})

    with pytest.raises(errors.DownloadError, match="no end"):
        colour.play(read, service.answers("fetch_success_minimal", cut), clock, retry=ONCE)


@pytest.mark.parametrize(("codes", "tries"), [((404, 403), 2), ((403, 403), 1)])
def test_it_is_tried_again_if_either_address_may_still_work(
    codes: tuple[int, int], tries: int, colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """A 403 will not change; a 404 may."""
    service.answers("success", *[httpx.Response(code) for code in codes * tries])
    with pytest.raises(errors.DownloadError):
        colour.play(read, service, clock, retry=RetryPolicy(attempts=2))
    assert len(service.paths) == 1 + 2 * tries


def test_a_file_that_appears_meanwhile_is_the_disks_fault(
    colour: Colour, service: Service, clock: VirtualClock, tmp_path: Path
) -> None:
    """Another URL would not help, so that none is asked."""
    path = tmp_path / "a.png"
    service.answers("success", PNG)

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            path.write_bytes(b"mine")
        return service(request)

    with pytest.raises(errors.DownloadError, match="overwrite=True"):
        colour.play(save_to(path), answer, clock)
    assert (path.read_bytes(), service.paths) == (b"mine", ["text2img", URL])


def test_a_disk_that_fails_late_is_not_tried_with_the_cdn(
    colour: Colour, service: Service, clock: VirtualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes were right; downloading them again would end the same way."""

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(errors.DownloadError, match="No space left"):
        colour.play(save_to(tmp_path / "a.png"), service.answers("success", PNG), clock)
    assert service.paths == ["text2img", URL]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", [5, None, 1.5])
def test_what_is_no_path_is_refused(path: Any, colour: Colour, service: Service, clock: VirtualClock) -> None:
    """By name, and before anything is downloaded."""
    with pytest.raises(errors.InvalidRequestError, match="path must be a path"):
        colour.play(save_to(path), service.answers("success"), clock)
    assert service.paths == ["text2img"]


def test_a_name_with_a_nul_is_refused(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """As an error of the download, with the job's id."""
    with pytest.raises(errors.DownloadError) as raised:
        colour.play(save_to(Path("a\0b")), service.answers("success"), clock)
    assert raised.value.job_id == 70010001


def test_a_redirected_image_is_followed(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """A download carries no key, so that a CDN may move it."""
    moved = httpx.Response(302, headers={"location": "https://store.example/x.png"})
    assert colour.play(read, service.answers("success", moved, PNG), clock) == PNG
    assert service.paths[-1] == "https://store.example/x.png"
