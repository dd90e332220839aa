"""What can be wrong before anything is sent, or with what answers: each a PonyError that says what to do."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
import respx

from modelslab_pony import AsyncPonyClient, PonyClient, RetryPolicy, TextToImage, errors
from modelslab_pony.testing import VirtualClock
from support.both import KEY, Colour
from support.scripted import PNG, Service

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"prompt": ""}, "prompt must not be empty"),
    ({"width": 1023}, "width must be from 1024 to 2048, not 1023"),
    ({"height": 1030}, "height must be divisible by 8, not 1030"),
    ({"widht": 1024}, "did you mean 'width'"),
    ({"sampler": "DPM++ 2N"}, "did you mean"),
    ({"extra": {"key": "x"}}, "the API key belongs to the client"),
    ({"extra": 5}, "extra must be a mapping"),
]


@pytest.mark.parametrize(("options", "said"), REFUSED, ids=[said for _, said in REFUSED])
def test_a_bad_request_is_refused_here(
    options: dict[str, Any], said: str, colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """The sentence names field, value and way out; nothing is sent."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.text2img(**{"prompt": "x", **options}))

    with pytest.raises(errors.InvalidRequestError) as raised:
        colour.play(story, service, clock)
    assert said in str(raised.value)
    assert "Nothing was sent." in str(raised.value)
    assert service.calls == []


@pytest.mark.parametrize("kind", [PonyClient, AsyncPonyClient])
def test_without_a_key_no_client_is_made(kind: Any) -> None:
    """Both clients read the same environment."""
    with pytest.raises(errors.ConfigurationError, match="MODELSLAB_API_KEY"):
        kind()


def test_a_host_that_does_not_answer(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """The tries are over after the policy's number; the error names the settings to look at."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.text2img("x"))

    service.answers(*[httpx.ConnectTimeout("timed out")] * 2)
    with pytest.raises(errors.TransportError, match="MODELSLAB_BASE_URL"):
        colour.play(story, service, clock, retry=RetryPolicy(attempts=2))


def test_a_closed_client_says_so(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """And not that the service could not be reached."""
    kept: list[Any] = []

    def keep(pony: Any) -> Generator[Any, Any, Any]:
        kept.append((yield pony.submit(TextToImage("x"))))

    def again(_: Any) -> Generator[Any, Any, Any]:
        return (yield kept[0].wait())

    colour.play(keep, service.answers("processing"), clock)
    with pytest.raises(errors.ConfigurationError, match="closed") as raised:
        colour.play(again, service, clock)
    assert raised.value.job_id == 70010006


@pytest.mark.parametrize("bad", [None, "", True, 1.5])
def test_a_job_id_that_is_none(bad: Any, colour: Colour, service: Service, clock: VirtualClock) -> None:
    """Refused before it is asked about."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.fetch(bad))

    with pytest.raises(errors.InvalidRequestError, match="id must be"):
        colour.play(story, service, clock)


def test_a_huge_answer_is_not_read_to_its_end(colour: Colour, clock: VirtualClock) -> None:
    """What a few kilobytes should be and is not is our own error, and little of it is kept."""
    given = 0

    class Endless(httpx.SyncByteStream, httpx.AsyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            nonlocal given
            while given < 100:
                given += 1
                yield b" " * 1024 * 1024

        async def __aiter__(self) -> AsyncIterator[bytes]:
            for chunk in self:
                yield chunk

    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.fetch(7))

    with pytest.raises(errors.UnexpectedResponseError) as raised:
        colour.play(story, lambda _: httpx.Response(200, stream=Endless()), clock, retry=RetryPolicy(attempts=1))
    assert given <= 34
    assert len(raised.value.body) <= 100_000


BAD_SETTINGS: list[tuple[dict[str, Any], str]] = [
    ({"timeout": "abc"}, "timeout"),
    ({"timeout": -1}, "timeout"),
    ({"timeout": 0}, "timeout"),
    ({"timeout": httpx.Timeout(5, connect=0)}, "timeout"),
    ({"timeout": float("nan")}, "timeout"),
    ({"timeout": httpx.Timeout(5, read=-1)}, "timeout"),
    ({"poll": None}, "poll must be a PollPolicy"),
    ({"retry": 3}, "retry must be a RetryPolicy"),
    ({"api_key": 5}, "api_key must be a text"),
    ({"api_key": b"k"}, "api_key must be a text"),
    ({"api_key": "k\udcff"}, "characters that no key has"),
    ({"base_url": 5}, "base_url must be a text"),
    ({"base_url": "https://ho st/api"}, "has to look like"),
    ({"http_client": object()}, "http_client must be"),
]


@pytest.mark.parametrize("kind", [PonyClient, AsyncPonyClient])
@pytest.mark.parametrize(("options", "said"), BAD_SETTINGS, ids=[str(options) for options, _ in BAD_SETTINGS])
def test_a_bad_setting_is_found_when_the_client_is_made(options: dict[str, Any], said: str, kind: Any) -> None:
    """And not by the first call, which is paid for."""
    with pytest.raises(errors.ConfigurationError, match=said):
        kind(**{"api_key": KEY, **options})


def test_a_client_of_the_other_colour_is_refused() -> None:
    """It would send the request and fail on the answer."""
    with pytest.raises(errors.ConfigurationError, match=r"httpx\.AsyncClient for AsyncPonyClient, not Client"):
        AsyncPonyClient(KEY, http_client=httpx.Client())  # type: ignore[arg-type]  # that is the point
    with pytest.raises(errors.ConfigurationError, match=r"httpx\.Client for PonyClient, not AsyncClient"):
        PonyClient(KEY, http_client=httpx.AsyncClient())  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize("request_", ["a lighthouse", {"prompt": "x"}, None])
def test_what_is_no_request_is_refused(request_: Any, colour: Colour, service: Service, clock: VirtualClock) -> None:
    """With the class that it should be."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.submit(request_))

    with pytest.raises(errors.InvalidRequestError, match="must be a TextToImage"):
        colour.play(story, service, clock)


@pytest.mark.parametrize(
    "options", [{"width": 10**5000}, {"prompt": 10**5000}, {"seed": 10**5000}, {"wait_timeout": 10**400}]
)
def test_numbers_too_long_to_be_written_down_are_refused(
    options: dict[str, Any], colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """Python itself refuses to show them."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.text2img(**{"prompt": "x", **options}))

    with pytest.raises(errors.InvalidRequestError, match=next(iter(options))):
        colour.play(story, service, clock)


@pytest.mark.parametrize("name", ["prompt", "model_id"])
def test_without_strict_a_required_field_is_still_required(
    name: str, colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """There is no request without it."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.text2img(**{"prompt": "x", name: None}))

    with pytest.raises(errors.InvalidRequestError, match=f"{name} must be given"):
        colour.play(story, service, clock, strict=False)


@pytest.mark.parametrize("given", [None, 7.0, httpx.Timeout(3.0, read=9.0)], ids=str)
def test_the_timeout_reaches_every_call(given: Any) -> None:
    """Ours by default; with a caller's own client, that one's."""
    seen: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.extensions["timeout"])
        return httpx.Response(200, json={"status": "processing", "id": 1})

    with httpx.Client(transport=httpx.MockTransport(answer), timeout=4.0) as http:
        PonyClient(KEY, http_client=http, timeout=given).submit(TextToImage("x"))
    expected = httpx.Timeout(4.0 if given is None else given).as_dict()
    assert seen == [expected]


@respx.mock
def test_our_own_client_has_a_generous_timeout_and_is_closed() -> None:
    """A POST that times out is one that nobody can account for."""
    route = respx.post("https://modelslab.com/api/v6/images/text2img").respond(json={"status": "processing", "id": 1})
    with PonyClient(KEY) as pony:
        pony.submit(TextToImage("x"))
        assert not pony._httpx.is_closed
    assert pony._httpx.is_closed
    timeout = route.calls[0].request.extensions["timeout"]
    assert (timeout["read"], timeout["connect"]) == (120, 10)


def test_a_callers_own_asynchronous_client_stays_open() -> None:
    """As the blocking one does."""

    async def run() -> None:
        async with httpx.AsyncClient() as http:
            async with AsyncPonyClient(KEY, http_client=http):
                pass
            assert not http.is_closed
        own = AsyncPonyClient(KEY)
        await own.close()
        assert own._httpx.is_closed

    asyncio.run(run())


def test_the_gate_holds_for_threads_and_for_downloads() -> None:
    """Ten threads submit and download through a gate of two."""
    lock, under_way, most = threading.Lock(), 0, 0
    meet = threading.Barrier(2)

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        meet.wait(10)  # two are here at once, and only two
        with lock:
            under_way -= 1
        if request.method == "GET":
            return httpx.Response(200, content=PNG)
        return httpx.Response(200, json={"status": "success", "id": 1, "output": ["https://x.example/a.png"]})

    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        pony = PonyClient(KEY, http_client=http, max_in_flight=2)
        with ThreadPoolExecutor(10) as pool:
            made = list(pool.map(lambda _: pony.text2img("x"), range(10)))
            assert list(pool.map(lambda g: g.images[0].read(), made)) == [PNG] * 10
    assert most == 2


def test_no_more_calls_than_allowed_are_in_flight() -> None:
    """The gate holds for an asynchronous client however many calls are begun at once."""
    under_way, most = 0, 0

    async def answer(_: httpx.Request) -> httpx.Response:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return httpx.Response(200, json={"status": "processing", "id": 1})

    async def run() -> None:
        async with (
            httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http,
            AsyncPonyClient(KEY, http_client=http, max_in_flight=3) as pony,
        ):
            await asyncio.gather(*(pony.submit(TextToImage("x")) for _ in range(20)))

    asyncio.run(run())
    assert most == 3


@pytest.mark.parametrize("kind", [PonyClient, AsyncPonyClient])
def test_no_proxy_has_a_part_in_what_stays_on_this_machine(kind: Any) -> None:
    """It would be sent the key in the clear; for the service itself the environment's proxy is used."""
    assert kind(KEY, base_url="http://127.0.0.1:4010")._httpx.trust_env is False
    assert kind(KEY, base_url="http://localhost:4010")._httpx.trust_env is False
    assert kind(KEY)._httpx.trust_env is True


@pytest.mark.parametrize("kind", [PonyClient, AsyncPonyClient])
@pytest.mark.parametrize(("name", "value"), [("HTTPS_PROXY", "ftp://x"), ("SSL_CERT_FILE", "/nonexistent")])
def test_an_environment_that_cannot_be_used_is_named(
    name: str, value: str, kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the client is made, with the variables to look at."""
    monkeypatch.setenv(name, value)
    with pytest.raises(errors.ConfigurationError, match=name):
        kind(KEY)


@pytest.mark.parametrize(
    "options", [{"sampler": 10**5000}, {"extra": {10**5000: 1}}, {"sampler": 7}, {"extra": {5: 1}}]
)
def test_odd_samplers_and_names_are_refused(
    options: dict[str, Any], colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """Whatever they are."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.text2img("x", **options))

    with pytest.raises(errors.InvalidRequestError, match=next(iter(options))):
        colour.play(story, service, clock, strict=False)


@pytest.mark.parametrize("given", [{"timeout": "5"}, {"timeout": -1}, {"on_update": 5}])
def test_a_mistake_after_acceptance_names_the_job(
    given: dict[str, Any], colour: Colour, service: Service, clock: VirtualClock
) -> None:
    """Whoever only looks at `job_id` must not take it for nothing accepted."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        job = yield pony.submit(TextToImage("x"))
        return (yield job.wait(**given))

    with pytest.raises(errors.InvalidRequestError) as raised:
        colour.play(story, service.answers("processing"), clock)
    assert raised.value.job_id == 70010006


def test_what_is_no_path_names_the_job(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """The image is made and paid for."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        generation = yield pony.text2img("x")
        return (yield generation.images[0].save(5))

    with pytest.raises(errors.InvalidRequestError, match="must be a path") as raised:
        colour.play(story, service.answers("success"), clock)
    assert raised.value.job_id == 70010001
