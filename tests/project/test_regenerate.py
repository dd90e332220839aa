"""`make regenerate`: every change is classed, every fault stops it, and nothing is half done."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import regenerate
from support import checkout
from support.variants import VARIANTS, edited

Regenerate = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def types_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What mypy knows from one run to the next."""
    return tmp_path_factory.mktemp("mypy")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout of its own."""
    return checkout.make(tmp_path / "checkout")


@pytest.fixture
def run(
    root: Path, types_cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Regenerate:
    """Run it on some sources; return the report for tools, with the exit code held to it."""
    monkeypatch.setenv("MYPY_CACHE_DIR", str(types_cache))

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
