"""Where a download may be led: on the web, hop by hop, and never inside the network that this machine is in."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import httpx
import pytest

from modelslab_pony import AsyncPonyClient, PonyClient, RetryPolicy, errors
from modelslab_pony.testing import VirtualClock
from support.both import KEY, Colour
from support.raw_server import RawServer
from support.scripted import PNG, Service, captured
from support.stories import read, save_to

URL = "https://images.example/generations/a1-0.png"
METADATA = "http://169.254.169.254/latest/meta-data/iam"
ONCE = RetryPolicy(attempts=1)


def success(url: str, copy: str | None = None) -> dict[str, Any]:
    return {**captured("success").body, "output": [url], "proxy_links": [copy] if copy else None}


def moved(to: str, status_code: int = 302) -> httpx.Response:
    return httpx.Response(status_code, headers={"location": to})


# --- redirects -------------------------------------------------------------------------------


@pytest.mark.parametrize("status_code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("to", ["https://cdn.example/b.png", "/b.png", "b.png", "//cdn.example/b.png", "?signed=1"])
def test_a_redirect_is_followed(
    to: str, status_code: int, colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """A CDN moves its files; the new place may be written relative to the old one."""
    service.answers(success(URL), moved(to, status_code), PNG)
    assert colour.play(read, service, clock) == PNG
    assert service.paths[1:] == [URL, str(httpx.URL(URL).join(to))]


INSIDE = [
    *(METADATA, "http://127.0.0.1/", "https://[::1]/a.png", "https://[::ffff:10.0.0.1]/", "http://localhost:6379/"),
    *("http://10.0.0.1/a.png", "http://192.168.0.1/a.png", "http://2130706433/", "http://0x7f.1/", "//127.1/a.png"),
]
ELSEWHERE = ["file:///etc/passwd", "ftp://images.example/a.png"]
REFUSED = r"private network|not an http"


@pytest.mark.parametrize("to", [*INSIDE, *ELSEWHERE])
@pytest.mark.parametrize("hops", [1, 3])
def test_no_redirect_leads_inside(
    to: str, hops: int, colour: Colour, service: Service, clock: VirtualClock, tmp_path: Path
) -> None:
    """Each hop is looked at before it is asked; nothing is kept, and it is not tried again."""
    service.answers(success(URL), *[moved("https://cdn.example/b.png")] * (hops - 1), moved(to))
    with pytest.raises(errors.DownloadError, match=REFUSED) as raised:
        colour.play(save_to(tmp_path), service, clock)
    assert raised.value.job_id == captured("success").body["id"]
    assert len(service.calls) == 1 + hops
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", [*INSIDE[:-1], *ELSEWHERE])
def test_no_output_leads_inside(url: str, colour: Colour, service: Service, clock: VirtualClock) -> None:
    """It is not asked; the copy on the CDN is."""
    if not url.startswith("http"):
        service.answers(success(URL, "https://cdn.example/b.png"), moved(url), PNG)
    else:
        service.answers(success(url, "https://cdn.example/b.png"), PNG)
    assert colour.play(read, service, clock) == PNG
    assert service.paths[-1] == "https://cdn.example/b.png"
    assert url not in service.paths


@pytest.mark.parametrize("copy", [METADATA, "http://[", "http://127.1/a.png"])
def test_no_copy_leads_inside(copy: str, colour: Colour, service: Service, clock: VirtualClock) -> None:
    """`proxy_links` are as little believed as `output`."""
    service.answers(success(URL, copy), *[httpx.Response(403)] * 5)
    with pytest.raises(errors.DownloadError, match=f"then from the CDN: .*({REFUSED})"):
        colour.play(read, service, clock)
    assert set(service.paths[1:]) == {URL}


@pytest.mark.parametrize("is_loop", [True, False])
def test_redirects_come_to_an_end(is_loop: bool, colour: Colour, service: Service, clock: VirtualClock) -> None:
    """Five are followed, and no more."""
    hops = [moved(URL if is_loop else f"https://cdn.example/{hop}.png") for hop in range(20)]
    with pytest.raises(errors.DownloadError, match="more than 5 redirects"):
        colour.play(read, service.answers(success(URL), *hops), clock)
    assert len(service.calls) == 1 + 6


@pytest.mark.parametrize(
    "to", ["https://[", "https://x:99999/", "http://xn--/", "\x00", "https://", "javascript:alert(1)", "data:,x"]
)
def test_a_redirect_to_no_url_is_an_error_of_the_download(
    to: str, colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """And of nothing else."""
    service.answers(success(URL), *[moved(to)] * 18)
    with pytest.raises(errors.DownloadError):
        colour.play(read, service, clock)


# --- what a download carries -----------------------------------------------------------------


def test_another_host_gets_nothing_of_the_callers_own(service: Service) -> None:
    """Headers, parameters, a login and cookies that a caller's client adds are for the service alone."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        if request.url.host == "modelslab.com" and request.method == "GET":
            return moved("https://images.example/b.png")
        return httpx.Response(200, content=PNG) if request.method == "GET" else service(request)

    service.answers(success("https://modelslab.com/a.png"))
    own = httpx.Client(
        transport=httpx.MockTransport(answer),
        headers={"X-Api-Key": KEY, "Authorization": f"Bearer {KEY}", "User-Agent": "mine"},
        params={"key": KEY},
        auth=("user", KEY),
        cookies={"session": KEY},
    )
    with own, PonyClient(KEY, http_client=own) as pony:
        assert pony.text2img("x").images[0].read() == PNG
    here, elsewhere = seen[1:]
    assert here.headers["x-api-key"] == KEY
    assert KEY not in str(elsewhere.url) + str(elsewhere.headers.raw)
    assert set(elsewhere.headers) == {"host", "accept", "accept-encoding", "user-agent"}
    assert elsewhere.headers["user-agent"] == "mine"


# --- names that lead inside, over real connections -------------------------------------------


@pytest.fixture
def led_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every name of the domain `example` leads to this machine."""
    look_up = socket.getaddrinfo

    def look_up_here(host: Any, *options: Any, **named: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        return look_up("127.0.0.1" if name.endswith(".example") else name, *options, **named)

    monkeypatch.setattr(socket, "getaddrinfo", look_up_here)


def image_of(pony: Any, url: str) -> Any:
    from modelslab_pony.results import AsyncImage, Image

    return (Image if isinstance(pony, PonyClient) else AsyncImage)(url=url, loader=pony, job_id=7)


@pytest.mark.usefixtures("led_here")
def test_a_name_that_leads_inside_is_asked_nothing(colour: Colour, tmp_path: Path) -> None:
    """The address behind it is known once it is connected to, before a byte is sent."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        yield image_of(pony, f"http://images.example:{server.port}/a.png").save(tmp_path)

    with RawServer(lambda talk: talk.answer(PNG)) as server:
        with pytest.raises(errors.DownloadError, match=r"images\.example is inside a private network") as raised:
            colour.play_over(story, "https://modelslab.com/api/v6/images", retry=ONCE)
        assert raised.value.job_id == 7
        assert server.is_left()
        assert server.talks == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("led_here")
def test_a_service_of_this_machine_may_name_its_files_as_it_likes(colour: Colour) -> None:
    """A simulator's pictures are at the simulator."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield image_of(pony, f"http://images.example:{server.port}/a.png").read())

    with RawServer(lambda talk: talk.answer(PNG)) as server:
        assert colour.play_over(story, server.url, retry=ONCE) == PNG


# --- what arrives ----------------------------------------------------------------------------

BAD: list[tuple[str, Callable[[], httpx.Response]]] = [
    ("nothing", lambda: httpx.Response(200)),
    ("HTML", lambda: httpx.Response(200, content=b"<html>" * 100, headers={"content-type": "image/png"})),
    ("SVG", lambda: httpx.Response(200, content=b"<svg xmlns='http://www.w3.org/2000/svg'/>" * 9)),
    ("a program", lambda: httpx.Response(200, content=b"\x7fELF" + b"\0" * 100)),
    ("half", lambda: httpx.Response(200, content=PNG[:-8])),
    ("206", lambda: httpx.Response(206, content=PNG)),
    ("too large", lambda: httpx.Response(200, content=PNG, headers={"content-length": str(2**40)})),
]


@pytest.mark.parametrize("answer", [answer for _, answer in BAD], ids=[what for what, _ in BAD])
def test_what_is_no_whole_picture_takes_no_place(
    answer: Callable[[], httpx.Response],
    colour: Colour,
    service: Service,
    clock: VirtualClock,
    tmp_path: Path,
) -> None:
    """Nor the place of a file that was there, not even with `overwrite=True`."""
    path = tmp_path / "mine.png"
    path.write_bytes(b"what was there")
    service.answers(success(URL), *[answer] * 3)
    with pytest.raises(errors.DownloadError):
        colour.play(save_to(path, overwrite=True), service, clock)
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("mine.png", b"what was there")]


@pytest.mark.parametrize(
    "last",
    ["../../etc/cron.d/x", "..%2f..%2fx.png", "%2e%2e%2fx", "..\\..\\x.png", "C:%5Cx.png", ".bashrc", "%00", "con"],
)
def test_a_name_from_a_url_stays_in_its_folder(
    last: str, colour: Colour, service: Service, clock: VirtualClock, tmp_path: Path
) -> None:
    """Whatever the URL's path says, the file is one visible picture in the folder that was asked for."""
    folder = tmp_path / "in" / "here"
    folder.mkdir(parents=True)
    path = colour.play(save_to(folder), service.answers(success(f"https://images.example/{last}"), PNG), clock)
    assert [one for one in tmp_path.rglob("*") if one.is_file()] == [path]
    assert path.parent == folder
    assert path.suffix == ".png"
    assert not path.name.startswith(".")


def test_a_file_is_on_the_disk_before_it_has_its_name(
    colour: Colour, service: Service, clock: VirtualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its bytes are synced first, then it is named, then the folder is synced."""
    order: list[str] = []
    sync, link = os.fsync, Path.hardlink_to

    def noted_sync(file: int) -> None:
        order.append("folder" if Path(f"/proc/self/fd/{file}").resolve() == tmp_path else "file")
        sync(file)

    def noted_link(path: Path, to: Path) -> None:
        order.append("name")
        link(path, to)

    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(Path, "hardlink_to", noted_link)
    colour.play(save_to(tmp_path / "a.png"), service.answers(success(URL), PNG), clock)
    assert order == ["file", "name", "folder"]


def test_a_client_is_closed_for_downloads_too() -> None:
    """As for everything else."""

    async def run() -> None:
        pony = AsyncPonyClient(KEY)
        await pony.close()
        with pytest.raises(errors.ConfigurationError, match="closed"):
            await image_of(pony, URL).read()

    asyncio.run(run())
