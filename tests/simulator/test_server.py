"""The server alone: how it stops, whom it serves, and that no request makes it fall over."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from modelslab_pony import PonyClient, RetryPolicy, TextToImage, TransportError
from modelslab_pony.testing import Simulator, faults
from modelslab_pony.testing._door import reserve
from modelslab_pony.testing.server import Server, bind, serving
from support.both import KEY
from support.wire import post

PONY = str(Path(sys.executable).with_name("pony"))
BODY = {"key": "k", "model_id": "m", "prompt": "p"}


@pytest.fixture
def simulator() -> Simulator:
    return Simulator(eta=0)


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    """Plain HTTP to this machine: no certificates to load, no proxy."""
    with httpx.Client(transport=httpx.HTTPTransport(verify=False)) as client:
        yield client


def is_open(url: str) -> bool:
    parts = urlsplit(url)
    with socket.socket() as probe:
        return probe.connect_ex((parts.hostname or "", parts.port or 0)) == 0


@pytest.mark.parametrize(
    "fault", [faults.Late(60), faults.Trickle(1, 20), faults.Drop("during"), faults.Oversized(30_000_000)]
)
def test_a_slow_answer_does_not_hold_up_the_end(fault: faults.Fault, simulator: Simulator) -> None:
    """Whether or not somebody still waits for it, or reads it."""
    simulator.faults.add(fault)
    with serving(simulator) as url, socket.create_connection(("127.0.0.1", urlsplit(url).port or 0)) as waiting:
        waiting.sendall(b"GET /api HTTP/1.1\r\nhost: x\r\n\r\n")
        deadline = time.monotonic() + 10
        while not simulator.requests:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        began = time.monotonic()
    assert time.monotonic() - began < 5  # no measure of speed: it was as long as the answer
    assert not [thread for thread in threading.enumerate() if thread.name.endswith("(run)")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_ends_when_it_is_told(number: signal.Signals) -> None:
    """With a late answer under way."""
    command = [PONY, "simulator", "--port", "0", "--fault", "late:60"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        url = next(found[1] for line in process.stdout if (found := re.search(r"listening on (\S+)", line)))
        with socket.create_connection(("127.0.0.1", urlsplit(url).port or 0)) as waiting:
            waiting.sendall(b"GET /api HTTP/1.1\r\nhost: x\r\n\r\n")
            next(line for line in process.stdout if "Late(" in line)
            process.send_signal(number)
            process.wait(10)


def test_a_client_that_was_connected_is_refused_too(simulator: Simulator) -> None:
    """The moment that `add` returns: nothing can have been accepted, and the client knows it."""
    with serving(simulator) as url:
        for _ in range(10):
            with PonyClient(KEY, base_url=url, retry=RetryPolicy(attempts=1)) as pony:
                pony.balance()
                simulator.faults.add(faults.Refuse(30))
                with pytest.raises(TransportError):
                    pony.submit(TextToImage("a lighthouse"))
                simulator.faults.clear()
                assert is_open(url)
        assert len(simulator.jobs) == 0


def test_a_port_is_kept_while_nobody_listens(simulator: Simulator) -> None:
    """No other process can take it meanwhile."""
    with serving(simulator) as url:
        simulator.faults.add(faults.Refuse(30))
        simulator.faults.clear()
        simulator.faults.clear()
        simulator.faults.add(faults.Refuse(30))
        with pytest.raises(OSError, match="in use"):
            socket.create_server(("127.0.0.1", urlsplit(url).port or 0), reuse_port=False)
        simulator.faults.clear()
        assert is_open(url)


def test_a_reserved_port_that_cannot_be_had(simulator: Simulator) -> None:
    """Says so, and leaves no socket open."""
    with serving(simulator) as url, pytest.raises(OSError, match="in use"):
        reserve(urlsplit(url).port or 0)


def test_two_servers_of_one_simulator(simulator: Simulator) -> None:
    """Both close, both open, and one goes on when the other has ended."""
    with serving(simulator) as first:
        with serving(simulator) as second:
            simulator.faults.add(faults.Refuse(30))
            assert (is_open(first), is_open(second)) == (False, False)
            simulator.faults.clear()
            assert (is_open(first), is_open(second)) == (True, True)
        simulator.faults.add(faults.Refuse(30))
        assert not is_open(first)


def test_faults_may_change_while_requests_come(simulator: Simulator, http: httpx.Client) -> None:
    """From another thread, all the time; no request falls over it."""
    done = threading.Event()

    def change() -> None:
        while not done.is_set():
            simulator.faults.add(faults.HTML(502), times=2)
            str(simulator.faults)
            simulator.faults.clear()

    thread = threading.Thread(target=change)
    with serving(simulator) as url:
        thread.start()
        statuses = {http.get(f"{url}/x").status_code for _ in range(300)}
        done.set()
        thread.join()
    assert statuses <= {404, 502}


def test_a_prompt_that_no_utf8_has(simulator: Simulator, http: httpx.Client) -> None:
    """Breaks neither the page's state nor anything else."""
    with serving(simulator) as url:
        content = b'{"key": "k", "model_id": "m", "prompt": "\\ud800 here", "webhook": "http://127.0.0.1:9/"}'
        assert http.post(f"{url}/text2img", content=content).json()["status"] == "success"
        state = http.get(url.partition("/api/")[0] + "/_simulator/state")
        assert state.json()["jobs"][0]["prompt"] == "\ud800 here"
        assert http.get(url.partition("/api/")[0] + "/_simulator/submissions").status_code == 200


@pytest.mark.parametrize("levels", [600, 980, 987, 100_000])
def test_what_is_nested_too_deep_is_refused_and_not_billed(levels: int, simulator: Simulator) -> None:
    """Wherever the interpreter would give up."""
    body = json.dumps(BODY)[:-1] + ', "deep": ' + "[" * levels + "]" * levels + "}"
    answer = simulator.answer("POST", "https://modelslab.com/api/v6/images/text2img", body.encode())
    assert (answer.status_code, simulator.balance, len(simulator.jobs)) == (400, 25, 0)


def test_a_page_of_another_site_may_demand_nothing(simulator: Simulator, http: httpx.Client) -> None:
    """A browser sends such a request without asking; one of the simulator's own page passes."""
    with serving(simulator) as url:
        root = url.partition("/api/")[0]
        body = b'{"faults": ["html"]}'
        for origin, status_code in [("https://evil.example", 400), (root, 200)]:
            asked = http.post(f"{root}/_simulator/faults", content=body, headers={"origin": origin})
            assert asked.status_code == status_code
        deep = b'{"faults": ' + b"[" * 100_000
        assert http.post(f"{root}/_simulator/faults", content=deep).status_code == 400


def test_paths_may_be_coded(simulator: Simulator, http: httpx.Client) -> None:
    """A coded slash is part of an id, a coded digit is a digit; alike through both doors."""
    with serving(simulator) as url:
        made = post(f"{url}/text2img", BODY).json()
        root = url.partition("/api/")[0]
        for door, ask in (("wire", http), ("transport", httpx.Client(transport=simulator.transport()))):
            assert ask.get(f"{root}/images/%370010001-0.png").status_code == 200, door
            missing = ask.post(f"{url}/fetch/a%2Fb", json={"key": "k"}).json()
            assert missing["message"] == "Request not found", door
    assert made["id"] == 70010001


def test_secrets_in_urls_are_not_kept(simulator: Simulator) -> None:
    """Neither a query nor a user's password."""
    simulator.answer("POST", "https://user:sk-planted@modelslab.com/api/v6/images/text2img?key=sk-planted", b"{}")
    (answered,) = simulator.requests
    assert answered.url == "https://modelslab.com/api/v6/images/text2img"
    body = json.dumps(BODY).encode()
    answer = simulator.answer("POST", "https://user:sk-planted@modelslab.com/api/v6/images/text2img", body)
    assert b"sk-planted" not in answer.content


def test_long_faults_are_told_shortly(simulator: Simulator) -> None:
    """What is kept of each request does not grow with what was demanded."""
    simulator.faults.add(faults.Reply(200, b"x" * 1_000_000), times=None)
    simulator.answer("GET", "https://modelslab.com/")
    assert len(repr(simulator.requests)) < 1000
    assert len(str(simulator.faults)) < 200


# --- under another server ----------------------------------------------------------------------------------


def test_an_application_may_mount_it(simulator: Simulator) -> None:
    """Below a path of its own: the image's URL has it, too."""
    app = Starlette(routes=[Mount("/sim", simulator.asgi())])

    async def story() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://app.example") as client:
            answer = await client.post("/sim/api/v6/images/text2img", json=BODY)
            (image,) = answer.json()["output"]
            assert image == "http://app.example/sim/images/70010001-0.png"
            assert (await client.get(image)).content.startswith(b"\x89PNG")
            assert (await client.get("/sim/")).status_code == 200

    asyncio.run(story())


def test_it_posts_webhooks_under_any_server() -> None:
    """With the answer that makes them due, or the next."""
    got: list[Any] = []

    def application(environ: Any, start_response: Any) -> list[bytes]:
        got.append(json.loads(environ["wsgi.input"].read())["status"])
        start_response("204 No Content", [])
        return []

    simulator = Simulator(eta=0, webhook_transport=httpx.WSGITransport(app=application))

    async def story() -> None:
        transport = httpx.ASGITransport(app=simulator.asgi())
        async with httpx.AsyncClient(transport=transport, base_url="http://sim.example") as client:
            await client.post("/api/v6/images/text2img", json={**BODY, "webhook": "https://app.example/hook"})

    asyncio.run(story())
    assert got == ["success"]


def test_a_connection_that_cannot_be_broken_ends_in_an_exception(simulator: Simulator) -> None:
    """Where the server does not let go of it."""
    simulator.faults.add(faults.Drop())

    async def story() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=simulator.asgi())) as client:
            await client.get("http://sim.example/api")

    with pytest.raises(ConnectionAbortedError, match="does not let go"):
        asyncio.run(story())


def test_elsewhere_nobody_answers(simulator: Simulator) -> None:
    """A transport is one host: a key that followed a redirect did not arrive."""
    simulator.faults.add(faults.Redirect("https://evil.example/api/v6/images/text2img"))
    with (
        httpx.Client(transport=simulator.transport(), follow_redirects=True) as client,
        pytest.raises(httpx.ConnectError, match=r"evil\.example is not there"),
    ):
        client.post("https://modelslab.com/api/v6/images/text2img", json=BODY)
    assert len(simulator.jobs) == 0


# --- doors, and what ends while something is under way -----------------------------------------------------


def wait_for(url: str, *, opened: bool) -> None:
    deadline = time.monotonic() + 8
    while is_open(url) is not opened:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_two_doors_open_by_themselves(simulator: Simulator) -> None:
    """Neither server waits for the other one."""
    with serving(simulator) as first, serving(simulator) as second:
        simulator.faults.add(faults.Refuse(0.2))
        assert (is_open(first), is_open(second)) == (False, False)
        wait_for(first, opened=True)
        wait_for(second, opened=True)
        assert len(simulator.faults) == 0


def test_refusals_in_a_row_are_one_after_the_other(simulator: Simulator) -> None:
    """As long as there are any, nobody listens; a fault for always is over when it is cleared."""
    with serving(simulator) as url:
        simulator.faults.add(faults.Refuse(0.1), times=3)
        began = time.monotonic()
        wait_for(url, opened=True)
        assert time.monotonic() - began >= 0.3
        simulator.faults.add(faults.Refuse(0.01), times=None)
        time.sleep(0.1)
        assert not is_open(url)


def test_faults_may_change_while_a_server_ends(simulator: Simulator) -> None:
    """And begins; nobody falls over it."""
    done = threading.Event()
    fell: list[Exception] = []

    def change() -> None:
        while not done.is_set():
            try:
                simulator.faults.add(faults.Refuse(0.01))
                simulator.faults.clear()
            except Exception as error:  # noqa: BLE001 - none is expected
                fell.append(error)

    thread = threading.Thread(target=change)
    thread.start()
    for pause in (0, 0.005, 0.02, 0.05):
        with serving(simulator):
            time.sleep(pause)
    done.set()
    thread.join()
    assert fell == []


def test_a_refusal_within_the_servers_own_loop(simulator: Simulator) -> None:
    """It closes with one of the next turns of the loop: nobody could wait for the door."""

    async def story() -> None:
        server = Server(simulator, bind())
        running = asyncio.ensure_future(server.serve())
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(verify=False)) as client:
            assert (await client.get(server.base_url)).status_code == 404
            simulator.faults.add(faults.Refuse(30))
            await asyncio.sleep(0.05)
            with pytest.raises(httpx.ConnectError):
                await client.get(server.base_url)
        server.should_exit = True
        await running

    asyncio.run(story())


def test_an_application_that_does_not_answer_its_webhook_does_not_hold_up_the_end(simulator: Simulator) -> None:
    """It is noted."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url_of_deaf = f"http://127.0.0.1:{deaf.getsockname()[1]}/"
        with serving(simulator) as url:
            assert post(f"{url}/text2img", {**BODY, "webhook": url_of_deaf}).status_code == 200
            deaf.accept()[0].close()
            assert post(f"{url}/text2img", {**BODY, "webhook": url_of_deaf}).status_code == 200
            waiting, _ = deaf.accept()
            began = time.monotonic()
        waiting.close()
        assert time.monotonic() - began < 5
    dropped, cancelled = simulator.webhooks
    assert dropped.error
    assert cancelled.error == "cancelled before it was answered"


def test_a_client_that_leaves_in_the_middle_of_its_body(simulator: Simulator, caplog: Any) -> None:
    """Is nobody's fault."""
    with serving(simulator) as url:
        with socket.create_connection(("127.0.0.1", urlsplit(url).port or 0)) as hasty:
            hasty.sendall(b"POST /api/v6/images/text2img HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")
        assert post(f"{url}/text2img", BODY).status_code == 200
    assert not caplog.records


def test_nothing_more_is_sent_to_a_client_that_has_left(simulator: Simulator, caplog: Any) -> None:
    """The rest of a large answer is not written to a closed socket, piece by piece."""
    simulator.faults.add(faults.Oversized(100_000_000))
    with serving(simulator) as url:
        with socket.create_connection(("127.0.0.1", urlsplit(url).port or 0)) as hasty:
            hasty.sendall(b"GET /api HTTP/1.1\r\nhost: x\r\n\r\n")
            assert hasty.recv(100)
        assert post(f"{url}/text2img", BODY).status_code == 200  # after all that was under way
    assert [record for record in caplog.records if record.name == "asyncio"] == []


def test_head_leaves_its_connection_open(simulator: Simulator, http: httpx.Client) -> None:
    """As GET does."""
    with serving(simulator) as url:
        root = url.partition("/api/")[0]
        post(f"{url}/text2img", BODY)
        for path, length in (("/images/70010001-0.png", None), ("/images/none-0.png", "9")):
            head = http.head(root + path)
            assert "connection" not in head.headers
            assert head.headers["content-length"] == (length or http.get(root + path).headers["content-length"])


def test_answers_are_sent_without_delay() -> None:
    """Not held back until the client has acknowledged their headers."""
    with bind() as listening:
        assert listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_what_follows_a_length_that_is_too_small_is_no_next_answer(simulator: Simulator, http: httpx.Client) -> None:
    """The connection ends with it, as its headers say."""
    with serving(simulator) as url:
        for by in (-3, 3):
            simulator.faults.add(faults.WrongLength(by))
            with http.stream("GET", f"{url}/x") as answer:
                assert answer.headers["connection"] == "close"
            assert http.get(f"{url}/x").status_code == 404
