"""Where a key could be left behind: none is found there, and each search is shown to find one.

One table: a place, how it is provoked, and which defence is then switched off. The service repeats the key in
every answer, in its body, its headers and its first line.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from attrs import frozen

from modelslab_pony import (
    AsyncPonyClient,
    ImageToImage,
    InvalidRequestError,
    PonyClient,
    PonyError,
    TextToImage,
    _http,
)
from modelslab_pony._steps import Send
from modelslab_pony.batch import Batch
from modelslab_pony.results import Generation
from modelslab_pony.testing import Simulator
from modelslab_pony.testing.server import serving
from support.bench import (
    Bench,
    Texts,
    filter_off,
    frames_handed_on,
    frames_kept,
    key_in_frames,
    logged,
    redactor_off,
    shown_settings,
    simulator_keeps_it,
)
from support.both import KEY
from support.echoing import FAST, echo, world
from support.hosts import Asked, Said
from support.leaks import exception_texts, file_texts, found, walked
from support.pictures import PICTURE

Off = Callable[[pytest.MonkeyPatch], None]


# --- places ----------------------------------------------------------------------------------


def log(bench: Bench) -> Texts:
    with logged() as texts, bench.client() as pony:
        pony.text2img("a lighthouse", wait_timeout=5).images[0].read()
        pony.balance()
    assert any("receive_response_headers.complete" in str(text) for text in texts)
    return texts


def log_of_tasks(bench: Bench) -> Texts:
    """Asyncio in its debug mode, a slow callback, and a task whose error nobody asks for."""

    async def run() -> None:
        asyncio.get_running_loop().slow_callback_duration = 0.001
        async with bench.async_client() as pony:
            generation = await pony.text2img("a lighthouse", wait_timeout=5)
            await generation.images[0].read()
            bench.hosts.base.answer = lambda _: echo({"status": "error"}, 500)
            task = asyncio.create_task(pony.submit(TextToImage("a lighthouse")))
            await asyncio.wait([task])
            asyncio.get_running_loop().call_soon(time.sleep, 0.01)
            await asyncio.sleep(0.02)
            del task

    with logged() as texts:
        asyncio.run(run(), debug=True)
    assert any("never retrieved" in str(text) for text in texts)
    assert any("Executing <" in str(text) for text in texts)
    return texts


def values(bench: Bench) -> Texts:
    with bench.client() as pony:
        job = pony.submit(TextToImage("a lighthouse"))
        generation = job.wait(5)
        shown = [pony, job, generation, generation.images[0], pony.balance(), pony.reload_model("m"), pony._settings]
        known = [dict(generation.raw), dict(generation.meta), pony.fetch(7), generation.images[0]._repr_html_()]
        return [*(text for value in (*shown, *known) for text in walked(value)), f"{pony} {job} {generation}"]


def client_repr(bench: Bench) -> Texts:
    with bench.client() as pony:
        return [repr(pony), str(pony), f"{pony}", repr(pony._settings), *walked(vars(pony))]


ANSWERS: dict[str, Callable[[Asked], Said]] = {
    "400": lambda _: echo({"status": "error", "errors": {"key": [KEY]}}, 400),
    "401": lambda _: echo({"status": "error"}, 401),
    "429": lambda _: echo({"status": "error"}, 429),
    "500": lambda _: echo({"status": "error"}, 500),
    "failed": lambda _: echo({"status": "failed", "output": ""}),
    "no JSON": lambda _: Said(200, f"<html>{KEY}</html>".encode()),
    "no status": lambda _: echo({"id": None}),
    "no HTTP": lambda _: Said(200, b"", (("content-length", f"1{KEY}"),)),
}


def errors(bench: Bench) -> Texts:
    texts: Texts = []
    for answer in ANSWERS.values():
        bench.hosts.base.answer = answer
        for error in bench.errors(lambda pony: pony.submit(TextToImage("a lighthouse"))):
            texts += exception_texts(error)
    return texts


def error_of_a_download(bench: Bench) -> Texts:
    bench.hosts.cdn.answer = lambda _: Said(302, headers=(("location", f"//[{KEY}"),), reason=KEY)
    with bench.client() as pony:
        generation = pony.text2img("a lighthouse", wait_timeout=5)
        with pytest.raises(PonyError) as raised:
            generation.images[0].read()
    return list(exception_texts(raised.value))


class Breaking(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Something of the caller's own that ends a call, once the body is on its way."""

    def __init__(self, fault: BaseException) -> None:
        self.fault = fault

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        content = request.read()
        if content:
            raise self.fault
        return httpx.Response(200)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return self.handle_request(request)


def ended_by(fault: BaseException) -> Callable[[Bench], Texts]:
    """Ctrl-C, a cancelled task, a mistake in a caller's transport, while the request is sent."""

    def provoke(bench: Bench) -> Texts:
        fault.__traceback__ = fault.__cause__ = fault.__context__ = None
        texts: Texts = []
        with httpx.Client(transport=Breaking(fault)) as http, pytest.raises(type(fault)) as raised:
            bench.client(http_client=http).submit(TextToImage("a lighthouse"))
        texts += exception_texts(raised.value)
        fault.__traceback__ = None

        async def run() -> None:
            async with httpx.AsyncClient(transport=Breaking(fault)) as http:
                await bench.async_client(http_client=http).submit(TextToImage("a lighthouse"))

        with pytest.raises(type(fault)) as raised:
            asyncio.run(run())
        return texts + list(exception_texts(raised.value))

    return provoke


def ended_by_a_hook(bench: Bench) -> Texts:
    """A caller's own hook that fails, with the request at hand."""

    def hook(request: httpx.Request) -> None:
        content = request.content  # as hooks that log do
        raise KeyError(len(content))

    with httpx.Client(event_hooks={"request": [hook]}) as http, pytest.raises(KeyError) as raised:
        bench.client(http_client=http).submit(TextToImage("a lighthouse"))
    return list(exception_texts(raised.value))


def cancelled_on_a_socket(_: Bench) -> Texts:
    """A time limit of the caller's own that ends while the body is on its way, to somebody who does not read."""

    async def run(url: str) -> None:
        options: dict[str, Any] = {"base_url": url, **FAST}
        async with AsyncPonyClient(KEY, **options) as pony, asyncio.timeout(0.3):
            await pony.submit(ImageToImage("x", PICTURE + b"a" * 4_900_000))

    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        with pytest.raises(TimeoutError) as raised:
            asyncio.run(run(f"http://127.0.0.1:{deaf.getsockname()[1]}"))
    return list(exception_texts(raised.value))


def not_to_be_written(bench: Bench) -> Texts:
    """A request that is no JSON."""
    errors = bench.errors(lambda pony: pony.submit(TextToImage("x", extra={"a": {1, 2}})), strict=False)
    with bench.client() as pony, pytest.raises(InvalidRequestError) as raised:
        _http.request(pony._httpx, Send(operation="text2img", fields={"a": object()}), pony._settings, {})
    return [text for error in [*errors, raised.value] for text in exception_texts(error)]


def refused(*wrong: dict[str, Any]) -> Callable[[Bench], Texts]:
    """Arguments of a client that are refused, or shown."""

    def provoke(bench: Bench) -> Texts:
        texts: Texts = []
        makers: list[Callable[..., Any]] = [PonyClient, AsyncPonyClient]
        for options in wrong:
            for make in makers:
                try:
                    client = make(**{"api_key": KEY, "base_url": bench.hosts.url, **options})
                except PonyError as error:
                    texts += exception_texts(error)
                else:
                    texts.append(repr(client))
        return texts

    return provoke


BESIDE_A_KEY: list[dict[str, Any]] = [
    {"base_url": "ftp://x"},
    {"base_url": "http://10.0.0.1"},
    {"base_url": 7},
    {"max_in_flight": 0},
    {"timeout": -1},
    {"poll": 1},
    {"retry": 1},
    {"http_client": 1},
]
WRONG_KEYS: list[dict[str, Any]] = [
    {"api_key": f"{KEY}\n{KEY}"},
    {"api_key": f"{KEY}é"},
    {"api_key": KEY.encode()},
]
IN_THE_BASE_URL: list[dict[str, Any]] = [
    {"base_url": f"https://gateway.example/?key={KEY}"},
    {"base_url": f"https://gateway.example/{KEY}"},
    {"base_url": f"http://10.0.0.1/{KEY}"},
    {"base_url": KEY, "api_key": "https://modelslab.com/api/v6/images"},
]


def made_by(kind: str) -> Callable[[Bench], Texts]:
    """Pictures of a job that was fetched by its id, whose prompt the service tells; of one that was asked for."""

    def provoke(bench: Bench) -> Texts:
        with world(kind) as hosts, PonyClient(KEY, base_url=hosts.url, **FAST) as pony:
            for number, generation in enumerate((pony.job(7).wait(5), pony.text2img(f"of {KEY}", wait_timeout=5))):
                assert isinstance(generation, Generation)
                generation.images[0].save(bench.folder / f"{number}.{kind.lower()}")
        texts = list(file_texts(bench.folder))
        assert found("a lighthouse", *texts)
        return texts

    return provoke


def batch(bench: Bench) -> Texts:
    """The folder of a batch: while it runs, with what SQLite has beside its files, and at its end; and its log."""
    ids = iter(range(100, 200))
    answer = bench.hosts.base.answer

    def numbered(asked: Asked) -> Said:
        said = answer(asked)
        if asked.path.endswith("text2img"):
            if b"refused" in asked.body:
                return echo({"status": "error", "message": f"bad: {KEY}"}, 400)
            return echo({**said.body, "id": next(ids)})
        return said

    bench.hosts.base.answer = numbered
    rows = [{"prompt": "a lighthouse", "name": "one"}, {"prompt": "a fox"}, {"prompt": "refused"}]
    texts: Texts = []
    told: Texts = []
    output = bench.folder / "out"
    with logged() as log:
        running = Batch(output, rows, api_key=KEY, base_url=bench.hosts.url)
        for result in running:
            texts += walked(result)
            texts += file_texts(output)
            told += [path.name for path in output.rglob("*-wal")]
        running.run(on_event=lambda event: texts.extend(walked(event)))
    assert told, "no -wal file was there to be searched"
    texts += [repr(running), repr(running.status()), *walked(running.results())]
    return [*texts, *file_texts(bench.folder), *log]


def simulators_page(_: Bench) -> Texts:
    """What people see of the simulator, what another process is told, and what it prints and shows of itself."""
    log: Texts = []
    standing_in = Simulator(eta=0, key=KEY, log=lambda call, answer: log.extend((repr(call), repr(answer))))
    with serving(standing_in) as url, PonyClient(KEY, base_url=url) as pony:
        generation = pony.text2img("a lighthouse")
        pony.img2img("at night", generation.images[0].read())
        root = url.partition("/api/")[0]
        with httpx.Client(trust_env=False) as http:
            http.post(f"{url}/text2img?key=x", json={"key": KEY, "prompt": 7})
            http.post(f"{url}/text2img", json={"key": [KEY], "prompt": "x", "model_id": "m"})
            http.post(f"{url}/text2img", content=f'{{"key": "{KEY}"')
            http.post(f"{url}/fetch", json={"key": KEY, "request_id": 9})
            places = ("/", "/_simulator/state", "/_simulator/submissions", "/_simulator/faults")
            seen: Texts = [http.get(root + place).content for place in places]
    told = [repr(standing_in), repr(standing_in._core.options), repr(standing_in.submissions), repr(standing_in.jobs)]
    return [*seen, *log, *told, *walked(list(standing_in.requests)), *walked(list(standing_in.jobs.values()))]


@frozen
class Place:
    """Where a key could be."""

    provoke: Callable[[Bench], Texts]
    off: Off
    """What keeps it away, taken away."""


PLACES = {
    "a log at DEBUG": Place(log, filter_off),
    "the log of tasks": Place(log_of_tasks, filter_off),
    "errors in the log of tasks": Place(log_of_tasks, redactor_off),
    "results": Place(values, redactor_off),
    "repr of a client": Place(client_repr, shown_settings),
    "errors": Place(errors, redactor_off),
    "errors of a client that is shown": Place(errors, shown_settings),
    "the error of a download": Place(error_of_a_download, redactor_off),
    "PNG": Place(made_by("PNG"), redactor_off),
    "JPEG": Place(made_by("JPEG"), redactor_off),
    "WebP": Place(made_by("WEBP"), redactor_off),
    "a batch": Place(batch, redactor_off),
    "the simulator": Place(simulators_page, simulator_keeps_it),
    "Ctrl-C": Place(ended_by(KeyboardInterrupt()), frames_kept),
    "a cancelled task": Place(ended_by(asyncio.CancelledError()), frames_kept),
    "a fault of a transport": Place(ended_by(LookupError("mine")), frames_kept),
    "a hook": Place(ended_by_a_hook, frames_kept),
    "a time limit": Place(cancelled_on_a_socket, frames_handed_on),
    "no JSON": Place(not_to_be_written, shown_settings),
    "an argument beside the key": Place(refused(*BESIDE_A_KEY), key_in_frames),
    "a key that is none": Place(refused(*WRONG_KEYS), key_in_frames),
    "a base URL that holds the key": Place(refused(*IN_THE_BASE_URL), key_in_frames),
}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with world() as hosts:
        yield Bench(hosts, tmp_path)


@pytest.mark.parametrize("name", PLACES)
def test_no_key_is_left_behind(name: str, bench: Bench) -> None:
    """In any spelling, though every answer repeats it."""
    texts = PLACES[name].provoke(bench)
    assert texts
    assert found(KEY, *texts) == []


@pytest.mark.parametrize("name", PLACES)
def test_one_that_was_left_there_would_be_found(name: str, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the defence of that place taken away, the same search finds the key."""
    PLACES[name].off(monkeypatch)
    assert found(KEY, *PLACES[name].provoke(bench))
