"""Nothing makes a call last: not the answer that trickles, not the time that the service states, not the clock."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import httpx
import pytest

from modelslab_pony import PollPolicy, PonyError, RetryPolicy, TextToImage, errors
from modelslab_pony.testing import VirtualClock
from support.both import Colour
from support.raw_server import RawServer, Talk
from support.scripted import PNG, Service, captured

LIMIT = 0.4
"""Seconds of one call in these tests."""
MARGIN = 2.0
"""Seconds for a slow machine; what trickles here would take a minute or more."""
ENDLESS = 3000
EMPTY_BLOCK = b"\0\0\0\xff\xff"
"""Of deflate (RFC 1951): five bytes that unpack to none."""
PROCESSING = {"status": "processing", "id": 7, "eta": 0.01}

Say = Callable[[Talk], object]


def head(extra: str = "", length: int = 100_000) -> bytes:
    return f"HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n{extra}\r\n".encode()


def slow_body(talk: Talk) -> None:
    talk.send(head())
    talk.trickle(PNG[:16] + b" " * ENDLESS)


def slow_head(talk: Talk) -> None:
    talk.trickle(b"HTTP/1.1 200 OK\r\nx-" + b"a" * ENDLESS)


def slow_status_line(talk: Talk) -> None:
    talk.trickle(b"HTTP/1.1 200 " + b"O" * ENDLESS)


def slow_interim_answers(talk: Talk) -> None:
    talk.send(*[b"HTTP/1.1 100 Continue\r\n\r\n"] * ENDLESS, pause=0.02)


def slow_chunk_sizes(talk: Talk) -> None:
    talk.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    talk.trickle(b"5;" + b"x" * ENDLESS)


def slow_zip_of_nothing(talk: Talk) -> None:
    talk.send(head("content-encoding: gzip\r\n"), gzip.compress(b"")[:10])
    talk.send(*[EMPTY_BLOCK] * ENDLESS, pause=0.02)


SLOW: list[Say] = [slow_body, slow_head, slow_status_line, slow_interim_answers, slow_chunk_sizes, slow_zip_of_nothing]
slow_answers = pytest.mark.parametrize("slow", SLOW, ids=[slow.__name__ for slow in SLOW])


def timed(colour: Colour, story: Any, server: RawServer, **options: Any) -> tuple[Any, float]:
    """Return what a story returns, and the seconds that it took."""
    begun = time.monotonic()
    found = colour.play_over(story, server.url, timeout=LIMIT, **options)
    return found, time.monotonic() - begun


def error_of(call: Callable[[], Any]) -> Generator[Any, Any, PonyError]:
    """Return the error that a call ends with."""
    with pytest.raises(PonyError) as raised:
        yield call()
    return raised.value


@slow_answers
def test_a_submission_ends_with_its_limit_and_is_unknown(slow: Say, colour: Colour) -> None:
    """One POST, and the word that it may have been accepted."""
    with RawServer(slow) as server:
        error, took = timed(colour, lambda pony: error_of(lambda: pony.submit(TextToImage("x"))), server)
        assert isinstance(error, errors.SubmissionUnknown)
        assert took < LIMIT + MARGIN
        assert len(server.talks) == 1
        assert server.is_left()


@slow_answers
def test_a_wait_ends_with_its_timeout_and_one_limit(slow: Say, colour: Colour) -> None:
    """However the fetches trickle; the error names the job."""

    def say(talk: Talk) -> None:
        talk.answer(PROCESSING) if talk.path.endswith("text2img") else slow(talk)

    with RawServer(say) as server:
        options = {"poll": PollPolicy(min_delay=0.05), "retry": RetryPolicy(attempts=50, min_delay=0.05)}
        error, took = timed(
            colour, lambda pony: error_of(lambda: pony.text2img("x", wait_timeout=1)), server, **options
        )
        assert isinstance(error, errors.JobTimeout)
        assert error.job_id == 7
        assert 1 <= took < 1 + LIMIT + MARGIN
        assert server.is_left()


@slow_answers
def test_a_look_ends_with_its_limit_and_once_more(slow: Say, colour: Colour) -> None:
    """`fetch` and `balance` have no timeout of their own: what hung is asked again once, and no more."""
    with RawServer(slow) as server:
        error, took = timed(colour, lambda pony: error_of(lambda: pony.fetch(7)), server)
        assert isinstance(error, errors.TransportError)
        assert error.job_id == 7
        _, again = timed(colour, lambda pony: error_of(pony.balance), server)
        assert max(took, again) < 2 * LIMIT + 1 + MARGIN
        assert len(server.talks) == 4


@slow_answers
def test_a_kept_connection_has_the_same_limit(slow: Say, colour: Colour) -> None:
    """The second answer trickles, on the connection of the first."""

    def say(talk: Talk) -> None:
        talk.answer({"status": "success", "data": {"balance": 1}}) if len(talk.server.talks) == 1 else slow(talk)

    def story(pony: Any) -> Generator[Any, Any, PonyError]:
        yield pony.balance()
        return (yield from error_of(lambda: pony.fetch(7)))

    with RawServer(say) as server:
        error, took = timed(colour, story, server)
        assert isinstance(error, errors.TransportError)
        assert took < 2 * LIMIT + 1 + MARGIN


@pytest.mark.parametrize("has_copy", [False, True])
@slow_answers
def test_a_download_ends_with_its_limit_and_leaves_nothing(
    slow: Say, has_copy: bool, colour: Colour, tmp_path: Path
) -> None:
    """The copy on the CDN is tried, or else the same address, once; then it is over."""

    def say(talk: Talk) -> None:
        if talk.path.endswith("text2img"):
            links = {"output": [f"{talk.server.url}/a.png"], "proxy_links": [f"{talk.server.url}/copy.png"] * has_copy}
            talk.answer({"status": "success", "id": 7, **links})
        else:
            slow(talk)

    def story(pony: Any) -> Generator[Any, Any, PonyError]:
        generation = yield pony.text2img("x")
        return (yield from error_of(lambda: generation.images[0].save(tmp_path)))

    with RawServer(say) as server:
        error, took = timed(colour, story, server)
        assert isinstance(error, errors.DownloadError)
        assert error.job_id == 7
        assert took < 2 * LIMIT + 1 + MARGIN
        assert len(server.talks) == 3
        assert server.is_left()
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_does_not_read_ends_a_call_too(colour: Colour) -> None:
    """An upload of megabytes, taken a little at a time."""

    def slowly(talk: Talk) -> None:  # pragma: no cover - the request never comes whole
        talk.answer({})

    class Slow(RawServer):
        def _serve(self, connection: Any) -> None:
            with connection:
                while not self.over.wait(0.02):
                    if not connection.recv(100):
                        return

    with Slow(slowly) as server:
        picture = PNG + b"\0" * 3_000_000
        error, took = timed(
            colour, lambda pony: error_of(lambda: pony.img2img("x", picture)), server, retry=RetryPolicy(attempts=1)
        )
        assert isinstance(error, errors.TransportError)
        assert took < LIMIT + MARGIN


# --- what the service states, and the clock: in no time at all -------------------------------


@pytest.mark.parametrize("eta", [1e9, 10**9, "1000000000", 1e300])
def test_an_eta_of_years_is_not_slept(eta: Any, colour: Colour, service: Service, clock: VirtualClock) -> None:
    """The job is asked about all the same, and the wait ends with its timeout."""
    service.answers({**PROCESSING, "eta": eta}, *[{**PROCESSING, "eta": eta}] * 100)
    error = colour.play(lambda pony: error_of(lambda: pony.text2img("x", wait_timeout=60)), service, clock)
    assert isinstance(error, errors.JobTimeout)
    assert clock.time == pytest.approx(60)
    assert len(service.calls) > 3


@pytest.mark.parametrize("stated", [1e9, "1000000000", 1e300])
@pytest.mark.parametrize("phase", ["submit", "fetch"])
def test_a_retry_after_of_years_is_an_error_at_once(
    stated: Any, phase: str, colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """It is past what the `RetryPolicy` waits for; the error tells it, and the job if there is one."""
    limited = {"status": "error", "message": "Rate limit exceeded", "retry_after": stated}
    service.answers(*([PROCESSING] if phase == "fetch" else []), limited)
    error = colour.play(lambda pony: error_of(lambda: pony.text2img("x", wait_timeout=None)), service, clock)
    assert isinstance(error, errors.RateLimitError)
    assert error.retry_after == float(stated)
    assert error.job_id == (7 if phase == "fetch" else None)
    assert clock.time < 20


def test_a_callback_that_takes_all_the_time_is_followed_by_one_last_look(
    colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """What `on_update` took has passed too: nothing is slept after the deadline."""

    def slowly(_: object) -> None:
        clock.time += 100

    service.answers(*[PROCESSING] * 5)
    error = colour.play(
        lambda pony: error_of(lambda: pony.text2img("x", wait_timeout=10, on_update=slowly)), service, clock
    )
    assert isinstance(error, errors.JobTimeout)
    assert service.paths == ["text2img", "fetch"]
    assert sum(clock.sleeps) == 0


class Jumping(VirtualClock):
    """A clock that is set `by` seconds on or back at its tenth look, and now and then after it."""

    def __init__(self, by: float) -> None:
        super().__init__(start=10_000.0)
        self._by, self._seen = by, 0

    def now(self) -> float:
        self._seen += 1
        if self._seen % 10 == 0:
            self.time += self._by
        return super().now()


@pytest.mark.parametrize("by", [-30.0, -1e6, 30.0, 1e6])
def test_a_clock_that_jumps_does_not_prolong_a_wait(by: float, colour: Colour) -> None:
    """What was slept has passed, whatever the clock says: the sleeps add up to the timeout at most."""
    clock = Jumping(by)
    service = Service(clock).answers(*[PROCESSING] * 500)
    error = colour.play(lambda pony: error_of(lambda: pony.text2img("x", wait_timeout=60)), service, clock)
    assert isinstance(error, errors.JobTimeout)
    assert error.job_id == 7
    assert sum(clock.sleeps) <= 60 + 1e-6


def test_who_never_speaks_tls_got_nothing(colour: Colour) -> None:
    """A connection that is not secured in time carried no request: it is made again, and nothing is unknown."""

    class Silent(RawServer):
        def _serve(self, connection: Any) -> None:
            with connection:
                self.over.wait(10)

    with Silent(slow_body) as server:
        base = server.url.replace("http:", "https:")
        begun = time.monotonic()
        with pytest.raises(errors.TransportError, match="nothing was sent"):
            colour.play_over(
                lambda pony: (yield pony.submit(TextToImage("x"))),
                base,
                timeout=LIMIT,
                retry=RetryPolicy(attempts=2, min_delay=0),
            )
        assert time.monotonic() - begun < 2 * LIMIT + MARGIN


def test_waiting_for_ones_turn_is_no_try(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """A download that waited long behind others still has its own time, and the copy's."""

    class Busy:
        def __init__(self, gate: Any) -> None:
            self._gate = gate

        def __enter__(self) -> None:
            clock.time += 10_000

        def __exit__(self, *_: object) -> None: ...

        async def __aenter__(self) -> None:
            clock.time += 10_000

        async def __aexit__(self, *_: object) -> None: ...

    def story(pony: Any) -> Generator[Any, Any, Any]:
        generation = yield pony.text2img("x")
        pony._calls.gate = Busy(pony._calls.gate)
        return (yield generation.images[0].read())

    service.answers("success", *[lambda: httpx.Response(404)] * 3, PNG)
    assert colour.play(story, service, clock) == PNG


def test_a_cut_zip_is_no_answer(colour: Colour) -> None:
    """What does not unpack is nothing that the service said; the POST may have been accepted."""
    content = gzip.compress(json.dumps(captured("success").body).encode())[:-20]

    def say(talk: Talk) -> None:
        talk.answer(content, headers="content-encoding: gzip\r\n")

    with RawServer(say) as server:
        error, _ = timed(colour, lambda pony: error_of(lambda: pony.submit(TextToImage("x"))), server)
        assert isinstance(error, errors.SubmissionUnknown)
