"""The page for people, in a browser; and what another process may ask."""

from __future__ import annotations

import io
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from modelslab_pony import GenerationFailed, TextToImage
from modelslab_pony.testing import Simulator, VirtualClock, faults
from modelslab_pony.testing.server import serving
from support.browser import BROWSER_IS_THERE, browse


def root(base_url: str) -> str:
    return base_url.partition("/api/")[0]


def articles(page: str) -> list[str]:
    return re.findall(r"<article.*?</article>", page, re.DOTALL)


@BROWSER_IS_THERE
def test_a_person_sees_what_was_asked_for(tmp_path: Path) -> None:
    """Jobs with words, states and pictures, the newest first; requests; the account. Prompts are no HTML."""
    clock = VirtualClock()
    simulator = Simulator(eta=0, clock=clock, key="sk-planted-0123")
    with simulator.client(api_key="sk-planted-0123") as pony:
        pony.text2img("a lighthouse", samples=2, seed=7)
        simulator.outcome = "failed"
        with pytest.raises(GenerationFailed):
            pony.submit(TextToImage("<b>bold</b> & sunk", track_id="<script>document.title='taken over'</script>"))
        simulator.eta = 100
        pony.submit(TextToImage("still to come"))
    clock.sleep(25)
    simulator.faults.add(faults.HTML(503), on="fetch", times=4)
    simulator.answer("POST", "https://modelslab.com/api/v6/images/text2img", b'{"key": "wrong"}')
    with serving(simulator) as url:
        page = browse(root(url), "--dump-dom", folder=tmp_path / "dom")
        browse(root(url), f"--screenshot={tmp_path / 'page.png'}", folder=tmp_path / "shot")
        thumbnail = httpx.get(root(url) + "/_simulator/thumbnails/70010001-0.jpg", trust_env=False)
    newest, failed, oldest = articles(page)
    assert "still to come" in newest
    assert "75 s left" in newest
    assert "width: 25%" in newest
    assert "&lt;b&gt;bold&lt;/b&gt; &amp; sunk" in failed
    assert ">failed<" in failed
    assert oldest.count("<img") == 2
    assert "seed 7" in oldest
    assert ">success<" in oldest
    for said in ("1 of 5", "24.96 USD", "spec", "HTML(status_code=503, accepted=False), 4 times on fetch"):
        assert f">{said}<" in page
    assert ">401<" in page
    assert "<title>pony simulator</title>" in page
    assert "sk-planted" not in page
    assert list(simulator.requests)[-1].status_code == 401  # the page's own are not among them
    with Image.open(io.BytesIO(thumbnail.content)) as small:
        assert small.size == (320, 320)
        sky: Any = small.convert("RGB").getpixel((160, 8))
    with Image.open(tmp_path / "page.png") as shot:
        colours: Any = shot.convert("RGB").getcolors(2**24)
    near = sum(count for count, colour in colours if max(abs(a - b) for a, b in zip(colour, sky, strict=True)) < 9)
    assert near > 500


@BROWSER_IS_THERE
def test_the_page_is_live(tmp_path: Path) -> None:
    """A job that waits when it is opened has its picture a little later, without a reload."""
    ticks = itertools.count()
    simulator = Simulator(eta=25, clock=lambda: float(next(ticks)))  # every look at the clock takes a second
    with simulator.client() as pony:
        pony.submit(TextToImage("a lighthouse"))
    simulator.eta = 10_000
    with serving(simulator) as url, simulator.client() as pony:
        seen = json.loads(httpx.get(root(url) + "/_simulator/state", trust_env=False).text)
        assert [job["status"] for job in seen["jobs"]] == ["processing"]
        page = browse(root(url), "--dump-dom", folder=tmp_path)
    (job,) = articles(page)
    assert ">success<" in job
    assert job.count("<img") == 1


@BROWSER_IS_THERE
def test_an_empty_page_says_how_to_begin(tmp_path: Path) -> None:
    """With the address to copy."""
    with serving(Simulator()) as url:
        assert f"MODELSLAB_BASE_URL={url}" in browse(root(url), "--dump-dom", folder=tmp_path)


# --- from another process ------------------------------------------------------------------------------


@pytest.fixture
def simulator() -> Simulator:
    return Simulator(eta=0)


@pytest.fixture
def control(simulator: Simulator) -> Iterator[httpx.Client]:
    with serving(simulator) as url, httpx.Client(base_url=root(url), trust_env=False) as client:
        yield client


def test_faults_are_demanded_shown_and_cleared(control: httpx.Client, simulator: Simulator) -> None:
    """In the words of the command line; all or none."""
    asked = control.post("/_simulator/faults", json={"faults": ["html:503@fetch*2", "late:1"]})
    told = "HTML(status_code=503, accepted=False), 2 times on fetch; Late(seconds=1) on any request"
    assert asked.json() == control.get("/_simulator/faults").json() == {"faults": told}
    assert control.delete("/_simulator/faults").json() == {"faults": ""}
    refused = control.post("/_simulator/faults", json={"faults": ["late:3@text2img*always", "nope:3"]})
    assert (refused.status_code, str(simulator.faults)) == (400, "")
    assert "'nope:3' must be NAME" in refused.json()["message"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"faults": "html"}', b'{"faults": [{"a": 1}]}', b"\xff"])
@pytest.mark.parametrize("place", ["POST faults", "PATCH options"])
def test_what_cannot_be_read_is_400(body: bytes, place: str, control: httpx.Client) -> None:
    """With a message, and never a fault of the server."""
    method, _, name = place.partition(" ")
    answer = control.request(method, f"/_simulator/{name}", content=body)
    assert answer.status_code == (200 if (place, body) == ("PATCH options", b"{}") else 400)


def test_options_are_changed(control: httpx.Client, simulator: Simulator) -> None:
    """Those that may be; the message names the others."""
    answer = control.patch("/_simulator/options", json={"eta": 5, "outcome": "failed", "queue_limit": None})
    assert answer.json() == {
        "eta": 5,
        "outcome": "failed",
        "dialect": "spec",
        "queue_limit": None,
        "balance": 25.0,
        "price": 0.01,
        "image_life": 86400.0,
    }
    assert simulator.eta == 5
    for wrong, said in [({"etas": 1}, "no option etas; there are eta"), ({"eta": -1}, "eta must be a number")]:
        refused = control.patch("/_simulator/options", json=wrong)
        assert refused.status_code == 400
        assert said in refused.json()["message"]


def test_submissions_are_told_without_the_key(control: httpx.Client) -> None:
    """As JSON."""
    control.post("/api/v6/images/text2img", json={"key": "sk-planted-0123", "model_id": "m", "prompt": "p"})
    answer = control.get("/_simulator/submissions")
    (submission,) = answer.json()
    assert submission["request"] == {"model_id": "m", "prompt": "p"}
    assert (submission["status_code"], submission["job_id"]) == (200, 70010001)
    assert "sk-planted" not in answer.text


def test_a_picture_that_is_not_there(control: httpx.Client) -> None:
    """For the page, too."""
    for name in ("thumbnails/70010001-0.jpg", "pictures/70010001-0.png", "pictures/x-0.png"):
        assert control.get(f"/_simulator/{name}").status_code == 404


def test_a_base_url_of_another_shape_is_told(control: httpx.Client) -> None:
    """The answer says what it ends in here."""
    answer = control.post("/text2img", json={})
    assert answer.status_code == 404
    assert answer.json()["message"] == "no such endpoint: POST /text2img; a base URL here ends in /api/v6/images"


def test_the_state_is_what_the_page_shows(control: httpx.Client, simulator: Simulator) -> None:
    """A hundred of each, the newest first; faults, flags, and no prompt twice."""
    simulator.faults.add(faults.HTML(502), on="fetch")
    control.post("/api/v6/images/fetch", json={"key": "k", "request_id": "1"})
    for number in range(101):
        body = {"key": "k", "model_id": "m", "prompt": f"nsfw {number}"}
        control.post("/api/v6/images/text2img", json=body)
    state = control.get("/_simulator/state").json()
    assert [job["prompt"] for job in state["jobs"]] == [f"nsfw {number}" for number in range(100, 0, -1)]
    assert all(job["nsfw"] and "prompt" not in job["fields"] for job in state["jobs"])
    assert (len(state["requests"]), state["total"]) == (100, 101)
    assert state["requests"][0]["said"] == "success (id 70010101)"
    assert simulator.requests[0].fault == "HTML(status_code=502, accepted=False)"


def test_a_fault_is_shown_with_its_request(control: httpx.Client, simulator: Simulator) -> None:
    """Beside what the service said."""
    simulator.faults.add(faults.Late(0))
    control.get("/nothing")
    (shown,) = control.get("/_simulator/state").json()["requests"]
    assert (shown["fault"], shown["path"], shown["status_code"]) == ("Late(seconds=0)", "/nothing", 404)


def test_only_what_is_done_has_pictures(control: httpx.Client, simulator: Simulator) -> None:
    """Not a job that waits, nor one that failed, nor a second picture of one."""
    body = {"key": "k", "model_id": "m", "prompt": "p"}
    simulator.outcome = "failed"
    control.post("/api/v6/images/text2img", json=body)
    simulator.outcome = "success"
    control.post("/api/v6/images/text2img", json=body)
    simulator.eta = 100
    control.post("/api/v6/images/text2img", json=body)
    found = {
        name: control.get(f"/_simulator/{name}").status_code
        for id in (70010001, 70010002, 70010003)
        for name in (f"pictures/{id}-0.png", f"thumbnails/{id}-0.jpg", f"pictures/{id}-1.png")
    }
    assert [name for name, code in found.items() if code == 200] == [
        "pictures/70010002-0.png",
        "thumbnails/70010002-0.jpg",
    ]
    assert set(found.values()) == {200, 404}
