"""What can be wrong before anything is sent, or with what answers: each a PonyError that says what to do."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import httpx
import pytest

from modelslab_pony import AsyncPonyClient, PonyClient, RetryPolicy, TextToImage, errors
from modelslab_pony.testing import VirtualClock
from support.both import KEY, Colour
from support.scripted import Service

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
    with pytest.raises(errors.ConfigurationError, match="closed"):
        colour.play(again, service, clock)


@pytest.mark.parametrize("bad", [None, "", True, 1.5])
def test_a_job_id_that_is_none(bad: Any, colour: Colour, service: Service, clock: VirtualClock) -> None:
    """Refused before it is asked about."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.fetch(bad))

    with pytest.raises(errors.InvalidRequestError, match="id must be"):
        colour.play(story, service, clock)


def test_a_huge_answer_is_not_read_to_its_end(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """What a few kilobytes should be and is not is our own error, and little of it is kept."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.fetch(7))

    huge = httpx.Response(200, content=b"[" + b" " * 40_000_000)
    with pytest.raises(errors.UnexpectedResponseError) as raised:
        colour.play(story, service.answers(huge), clock, retry=RetryPolicy(attempts=1))
    assert len(raised.value.body) <= 100_000


def test_no_more_calls_than_allowed_are_in_flight() -> None:
    """The gate holds for an asynchronous client however many calls are begun at once."""
    import asyncio

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
