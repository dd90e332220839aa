"""The key goes to the base URL, in the body, and nowhere else."""

from __future__ import annotations

import json
import logging
import pickle
import traceback
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx

import modelslab_pony
from modelslab_pony import PonyClient, PonyError, RetryPolicy, TextToImage
from modelslab_pony.testing import VirtualClock
from support.both import KEY, Colour
from support.scripted import PNG, Service, captured

PACKAGE = Path(modelslab_pony.__file__).parent
BASE = "https://modelslab.com/api/v6/images"


@respx.mock
def test_only_the_base_url_gets_the_key(caplog: pytest.LogCaptureFixture) -> None:
    """Not `fetch_result`'s other host, not the image's, not the CDN's, not a log at DEBUG."""
    caplog.set_level(logging.DEBUG)
    respx.post(f"{BASE}/text2img").respond(json=captured("processing_messege_float_eta").body)
    respx.post(f"{BASE}/fetch").respond(json=captured("success").body)
    respx.get("https://images.example/generations/a1-0.png").respond(404)
    respx.get("https://cdn.example/generations/a1-0.png").respond(content=PNG)
    clock = VirtualClock()
    with PonyClient(KEY) as pony:
        clock.drive(pony)
        generation = pony.text2img("a lighthouse")
        assert generation.images[0].read() == PNG
        assert KEY not in repr(pony) + repr(generation) + repr(pony.job(1))
    hosts = {call.request.url.host for call in respx.calls}
    assert hosts == {"modelslab.com", "images.example", "cdn.example"}
    for call in respx.calls:
        is_ours = call.request.url.host == "modelslab.com"
        assert (KEY in call.request.content.decode()) == is_ours
        assert KEY not in str(call.request.url) + str(call.request.headers)
    assert KEY not in caplog.text


ECHOES: list[Any] = [
    {"status": "error", "message": f"Invalid API key: {KEY}"},
    {"status": "error", "message": {"key": [f"The key {KEY} is unknown."]}},
    {"message": KEY, "input": {"key": KEY}},
    httpx.Response(502, text=f"<html>{KEY}</html>"),
    httpx.ReadTimeout("slow"),
    httpx.ConnectError("refused"),
    {"status": "failed", "id": "", "message": KEY, "output": ""},
    {"status": "processing", "id": "\ud800"},
    UnicodeError("from a transport"),
    httpx.RemoteProtocolError(f"illegal status line: bytearray(b'{KEY}')"),
    httpx.Response(200, content=json.dumps({"status": "error", "message": KEY}).encode("utf-16")),
    httpx.Response(200, content=b'{"status": "error", "message": "' + KEY.replace("/", "\\/").encode() + b'"}'),
]


@pytest.mark.parametrize("answer", ECHOES, ids=range(len(ECHOES)))
def test_no_error_holds_the_key(answer: Any, colour: Colour, service: Service, clock: VirtualClock) -> None:
    """Not its text, its body, its traceback with locals, nor its pickle; even if the service repeats it."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.submit(TextToImage("a lighthouse")))

    with pytest.raises(PonyError) as raised:
        colour.play(story, service.answers(answer), clock, retry=RetryPolicy(attempts=1))
    error = raised.value
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    ours = [frame for frame in shown.stack if Path(frame.filename).is_relative_to(PACKAGE)]
    assert ours
    assert KEY not in "".join(str(frame.locals) for frame in ours)
    assert KEY not in str(error) + repr(error) + repr(vars(error))
    assert KEY.encode() not in pickle.dumps(error)


def test_a_result_does_not_repeat_the_key(colour: Colour, service: Service, clock: VirtualClock) -> None:
    """Should the service record the whole request in `meta`."""
    body = {**captured("success").body, "meta": {"key": KEY, "seed": 3}}

    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.text2img("a lighthouse"))

    generation = colour.play(story, service.answers(body), clock)
    assert KEY not in json.dumps([dict(generation.meta), dict(generation.raw)])
    assert generation.seed == 3


def test_a_callers_own_client_stays_open_and_its_redirects_stay_unfollowed(service: Service) -> None:
    """`http_client` is not closed, and `follow_redirects=True` on it does not move the key."""
    moved = httpx.Response(307, headers={"location": "https://elsewhere.example/"})
    own = httpx.Client(transport=httpx.MockTransport(service.answers(moved)), follow_redirects=True)
    with PonyClient(KEY, http_client=own) as pony, pytest.raises(PonyError):
        pony.submit(TextToImage("x"))
    assert not own.is_closed
    assert len(service.calls) == 1
    own.close()
