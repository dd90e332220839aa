"""The page of a batch, opened from the disk in a browser."""

from __future__ import annotations

import io
import json
import re
import shlex
from pathlib import Path
from typing import Any

from PIL import Image

from modelslab_pony import TextToImage
from modelslab_pony.batch import Batch, BatchError, BatchResult, BatchStatus, _gallery
from modelslab_pony.testing import Simulator
from support import batches
from support.browser import BROWSER_IS_THERE, browse

EVIL = "</script><script>document.title='taken over'</script><!-- <b>bold</b> & \"quotes\" \u2028 é 😀"
pytestmark = BROWSER_IS_THERE


def figures(page: str) -> list[str]:
    return re.findall(r"<figure.*?</figure>", page, re.DOTALL)


def page_of(output: Path) -> str:
    return (output / "index.html").as_uri()


def a_batch(output: Path) -> None:
    """Make one: two done, one of them with four images; one failed; one unknown."""
    simulator = Simulator(eta=0.0)
    rows: list[dict[str, Any]] = [
        {"prompt": EVIL, "seed": 7, "sampler": "Euler a", "name": "first"},
        {"prompt": "a harbour at night", "seed": 2**53 + 1, "samples": 4, "name": "second"},
        {"prompt": "sunk", "model_id": "no-such-model"},
    ]
    simulator.models = {"pony-realism"}
    Batch(output, rows, connect=simulator.async_client, limit=5).run()


def test_a_person_finds_every_row(tmp_path: Path) -> None:
    """Thumbnails with prompt, seed, sampler and time; failures with their reason; text is text, and never HTML."""
    output = tmp_path / "out"
    a_batch(output)
    page = browse(page_of(output), "--dump-dom", folder=tmp_path / "dom")
    first, second, third = figures(page)
    assert "&lt;/script&gt;&lt;script&gt;document.title" in first
    assert "<title>out</title>" in page
    for said in ("seed 7", "Euler a", " s · "):
        assert said in first
    assert f"seed {2**53 + 1}" in second
    assert ">4</span>" in second
    assert 'loading="lazy"' in second
    assert "NotFoundError" in third
    assert 'data-status="failed"' in third
    assert ">done 2<" in page
    assert ">failed 1<" in page
    sources = re.findall(r'<img[^>]* src="([^"]+)"', page)
    assert len(sources) == 2
    for source in sources:  # small copies, on this disk
        with Image.open(output / source) as small:
            assert max(small.size) == 320
    assert batches.KEY not in (output / "index.html").read_text("utf-8")


def test_it_asks_the_network_for_nothing(tmp_path: Path) -> None:
    """Every address in the page is a file beside it; scripts and styles stand in it."""
    a_batch(tmp_path / "out")
    text = (tmp_path / "out" / "index.html").read_text("utf-8")
    assert not re.search(r"(?:src|href)\s*=\s*[\"']?(?:https?:)?//", text)
    assert "default-src 'none'" in text
    assert "<link" not in text


def test_a_row_opens_with_its_request_and_its_command(tmp_path: Path) -> None:
    """The large picture, every field, and the command that makes it again, as a shell takes it."""
    output = tmp_path / "out"
    a_batch(output)
    page = browse(page_of(output) + "#1", "--dump-dom", folder=tmp_path / "dom")
    dialog = page[page.index("<dialog") : page.index("</dialog>")]
    assert "open" in dialog[: dialog.index(">")]
    assert 'src="./00001-7.png"' in dialog
    assert "Copy the command" in dialog
    (command,) = re.findall(r"<pre>(.*?)</pre>", dialog, re.DOTALL)
    plain = command.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    words = shlex.split(plain)
    assert (words[:2], sorted(words[2:4]), words[4:]) == (
        ["pony", "text2img"],
        ["--sampler=Euler a", "--seed=7"],
        ["--", EVIL],
    )


def test_the_first_of_several_images_is_seen(tmp_path: Path) -> None:
    """They stand one below the other, from the top."""
    output = tmp_path / "out"
    output.mkdir()
    for number, colour in enumerate(((200, 30, 30), (30, 200, 30), (30, 30, 200))):
        (output / f"{number}.png").write_bytes(_png(*colour))
    images = tuple(output / f"{number}.png" for number in range(3))
    _gallery.write(output, [_result(output, 1, images=images)], BatchStatus(id="b", total=1, done=1))
    style = "document.head.insertAdjacentHTML('beforeend', '<style>.large img {width: 700px; height: 700px}</style>');"
    address = _with(output, style) + "#1"
    browse(address, f"--screenshot={tmp_path / 'page.png'}", folder=tmp_path / "shot")
    assert _pixels(tmp_path / "page.png", (200, 30, 30)) > 300_000


def test_it_is_filtered_by_text_and_state(tmp_path: Path) -> None:
    """A word of the prompt, a seed, an error; a state with one click."""
    output = tmp_path / "out"
    a_batch(output)
    said = {"harbour NIGHT": ["2"], str(2**53 + 1): ["2"], "NotFound": ["3"], "nothing of the kind": []}
    for text, found in said.items():
        script = f"document.getElementById('text').value = {json.dumps(text)}; show();"
        page = browse(_with(output, script), "--dump-dom", folder=tmp_path / "dom")
        assert re.findall(r'data-index="(\d+)"', page) == found, text
    page = browse(
        _with(output, "document.querySelector('[data-state=failed]').click();"), "--dump-dom", folder=tmp_path / "dom"
    )
    assert re.findall(r'data-index="(\d+)"', page) == ["3"]


def test_five_thousand_images_are_no_burden(tmp_path: Path) -> None:
    """All of them are there, and the browser loads the ones that are seen: the first has its colours on the screen."""
    output = tmp_path / "out"
    output.mkdir()
    (output / "one.png").write_bytes(_png(200, 30, 30))
    rows = (_result(output, number) for number in range(1, 5001))
    _gallery.write(output, rows, BatchStatus(id="b", total=5000, done=5000))
    page = browse(page_of(output), "--dump-dom", folder=tmp_path / "dom")
    assert len(figures(page)) == 5000
    assert page.count('loading="lazy"') == 5000
    browse(page_of(output), f"--screenshot={tmp_path / 'page.png'}", folder=tmp_path / "shot")
    assert _pixels(tmp_path / "page.png", (200, 30, 30)) > 10_000


def test_variants_stand_in_a_grid(tmp_path: Path) -> None:
    """Seeds across, samplers down, each with its picture."""
    output = tmp_path / "out"
    simulator = Simulator(eta=0.0)
    samplers, seeds = ["Euler a", "DPM++ 2M Karras"], [1, 2, 3]
    requests = [TextToImage("a lighthouse", seed=seed, sampler=sampler) for sampler in samplers for seed in seeds]
    axes = {"x": {"name": "seed", "values": seeds}, "y": {"name": "sampler", "values": samplers}}
    Batch(output, requests, connect=simulator.async_client, axes=axes).run()
    page = browse(page_of(output), "--dump-dom", folder=tmp_path / "dom")
    table = page[page.index("<table") : page.index("</table>")]
    assert re.findall(r"<th>([^<]*)</th>", table) == ["sampler \\ seed", "1", "2", "3", *samplers]
    assert re.findall(r'data-index="(\d+)"', table) == ["1", "2", "3", "4", "5", "6"]
    assert len(re.findall(r"<tr>", table)) == 3
    browse(page_of(output), f"--screenshot={tmp_path / 'page.png'}", folder=tmp_path / "shot")
    with Image.open(tmp_path / "page.png") as shot:
        assert len(shot.convert("RGB").getcolors(2**24) or ()) > 300


def test_a_name_may_be_any(tmp_path: Path) -> None:
    """A file name with signs that mean something in a URL is found all the same."""
    output = tmp_path / "out"
    output.mkdir()
    name = "50% #1? a&b 'c' é.png"
    (output / name).write_bytes(_png(30, 30, 200))
    _gallery.write(output, [_result(output, 1, name)], BatchStatus(id="b", total=1, done=1))
    browse(page_of(output), f"--screenshot={tmp_path / 'page.png'}", folder=tmp_path / "shot")
    assert _pixels(tmp_path / "page.png", (30, 30, 200)) > 10_000


def _result(output: Path, number: int, name: str = "one.png", **others: Any) -> BatchResult:
    given: dict[str, Any] = {"status": "done", "images": (output / name,), "error": None, **others}
    return BatchResult(
        index=number, name=None, op="text2img", request={"prompt": f"a lighthouse, {number}"}, seed=number, **given
    )


def _png(*colour: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (64, 64), colour).save(file, "PNG")
    return file.getvalue()


def _with(output: Path, script: str) -> str:
    """Return a page that does something once it is there."""
    text = (output / "index.html").read_text("utf-8")
    changed = output / "changed.html"
    changed.write_text(text.replace("</body>", f"<script>{script}</script></body>"), "utf-8")
    return changed.as_uri()


def _pixels(path: Path, wanted: tuple[int, int, int]) -> int:
    with Image.open(io.BytesIO(path.read_bytes())) as shot:
        colours: Any = shot.convert("RGB").getcolors(2**24)
    return sum(count for count, colour in colours if max(abs(a - b) for a, b in zip(colour, wanted, strict=True)) < 12)


def test_a_row_without_an_image_tells_why(tmp_path: Path) -> None:
    """In its card, and when it is opened."""
    output = tmp_path / "out"
    output.mkdir()
    error = BatchError(type="SubmissionUnknown", message="no answer <came>")
    row = _result(output, 1, status="unknown", images=(), error=error)
    _gallery.write(output, [row], BatchStatus(id="b", total=1, unknown=1))
    page = browse(page_of(output) + "#1", "--dump-dom", folder=tmp_path / "dom")
    assert page.count("SubmissionUnknown: no answer &lt;came&gt;") >= 3
