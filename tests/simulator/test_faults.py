"""What goes wrong on demand goes wrong alike through the transport and on the wire."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from attrs import frozen

from modelslab_pony import PollPolicy, PonyClient, PonyError, RetryPolicy, TextToImage
from modelslab_pony.testing import Simulator, VirtualClock
from modelslab_pony.testing.faults import (
    HTML,
    ContentType,
    CutShort,
    Drop,
    Fault,
    Late,
    Oversized,
    RateLimited,
    Redirect,
    Refuse,
    Reply,
    Trickle,
    WrongLength,
)
from modelslab_pony.testing.server import serving
from support.both import KEY, Colour, Story
from support.wire import post

ONCE = RetryPolicy(attempts=1)
AGAIN = RetryPolicy(attempts=3, min_delay=0.05, max_delay=1)
PATIENCE = 1.0
"""Seconds that the clients of these tests wait for an answer."""


@frozen
class Door:
    """One way to a simulator: through its transport with a virtual clock, or over real sockets."""

    name: str

    def play(self, story: Story, colour: Colour, prepare: Callable[[Simulator], object], **options: Any) -> Any:
        """Return the simulator and what a story returned or raised."""
        clock = VirtualClock() if self.name == "transport" else None
        simulator = Simulator(eta=0, clock=clock or time.monotonic)
        timeout = httpx.Timeout(PATIENCE)
        prepare(simulator)
        try:
            if clock is not None:
                done = colour.play_on(story, simulator.transport(), clock, timeout=timeout, **options)
            else:
                kind = httpx.HTTPTransport if colour.name == "sync" else httpx.AsyncHTTPTransport
                with serving(simulator) as url:
                    transport = kind(verify=False)  # plain HTTP: no certificates to load
                    done = colour.play_on(story, transport, None, base_url=url, timeout=timeout, **options)
        except PonyError as error:
            return simulator, error
        return simulator, done


@pytest.fixture(params=["transport", "wire"])
def door(request: pytest.FixtureRequest) -> Door:
    return Door(request.param)


def submit(pony: Any) -> Generator[Any, Any, Any]:
    return (yield pony.submit(TextToImage("a lighthouse", seed=7)))


def make(pony: Any) -> Generator[Any, Any, Any]:
    generation = yield pony.text2img("a lighthouse", seed=7)
    return (yield generation.images[0].read())


SUBMISSIONS: dict[str, tuple[Fault, str, int]] = {
    # what goes wrong: the fault, what the client says, how many jobs were accepted
    "refused": (Refuse(0.3), "TransportError", 0),
    "dropped": (Drop(), "SubmissionUnknown", 1),
    "dropped unread": (Drop(accepted=False), "SubmissionUnknown", 0),
    "dropped halfway": (Drop("during"), "SubmissionUnknown", 1),
    "dropped after": (Drop("after"), "Job", 1),
    "late": (Late(PATIENCE / 10), "Job", 1),
    "too late": (Late(PATIENCE * 2), "SubmissionUnknown", 1),
    "trickling": (Trickle(64, 0.01), "Job", 1),
    "trickling too slowly": (Trickle(64, PATIENCE * 2), "SubmissionUnknown", 1),
    "length too large": (WrongLength(50), "Job", 1),
    "length too small": (WrongLength(-50), "UnknownResponseError", 1),
    "truncated": (CutShort(), "UnknownResponseError", 1),
    "empty": (CutShort(0), "UnknownResponseError", 1),
    "502": (HTML(502), "UnknownServerError", 0),
    "503": (HTML(503), "UnknownServerError", 0),
    "522": (HTML(522), "UnknownServerError", 0),
    "502 after acceptance": (HTML(502, accepted=True), "UnknownServerError", 1),
    "challenge": (HTML(200), "UnknownResponseError", 0),
    "429": (RateLimited(3), "RateLimitError", 0),
    "429 without a wait": (RateLimited(None), "RateLimitError", 0),
    "redirect": (Redirect(), "UnknownResponseError", 0),
    "anything": (Reply(200, {"status": "error", "message": "Invalid Api Key"}), "AuthenticationError", 0),
}


@pytest.mark.parametrize("name", SUBMISSIONS)
def test_a_submission(name: str, door: Door, colour: Colour) -> None:
    """What the client says, and whether the service took it: the same through both doors."""
    fault, said, accepted = SUBMISSIONS[name]
    simulator, found = door.play(submit, colour, lambda made: made.faults.add(fault, on="text2img"), retry=ONCE)
    assert (type(found).__name__.removeprefix("Async"), len(simulator.jobs)) == (said, accepted)
    if name.startswith("429"):
        assert found.retry_after == fault.retry_after  # type: ignore[attr-defined]  # that is its class
    told = [submission.status_code for submission in simulator.submissions]
    lost = {"dropped", "dropped unread", "dropped halfway", "refused"}
    assert told in ([None], []) if name in lost else len(told) == 1 and told[0] is not None


RETRIED = {"refused": (Refuse(0.1), True), "429": (RateLimited(0.1), True), "dropped": (Drop(), False)}


@pytest.mark.parametrize("name", RETRIED)
def test_a_submission_is_sent_again_only_when_it_cannot_have_been_taken(name: str, door: Door, colour: Colour) -> None:
    """A closed door and a full queue; never a lost answer."""
    fault, again = RETRIED[name]
    simulator, found = door.play(submit, colour, lambda made: made.faults.add(fault, on="text2img"), retry=AGAIN)
    assert len(simulator.jobs) == 1
    assert isinstance(found, PonyError) is not again


IMAGES: dict[str, tuple[Fault, str, bool]] = {
    # what goes wrong: the fault, of which copies, whether the picture arrives
    "cut short": (CutShort(), "image", False),
    "cut short, the copy whole": (CutShort(), "output", True),
    "oversized": (Oversized(), "image", False),
    "oversized, the copy not": (Oversized(), "output", True),
    "called a text": (ContentType("text/plain"), "image", True),
    "a page": (HTML(200), "image", False),
    "502": (HTML(502), "image", False),
    "502, the copy there": (HTML(502), "output", True),
    "length too large": (WrongLength(1000), "image", False),
    "length too small": (WrongLength(-1000), "image", False),
    "dropped halfway": (Drop("during"), "image", False),
    "trickling": (Trickle(4096, 0.001), "image", True),
    "elsewhere": (Redirect(), "image", False),
}


@pytest.mark.parametrize("name", IMAGES)
def test_an_image(name: str, door: Door, colour: Colour) -> None:
    """Whole, or a `DownloadError` with the job's id; the copy is taken where it is good."""
    fault, on, arrives = IMAGES[name]
    simulator, found = door.play(make, colour, lambda made: made.faults.add(fault, on=on, times=None), retry=AGAIN)
    (job,) = simulator.jobs.values()
    if arrives:
        simulator.faults.clear()
        assert found == simulator.answer("GET", job.image_urls()[0]).content
    else:
        assert (type(found).__name__, found.job_id) == ("DownloadError", job.id)


def test_nothing_half_written_stays(door: Door, colour: Colour, tmp_path: Path) -> None:
    """Of a picture that was cut short."""

    def save(pony: Any) -> Generator[Any, Any, Any]:
        generation = yield pony.text2img("a lighthouse")
        return (yield generation.images[0].save(tmp_path))

    _, found = door.play(save, colour, lambda made: made.faults.add(CutShort(0.9), on="image", times=None), retry=ONCE)
    assert isinstance(found, PonyError)
    assert list(tmp_path.iterdir()) == []


def test_the_key_does_not_go_where_a_redirect_points(door: Door, colour: Colour) -> None:
    """Not even to another path of the same host."""
    elsewhere = Simulator(eta=0)
    with serving(elsewhere) as url:
        redirect = Redirect(f"{url}/text2img", 307)
        simulator, found = door.play(submit, colour, lambda made: made.faults.add(redirect, on="text2img"))
    assert isinstance(found, PonyError)
    assert list(elsewhere.requests) == []
    assert len(simulator.jobs) == 0


def test_a_script_gives_each_request_its_fault(door: Door, colour: Colour) -> None:
    """In order; None lets one pass; after its end all is well."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        found = []
        for _ in range(5):
            try:
                yield pony.submit(TextToImage("a lighthouse"))
                found.append("taken")
            except PonyError as error:
                found.append(type(error).__name__)
        return found

    def prepare(simulator: Simulator) -> None:
        simulator.faults.script(None, HTML(502), None, Drop("during"), on="submission")

    simulator, found = door.play(story, colour, prepare, retry=ONCE)
    assert found == ["taken", "UnknownServerError", "taken", "SubmissionUnknown", "taken"]
    assert len(simulator.jobs) == 4


def test_a_fetch_that_goes_wrong_loses_nothing(door: Door, colour: Colour) -> None:
    """Both forms of it; the client asks again and gets the images that were paid for."""

    def prepare(simulator: Simulator) -> None:
        simulator.eta = 0.3
        simulator.faults.script(HTML(503), Drop(), CutShort(), Refuse(0.1), on="fetch")

    quick = PollPolicy(min_delay=0.05, max_delay=0.1)
    simulator, found = door.play(make, colour, prepare, retry=RetryPolicy(attempts=6, min_delay=0.05), poll=quick)
    assert found.startswith(b"\x89PNG")
    assert len(simulator.jobs) == 1


# --- on the wire alone ---------------------------------------------------------------------------------


@pytest.fixture
def simulator() -> Simulator:
    return Simulator(eta=0)


def is_open(url: str) -> bool:
    parts = urlsplit(url)
    with socket.socket() as probe:
        return probe.connect_ex((parts.hostname or "", parts.port or 0)) == 0


def test_nobody_listens_while_connections_are_refused(simulator: Simulator) -> None:
    """From the moment that it is demanded, until its time is up; then on the same port."""
    with serving(simulator) as url:
        assert is_open(url)
        simulator.faults.add(Refuse(0.3))
        assert not is_open(url)
        deadline = time.monotonic() + 10
        while not is_open(url):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert post(f"{url}/text2img", {}).status_code == 400


def test_a_live_connection_does_not_outlast_a_refusal(simulator: Simulator) -> None:
    """The answer before it says that it is the last; the next is refused."""
    simulator.faults.script(None, Refuse(30))
    with serving(simulator) as url:
        assert is_open(url)
        connection = http.client.HTTPConnection(urlsplit(url).netloc)
        connection.request("GET", "/api")
        answer = connection.getresponse()
        answer.read()
        assert answer.headers["connection"] == "close"
        with pytest.raises(ConnectionRefusedError):
            connection.request("GET", "/api")
        connection.close()


def test_clearing_the_faults_opens_the_door(simulator: Simulator) -> None:
    """At once, and from another thread."""
    with serving(simulator) as url:
        simulator.faults.add(Refuse(60), times=None)
        assert not is_open(url)
        simulator.faults.clear()
        deadline = time.monotonic() + 10
        while not is_open(url):
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_a_server_ends_with_its_door_closed(simulator: Simulator) -> None:
    """And a new one may take its port."""
    with serving(simulator) as url:
        simulator.faults.add(Refuse(60))
        port = urlsplit(url).port or 0
    simulator.faults.clear()
    with serving(simulator, port) as url:
        assert is_open(url)


def test_what_arrives_of_a_broken_answer(simulator: Simulator) -> None:
    """Byte by byte: the stated length, the half that comes, the end of the connection."""
    with serving(simulator) as url:
        parts = urlsplit(url)
        for fault, stated, comes in [
            (Drop("before"), None, None),
            (Drop("during"), 60, 30),
            (Drop("after"), 60, 60),
            (WrongLength(7), 67, 60),
            (WrongLength(-7), 53, 60),
            (CutShort(0.25), 15, 15),
        ]:
            simulator.faults.script(Reply(200, b"x" * 60))
            whole = raw(parts, 1)
            assert whole.count(b"x") == 60
            simulator.faults.clear()
            simulator.faults.add(_Of60(fault))
            came = raw(parts, 1)
            head, _, body = came.partition(b"\r\n\r\n")
            assert len(body) == (comes or 0)
            assert (b"content-length: %d" % stated in head) if stated is not None else came == b""


@frozen
class _Of60(Fault):
    """A fault of an answer of 60 bytes."""

    fault: Fault

    def spoil(self, answer: Any) -> Any:
        return self.fault.spoil(Reply(200, b"x" * 60).spoil(answer))


def raw(parts: Any, seconds: float) -> bytes:
    """Return all that comes over a connection until it ends, or nothing comes any more."""
    with socket.create_connection((parts.hostname, parts.port)) as connection:
        connection.settimeout(seconds)
        connection.sendall(b"GET /images/x.png HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        came = b""
        while piece := connection.recv(65536):
            came += piece
        return came


def test_threads_may_share_a_server_with_faults(simulator: Simulator) -> None:
    """Each answer is right or spoilt as demanded; none is lost, and none counted twice."""
    simulator.faults.add(HTML(502), on="text2img", times=20)
    simulator.queue_limit = None
    statuses: list[int] = []

    def customer(url: str) -> None:
        for _ in range(20):
            answer = post(f"{url}/text2img", {"key": "k", "model_id": "m", "prompt": "p"})
            statuses.append(answer.status_code)

    with serving(simulator) as url:
        threads = [threading.Thread(target=customer, args=(url,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(statuses) == [200] * 60 + [502] * 20
    assert len(simulator.jobs) == 60


# --- through the transport alone -----------------------------------------------------------------------------


def test_time_that_a_late_answer_takes_is_virtual(clock: VirtualClock) -> None:
    """An hour in no time; a client that does not wait so long gives up after its own patience."""
    simulator = Simulator(eta=0, clock=clock)
    simulator.faults.add(Late(3600), times=2)
    with httpx.Client(transport=simulator.transport(), timeout=None) as patient:  # noqa: S113 - that is the case
        patient.get("https://modelslab.com/")
    assert clock.time == 3600
    with httpx.Client(transport=simulator.transport(), timeout=30) as hasty, pytest.raises(httpx.ReadTimeout):
        hasty.get("https://modelslab.com/")
    assert clock.time == 3630


@pytest.mark.parametrize("pause", [100, 2])
def test_a_client_waits_for_each_piece_as_long_as_it_is_patient(
    pause: float, colour: Colour, clock: VirtualClock
) -> None:
    """And no longer; in both colours."""
    simulator = Simulator(eta=0, clock=clock)
    simulator.faults.add(Trickle(1000, pause), on="text2img")
    try:
        colour.play_on(submit, simulator.transport(), clock, timeout=5.0, retry=ONCE)
    except PonyError:
        assert (pause, clock.time) == (100, 5)
    else:
        assert (pause, clock.time) == (2, 2)


def test_the_transport_is_an_ordinary_one(clock: VirtualClock) -> None:
    """`PonyClient` takes any httpx client that has it; the key stays where it was."""
    simulator = Simulator(eta=0, key=KEY, clock=clock)
    with httpx.Client(transport=simulator.transport()) as inner, PonyClient(KEY, http_client=inner) as pony:
        assert pony.text2img("a lighthouse").images[0].read()[:4] == b"\x89PNG"
