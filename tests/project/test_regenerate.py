"""`make regenerate`: every change is classed, every fault stops it, and nothing is half done."""

from __future__ import annotations

import contextlib
import copy
import difflib
import hashlib
import http.server
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

import generate
import regenerate
import swap
import wrapper_check
from prism_image import ROOT
from spec import SpecError
from support import checkout
from support.variants import SHIPPED, VARIANTS, edited

Regenerate = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def types_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What mypy knows of today's wrapper: to begin with it takes seconds off each of many runs."""
    folder = tmp_path_factory.mktemp("mypy")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wrapper_check, "cache", lambda _: ["--cache-dir", str(folder)])
        assert wrapper_check.lessons(ROOT, ROOT / "generated") == []
    return folder


@pytest.fixture
def quick(types_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin each run with a copy of that, so that none knows of another."""

    def cache(stage: Path) -> list[str]:
        shutil.copytree(types_cache, stage / "cache")
        return ["--cache-dir", str(stage / "cache")]

    monkeypatch.setattr(wrapper_check, "cache", cache)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout of its own."""
    return checkout.make(tmp_path / "checkout")


@pytest.fixture
def run(root: Path, quick: None, capsys: pytest.CaptureFixture[str]) -> Regenerate:  # noqa: ARG001 - a fixture
    """Run it on some sources; return the report for tools, with the exit code held to it."""

    def run(*sources: Path | str, accept: str = "") -> dict[str, Any]:
        code = regenerate.main([*map(str, sources), "--root", str(root), "--accept", accept, "--json"])
        report: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert report["exit_code"] == code
        return report

    return run


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_ends_as_it_has_to(name: str, run: Regenerate, root: Path, tmp_path: Path) -> None:
    """With its class, its exit code and its words; what is refused changes nothing, what is accepted is whole."""
    variant = VARIANTS[name]
    source = tmp_path / "new.json"
    source.write_text(json.dumps(edited(variant)), "utf-8")
    before = checkout.contents(root)
    report = run(source)
    assert (report["class"], report["exit_code"]) == (variant.worst, variant.exit_code), report
    assert variant.said in json.dumps(report), report
    if variant.exit_code:
        assert checkout.contents(root) == before
        assert report["refused"]
    if variant.accept:
        report = run(source, accept=variant.accept)
    if variant.accept or not variant.exit_code:
        assert (report["verdict"], report["exit_code"]) == ("written", 0), report
        assert json.loads((root / "openapi.json").read_text("utf-8")) == edited(variant)
        assert run(source)["verdict"] == "no change"


def times(folder: Path) -> dict[str, int]:
    return {path: (folder / path).stat().st_mtime_ns for path in checkout.contents(folder)}


def page(spec: dict[str, Any]) -> str:
    return f"# A page\n\n````yaml openapi.json POST /x\n{json.dumps(spec, indent=1)}\n````\n"


def test_the_shipped_spec_is_no_change(run: Regenerate, root: Path, tmp_path: Path) -> None:
    """As JSON, as YAML, in a page of the vendor; no file is touched."""
    before = times(root)
    shipped = ROOT / "openapi.json"
    (tmp_path / "page.md").write_text(page(SHIPPED), "utf-8")
    (tmp_path / "spec.yaml").write_text(yaml_of(SHIPPED), "utf-8")
    for source in (shipped, tmp_path / "page.md", tmp_path / "spec.yaml"):
        report = run(source)
        assert (report["verdict"], report["exit_code"], report["changes"]) == ("no change", 0, [])
    assert times(root) == before


def yaml_of(spec: dict[str, Any]) -> str:
    text = io.StringIO()
    YAML().dump(spec, text)
    return text.getvalue()


@pytest.mark.parametrize("split", ["pages", "blocks"])
def test_pages_and_blocks_are_merged(split: str, run: Regenerate, root: Path, tmp_path: Path) -> None:
    """The shipped spec in two parts is the shipped spec, in another order."""
    parts = [copy.deepcopy(SHIPPED), copy.deepcopy(SHIPPED)]
    del parts[0]["components"]["schemas"]["TextToImageRequest"]
    del parts[1]["components"]["schemas"]["ImageGenerationErrorResponse"]
    texts = [page(part) for part in parts] if split == "pages" else ["\n".join(map(page, parts))]
    sources = [tmp_path / f"page{number}.md" for number in range(len(texts))]
    for source, text in zip(sources, texts, strict=True):
        source.write_text(text, "utf-8")
    report = run(*sources)
    assert (report["class"], report["verdict"]) == ("safe", "written")
    assert json.loads((root / "openapi.json").read_text("utf-8")) == SHIPPED
    parts[1]["info"]["title"] = "Another"
    (tmp_path / "other.md").write_text(page(parts[1]), "utf-8")
    report = run(sources[0], tmp_path / "other.md")
    assert report["exit_code"] == 1
    assert f"{sources[0]}, block at line 3 says" in report["refused"]
    assert f"{tmp_path / 'other.md'}, block at line 3 says" in report["refused"]


ANSWERS = {
    "/spec.json": (200, "application/json", json.dumps(SHIPPED).encode()),
    "/page.md": (200, "text/markdown", page(SHIPPED).encode()),
    "/page": (200, "text/html", b"<!DOCTYPE html><html><body>The page</body></html>"),
    "/gone": (404, "application/json", json.dumps(SHIPPED).encode()),
}


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """A documentation on this machine."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            code, kind, body = ANSWERS[self.path.partition("?")[0]]
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("path", "said"),
    [("/page", "is an HTML page"), ("/gone", "answers 404"), ("/page.md", ""), ("/spec.json?token=secret", "")],
)
def test_an_address_is_read(path: str, said: str, run: Regenerate, root: Path, site: str) -> None:
    """The vendor's page and spec are no change; another page, and a 404 with whatever body, are refused."""
    before = checkout.contents(root)
    report = run(site + path)
    assert report["exit_code"] == (1 if said else 0)
    assert said in (report["refused"] or "")
    assert "secret" not in json.dumps(report)
    assert checkout.contents(root) == before


def test_the_same_input_gives_the_same_bytes(run: Regenerate, root: Path, tmp_path: Path) -> None:
    """In another folder too; what is recorded names the source and the hashes."""
    source = tmp_path / "next.json"
    source.write_text(json.dumps(edited(VARIANTS["an answer field is added"])), "utf-8")
    assert run(source)["verdict"] == "written"
    other = checkout.make(tmp_path / "other")
    assert regenerate.main([str(source), "--root", str(other), "--json"]) == 0
    assert checkout.contents(other) == checkout.contents(root)
    readme = (root / "generated" / "README.md").read_text("utf-8")
    digest = hashlib.sha256((root / "openapi.json").read_bytes()).hexdigest()
    assert f"| `openapi.json` (shipped) | `next.json` | `{digest}` |" in readme
    made = tmp_path / "made"
    generate.generate(root / "openapi.json", root / "openapi.overlay.yaml", made, "`next.json`")
    assert generate.differences(made, root / "generated") == []


def test_a_dropped_action_is_gone_and_nothing_else(run: Regenerate, root: Path, tmp_path: Path) -> None:
    """The effective spec stays as it was; the report names what went."""
    source = tmp_path / "next.json"
    source.write_text(json.dumps(edited(VARIANTS["the vendor ships what an action adds"])), "utf-8")
    overlay, effective = root / "openapi.overlay.yaml", root / "generated" / "openapi.json"
    before, spec = overlay.read_text("utf-8"), json.loads(effective.read_text("utf-8"))
    report = run(source, accept="overlay")
    assert [dropped.partition(", ")[2] for dropped in report["dropped"]] == [
        "$.components.schemas.TextToImageRequest.properties.samples"
    ]
    assert json.loads(effective.read_text("utf-8")) == spec
    gone = [
        line for line in difflib.ndiff(before.splitlines(), overlay.read_text("utf-8").splitlines()) if line[0] != " "
    ]
    assert len(gone) == 5
    assert all(line.startswith("-") for line in gone)


@pytest.mark.timeout(900)  # twenty-one whole runs, on whatever machine
def test_a_kill_at_any_moment_leaves_old_or_new(tmp_path: Path) -> None:
    """Twenty moments, most of them late; the whole group at once, and no word of it to anybody."""
    source = tmp_path / "next.json"
    source.write_text(json.dumps(edited(VARIANTS["an answer field is added"])), "utf-8")
    environment = {**os.environ, "TMPDIR": str(tmp_path)}

    def start(root: Path) -> subprocess.Popen[bytes]:
        command = [sys.executable, str(ROOT / "scripts" / "regenerate.py"), str(source), "--root", str(root)]
        return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, start_new_session=True)

    whole = checkout.make(tmp_path / "whole")
    old = checkout.contents(whole)
    begun = time.monotonic()
    assert start(whole).wait() == 0
    taken = time.monotonic() - begun
    new = checkout.contents(whole)
    ends = []
    for moment in (*(step / 24 for step in range(12)), *(0.8 + step / 25 for step in range(8))):
        root = checkout.make(tmp_path / f"killed{moment}")
        process = start(root)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(taken * moment)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        swap.finish(root)
        found = checkout.contents(root)
        assert found in (old, new), moment
        ends.append(found == new)
    assert len(ends) == 20
    assert not all(ends)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "which spec? make regenerate SPEC="),
        (["a.json", "--accept", "braking"], "ACCEPT=braking is not known; known: breaking, wrapper, overlay"),
    ],
)
def test_a_wrong_word_is_named(
    arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is read."""
    monkeypatch.delenv("SPEC", raising=False)
    with pytest.raises(SystemExit):
        regenerate.main(arguments)
    assert said in capsys.readouterr().err


def test_only_one_at_a_time(run: Regenerate, root: Path) -> None:
    """The second is told to wait."""
    with swap.alone(root):
        report = run(ROOT / "openapi.json")
    assert (report["exit_code"], "another program is replacing files" in report["refused"]) == (1, True)


@pytest.mark.usefixtures("run")
def test_the_report_is_written_as_markdown(root: Path, tmp_path: Path) -> None:
    """Also when nothing else is."""
    source = tmp_path / "next.json"
    source.write_text(json.dumps(edited(VARIANTS["a bound is narrowed"])), "utf-8")
    code = regenerate.main([str(source), "--root", str(root), "--report", str(tmp_path / "report.md")])
    text = (tmp_path / "report.md").read_text("utf-8")
    assert code == 3
    assert "| **breaking** | request | `TextToImageRequest.samples` | `maximum` | `" in text
    assert "- `text2img.samples: maximum is " in text
    assert "ACCEPT=breaking" in text


def test_make_takes_the_spec_and_says_what_came_of_it() -> None:
    """On this checkout, for which the shipped spec is no change."""
    command = ["make", "-s", "-o", ".venv/dev.stamp", "regenerate", "SPEC=openapi.json", "ACCEPT=overlay, wrapper"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "2 compare  no change: openapi.json says the same already" in done.stdout


def test_the_wrapper_is_tried_beside_the_new_client(root: Path) -> None:
    """What it imports and is not there, and what has another type, are lessons; nothing is left behind."""
    before = checkout.contents(root)
    assert wrapper_check.lessons(root, root / "generated") == []
    assert checkout.contents(root) == before
    raw = root / "generated" / "modelslab_pony_raw"
    model = raw / "models" / "image_generation_success_response.py"
    model.write_text(model.read_text("utf-8").replace("def from_dict(", "def read_dict("), "utf-8")
    typed = wrapper_check.lessons(root, root / "generated")
    assert any(line.startswith("wrapper/modelslab_pony/_raw.py:") and '"from_dict"' in line for line in typed)
    (raw / "api" / "default" / "img2img.py").unlink()
    found = wrapper_check.lessons(root, root / "generated")
    assert found[0].startswith("the wrapper cannot be imported: ImportError: cannot import name 'img2img'")
    assert any("wrapper/modelslab_pony/_raw.py:" in line and "img2img" in line for line in found[1:])


def test_what_mypy_cannot_read_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no lesson of the wrapper's, and not to be accepted."""
    monkeypatch.setattr(wrapper_check, "cache", lambda _: ["--no-such-option"])
    with pytest.raises(SpecError, match="mypy could not read the wrapper"):
        wrapper_check.lessons(root, root / "generated")


def test_a_report_that_cannot_be_written_is_told_before(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And not when all is done."""
    for place in (tmp_path, tmp_path / "gone" / "report.md"):
        with pytest.raises(SystemExit):
            regenerate.main([str(ROOT / "openapi.json"), "--root", str(root), "--report", str(place)])
        assert "cannot be written" in capsys.readouterr().err


def test_what_is_missing_is_named(run: Regenerate, root: Path, tmp_path: Path) -> None:
    """A checkout without its generated client is no state to begin with."""
    (tmp_path / "next.json").write_text(json.dumps(edited(VARIANTS["an answer field is added"])), "utf-8")
    for name, spoilt in (("openapi.json", b"{"), ("openapi.overlay.yaml", b"\xff"), ("generated/openapi.json", b"")):
        whole = (root / name).read_bytes()
        (root / name).write_bytes(spoilt)
        assert f"today's {name} cannot be read" in run(tmp_path / "next.json")["refused"]
        (root / name).write_bytes(whole)
    shutil.rmtree(root / "generated")
    assert "generated/openapi.json is not there" in run(tmp_path / "next.json")["refused"]


def test_the_overlay_keeps_its_line_ends(run: Regenerate, root: Path, tmp_path: Path) -> None:
    """It is replaced with the rest, to the byte."""
    overlay = root / "openapi.overlay.yaml"
    overlay.write_bytes(overlay.read_bytes().replace(b"\n", b"\r\n"))
    before = overlay.read_bytes()
    (tmp_path / "next.json").write_text(json.dumps(edited(VARIANTS["an answer field is added"])), "utf-8")
    assert run(tmp_path / "next.json")["verdict"] == "written"
    assert overlay.read_bytes() == before
