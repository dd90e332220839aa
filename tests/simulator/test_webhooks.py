"""Webhooks are really posted, by every door."""

from __future__ import annotations

import asyncio
import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from modelslab_pony import TextToImage
from modelslab_pony.testing import Simulator, VirtualClock, faults
from modelslab_pony.testing.server import serving
from support.scripted import captured
from support.wire import post


class Application(http.server.ThreadingHTTPServer):
    """Takes what is posted to it, and keeps it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got: list[dict[str, Any]] = []
        self.answers = 200
        self.url = f"http://127.0.0.1:{self.server_port}/hook?token=abc"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Application

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.append({"path": self.path, "type": self.headers["content-type"], "body": json.loads(content)})
        self.send_response(self.server.answers)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def application() -> Iterator[Application]:
    with Application() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def simulator(clock: VirtualClock) -> Simulator:
    return Simulator(eta=10, clock=clock)


def request(url: str, **change: Any) -> TextToImage:
    return TextToImage("a lighthouse", seed=5, webhook=url, track_id="order-17", **change)


def wait_for(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_success_is_posted_when_the_job_is_done(
    application: Application, simulator: Simulator, clock: VirtualClock
) -> None:
    """Once, and before a fetch tells of it; with the fields of a captured one."""
    with simulator.client() as pony:
        job = pony.submit(request(application.url))
        clock.sleep(9)
        job.refresh()
        assert application.got == []
        clock.sleep(1)
        assert job.refresh().status == "success"
        job.refresh()
    (got,) = application.got
    assert (got["path"], got["type"]) == ("/hook?token=abc", "application/json")
    assert got["body"].keys() == captured("webhook_success").body.keys()
    assert (got["body"]["id"], got["body"]["track_id"], got["body"]["generationTime"]) == (job.id, "order-17", 10)
    assert got["body"]["output"] == simulator.job(job.id).image_urls()
    assert got["body"]["meta"]["seed"] == 5
    assert "key" not in got["body"]["meta"]
    (told,) = simulator.webhooks
    assert (told.status_code, told.error, told.job_id) == (200, "", job.id)
    assert "abc" not in repr(told)


def test_a_failure_is_posted(application: Application, simulator: Simulator) -> None:
    """With the fields of a captured one."""
    simulator.outcome = "failed"
    with simulator.client() as pony:
        job = pony.submit(request(application.url))
        assert simulator.deliver() == []
        simulator.sleep(10)
        (told,) = simulator.deliver()
    (got,) = application.got
    assert got["body"] == captured("webhook_failed").body | {"id": job.id, "track_id": "order-17"}
    assert told.status_code == 200


def test_twice_late_and_never(application: Application, simulator: Simulator, clock: VirtualClock) -> None:
    """As demanded, one job after the other; what was not posted is noted."""
    simulator.faults.script(faults.WebhookTwice(5), faults.WebhookLate(60), faults.WebhookNever(), None, on="webhook")
    simulator.eta, simulator.queue_limit = 0, None
    with simulator.client() as pony:
        twice, late, never, plain = (pony.submit(request(application.url)).id for _ in range(4))

    def got() -> list[Any]:
        simulator.deliver()
        return [event["body"]["id"] for event in application.got]

    assert got() == [twice, plain]
    clock.sleep(5)
    assert got() == [twice, plain, twice]
    clock.sleep(55)
    assert got() == [twice, plain, twice, late]
    assert application.got[0] == application.got[2]
    assert [(told.job_id, told.error) for told in simulator.webhooks if told.status_code is None] == [
        (never, "not posted: WebhookNever()")
    ]
    simulator.faults.assert_used()


def test_a_webhook_nobody_takes_is_no_fault_of_the_job(
    application: Application, simulator: Simulator, clock: VirtualClock
) -> None:
    """Refused, unreachable, elsewhere: noted, and the job is fetched as ever. Nothing leaves this machine unasked."""
    application.answers = 500
    urls = [application.url, "http://127.0.0.1:9/closed", "https://app.example/hook", "no URL at all", "http://[/"]
    simulator.eta, simulator.queue_limit = 0, None
    with simulator.client(strict=False) as pony:
        for url in urls[:3]:
            assert pony.submit(request(url)).wait().images
    for url in urls[3:]:
        body = {"key": "k", "model_id": "m", "prompt": "p", "webhook": url}
        simulator.answer("POST", "https://modelslab.com/api/v6/images/text2img", json.dumps(body).encode())
    simulator.deliver()
    refused, closed, elsewhere, *none = simulator.webhooks
    assert (refused.status_code, refused.error) == (500, "")
    assert closed.error.startswith("ConnectError")
    assert elsewhere.error == "not posted: neither this machine nor one of webhook_hosts"
    assert none == [] or all(told.error for told in none)
    assert clock.time == 0


def test_tasks_are_posted_to_as_well(application: Application, simulator: Simulator) -> None:
    """By the asynchronous client's transport."""

    async def story() -> Any:
        async with simulator.async_client() as pony:
            return await (await pony.submit(request(application.url))).wait()

    made = asyncio.run(story())
    assert [event["body"]["id"] for event in application.got] == [made.id]


def test_an_application_in_this_process_is_posted_to(clock: VirtualClock) -> None:
    """Through a transport of its own; no socket, any host."""
    got: list[Any] = []

    def application(environ: Any, start_response: Any) -> list[bytes]:
        got.append((environ["HTTP_HOST"], json.loads(environ["wsgi.input"].read())["status"]))
        start_response("204 No Content", [])
        return []

    transport = httpx.WSGITransport(app=application)
    simulator = Simulator(eta=0, webhook_transport=transport, clock=clock)
    with simulator.client() as pony:
        pony.submit(request("https://shop.example/hook"))
    assert got == [("shop.example", "success")]

    async def story() -> None:
        async with simulator.async_client() as pony:
            await pony.submit(request("https://shop.example/hook"))

    asyncio.run(story())
    assert len(got) == 2


def test_an_application_that_has_to_be_awaited(clock: VirtualClock) -> None:
    """Is posted to by tasks; what a blocking client brought about waits until then."""
    got: list[Any] = []

    async def application(_: Any, receive: Any, send: Any) -> None:
        got.append(json.loads((await receive())["body"])["status"])
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    simulator = Simulator(eta=0, webhook_transport=httpx.ASGITransport(app=application), clock=clock)

    async def story() -> None:
        async with simulator.async_client() as pony:
            await pony.submit(request("https://shop.example/hook"))

    asyncio.run(story())
    assert got == ["success"]
    with simulator.client() as pony:
        pony.submit(request("https://shop.example/hook"))
    with pytest.raises(TypeError, match="deliver_async"):
        simulator.deliver()
    asyncio.run(simulator.deliver_async())
    assert got == ["success"] * 2


@pytest.mark.parametrize("change", [{"eta": 0.2}, {"eta": 0, "outcome": "failed"}])
def test_a_server_posts_by_itself(application: Application, change: dict[str, Any]) -> None:
    """Without another request."""
    simulator = Simulator(**change)
    simulator.faults.add(faults.WebhookTwice())
    with serving(simulator) as url:
        body = {"key": "k", "model_id": "m", "prompt": "p", "webhook": application.url}
        answer = post(f"{url}/text2img", body).json()
        wait_for(lambda: len(application.got) == 2)
        wait_for(lambda: [told.status_code for told in simulator.webhooks] == [200, 200])
    statuses = {event["body"]["status"] for event in application.got}
    assert statuses == {change.get("outcome", "success")}
    assert answer["status"] == ("processing" if change["eta"] else "failed")


def test_what_an_application_raises_is_noted(clock: VirtualClock) -> None:
    """It comes out of no paid call, and the next webhook is posted all the same; a lent transport stays open."""
    got: list[Any] = []

    class Lent(httpx.BaseTransport):
        closed = False

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            assert not self.closed
            got.append(json.loads(request.content)["id"])
            if len(got) == 1:
                raise KeyError("a mistake")
            return httpx.Response(200)

        def close(self) -> None:
            self.closed = True

    simulator = Simulator(eta=5, webhook_transport=Lent(), clock=clock)
    with simulator.client() as pony:
        ids = [pony.submit(request("https://shop.example/hook")).id for _ in range(3)]
        clock.sleep(10)
        assert pony.balance().balance == 24.97
        clock.sleep(5)
        simulator.deliver()
    assert got == ids
    assert [told.error for told in simulator.webhooks] == ["KeyError: 'a mistake'", "", ""]


def test_a_host_is_written_in_any_case_and_waited_for_half_a_minute(
    clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the vendor says; what is no URL is posted nowhere."""
    seen: list[Any] = []

    def answer(_: Any, request: httpx.Request) -> httpx.Response:
        seen.append((request.url.host, request.extensions["timeout"]["read"]))
        return httpx.Response(200)

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", answer)
    simulator = Simulator(eta=0, webhook_hosts={"App.Example"}, clock=clock)
    for url in ("http://app.EXAMPLE/hook", "http://other.example/hook", "http:/nowhere"):
        body = {"key": "k", "model_id": "m", "prompt": "p", "webhook": url}
        simulator.answer("POST", "https://modelslab.com/api/v6/images/text2img", json.dumps(body).encode())
    simulator.deliver()
    assert seen == [("app.example", 30)]
    assert [told.error[:10] for told in simulator.webhooks] == ["", "not posted", "not posted"]
