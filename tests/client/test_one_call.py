"""One call at a time: what its limit holds, and what it leaves when it is over."""

from __future__ import annotations

import asyncio
import dataclasses
import gzip
import inspect
import math
import threading
from collections.abc import AsyncIterator, Generator, Iterator
from typing import Any

import httpx
import pytest

from modelslab_pony import AsyncPonyClient, PonyClient, RetryPolicy, TextToImage, errors
from modelslab_pony._http import within
from modelslab_pony.results import AsyncImage, Image
from modelslab_pony.testing import VirtualClock
from support.both import KEY, Colour
from support.scripted import PNG, Service, captured

URL = "https://images.example/a.png"
ONCE = RetryPolicy(attempts=1)
SUCCESS = {**captured("success").body, "output": [URL], "proxy_links": None}


def submit(pony: Any) -> Generator[Any, Any, Any]:
    return (yield pony.submit(TextToImage("a lighthouse")))


def read(pony: Any) -> Generator[Any, Any, Any]:
    generation = yield pony.text2img("a lighthouse")
    return (yield generation.images[0].read())


# --- time, told by the pieces that came ------------------------------------------------------


class Pieces(httpx.SyncByteStream, httpx.AsyncByteStream):
    """Comes in pieces, each after some seconds; notes how many were taken, and whether it was closed."""

    def __init__(self, clock: VirtualClock, pieces: list[bytes], seconds: float = 0.0) -> None:
        self._clock, self._pieces, self._seconds = clock, pieces, seconds
        self.taken = 0
        self.is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self._clock.time += self._seconds
            self.taken += 1
            yield piece

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            yield piece

    def close(self) -> None:
        self.is_closed = True

    async def aclose(self) -> None:
        self.close()


def test_an_answer_that_trickles_ends_with_the_limit_of_a_call(
    colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """A lent client's own: httpx has 5 s to connect and 5 to read. Then the connection is given back."""
    slow = Pieces(clock, [b" "] * 1000, seconds=1)
    service.answers(lambda: httpx.Response(200, stream=slow))
    with pytest.raises(errors.SubmissionUnknown, match="more than 10 s"):
        colour.play(submit, service, clock)
    assert 10 < clock.time <= 12
    assert slow.is_closed


@pytest.mark.parametrize("takes", [250, 350])
def test_a_download_has_a_limit_of_its_own(takes: int, colour: Colour, service: Service, clock: VirtualClock) -> None:
    """300 s by default, though an answer has less."""
    slow = Pieces(clock, [PNG[at : at + 1] for at in range(len(PNG))], seconds=takes / len(PNG))
    service.answers(SUCCESS, lambda: httpx.Response(200, stream=slow))
    if takes < 300:
        assert colour.play(read, service, clock, retry=ONCE) == PNG
    else:
        with pytest.raises(errors.DownloadError, match="more than 300 s"):
            colour.play(read, service, clock, retry=ONCE)
        assert clock.time < 310
    assert slow.is_closed


def hang(clock: VirtualClock, seconds: float) -> httpx.Response:
    """Take some time, and then not answer."""
    clock.time += seconds
    raise httpx.ReadTimeout("no answer")


@pytest.mark.parametrize("call", [lambda pony: pony.balance(), lambda pony: pony.fetch(7)], ids=["balance", "fetch"])
def test_the_last_try_has_what_the_others_left(
    call: Any, colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """Two calls' time for all of them, not counting the pauses: after 5 and 8 s of 20, the third may take 7."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        yield call(pony)

    slow = Pieces(clock, [b" "] * 1000, seconds=1)
    service.answers(lambda: hang(clock, 5), lambda: hang(clock, 8), lambda: httpx.Response(200, stream=slow))
    with pytest.raises(errors.TransportError, match="more than 7 s"):
        colour.play(story, service, clock, timeout=httpx.Timeout(5.0), retry=RetryPolicy(attempts=9, min_delay=30))
    assert slow.taken <= 9
    assert len(service.calls) == 3


def test_the_last_try_of_a_download_has_what_the_others_left(
    colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """As for every other call."""
    slow = Pieces(clock, [PNG[:16], *[b" "] * 1000], seconds=1)
    service.answers(SUCCESS, lambda: hang(clock, 5), lambda: hang(clock, 8))
    service.answers(lambda: httpx.Response(200, stream=slow))
    with pytest.raises(errors.DownloadError, match="more than 7 s"):
        colour.play(read, service, clock, timeout=10.0, retry=RetryPolicy(attempts=9, min_delay=30))
    assert slow.taken <= 9
    assert len(service.calls) == 4


def test_asking_with_the_id_in_the_path_has_what_is_left_of_one_call(
    colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """The server that knows no `/fetch` took 6 of its 10 s to say so."""

    def unknown() -> httpx.Response:
        clock.time += 6
        return httpx.Response(404, html="<h1>Not Found</h1>")

    service.answers(unknown, lambda: httpx.Response(200, stream=Pieces(clock, [b" "] * 1000, seconds=1)))
    calls: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        calls.append(request.url.path.rsplit("/", 1)[-1])
        return service(request)

    def story(pony: Any) -> Generator[Any, Any, Any]:
        yield pony.fetch(7)

    with pytest.raises(errors.TransportError, match="more than 4 s"):
        colour.play(story, answer, clock, retry=ONCE)
    assert calls == ["fetch", "7"]


@pytest.mark.parametrize("seconds", [0.0, -5.0, 0.5, threading.TIMEOUT_MAX, 1e30, math.inf])
def test_every_limit_is_one_that_a_lock_takes(seconds: float) -> None:
    """Also none, one that is over, and one beyond what threads can wait: a place that is free is taken all the same."""
    lock = threading.Lock()
    assert lock.acquire(timeout=within(seconds) or -1)
    limit = within(seconds)
    assert limit is None or 0 < limit <= max(seconds, 0.01)
    if limit is None or limit < 1:
        assert (limit is None) is (seconds > threading.TIMEOUT_MAX)


# --- connections that are given back ---------------------------------------------------------


def test_an_answer_that_is_too_large_is_left(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """4 MiB are read and no more; what may have been accepted is unknown, and the connection is given back."""
    large = Pieces(clock, [b" " * 1024 * 1024] * 50)
    service.answers(lambda: httpx.Response(200, stream=large))
    with pytest.raises(errors.SubmissionUnknown):
        colour.play(submit, service, clock)
    assert large.taken == 5
    assert large.is_closed


def test_a_hop_and_what_is_no_picture_are_left(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """Neither is read to its end, and both connections are given back."""
    hop, page = (Pieces(clock, [b"<html>" * 10_000] * 50) for _ in range(2))
    service.answers(SUCCESS, lambda: httpx.Response(302, headers={"location": "/b.png"}, stream=hop))
    service.answers(lambda: httpx.Response(200, stream=page))
    with pytest.raises(errors.DownloadError, match="not an image"):
        colour.play(read, service, clock, retry=ONCE)
    assert (hop.taken, hop.is_closed) == (0, True)
    assert (page.taken, page.is_closed) == (1, True)


def test_a_transports_own_timeout_is_told_in_its_words(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """It is not taken for that of the whole call."""
    with pytest.raises(errors.SubmissionUnknown, match="TimeoutError: of the tunnel"):
        colour.play(submit, service.answers(TimeoutError("of the tunnel")), clock)


def test_a_zip_that_is_too_large_is_left_too(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """It is judged as what is too large without one: an answer came, and says nothing."""
    large = Pieces(clock, [gzip.compress(b" " * 9_000_000)[:8000]] * 50)
    headers = {"content-encoding": "gzip"}
    service.answers(lambda: httpx.Response(200, headers=headers, stream=large))
    with pytest.raises(errors.UnknownResponseError):
        colour.play(submit, service, clock)
    assert large.taken < 50
    assert large.is_closed


def test_a_zip_that_was_cut_is_no_answer(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """It is told as what broke off, and not as words of the service."""
    cut = gzip.compress(b'{"status": "error", "message": "Invalid API key"}')[:-20]
    headers = {"content-encoding": "gzip"}
    service.answers(lambda: httpx.Response(200, headers=headers, stream=Pieces(clock, [cut])))
    with pytest.raises(errors.SubmissionUnknown, match=r"no answer came .*within its encoding"):
        colour.play(submit, service, clock)


def test_a_zip_of_a_picture_is_whole_or_no_picture(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """Also where what is missing is only its check sum, and the picture has its end."""

    def zipped(content: bytes) -> httpx.Response:
        return httpx.Response(200, headers={"content-encoding": "gzip"}, stream=Pieces(clock, [content]))

    whole = gzip.compress(PNG)
    assert colour.play(read, service.answers(SUCCESS, lambda: zipped(whole)), clock) == PNG
    with pytest.raises(errors.DownloadError, match="within its encoding"):
        colour.play(read, service.answers(SUCCESS, lambda: zipped(whole[:-1])), clock, retry=ONCE)


def test_a_tunnel_that_breaks_is_a_passing_fault_of_a_download(
    colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """A caller's own transport raises what the system says."""
    service.answers(SUCCESS, ConnectionResetError("of the tunnel"), PNG)
    assert colour.play(read, service, clock, retry=RetryPolicy(attempts=2)) == PNG


def test_what_fails_before_it_is_sent_was_not_sent(
    colour: Colour, service: Service, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lent client that cannot build the request: nothing was accepted, so that it may be built again."""
    kind: Any = httpx.Client if colour.name == "sync" else httpx.AsyncClient
    build = kind.build_request
    failed: list[int] = []

    def build_at_last(self: Any, *given: Any, **options: Any) -> httpx.Request:
        if not failed:
            failed.append(1)
            raise RuntimeError("no signature")
        request: httpx.Request = build(self, *given, **options)
        return request

    monkeypatch.setattr(kind, "build_request", build_at_last)
    with pytest.raises(errors.TransportError, match="nothing was sent"):
        colour.play(submit, service, clock, retry=ONCE)
    assert service.calls == []
    assert colour.play(submit, service.answers("processing"), clock).id == 70010006


@pytest.mark.parametrize("at_the_service", [True, False])
def test_each_request_has_the_limits_and_the_encodings_that_are_undone(
    at_the_service: bool, colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """Calls may be packed, singly; pictures are asked for as they are, of the service itself and of another host."""
    seen: list[tuple[str, str, Any]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append((request.method, request.headers["accept-encoding"], request.extensions["timeout"]))
        return service(request)

    service.answers({**SUCCESS, "output": ["https://modelslab.com/a.png" if at_the_service else URL]}, PNG)
    colour.play(read, answer, clock, timeout=7.0)
    limits = httpx.Timeout(7.0).as_dict()
    assert seen == [("POST", "gzip, deflate", limits), ("GET", "identity", limits)]


def test_a_lent_clients_own_encodings_are_not_asked_for() -> None:
    """It may have packers that ours does not undo."""
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["accept-encoding"])
        return httpx.Response(200, json={"status": "processing", "id": 7})

    async def awaited() -> None:
        own: dict[str, Any] = {"transport": httpx.MockTransport(answer), "headers": {"Accept-Encoding": "br, zstd"}}
        async with httpx.AsyncClient(**own) as http:
            await AsyncPonyClient(KEY, http_client=http).submit(TextToImage("x"))
        with httpx.Client(**own) as lent:
            PonyClient(KEY, http_client=lent).submit(TextToImage("x"))

    asyncio.run(awaited())
    assert seen == ["gzip, deflate"] * 2


def test_what_is_nested_too_deep_to_be_written_is_refused(colour: Colour, clock: VirtualClock) -> None:
    """At whichever depth Python gives up: it was sent, or refused as what cannot be written; nothing in between."""
    sent: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(len(request.content))
        return httpx.Response(200, json={"status": "processing", "id": 7})

    def story(pony: Any) -> Generator[Any, Any, Any]:
        deep: Any = []
        for depth in range(1, 1000):
            deep = [deep]
            if depth > 800 and depth % 3 == 0:
                before = len(sent)
                try:
                    yield pony.submit(TextToImage("x", extra={"deep": deep}))
                    assert len(sent) == before + 1
                except errors.InvalidRequestError:
                    assert len(sent) == before

    colour.play(story, answer, clock, retry=ONCE)
    assert 0 < len(sent) < 67


# --- what a fault tells ----------------------------------------------------------------------

PLAIN_KEY = "sk-planted-0123456789"


def test_a_fault_that_repeats_the_key_is_told_without_it(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """httpx's words hold what the other side said; so does the name of a host that is refused."""
    said = httpx.RemoteProtocolError(f"illegal status line: {PLAIN_KEY}")
    inside = httpx.Response(302, headers={"location": f"http://{PLAIN_KEY}.localhost/"})

    def story(pony: Any) -> Generator[Any, Any, Any]:
        for call in (lambda: pony.submit(TextToImage("x")), pony.balance, lambda: pony.fetch(7)):
            with pytest.raises(errors.PonyError, match=r"illegal status line: \[api key\]") as raised:
                yield call()
            assert PLAIN_KEY not in str(raised.value)
        for match in (r"illegal status line: \[api key\]", r"\[api key\]\.localhost is inside"):
            with pytest.raises(errors.DownloadError, match=match) as raised:
                yield from read(pony)
            assert PLAIN_KEY not in str(raised.value)

    service.answers(said, said, said, SUCCESS, said, SUCCESS, inside)
    colour.play(story, service, clock, retry=ONCE, api_key=PLAIN_KEY)


def chained(how: str) -> Exception:
    """Return a fault of a hook that another one led to, which was raised."""
    second = KeyError("mine")
    try:
        int("the first")
    except ValueError as fault:
        if how == "group":
            return ExceptionGroup("mine", [fault, second])
        second.__cause__, second.__context__ = (fault, None) if how == "cause" else (None, fault)
    return second


@pytest.mark.parametrize("how", ["cause", "context", "group"])
def test_no_fault_of_a_callers_own_transport_holds_the_request(how: str, colour: Colour, clock: VirtualClock) -> None:
    """Nor does what led to it: tools that show a traceback with its variables would show the key."""
    fault = chained(how)

    def answer(request: httpx.Request) -> httpx.Response:
        assert KEY.encode() in request.content.replace(b"\\/", b"/")
        raise fault

    with pytest.raises((KeyError, ExceptionGroup)) as raised:
        colour.play(submit, answer, clock)
    assert raised.value is fault
    inner = [*getattr(fault, "exceptions", ()), fault.__cause__, fault.__context__]
    assert [one.__traceback__ for one in inner if one is not None] == [None] * (2 if how == "group" else 1)
    assert "raised while a request was under way" in fault.__notes__[0]


class Stop(BaseException):
    """Ends a program, and takes no notes."""

    def add_note(self, note: str, /) -> None:
        raise TypeError(note)


def test_what_takes_no_notes_ends_an_upload_as_itself(colour: Colour, clock: VirtualClock) -> None:
    """What is said on it is lost; it is not."""

    def answer(_: httpx.Request) -> httpx.Response:
        raise Stop

    def story(pony: Any) -> Generator[Any, Any, Any]:
        yield pony.img2img("x", PNG)

    with pytest.raises(Stop):
        colour.play(story, answer, clock)


# --- how many are under way ------------------------------------------------------------------


def is_full(pony: Any) -> bool:
    """Tell whether no call could begin."""
    gate = pony._calls.gate
    if isinstance(gate, asyncio.Semaphore):
        return gate.locked()
    if gate.acquire(blocking=False):
        gate.release()
        return False
    return True


def test_calls_and_downloads_take_a_place_and_leave_it(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """With one place: it is taken during each, and free after it, whatever came of it."""
    ponies: list[Any] = []
    seen: list[tuple[str, bool]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append((request.method, is_full(ponies[0])))
        return service(request)

    def story(pony: Any) -> Generator[Any, Any, Any]:
        ponies.append(pony)
        for fault in (httpx.ReadError("reset"), KeyError("a hook of the caller's")):
            service.answers(fault)
            with pytest.raises((errors.SubmissionUnknown, KeyError)):
                yield pony.text2img("x")
            assert not is_full(pony)
        service.answers(SUCCESS, httpx.Response(403), SUCCESS, PNG)
        with pytest.raises(errors.DownloadError):
            yield from read(pony)
        assert not is_full(pony)
        assert (yield from read(pony)) == PNG
        assert not is_full(pony)

    colour.play(story, answer, clock, max_in_flight=1)
    assert [method for method, _ in seen] == ["POST", "POST", "POST", "GET", "POST", "GET"]
    assert all(is_taken for _, is_taken in seen)


def test_a_call_that_finds_no_place_in_time_was_not_sent(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """The caller's own limit covers the waiting for one's turn."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        taken = pony._calls.gate.acquire()
        if inspect.isawaitable(taken):
            yield taken
        with pytest.raises(errors.TransportError, match=r"nothing was sent \(too many calls .*max_in_flight"):
            yield pony.text2img("x", wait_timeout=0.01)
        with pytest.raises(errors.TransportError, match=r"too many calls .*no image was asked for yet") as raised:
            yield pony.img2img("x", PNG, wait_timeout=0.01)
        assert getattr(raised.value, "__notes__", []) == []  # its text says so already

    colour.play(story, service, clock, max_in_flight=1, retry=ONCE)
    assert service.calls == []


# --- a client that is closed -----------------------------------------------------------------


def test_a_closed_client_says_so(colour: Colour) -> None:
    """For a call, a look and a download alike; nothing is sent, and the image has not failed."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        image = (Image if isinstance(pony, PonyClient) else AsyncImage)(url=URL, loader=pony, job_id=7)
        yield pony.close()
        for call in (lambda: pony.submit(TextToImage("x")), lambda: pony.fetch(7), pony.balance, image.read):
            with pytest.raises(errors.ConfigurationError, match="closed"):
                yield call()
            assert not is_full(pony)

    colour.play_over(story, "https://modelslab.com/api/v6/images", max_in_flight=1)


def test_what_cannot_leave_is_claimed_by_nobody(service: Service) -> None:
    """Books on what may be paid are written right before a POST leaves, and not for one that finds no client."""
    claims: list[str] = []

    async def claim() -> None:
        claims.append("claimed")

    async def run() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(service.answers("processing"))) as http:
            pony = AsyncPonyClient(KEY, http_client=http)
            await pony._submitted(TextToImage("x"), claim)
            assert claims == ["claimed"]
        with pytest.raises(errors.ConfigurationError, match="closed"):
            await pony._submitted(TextToImage("x"), claim)

    asyncio.run(run())
    assert claims == ["claimed"]
    assert service.paths == ["text2img"]


@dataclasses.dataclass(frozen=True)
class FrozenFault(Exception):
    """Takes no notes, nor lets anything be assigned."""

    why: str


def test_a_frozen_fault_of_a_callers_own_transport_holds_no_request_either(colour: Colour, clock: VirtualClock) -> None:
    """A frozen dataclass refuses what `without_frames` assigns; its frames go all the same."""
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        raise FrozenFault("mine")

    def story(pony: Any) -> Any:
        return (yield pony.submit(TextToImage("x")))

    with pytest.raises((FrozenFault, dataclasses.FrozenInstanceError)) as raised:  # httpx fails to assign, too
        colour.play(story, answer, clock)
    rest: list[BaseException | None] = [raised.value]
    while rest:
        fault = rest.pop()
        if fault is not None:
            rest += [fault.__cause__, fault.__context__]
            trace = fault.__traceback__
            while trace:
                held = [value for value in trace.tb_frame.f_locals.values() if isinstance(value, httpx.Request)]
                assert not held, f"{trace.tb_frame.f_code.co_name} holds the request, and with it {KEY}"
                trace = trace.tb_next
