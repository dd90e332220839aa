"""Headers of an answer over which httpx itself stumbles."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from support.fuzz.judge import judge
from support.fuzz.play import Example, Trip, async_trips, sync_trips
from support.fuzz.wires import COOKIES_THAT_BREAK, PLACES_THAT_BREAK, Wire, wire


def with_header(name: bytes, value: bytes, code: int) -> Wire:
    answer = wire({"status": "processing", "id": 7}, code)
    answer.headers.append((name, value))
    return answer


def trips(client: str, example: Example, answers: list[Wire], folder: Path) -> list[Trip]:
    if client == "sync":
        return sync_trips(example, answers, folder)
    return asyncio.run(async_trips(example, answers, folder))


@pytest.mark.xfail(strict=True, reason="httpx.InvalidURL is taken for a request that was never sent")
@pytest.mark.parametrize("client", ["sync", "async"])
@pytest.mark.parametrize("place", PLACES_THAT_BREAK)
def test_an_answer_that_points_nowhere_does_not_have_the_post_sent_again(
    client: str, place: bytes, tmp_path: Path
) -> None:
    """A redirect is not followed, so its place does not matter; the POST arrived, and may be billed."""
    answers = [with_header(b"location", place, 302)]
    for trip in trips(client, Example("submit", ()), answers, tmp_path):
        assert len(trip.exchanges) == 1
        judge(trip)


@pytest.mark.xfail(strict=True, reason="a cookie that cannot be sent back fails every further request")
@pytest.mark.parametrize("client", ["sync", "async"])
@pytest.mark.parametrize("cookie", COOKIES_THAT_BREAK)
def test_a_cookie_of_one_answer_does_not_break_the_next_call(client: str, cookie: bytes, tmp_path: Path) -> None:
    """The second job is accepted as the first was; nothing is called unknown that was never sent."""
    answers = [with_header(b"set-cookie", cookie, 200), wire({"status": "processing", "id": 7})]
    done = trips(client, Example("submit", ()), answers, tmp_path)
    assert [trip.error for trip in done] == [None, None]
