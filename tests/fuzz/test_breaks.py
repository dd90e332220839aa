"""Answers that were found to break something: a header, a bomb, the key in bytes that are no text."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from modelslab_pony import SubmissionUnknown
from support.both import KEY
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


@pytest.mark.parametrize("client", ["sync", "async"])
@pytest.mark.parametrize("place", PLACES_THAT_BREAK, ids=["data", "javascript", "no host", "long"])
def test_an_answer_that_points_nowhere_does_not_have_the_post_sent_again(
    client: str, place: bytes, tmp_path: Path
) -> None:
    """A redirect is not followed, and httpx looks at its place all the same; the POST arrived, and may be billed."""
    answers = [with_header(b"location", place, 302)]
    for trip in trips(client, Example("submit", ()), answers, tmp_path):
        assert len(trip.exchanges) == 1
        assert isinstance(trip.error, SubmissionUnknown)


@pytest.mark.parametrize("client", ["sync", "async"])
@pytest.mark.parametrize("cookie", COOKIES_THAT_BREAK)
def test_a_cookie_of_one_answer_does_not_break_the_next_call(client: str, cookie: bytes, tmp_path: Path) -> None:
    """The second job is accepted as the first was; nothing is called unknown that was never sent."""
    answers = [with_header(b"set-cookie", cookie, 200), wire({"status": "processing", "id": 7})]
    done = trips(client, Example("submit", ()), answers, tmp_path)
    assert [trip.error for trip in done] == [None, None]


WORDS = f'{{"status": "error", "message": "no such key: {KEY}"}}'.encode()
GARBLED = [b"\x00" + WORDS + b" " * (len(WORDS) % 2 == 0), ("\ufeff" + KEY).encode("utf-16-le") + b"\x00\xd8"]


@pytest.mark.parametrize("client", ["sync", "async"])
@pytest.mark.parametrize("content", GARBLED, ids=["zero before", "half a character"])
def test_the_key_is_taken_out_of_what_is_no_text_too(client: str, content: bytes, tmp_path: Path) -> None:
    """A zero byte makes JSON look like UTF-16, in which the key does not stand; the error shows it in UTF-8."""
    (trip,) = trips(client, Example("submit", ()), [wire(content)], tmp_path)
    shown = f"{trip.error} {getattr(trip.error, 'body', '')}"
    assert KEY not in shown.replace("\x00", "")


@pytest.mark.parametrize("client", ["sync", "async"])
@pytest.mark.parametrize("kind", ["zeros", "blanks", "job", "twice"])
def test_a_bomb_does_not_take_the_memory(kind: str, client: str) -> None:
    """Of 400 MB that come as less than one, no more is in memory at once than a few times the limit of an answer."""
    command = [sys.executable, "-m", "support.fuzz.bombs", kind, client]
    place = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=place, capture_output=True, text=True, check=True, timeout=100)
    outcome, megabytes = done.stdout.split()
    assert outcome in {"UnknownResponseError", "SubmissionUnknown"}
    assert int(megabytes) < 300
