"""Every byte that each host gets, over real sockets: the key goes to the service, in the body of a POST."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from modelslab_pony import AsyncPonyClient, PonyClient, PonyError, TextToImage, _raw
from modelslab_pony._settings import Settings
from modelslab_pony.batch import Batch
from modelslab_pony.testing import Simulator
from modelslab_pony.testing.server import serving
from support.both import KEY, Colour, _tell
from support.echoing import FAST, World, echo, world
from support.hosts import Asked, Host, Said, listening
from support.leaks import found
from support.pictures import PICTURE

Journey = Callable[[Any, Path], Generator[Any, Any, Any]]
OTHERS = ("elsewhere", "output", "cdn", "future", "hook", "result")


@pytest.fixture
def hosts() -> Iterator[World]:
    with world() as made:
        yield made


def play(colour: Colour, url: str, story: Callable[[Any], Any], http: dict[str, Any] | None = None) -> Any:
    """Tell a story to a client as an application has it; `http` are options of an httpx client of its own."""
    options: dict[str, Any] = {"api_key": KEY, "base_url": url, **FAST}
    if colour.name == "sync":
        with contextlib.ExitStack() as stack:
            lent = stack.enter_context(httpx.Client(**http)) if http else None
            pony = stack.enter_context(PonyClient(**options, http_client=lent))
            return asyncio.run(_tell(story(pony)))

    async def run() -> Any:
        async with contextlib.AsyncExitStack() as stack:
            lent = await stack.enter_async_context(httpx.AsyncClient(**http)) if http else None
            pony = await stack.enter_async_context(AsyncPonyClient(**options, http_client=lent))
            return await _tell(story(pony))

    return asyncio.run(run())


def whole_story(pony: Any, folder: Path) -> Generator[Any, Any, Any]:
    request = TextToImage("a lighthouse", webhook="http://127.0.0.6/hook", track_id="t")
    job = yield pony.submit(request)
    generation = yield job.wait(5)
    yield generation.images[0].save(folder / "a.png")
    yield generation.images[0].read()
    yield pony.fetch(job.id)


def account(pony: Any, _: Path) -> Generator[Any, Any, Any]:
    yield pony.balance()
    yield pony.queued()
    yield pony.reload_model("m")
    yield pony.balance()


def upload(pony: Any, folder: Path) -> Generator[Any, Any, Any]:
    generation = yield pony.img2img("at night", PICTURE)
    yield generation.images[0].save(folder / "b.png")


JOURNEYS: list[Journey] = [whole_story, account, upload]


def stray(hosts: World) -> list[str]:
    """Return where the key was heard that it has no business in."""
    wrong = [f"{host.name}: {place}" for host in hosts.others for place in found(KEY, host.heard)]
    for asked in hosts.base.asked:
        wrong += [f"base, head of {asked.line!r}: {place}" for place in found(KEY, asked.head)]
        if asked.line.startswith("POST") and json.loads(asked.body).pop("key") != KEY:
            wrong.append(f"base, {asked.line!r}: without the key")
        rest = {name: value for name, value in json.loads(asked.body or b"{}").items() if name != "key"}
        wrong += [f"base, elsewhere in the body: {place}" for place in found(KEY, json.dumps(rest))]
    return wrong


@pytest.mark.parametrize("journey", JOURNEYS)
def test_a_clients_key_goes_in_the_body_of_a_post_to_the_service(
    journey: Journey, colour: Colour, hosts: World, tmp_path: Path
) -> None:
    """Though the service repeats it in bodies, headers and cookies, and names six other hosts."""
    play(colour, hosts.url, lambda pony: journey(pony, tmp_path))
    assert hosts.base.asked
    assert stray(hosts) == []
    if journey is whole_story:
        assert [host.name for host in hosts.others if host.asked] == ["elsewhere", "output", "cdn"]


def as_a_header(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in (httpx.Client, httpx.AsyncClient):

        def send(client: Any, request: httpx.Request, _send: Any = kind.send, **options: Any) -> Any:
            request.headers["x-key"] = KEY
            return _send(client, request, **options)

        monkeypatch.setattr(kind, "send", send)


def in_the_url(monkeypatch: pytest.MonkeyPatch) -> None:
    url = Settings.url
    monkeypatch.setattr(Settings, "url", lambda *given: f"{url(*given)}?key={KEY.replace('/', '%2F')}")


def twice_in_the_body(monkeypatch: pytest.MonkeyPatch) -> None:
    encode = _raw.encode
    monkeypatch.setattr(_raw, "encode", lambda name, fields, key: encode(name, {**fields, "note": key}, key))


OFF: dict[Callable[[pytest.MonkeyPatch], None], set[str]] = {
    as_a_header: {"base, head", "output", "cdn", "elsewhere"},
    in_the_url: {"base, head"},
    twice_in_the_body: {"base, elsewhere in the body"},
}
"""Each defence undone, and where the key is then heard."""


@pytest.mark.parametrize("off", OFF)
def test_a_key_that_went_astray_would_be_heard(
    off: Callable[[pytest.MonkeyPatch], None],
    colour: Colour,
    hosts: World,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """In a header, in the URL, anywhere else in the body."""
    off(monkeypatch)
    play(colour, hosts.url, lambda pony: whole_story(pony, tmp_path))
    heard = stray(hosts)
    assert all(any(place.startswith(expected) for place in heard) for expected in OFF[off]), heard


@pytest.mark.parametrize("name", OTHERS)
def test_each_host_would_have_been_heard(name: str, colour: Colour, hosts: World, monkeypatch: Any) -> None:
    """Each of them hears the key if it is taken for the service."""
    host: Host = getattr(hosts, name)
    monkeypatch.setattr(Settings, "url", lambda *_: f"{host.url}/fetch")

    def story(pony: Any) -> Generator[Any, Any, Any]:
        with pytest.raises(PonyError):
            yield pony.fetch(7)

    play(colour, hosts.url, story)
    assert found(KEY, host.heard)


# --- redirects of the calls ------------------------------------------------------------------


def redirected_story(pony: Any) -> Generator[Any, Any, Any]:
    for call in (lambda: pony.submit(TextToImage("x")), lambda: pony.fetch(7), pony.balance):
        with pytest.raises(PonyError):
            yield call()


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("to", ["same", "elsewhere"])
@pytest.mark.parametrize("http", [None, {"follow_redirects": True}], ids=["own", "lent"])
def test_no_call_follows_a_redirect(code: int, to: str, http: Any, colour: Colour, hosts: World) -> None:
    """Neither within the service nor away from it, and whatever a lent client would do."""
    target = hosts.base.url if to == "same" else hosts.elsewhere.url
    hosts.base.answer = lambda _: Said(code, {}, (("location", f"{target}/moved"),), reason="Moved")
    play(colour, hosts.url, redirected_story, http)
    assert {asked.path for asked in hosts.base.asked} == {
        "/api/v6/images/text2img",
        "/api/v6/images/fetch",
        "/api/wallet_balance",
    }
    assert not hosts.elsewhere.asked


@pytest.mark.parametrize("code", [307, 308])
def test_a_call_that_followed_one_would_be_heard(
    code: int, colour: Colour, hosts: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """httpx sends the body again, wherever it is sent to."""
    for kind in (httpx.Client, httpx.AsyncClient):
        monkeypatch.setattr(
            kind,
            "send",
            lambda *given, _send=kind.send, **options: _send(*given, **{**options, "follow_redirects": True}),
        )
    hosts.base.answer = lambda _: Said(code, {}, (("location", f"{hosts.elsewhere.url}/moved"),), reason="Moved")
    play(colour, hosts.url, redirected_story)
    assert found(KEY, hosts.elsewhere.heard)


# --- what a lent client or the service's cookies would carry ------------------------------------

LENT: dict[str, dict[str, Any]] = {
    "headers": {"headers": {"x-key": KEY, "authorization": f"Bearer {KEY}"}},
    "basic": {"auth": ("me", KEY)},
    "cookies": {"cookies": {"session": KEY}},
    "params": {"params": {"key": KEY}},
}


@pytest.mark.parametrize("name", LENT)
def test_a_lent_clients_own_secrets_go_to_no_download(name: str, colour: Colour, hosts: World, tmp_path: Path) -> None:
    """Not to the image's host, nor the CDN's, nor where they send it; a gateway's secret may be the key itself."""
    play(colour, hosts.url, lambda pony: whole_story(pony, tmp_path), LENT[name])
    assert [host.name for host in hosts.others if found(KEY, host.heard)] == []


def test_another_port_is_another_host(colour: Colour, hosts: World, tmp_path: Path) -> None:
    """A cookie that holds the key is one that the service set; browsers' rules would send it to every port."""
    with listening("another port", "127.0.0.1", lambda _: Said(200, PICTURE)) as other:
        hosts.output.answer = lambda _: Said(302, headers=(("location", f"{other.url}/a.png"),), reason="Found")
        play(colour, hosts.url, lambda pony: whole_story(pony, tmp_path))
    assert other.asked
    assert found(KEY, other.heard) == []


# --- the command, a batch, the simulator -------------------------------------------------------------


def pony_command(*arguments: str, url: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "MODELSLAB_API_KEY": KEY, "MODELSLAB_BASE_URL": url}
    command = [sys.executable, "-m", "modelslab_pony.cli", *arguments]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


def test_the_commands_key_goes_to_the_service(hosts: World, tmp_path: Path) -> None:
    """Of every command that calls."""
    for arguments in (["text2img", "a lighthouse"], ["fetch", "7"], ["balance"], ["queue"], ["reload", "m"]):
        done = pony_command(*arguments, url=hosts.url, folder=tmp_path)
        assert done.returncode == 0, done.stderr
    assert len(hosts.base.asked) >= 6
    assert stray(hosts) == []


def test_a_batchs_key_goes_to_the_service(hosts: World, tmp_path: Path) -> None:
    """Three rows, one with an image that is uploaded."""
    (tmp_path / "a.png").write_bytes(PICTURE)
    rows = [{"prompt": "a"}, {"prompt": "b"}, {"op": "img2img", "prompt": "c", "init_image": str(tmp_path / "a.png")}]
    ids = iter(range(100, 200))

    def numbered(asked: Asked, answer: Any = hosts.base.answer) -> Said:
        said: Said = answer(asked)
        return echo({**said.body, "id": next(ids)}) if asked.path.endswith("2img") else said

    hosts.base.answer = numbered
    status = Batch(tmp_path / "out", rows, api_key=KEY, base_url=hosts.url).run()
    assert status.done == 3
    assert hosts.cdn.asked
    assert stray(hosts) == []


def test_the_simulators_webhooks_are_posted_without_it(hosts: World) -> None:
    """An application hears of its job, not with which key it was asked for."""
    hosts.hook.answer = lambda _: Said(200, {})
    with serving(Simulator(eta=0, key=KEY, webhook_hosts=["127.0.0.6"])) as url, PonyClient(KEY, base_url=url) as pony:
        pony.text2img("a lighthouse", webhook=f"{hosts.hook.url}/hook")
        pony.balance()
    assert hosts.hook.asked
    assert found(KEY, hosts.hook.heard) == []
