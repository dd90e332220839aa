"""The simulator: a service with memory, through its transport."""

from __future__ import annotations

import base64
import io
import json
import re
import zlib
from collections.abc import Generator
from pathlib import Path
from typing import Any

import attrs
import pytest
from PIL import Image, ImageDraw

import modelslab_pony.testing
from modelslab_pony import errors
from modelslab_pony.testing import Simulator, VirtualClock
from modelslab_pony.testing._render import _caption, painted_over, render
from support.both import Colour
from support.pictures import picture
from support.scripted import PNG

BASE = "https://modelslab.com/api/v6/images"


def ask(simulator: Simulator, operation: str, body: Any) -> tuple[int, Any]:
    answer = simulator.answer("POST", f"{BASE}/{operation}", json.dumps(body).encode())
    return answer.status_code, json.loads(answer.content)


def test_a_job_goes_from_processing_to_success(colour: Colour, clock: VirtualClock) -> None:
    """After exactly its eta, with a picture of the size that was asked for."""
    simulator = Simulator(eta=20, clock=clock)
    seen: list[str] = []

    def story(pony: Any) -> Generator[Any, Any, Any]:
        generation = yield pony.text2img(
            "a lighthouse", width=1032, height=2048, on_update=lambda status: seen.append(status.status)
        )
        return generation, (yield generation.images[0].read())

    generation, content = colour.play_on(story, simulator.transport(), clock)
    picture = Image.open(io.BytesIO(content))
    assert (picture.format, picture.size) == ("PNG", (1032, 2048))
    assert seen[0] == "processing"
    assert seen[-1] == "success"
    assert clock.time >= 20
    assert simulator.jobs[generation.id].seed == generation.seed


def test_a_job_can_fail(colour: Colour, clock: VirtualClock) -> None:
    """As the service says it."""
    simulator = Simulator(outcome="failed", clock=clock)

    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.text2img("a lighthouse"))

    with pytest.raises(errors.GenerationFailed, match="Failed, Try Again") as raised:
        colour.play_on(story, simulator.transport(), clock)
    assert raised.value.job_id in simulator.jobs


def test_an_eta_of_nothing_answers_at_once(clock: VirtualClock) -> None:
    """And `eta` can be changed between jobs."""
    simulator = Simulator(eta=5, clock=clock)
    body = {"key": "k", "model_id": "m", "prompt": "p"}
    assert ask(simulator, "text2img", body)[1]["status"] == "processing"
    clock.sleep(5)
    simulator.eta = 0
    assert ask(simulator, "text2img", body)[1]["status"] == "success"


def test_a_picture_depends_on_prompt_seed_and_size(clock: VirtualClock) -> None:
    """The same three give the same bytes; another prompt or seed gives others."""
    simulator = Simulator(eta=0, clock=clock)
    pony = simulator.client()

    def picture(prompt: str, seed: int, index: int = 0) -> bytes:
        return pony.text2img(prompt, seed=seed, samples=2).images[index].read()

    first = picture("a lighthouse", 7)
    assert picture("a lighthouse", 7) == first
    assert picture("a lighthouse", 8) != first
    assert picture("a castle", 7) != first
    assert picture("a lighthouse", 7, index=1) != first


def test_the_words_of_a_prompt_change_the_picture_and_not_only_its_caption() -> None:
    """Compared above the caption."""
    skies = []
    for prompt in ("a lighthouse", "a castle"):
        with Image.open(io.BytesIO(render(prompt, 7, 1024, 1024))) as picture:
            skies.append(picture.crop((0, 0, 1024, 512)).tobytes())
    assert skies[0] != skies[1]


def test_jobs_without_a_seed_get_one_each_and_no_job_keeps_the_key(clock: VirtualClock) -> None:
    """The seed is told in `meta`; the key is not kept at all."""
    simulator = Simulator(eta=0, clock=clock)
    body = {"key": "sk-secret-0123", "model_id": "m", "prompt": "p"}
    first, second = (ask(simulator, "text2img", body)[1] for _ in range(2))
    assert first["meta"]["seed"] != second["meta"]["seed"]
    assert "sk-secret" not in repr([attrs.asdict(job) for job in simulator.jobs.values()])


def test_a_failed_job_has_no_image(clock: VirtualClock) -> None:
    """Neither under its future link nor anywhere."""
    simulator = Simulator(eta=5, outcome="failed", clock=clock)
    _, answer = ask(simulator, "text2img", {"key": "k", "model_id": "m", "prompt": "p"})
    clock.sleep(5)
    assert simulator.answer("GET", answer["future_links"][0], b"").status_code == 404


def test_whole_numbers_may_be_written_with_a_point(clock: VirtualClock) -> None:
    """1.0 is an integer to JSON Schema."""
    simulator = Simulator(eta=0, clock=clock)
    body = {"key": "k", "model_id": "m", "prompt": "p", "samples": 2.0, "width": 1024.0}
    _, answer = ask(simulator, "text2img", body)
    assert len(answer["output"]) == 2
    assert simulator.answer("GET", answer["output"][0], b"").status_code == 200


def test_all_is_what_the_type_checker_sees() -> None:
    """Each exported name exists."""
    source = Path(modelslab_pony.testing.__file__).read_text("utf-8")
    assert modelslab_pony.testing.__all__ == sorted(re.findall(r"(?:import|,) (\w+) as \1", source))
    for name in modelslab_pony.testing.__all__:
        assert getattr(modelslab_pony.testing, name).__name__.rpartition(".")[2] == name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = modelslab_pony.testing.nothing  # type: ignore[attr-defined]  # that is the point


def test_an_image_is_not_there_before_the_job_is_done(clock: VirtualClock) -> None:
    """`future_links` prove nothing: 404 until then, and for images that nobody asked for."""
    simulator = Simulator(eta=5, clock=clock)
    _, answer = ask(simulator, "text2img", {"key": "k", "model_id": "m", "prompt": "p"})
    (url,) = answer["future_links"]
    assert simulator.answer("GET", url, b"").status_code == 404
    clock.sleep(5)
    assert simulator.answer("GET", url, b"").status_code == 200
    for name in ("70010001-1.png", "70010002-0.png", "x.png", "-.png", "9" * 5000 + "-0.png"):
        assert simulator.answer("GET", f"https://modelslab.com/images/{name}", b"").status_code == 404


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"width": "1024"}, "width"),
        ({"width": 1023}, "width"),
        ({"width": 1028}, "width"),
        ({"samples": 5}, "samples"),
        ({"prompt": ""}, "prompt"),
        ({"model_id": None}, "model_id"),
        ({"safety_checker": True}, "safety_checker"),
    ],
)
def test_requests_are_held_to_the_effective_spec(change: dict[str, Any], said: str, clock: VirtualClock) -> None:
    """HTTP 400 with a message that names the field."""
    body = {"key": "k", "model_id": "m", "prompt": "p", **change}
    status_code, answer = ask(Simulator(clock=clock), "text2img", body)
    assert (status_code, answer["status"]) == (400, "error")
    assert said in answer["message"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"[" * 100_000, b"\xff"])
def test_a_body_that_is_no_request_is_refused(body: bytes, clock: VirtualClock) -> None:
    """Without falling over."""
    assert Simulator(clock=clock).answer("POST", f"{BASE}/text2img", body).status_code == 400


def test_a_wrong_key_is_refused_and_not_repeated(clock: VirtualClock) -> None:
    """Neither a wrong key nor one of the wrong type comes back in an answer."""
    body = {"key": "sk-wrong", "model_id": "m", "prompt": "p"}
    assert ask(Simulator(key="sk-right", clock=clock), "text2img", body)[0] == 401
    status_code, answer = ask(Simulator(clock=clock), "text2img", {**body, "key": ["sk-wrong"]})
    assert status_code == 400
    assert "sk-wrong" not in answer["message"]


@pytest.mark.parametrize("request_id", ["70010009", "", "x", "9" * 5000])
def test_an_unknown_job_is_not_found(request_id: str, clock: VirtualClock) -> None:
    """HTTP 404 by the docs, HTTP 200 and `failed` as it was seen; an empty id breaks the spec."""
    body = {"key": "k", "request_id": request_id}
    documented, seen = ask(Simulator(clock=clock), "fetch", body), ask(Simulator(dialect="observed"), "fetch", body)
    assert (documented[0], documented[1]["status"]) == (404 if request_id else 400, "error")
    assert (seen[0], seen[1]["status"]) == (200, "failed" if request_id else "error")


def test_what_nobody_serves_is_404(clock: VirtualClock) -> None:
    """Another path, another method."""
    simulator = Simulator(clock=clock)
    assert simulator.answer("GET", f"{BASE}/text2img", b"").status_code == 405
    assert simulator.answer("GET", f"{BASE}/text2img", b"").headers == {"allow": "POST"}
    assert simulator.answer("POST", "https://modelslab.com/", b"{}").status_code == 404


@pytest.mark.parametrize(
    ("url", "change"),
    [
        ("http://[/api/v6/images/text2img", {}),
        (f"{BASE}/text2img", {"prompt": "\ud800 a lone surrogate"}),
        (f"{BASE}/text2img", {"deep": json.loads("[" * 900 + "]" * 900)}),
    ],
    ids=["host", "surrogate", "deep"],
)
def test_no_request_makes_it_fall_over(url: str, change: dict[str, Any], clock: VirtualClock) -> None:
    """It answers, and what it accepts it can also draw."""
    simulator = Simulator(eta=0, clock=clock)
    body = {"key": "k", "model_id": "m", "prompt": "p", **change}
    answer = simulator.answer("POST", url, json.dumps(body).encode())
    assert answer.status_code in {200, 400}
    for link in json.loads(answer.content).get("output", []):
        assert simulator.answer("GET", link, b"").status_code == 200


def test_a_log_that_cannot_be_written_fails_no_request(clock: VirtualClock) -> None:
    """Its reader is gone, or its encoding too small."""

    def log(*_: Any) -> None:
        raise BrokenPipeError

    simulator = Simulator(clock=clock, log=log)
    assert simulator.answer("GET", "http://127.0.0.1/", b"").status_code == 404


def test_an_outcome_that_is_none_is_refused() -> None:
    """And not taken for a success."""
    with pytest.raises(ValueError, match="outcome must be one of success, failed, not 'bad'"):
        Simulator(outcome="bad")  # type: ignore[arg-type]  # that is the point
    simulator = Simulator()
    with pytest.raises(ValueError, match="not 'bad'"):
        simulator.outcome = "bad"  # type: ignore[assignment]  # that is the point


def test_its_client_asks_it_and_not_what_the_environment_names(
    clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`make mock` leaves such a variable behind."""
    monkeypatch.setenv("MODELSLAB_BASE_URL", "http://127.0.0.1:4010")
    with Simulator(eta=0, clock=clock).client() as pony:
        assert len(pony.text2img("a lighthouse").images) == 1


def upload(simulator: Simulator, content: bytes) -> tuple[int, Any]:
    return ask(simulator, "base64_to_url", {"key": "k", "base64_string": base64.b64encode(content).decode()})


def test_an_upload_is_there_for_a_day(clock: VirtualClock) -> None:
    """Under its own type; after that neither to be seen nor to be begun with, as picture or as mask."""
    simulator = Simulator(eta=0, clock=clock)
    content = picture("JPEG")
    (url,) = upload(simulator, content)[1]["output"]
    seen = simulator.answer("GET", url, b"")
    assert (seen.status_code, seen.content, seen.content_type) == (200, content, "image/jpeg")
    elsewhere = "https://x.example/a.png"
    requests: list[dict[str, Any]] = [
        {"init_image": url, "mask_image": elsewhere},
        {"init_image": elsewhere, "mask_image": url},
    ]
    for request in requests:
        assert ask(simulator, "inpaint", {"key": "k", "model_id": "m", **request})[0] == 200
    clock.time += 24 * 3600
    assert simulator.answer("GET", url, b"").status_code == 404
    for request in requests:
        assert ask(simulator, "inpaint", {"key": "k", "model_id": "m", **request})[0] == 400


def test_an_upload_is_an_image_of_at_most_5_mb(clock: VirtualClock) -> None:
    """As the service has it."""
    simulator = Simulator(clock=clock)
    assert upload(simulator, PNG + bytes(5_000_000 - len(PNG)))[0] == 200
    for bad in (PNG + bytes(5_000_001 - len(PNG)), b"text", b""):
        assert upload(simulator, bad)[0] == 400
    assert ask(simulator, "base64_to_url", {"key": "k", "base64_string": "no base64!"})[0] == 400


def test_what_begins_as_a_picture_and_is_none_makes_no_answer_fall_over(clock: VirtualClock) -> None:
    """The service would fail somehow, too."""
    simulator = Simulator(eta=0, clock=clock)
    with simulator.client() as pony:
        made = pony.img2img("x", PNG).images[0].to_pil()
    assert made.size == (2048, 2048)


def test_an_id_in_a_path_may_be_coded(clock: VirtualClock) -> None:
    """As any part of a URL."""
    simulator = Simulator(eta=0, clock=clock)
    ask(simulator, "text2img", {"key": "k", "model_id": "m", "prompt": "x"})
    assert ask(simulator, "fetch/%37%30010001", {"key": "k"})[1]["status"] == "success"


def test_a_job_may_begin_with_an_image_of_another(clock: VirtualClock) -> None:
    """By either of its addresses, however written; what was never made, or is gone, cannot be begun with."""
    simulator = Simulator(eta=0, image_life=60, clock=clock)
    with simulator.client() as pony:
        first = pony.text2img("a lighthouse", seed=1).images[0]
        url, copy = first.url, first.proxy_url or ""
        for given in (url, copy, url.replace("modelslab.com/", "modelslab.com:443/"), f"{url}?v=1"):
            again = pony.img2img("a harbour", given, strength=0.0, seed=2, width=1024, height=1024)
            with first.to_pil() as one, again.images[0].to_pil() as other:
                assert one.convert("RGB").tobytes() == other.convert("RGB").tobytes()
        for bad in (url.replace("70010001", "99999999"), "https://modelslab.com/uploads/none.png"):
            with pytest.raises(errors.BadRequestError, match="Unable to fetch image"):
                pony.img2img("a harbour", bad)
        clock.sleep(60)
        with pytest.raises(errors.BadRequestError, match="Unable to fetch image"):
            pony.img2img("a harbour", url)
        assert pony.img2img("a harbour", "https://elsewhere.example/uploads/none.png").images


def test_words_that_the_font_lacks_are_written_as_near_as_it_can() -> None:
    """Accents are left out; a long prompt ends in dots; nothing is too odd to be drawn."""
    assert render("lighthouse", 1, 512, 512) != render("harbour", 1, 512, 512)
    for prompt in ("Ünïcödé", "\u65e5\u672c", "\ud800", "x" * 5000, "a b " * 500, "", " ", "\0\n"):
        with Image.open(io.BytesIO(render(prompt, 10**5000, 2048, 1024))) as picture:
            assert picture.size == (2048, 1024)


@pytest.mark.parametrize("size", [(512, 512), (1024, 1024), (2048, 1024), (2048, 2048)])
def test_a_picture_has_the_size_that_was_asked_for(size: tuple[int, int]) -> None:
    """And is more than one colour, down to its words."""
    with Image.open(io.BytesIO(render("a lighthouse", 7, *size))) as picture:
        assert picture.size == size
        colours: Any = picture.crop((0, size[1] * 3 // 4, size[0], size[1])).getcolors(2**16)
    assert len(colours) > 3
    assert (255, 255, 255) in {colour for _, colour in colours}


@pytest.mark.parametrize("value", [5, None, [], {}, "http://[", "https://modelslab.com/images/1-0.png"])
def test_a_field_that_an_operation_does_not_have_is_none_of_its_images(value: Any, clock: VirtualClock) -> None:
    """It is kept as any other that the spec does not know."""
    simulator = Simulator(eta=0, clock=clock)
    body = {"key": "k", "model_id": "m", "prompt": "p", "init_image": value}
    status_code, answer = ask(simulator, "text2img", body)
    assert (status_code, answer["status"]) == (200, "success")
    assert simulator.answer("GET", answer["output"][0], b"").status_code == 200


@pytest.mark.parametrize("port", ["", ":80"])
def test_an_address_may_name_its_port(port: str, clock: VirtualClock) -> None:
    """The scheme's own is the same as none."""
    simulator = Simulator(eta=0, clock=clock)
    body = {"key": "k", "model_id": "m", "prompt": "p", "init_image": f"http://localhost{port}/images/999-0.png"}
    answer = simulator.answer("POST", "http://localhost/api/v6/images/img2img", json.dumps(body).encode())
    assert answer.status_code == 400


def test_strength_and_mask_decide_what_is_painted_over(clock: VirtualClock) -> None:
    """None of it, some, all; and only where the mask is white."""
    red = Image.new("RGB", (512, 512), (250, 20, 20))
    mask = Image.new("L", (512, 512), 0)
    mask.paste(255, (256, 0, 512, 512))
    with Simulator(eta=0, clock=clock).client() as pony:

        def corners(strength: float) -> list[Any]:
            made = pony.inpaint("the sea", init_image=red, mask_image=mask, strength=strength, seed=1)
            picture = made.images[0].to_pil().convert("RGB")
            return [picture.getpixel((5, 5)), picture.getpixel((506, 5))]

        none, some, whole = corners(0.0), corners(0.4), corners(1.0)
    assert [found[0] for found in (none, some, whole)] == [(250, 20, 20)] * 3
    assert none[1] == (250, 20, 20)
    assert len({none[1], some[1], whole[1]}) == 3


def test_a_picture_too_large_to_be_opened_is_begun_with_all_the_same() -> None:
    """Its header promises 2,500 million pixels."""
    file = io.BytesIO()
    Image.new("L", (1, 1)).save(file, "PNG")
    header = b"IHDR" + (50_000).to_bytes(4, "big") * 2 + file.getvalue()[24:29]
    bomb = file.getvalue()[:12] + header + zlib.crc32(header).to_bytes(4, "big") + file.getvalue()[33:]
    painted = render("the sea", 1, 512, 512)
    with Image.open(io.BytesIO(painted_over(bomb, painted, None, 0.5))) as picture:
        assert picture.size == (512, 512)


def test_a_long_prompt_is_four_lines() -> None:
    """What follows is not drawn, so that it does not cover the picture."""
    image = Image.new("RGB", (1024, 1024))
    _caption(ImageDraw.Draw(image), "words and more words " * 100, 1024, 1024)
    assert image.getbbox() is not None
    assert (image.getbbox() or (0, 0))[1] > 700
