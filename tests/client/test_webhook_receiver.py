"""Webhooks taken: nothing is believed that the service does not say itself."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gzip
import json
import logging
import secrets
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from modelslab_pony import AsyncJobStatus, AsyncPonyClient, ConfigurationError, MissingExtraError, TextToImage, webhooks
from modelslab_pony.testing import Simulator, VirtualClock, faults
from modelslab_pony.testing.server import bind, serving
from modelslab_pony.webhooks import AT_ONCE, MAX_BODY, MOST_INSIDE, Receiver, new_token
from support.both import KEY
from support.scripted import Service, captured

TOKEN = "planted-token_0123456789"
DONE = {"status": "success", "id": 70010006, "output": ["https://images.example/real.png"], "track_id": "real"}
FAILED = {"status": "failed", "id": 70010006, "message": "Processing failed"}
PROCESSING = {"status": "processing", "id": 70010006}
GONE = {"status": "failed", "id": "", "message": "Request not found"}
FORGED = {**captured("webhook_success").body, "output": ["https://evil.example/x.png"], "track_id": "forged"}
Told = list[AsyncJobStatus]


@contextlib.asynccontextmanager
async def receiving(
    service: Any, on_done: Any, clock: VirtualClock | None = None, **options: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of an application that has the receiver below /hooks."""
    async with (
        httpx.AsyncClient(transport=httpx.MockTransport(service)) as http,
        AsyncPonyClient(KEY, http_client=http) as pony,
    ):
        if clock is not None:
            clock.drive(pony)
        app = Starlette(routes=[Mount("/hooks", Receiver(pony, on_done, token=TOKEN, **options))])
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://app.example") as sender:
            before = asyncio.all_tasks()
            yield sender
            assert asyncio.all_tasks() == before, "a task was left behind"


def post(sender: httpx.AsyncClient, body: Any = FORGED, token: str = TOKEN) -> Coroutine[Any, Any, httpx.Response]:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return sender.post(f"/hooks/{token}", content=content)


def codes(service: Any, on_done: Any, clock: VirtualClock | None, *bodies: Any, **options: Any) -> list[int]:
    """Post one after the other; return the answers."""

    async def story() -> list[int]:
        async with receiving(service, on_done, clock, **options) as sender:
            return [(await post(sender, body)).status_code for body in bodies]

    return asyncio.run(story())


class Held:
    """A service that answers when it is let."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self.answers = list(answers)
        self.calls = 0
        self.under_way = 0
        self.most = 0
        self.let = asyncio.Event()

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.calls += 1
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await self.let.wait()
        finally:
            self.under_way -= 1
        asked = json.loads(request.content)["request_id"]
        return httpx.Response(200, json=self.answers.pop(0) if self.answers else {**DONE, "id": asked})


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not happened():  # noqa: ASYNC110 - a condition of any kind
            await asyncio.sleep(0.001)


# --- what is believed ------------------------------------------------------------------------------


def test_what_is_told_is_what_the_service_says(service: Service, clock: VirtualClock) -> None:
    """Not the URLs, the `track_id` or anything else that was posted; the key goes to the service alone."""
    told: Told = []
    assert codes(service.answers(DONE), told.append, clock, FORGED) == [200]
    (status,) = told
    assert status.generation is not None
    assert (status.id, status.status, status.raw) == (70010006, "success", DONE)
    assert [image.url for image in status.generation.images] == ["https://images.example/real.png"]
    assert service.calls == [("fetch", {"request_id": "70010006", "key": KEY})]
    assert "evil" not in repr(status)


@pytest.mark.parametrize("claimed", ["success", "failed", "error", " FAILED "])
@pytest.mark.parametrize("truth", [DONE, FAILED], ids=["success", "failed"])
def test_a_claimed_end_is_not_the_end(
    claimed: str, truth: dict[str, Any], service: Service, clock: VirtualClock
) -> None:
    """The service's word counts, whatever was claimed."""
    told: Told = []
    assert codes(service.answers(truth), told.append, clock, FORGED | {"status": claimed}) == [200]
    assert [(status.status, status.generation is None) for status in told] == [
        (truth["status"], truth["status"] == "failed")
    ]


def test_a_job_that_the_service_does_not_know(service: Service, clock: VirtualClock) -> None:
    """A 404, nobody is told, and nothing is remembered."""
    told: Told = []
    assert codes(service.answers(GONE, DONE), told.append, clock, FORGED, FORGED) == [404, 200]
    assert len(told) == 1


def test_a_job_by_another_name_is_none(service: Service, clock: VirtualClock) -> None:
    """A service that took 7x for 7 would have one end handled under any number of names."""
    told: Told = []
    bodies = [FORGED | {"id": id} for id in ("70010006x", "070010006", 70010007)]
    assert codes(service.answers(DONE, DONE, DONE), told.append, clock, *bodies) == [404] * 3
    assert told == []


def test_an_end_that_is_not_there_yet(service: Service, clock: VirtualClock) -> None:
    """Asked about for a while; then 503, not remembered, and the repeat is handled."""
    told: Told = []
    service.answers(PROCESSING, PROCESSING, DONE)
    assert codes(service, told.append, clock, FORGED) == [200]
    service.answers(*[PROCESSING] * 20)

    async def story() -> httpx.Response:
        async with receiving(service, told.append, clock, timeout=5) as sender:
            response = await post(sender)
            service._answers[:] = [FAILED]
            assert (await post(sender)).status_code == 200
            return response

    response = asyncio.run(story())
    assert (response.status_code, response.headers["retry-after"]) == (503, "30")
    assert [status.status for status in told] == ["success", "failed"]


def test_a_failure_while_it_is_waited_for(service: Service, clock: VirtualClock) -> None:
    """Is told as one."""
    told: Told = []
    assert codes(service.answers(PROCESSING, FAILED), told.append, clock, FORGED) == [200]
    assert [status.status for status in told] == ["failed"]


@pytest.mark.parametrize(
    "answer",
    [
        httpx.ConnectError("no route"),
        httpx.ReadTimeout("late"),
        "error_401",
        "error_402",
        "error_500",
        "error_429",
        "html_502",
        "list_body",
        "error_200_invalid_key",
    ],
    ids=str,
)
def test_a_service_that_cannot_be_asked(
    answer: Any, service: Service, clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """503, nobody is told; the repeat is handled. The log has neither key, token nor what was posted."""
    told: Told = []
    caplog.set_level(logging.DEBUG, "modelslab_pony")
    service.answers(*[answer] * 3)

    async def story() -> None:
        async with receiving(service, told.append, clock) as sender:
            response = await post(sender)
            assert (response.status_code, response.headers["retry-after"], response.text) == (503, "30", "not now")
            service._answers[:] = [DONE]
            assert told == []
            assert (await post(sender)).status_code == 200

    asyncio.run(story())
    assert len(told) == 1
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("modelslab_pony.webhooks", "WARNING")
    said, _, reason = record.getMessage().rpartition(": ")
    assert said == "job 70010006 of a webhook could not be confirmed"
    assert reason.isidentifier(), "a class, and no words from elsewhere"
    for secret in (KEY, TOKEN, "evil", "forged"):
        assert secret not in caplog.text


def test_a_service_that_does_not_answer() -> None:
    """503 in real time, whatever the client's own limits are; the call is given up."""

    async def story() -> None:
        service, told = Held(), []  # type: ignore[var-annotated]  # nothing is told
        async with receiving(service, told.append, timeout=0.05) as sender:
            assert (await post(sender)).status_code == 503
            assert (service.calls, service.under_way, told) == (1, 0, [])

    asyncio.run(story())


def test_a_post_on_the_way_is_not_looked_into(service: Service, clock: VirtualClock) -> None:
    """Only what claims an end is."""
    told: Told = []
    bodies = [FORGED | {"status": status} for status in ("processing", "queued", "whatever")]
    assert codes(service, told.append, clock, *bodies) == [200] * 3
    assert (service.calls, told) == ([], [])


# --- once ------------------------------------------------------------------------------------------


def test_the_same_end_is_handled_once(service: Service, clock: VirtualClock) -> None:
    """Repeats are answered without asking, whatever type the id has; another claim is asked about and not told."""
    told: Told = []
    bodies = [FORGED, FORGED, FORGED | {"id": "70010006"}, FORGED | {"status": "failed"}, FORGED]
    assert codes(service.answers(DONE, DONE), told.append, clock, *bodies) == [200] * 5
    assert (len(told), service.paths) == (1, ["fetch", "fetch"])


def test_a_failure_is_handled_once_as_well(service: Service, clock: VirtualClock) -> None:
    """By either of its words."""
    told: Told = []
    bodies = [FORGED | {"status": status} for status in ("failed", "error", "failed")]
    assert codes(service.answers(FAILED), told.append, clock, *bodies) == [200] * 3
    assert (len(told), service.paths) == (1, ["fetch"])


@pytest.mark.parametrize("id", [70010006, "70010006"])
def test_the_id_that_is_told_has_one_type(id: Any, service: Service, clock: VirtualClock) -> None:
    """So that an application finds it among its own."""
    told: Told = []
    codes(service.answers(DONE), told.append, clock, FORGED | {"id": id})
    assert [(status.id, status.generation and status.generation.id) for status in told] == [(70010006, 70010006)]


def test_so_many_jobs_are_remembered(service: Service, clock: VirtualClock) -> None:
    """The one that was seen last stays."""
    told: Told = []
    bodies = [FORGED | {"id": id} for id in (1, 2, 1, 3, 1, 2)]
    service.answers(*[DONE | {"id": id} for id in (1, 2, 3, 2)])
    assert codes(service, told.append, clock, *bodies, remember=2) == [200] * 6
    assert [status.id for status in told] == [1, 2, 3, 2]


def test_two_at_the_same_time() -> None:
    """The second waits for the first: one look, told once, the same answer; also if it is none yet."""

    async def story(truth: dict[str, Any]) -> tuple[list[int], int, int]:
        service, told = Held(truth), []

        async def on_done(status: AsyncJobStatus) -> None:
            told.append(status)
            await asyncio.sleep(0.01)

        async with receiving(service, on_done) as sender:
            posts = [asyncio.create_task(post(sender, FORGED | {"id": id})) for id in (70010006, "70010006") * 5]
            await until(lambda: service.calls == 1)
            await asyncio.sleep(0.02)
            service.let.set()
            return [response.status_code for response in await asyncio.gather(*posts)], service.calls, len(told)

    assert asyncio.run(story(DONE)) == ([200] * 10, 1, 1)
    assert asyncio.run(story(GONE)) == ([404] * 10, 1, 0)


@pytest.mark.parametrize("fault", [KeyError("a mistake"), StopIteration("odd"), TimeoutError("the disk")], ids=repr)
@pytest.mark.parametrize("awaited", [True, False])
def test_a_handler_that_raises(
    awaited: bool, fault: Exception, service: Service, clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """500, logged, not remembered: the repeat is told again."""
    told: Told = []

    def on_done(status: AsyncJobStatus) -> None:
        told.append(status)
        if len(told) == 1:
            raise fault

    async def on_done_async(status: AsyncJobStatus) -> None:
        on_done(status)

    handler = on_done_async if awaited else on_done
    assert codes(service.answers(DONE, DONE), handler, clock, FORGED, FORGED, FORGED) == [500, 200, 200]
    assert len(told) == 2
    (record,) = caplog.records
    assert "on_done raised for job 70010006" in record.getMessage()
    assert record.exc_info is not None
    assert TOKEN not in caplog.text
    assert KEY not in caplog.text


def test_every_kind_of_function_is_taken(service: Service, clock: VirtualClock) -> None:
    """What is awaited runs in the loop, the rest in a thread of its own."""
    places: list[threading.Thread] = []

    def plain(*_: Any) -> None:
        places.append(threading.current_thread())

    async def awaited(*_: Any) -> None:
        plain()

    class Called:
        async def __call__(self, _: AsyncJobStatus) -> None:
            plain()

    kinds: list[Any] = [plain, awaited, Called(), functools.partial(awaited, 1), lambda status: awaited(status)]  # noqa: PLW0108 - a kind of its own
    for kind in kinds:
        assert codes(service.answers(DONE), kind, clock, FORGED) == [200]
    assert [place is threading.main_thread() for place in places] == [False, True, True, True, True]


def test_who_is_cut_off_leaves_it_to_the_next() -> None:
    """The first is cancelled while it asks: a second one that waited does it all."""

    async def story() -> None:
        service, told = Held(DONE, DONE), []  # type: ignore[var-annotated]  # of statuses
        async with receiving(service, told.append) as sender:
            posts = []
            for _ in range(3):
                posts.append(asyncio.create_task(post(sender)))
                await asyncio.sleep(0.01)
            posts[2].cancel()
            posts[0].cancel()
            await until(lambda: service.calls == 2)
            service.let.set()
            ends = await asyncio.gather(*posts, return_exceptions=True)
            assert isinstance(ends[0], asyncio.CancelledError)
            assert isinstance(ends[2], asyncio.CancelledError)
            assert isinstance(ends[1], httpx.Response)
            assert (ends[1].status_code, service.calls, len(told)) == (200, 2, 1)

    asyncio.run(story())


def test_a_thread_cannot_be_cut_off(service: Service, clock: VirtualClock) -> None:
    """It is waited for, and what it did is remembered: the repeat does not do it twice."""
    told: Told = []
    begun, let = threading.Event(), threading.Event()

    def on_done(status: AsyncJobStatus) -> None:
        begun.set()
        let.wait(10)
        told.append(status)

    async def story() -> None:
        async with receiving(service.answers(DONE), on_done, clock) as sender:
            first = asyncio.create_task(post(sender))
            await until(begun.is_set)
            first.cancel()
            await asyncio.sleep(0.01)
            second = asyncio.create_task(post(sender))
            await asyncio.sleep(0.01)
            assert not first.done()
            assert not second.done()
            let.set()
            assert (await second).status_code == 200
            with pytest.raises(asyncio.CancelledError):
                await first

    asyncio.run(story())
    assert len(told) == 1


# --- who may come in -------------------------------------------------------------------------------


async def direct(
    app: Any, path: str, *messages: dict[str, Any], method: str = "POST", headers: Any = (), more: bool = False
) -> tuple[int, dict[str, str], int]:
    """Call an ASGI application; return its answer, and how many messages it read. With `more`, none ever ends."""
    read = 0
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        nonlocal read
        read += 1
        if read <= len(messages):
            return messages[read - 1]
        if more:
            await asyncio.Event().wait()
        raise AssertionError("the body was read on")

    async def send(message: Any) -> None:
        sent.append(message)

    raw = [(name.encode(), value.encode()) for name, value in headers]
    scope = {"type": "http", "http_version": "1.1", "method": method, "path": path, "headers": raw, "query_string": b""}
    await app(scope, receive, send)
    answered = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], answered, read


def alone(service: Any, on_done: Any = print, **options: Any) -> Receiver:
    http = httpx.AsyncClient(transport=httpx.MockTransport(service))
    return Receiver(AsyncPonyClient(KEY, http_client=http), on_done, token=TOKEN, **options)


def chunk(body: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


@pytest.mark.parametrize("method", ["POST", "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "BREW"])
@pytest.mark.parametrize(
    "path",
    [
        *("/", "//", "", "/wrong", f"/{TOKEN}x", f"/{TOKEN[:-1]}", f"/{TOKEN}/", f"/x/{TOKEN}", f"//{TOKEN}"),
        *(f"/{TOKEN.upper()}", f"/{TOKEN}\0", "/\N{BULLET}\ud800", f"/{TOKEN}?", f"/hooks/{TOKEN}"),
    ],
)
def test_without_the_token_there_is_nothing(path: str, method: str, service: Service) -> None:
    """404 by any method, at any other path; neither is the body read nor is anything asked."""
    code, headers, read = asyncio.run(direct(alone(service), path, method=method))
    assert (code, read, service.calls) == (404, 0, [])
    assert "location" not in headers
    assert "allow" not in headers


def test_a_flood_without_the_token_costs_no_question(service: Service, clock: VirtualClock) -> None:
    """While it lasts, the real one is taken."""
    told: Told = []

    async def story() -> None:
        async with receiving(service.answers(DONE), told.append, clock) as sender:
            posts = [post(sender, token=TOKEN if number == 500 else f"guess-{number}") for number in range(1000)]
            answers = [response.status_code for response in await asyncio.gather(*posts)]
            assert (answers.count(404), answers.count(200)) == (999, 1)

    asyncio.run(story())
    assert (len(service.calls), len(told)) == (1, 1)


def test_the_token_is_compared_in_constant_time(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """As bytes, by the function that is made for it, and by nothing else."""
    compared: list[tuple[bytes, bytes]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return len(compared) == 2

    monkeypatch.setattr(secrets, "compare_digest", compare)
    receiver = alone(service)
    assert asyncio.run(direct(receiver, f"/{TOKEN}"))[0] == 404
    body = json.dumps(PROCESSING).encode()
    assert asyncio.run(direct(receiver, "/wrong", chunk(body)))[0] == 200
    assert compared == [(TOKEN.encode(), TOKEN.encode()), (b"wrong", TOKEN.encode())]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"])
def test_with_the_token_other_methods_are_named(method: str, service: Service) -> None:
    """405, and which one is meant."""
    code, headers, read = asyncio.run(direct(alone(service), f"/{TOKEN}", method=method))
    assert (code, headers["allow"], read) == (405, "POST", 0)


@pytest.mark.parametrize("length", [MAX_BODY + 1, 10**30], ids=["over", "way over"])
def test_a_huge_body_that_says_so_is_not_read(length: int, service: Service) -> None:
    """413 at once, and the connection ends."""
    call = direct(alone(service), f"/{TOKEN}", headers=[("content-length", str(length))])
    code, headers, read = asyncio.run(call)
    assert (code, headers["connection"], read) == (413, "close", 0)


@pytest.mark.parametrize("headers", [(), [("content-length", "5")], [("content-length", "-1")]], ids=str)
def test_a_huge_body_that_does_not_say_so_is_cut_off(headers: Any, service: Service) -> None:
    """413 at the limit: what comes after it is not read."""
    chunks = [chunk(b" " * 65536, more=True)] * 100
    code, _, read = asyncio.run(direct(alone(service), f"/{TOKEN}", *chunks, headers=headers))
    assert (code, read, service.calls) == (413, MAX_BODY // 65536 + 1, [])


def test_the_limit_of_a_body_is_exact(service: Service, clock: VirtualClock) -> None:
    """A byte more is too much."""
    body = json.dumps(PROCESSING).encode()
    bodies = (body, body + b" ", body + b"  ")
    assert codes(service, print, clock, *bodies, max_body=len(body) + 1) == [200, 200, 413]


def test_a_slow_body_has_its_time(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """408 when it is over, however little came."""
    monkeypatch.setattr(webhooks, "BODY_LIMIT", 0.05)
    for messages in ((), (chunk(b"{", more=True),)):
        code, headers, _ = asyncio.run(direct(alone(service), f"/{TOKEN}", *messages, more=True))
        assert (code, headers["connection"], service.calls) == (408, "close", [])


def test_a_sender_that_goes_away(service: Service) -> None:
    """Is no fault of ours, and half a body is not read as a whole one."""
    whole = json.dumps(FORGED).encode()
    messages = [chunk(whole, more=True), {"type": "http.disconnect"}]
    assert asyncio.run(direct(alone(service), f"/{TOKEN}", *messages))[0] == 400
    assert service.calls == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no JSON",
        b"[]",
        b"\xff\xfe\x00\x80",
        gzip.compress(json.dumps(FORGED).encode()),
        b"[" * 500_000,
        b'{"a":' * 150_000,
        b'{"id": NaN, "status": "success"}',
        b'{"id": Infinity, "status": "success"}',
        b'{"id": "../../text2img", "status": "success"}',
        b'{"id": [7], "status": "success"}',
        b'{"id": 7}',
        b'{"status": "success"}',
        b"status=success&id=7",
    ],
    ids=range(14),
)
def test_what_is_no_webhook(
    body: bytes, service: Service, clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """400, nothing is asked, nothing of it is logged, and the next one is taken."""
    told: Told = []
    assert codes(service.answers(DONE), told.append, clock, body, FORGED) == [400, 200]
    assert (len(service.calls), len(told)) == (1, 1)
    assert [record.getMessage() for record in caplog.records] == ["a post with the right token was no webhook"]


def test_bodies_that_are_odd_and_real(service: Service, clock: VirtualClock) -> None:
    """No UTF-8, NaN, a warning of PHP before it: a hint all the same."""
    told: Told = []
    whole = json.dumps(FORGED).encode()
    bodies = [
        whole.replace(b"lighthouse", b"\xff\xfe"),
        whole.replace(b"11.2", b"NaN"),
        b"\xef\xbb\xbfWarning: \n" + whole,
    ]
    assert codes(service.answers(DONE), told.append, clock, *bodies) == [200] * 3
    assert len(told) == 1


def test_so_many_jobs_are_asked_about_at_once() -> None:
    """Who knows the token cannot have more; what waits for its turn is not refused."""

    async def story() -> None:
        service, told = Held(), []  # type: ignore[var-annotated]  # of statuses
        async with receiving(service, told.append) as sender:
            posts = [asyncio.create_task(post(sender, FORGED | {"id": id})) for id in range(1, 31)]
            await until(lambda: service.calls == AT_ONCE)
            await asyncio.sleep(0.02)
            service.let.set()
            assert {response.status_code for response in await asyncio.gather(*posts)} == {200}
            assert (service.calls, service.most, len(told)) == (30, AT_ONCE, 30)

    asyncio.run(story())


def test_so_many_posts_are_under_way(caplog: pytest.LogCaptureFixture) -> None:
    """More are told to come again, and then they are taken."""

    async def story() -> None:
        service, told = Held(), []  # type: ignore[var-annotated]  # of statuses
        async with receiving(service, told.append) as sender:
            bodies = [FORGED | {"id": id} for id in range(1, MOST_INSIDE + 4)]
            posts = [asyncio.create_task(post(sender, body)) for body in bodies]
            await until(lambda: service.calls == AT_ONCE and sum(one.done() for one in posts) == 3)
            service.let.set()
            answers = [response.status_code for response in await asyncio.gather(*posts)]
            assert (answers.count(503), answers.count(200)) == (3, MOST_INSIDE)
            again = [(await post(sender, body)).status_code for body in bodies]
            assert (set(again), len(told)) == ({200}, len(bodies))

    asyncio.run(story())
    assert {record.getMessage() for record in caplog.records} == {
        "too many webhooks at once: one was told to come again"
    }


# --- making one ------------------------------------------------------------------------------------


def test_a_token_cannot_be_guessed(service: Service) -> None:
    """One that could be is refused, and not repeated; no `repr` tells it."""
    assert len({new_token() for _ in range(100)}) == 100
    assert len(new_token()) == 43
    for bad in ("", "x" * 21, "with a space in it, and long", "s\N{LATIN SMALL LETTER E WITH ACUTE}cret" * 5, None, 7):
        with pytest.raises(ConfigurationError, match="22 to 256") as raised:
            Receiver(alone(service)._pony, print, token=bad)  # type: ignore[arg-type]  # that is the point
        assert not bad or str(bad) not in str(raised.value).replace("22 to 256", "")
    assert TOKEN not in repr(alone(service))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"pony": None}, "pony must be an AsyncPonyClient, not NoneType"),
        ({"on_done": None}, "on_done must be a function"),
        ({"timeout": 0}, "timeout must be"),
        ({"timeout": None}, "timeout must be"),
        ({"timeout": float("nan")}, "timeout must be"),
        ({"max_body": 0}, "max_body must be an integer from 1 to 1048576"),
        ({"max_body": MAX_BODY + 1}, "max_body must be"),
        ({"remember": 0}, "remember must be"),
        ({"remember": True}, "remember must be"),
    ],
)
def test_what_cannot_work_is_refused(change: dict[str, Any], said: str, service: Service) -> None:
    """When it is made, and not when the first webhook comes."""
    options: dict[str, Any] = {"pony": alone(service)._pony, "on_done": print, "token": TOKEN} | change
    with pytest.raises(ConfigurationError, match=said):
        Receiver(options.pop("pony"), options.pop("on_done"), **options)


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("https://app.example/hooks", f"https://app.example/hooks/{TOKEN}"),
        ("https://app.example/hooks/", f"https://app.example/hooks/{TOKEN}"),
        ("HTTPS://app.example", f"HTTPS://app.example/{TOKEN}"),
        ("http://127.0.0.1:8020", f"http://127.0.0.1:8020/{TOKEN}"),
        ("http://localhost", f"http://localhost/{TOKEN}"),
        ("http://[::1]:8020/x", f"http://[::1]:8020/x/{TOKEN}"),
    ],
)
def test_the_address_for_a_request(base: str, url: str, service: Service) -> None:
    """One that a request takes."""
    assert alone(service).url(base) == url
    assert TextToImage("x", webhook=url).webhook == url


@pytest.mark.parametrize(
    "base",
    [
        *("http://app.example/hooks", "ftp://app.example", "app.example", "", "https://", "https://a.example/?x=1"),
        *("https://a.example/#x", "https://me:pw@a.example", "https://a.example:99999", "https://a.example/\n", None),
        *("http://127.0.0.1.evil.example/", "https://[::1", "https://a.example/a b"),
    ],
)
def test_an_address_that_the_service_must_not_be_given(base: Any, service: Service) -> None:
    """Unencrypted, or none at all; neither it nor the token is repeated."""
    with pytest.raises(ConfigurationError) as raised:
        alone(service).url(base)
    assert TOKEN not in str(raised.value)
    assert "pw" not in str(raised.value)


def test_starlette_is_an_extra(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading a webhook needs none."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "starlette"]:
        monkeypatch.setitem(sys.modules, name, None)
    assert webhooks.parse(FORGED).job_id == 70010006
    with pytest.raises(MissingExtraError, match=r"pip install 'modelslab-pony\[webhooks\]'"):
        alone(service)


# --- the whole way ---------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def listening(app: Any) -> AsyncIterator[str]:
    """Serve over a socket."""
    door = bind()
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="none"))
    running = asyncio.create_task(server.serve([door]))
    try:
        yield f"http://127.0.0.1:{door.getsockname()[1]}"
    finally:
        server.should_exit = True
        await running
        door.close()


@pytest.mark.parametrize("dialect", ["spec", "observed"])
@pytest.mark.parametrize("outcome", ["success", "failed"])
def test_from_the_request_to_the_picture(dialect: Any, outcome: Any) -> None:
    """Over sockets: the simulator posts each event twice, one of them late as well; each job is told once."""
    simulator = Simulator(eta=0.1, dialect=dialect, outcome=outcome, queue_limit=None)
    simulator.faults.script(faults.WebhookTwice(0), faults.WebhookLate(0.3), faults.WebhookTwice(0.2), on="webhook")

    async def story(base_url: str) -> None:
        ended: asyncio.Queue[AsyncJobStatus] = asyncio.Queue()
        async with AsyncPonyClient(KEY, base_url=base_url) as pony:
            receiver = Receiver(pony, ended.put, token=new_token())
            async with listening(receiver) as address, asyncio.timeout(30):
                request = TextToImage("a lighthouse", webhook=receiver.url(address))
                jobs = [await pony.submit(request) for _ in range(3)]
                told = [await ended.get() for _ in jobs]
                await until(lambda: [webhook.status_code for webhook in simulator.webhooks] == [200] * 5)
                assert {str(status.id) for status in told} == {str(job.id) for job in jobs}
                assert {status.status for status in told} == {outcome}
                assert ended.empty()
                if outcome == "success":
                    assert told[0].generation is not None
                    assert (await told[0].generation.images[0].read()).startswith(b"\x89PNG")

    with serving(simulator) as base_url:
        asyncio.run(story(base_url))
    simulator.faults.assert_used()


@pytest.mark.parametrize("dialect", ["spec", "observed"])
def test_without_a_socket(dialect: Any, clock: VirtualClock) -> None:
    """An application tests its receiver beside the simulator, in one process and in no time."""
    told: Told = []
    receivers: list[Receiver] = []

    async def app(*call: Any) -> None:
        await receivers[0](*call)

    simulator = Simulator(eta=5, clock=clock, dialect=dialect, webhook_transport=httpx.ASGITransport(app))
    simulator.faults.script(faults.WebhookTwice(2), faults.WebhookLate(60), on="webhook")

    async def story() -> None:
        async with simulator.async_client() as pony:
            receivers.append(Receiver(pony, told.append, token=TOKEN))
            request = TextToImage("a lighthouse", webhook=receivers[0].url("https://shop.example"))
            first, second = await pony.submit(request), await pony.submit(request)
            for _ in range(8):
                clock.sleep(10)
                await simulator.deliver_async()
            assert [str(status.id) for status in told] == [str(first.id), str(second.id)]
            job = await pony.submit(request)
            await job.wait()
            assert [str(status.id) for status in told[2:]] == [str(job.id)]

    asyncio.run(story())
    assert [webhook.status_code for webhook in simulator.webhooks] == [200] * 4


def test_forged_over_a_socket(service: Service) -> None:
    """A body without a length that never ends is cut off, and so is the connection; nothing was asked."""

    async def story() -> None:
        async with listening(alone(service)) as address:
            host, port = address.removeprefix("http://").split(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(f"POST /{TOKEN} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
            with contextlib.suppress(ConnectionError):
                for _ in range(100):
                    writer.write(b"10000\r\n" + b" " * 65536 + b"\r\n")
                    await asyncio.wait_for(writer.drain(), 10)
            with contextlib.suppress(ConnectionError):
                answer = await asyncio.wait_for(reader.read(), 10)
                assert not answer or answer.startswith(b"HTTP/1.1 413 ")
            writer.close()
            async with httpx.AsyncClient(trust_env=False) as sender:
                began = time.monotonic()
                response = await sender.post(f"{address}/{TOKEN}", json=PROCESSING)
                assert (response.status_code, time.monotonic() - began < 5) == (200, True)

    asyncio.run(story())
    assert service.calls == []
