"""Remaking generated/: any difference is found, any fault stops it, and nothing is half done."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

import generate
from overlay import read_overlay
from prism_image import ROOT
from spec import SpecError, operations


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder, made anew from the repository's spec and overlay."""
    target = tmp_path_factory.mktemp("generate") / "generated"
    generate.generate(generate.SHIPPED, generate.OVERLAY, target, generate.source_of(ROOT / "generated"))
    return target


def test_the_same_input_gives_the_same_bytes(made: Path) -> None:
    """In another folder too: what is committed is what the spec and the overlay give."""
    assert generate.differences(made, ROOT / "generated") == []


def test_changed_missing_and_extra_files_are_found(made: Path, tmp_path: Path) -> None:
    """Each is named."""
    present = tmp_path / "generated"
    shutil.copytree(made, present)
    (present / "openapi.json").write_text("{}", "utf-8")
    (present / "README.md").unlink()
    (present / "modelslab_pony_raw" / "mine.py").write_text("", "utf-8")
    assert [line.split() for line in generate.differences(made, present)] == [
        ["changed", "openapi.json"],
        ["extra", "modelslab_pony_raw/mine.py"],
        ["missing", "README.md"],
    ]


def test_every_operation_has_its_function(made: Path) -> None:
    """The generator drops what it cannot parse."""
    spec = json.loads((made / "openapi.json").read_text("utf-8"))
    names = {operation["operationId"] for _, _, operation in operations(spec)}
    assert len(names) == 9
    assert names <= {path.stem for path in (made / "modelslab_pony_raw" / "api").rglob("*.py")}


def test_the_readme_names_source_versions_and_hashes(made: Path) -> None:
    """So that a difference can be traced to its cause."""
    text = (made / "README.md").read_text("utf-8")
    for tool in generate.TOOLS:
        assert f"| {tool} | {version(tool)} |" in text
    for path in (generate.SHIPPED, made / "openapi.json"):
        assert f"`{hashlib.sha256(path.read_bytes()).hexdigest()}`" in text
    assert f"| `openapi.json` (shipped) | {generate.source_of(ROOT / 'generated')} |" in text


def test_the_source_is_remembered(made: Path, tmp_path: Path) -> None:
    """By who remakes the folder from the same spec; where nobody wrote it down, that is said."""
    assert generate.source_of(made) == generate.source_of(ROOT / "generated") != "not recorded"
    assert generate.source_of(tmp_path) == "not recorded"


def _with_action(tmp_path: Path, action: dict[str, Any]) -> Path:
    overlay = read_overlay("overlay", generate.OVERLAY.read_text("utf-8"))
    overlay["actions"].append({"description": "a test", "x-source": "a test", **action})
    path = tmp_path / "overlay.yaml"
    path.write_text(json.dumps(overlay), "utf-8")
    return path


TITLE = "ModelsLab Pony Models Image Generation API"
FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "an operation that the generator cannot parse": (
        {
            "target": "$.paths['/fetch'].post.requestBody.content",
            "update": {"application/xml": {"schema": {"type": "string"}}},
        },
        "openapi-python-client failed",
    ),
    "an operation without a name": (
        {"target": "$.paths", "update": {"/new": {"post": {"responses": {"200": {"description": "d"}}}}}},
        "POST /new has no operationId",
    ),
    "a document that is no OpenAPI": (
        {"target": "$.info", "x-replaces": {"title": TITLE}, "update": {"title": 5}},
        "not valid OpenAPI 3.1",
    ),
    "an example that breaks its schema": (
        {
            "target": "$.components.responses.BadRequestResponse.content['application/json'].examples",
            "update": {"odd": {"value": {"status": "fine"}}},
        },
        "example 'odd' at",
    ),
    "a target that is not there": ({"target": "$.paths['/gone']", "update": {}}, "matches nothing"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_stops_it(fault: str, tmp_path: Path) -> None:
    """With a sentence that names the place."""
    action, said = FAULTS[fault]
    with pytest.raises(SpecError, match=said):
        generate.generate(generate.SHIPPED, _with_action(tmp_path, action), tmp_path / "made", "a test")


def test_after_a_fault_the_old_folder_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1, and nothing beside it."""
    target = tmp_path / "generated"
    target.mkdir()
    (target / "old").write_text("old", "utf-8")
    bad = _with_action(tmp_path, {"target": "$.paths['/gone']", "update": {}})
    monkeypatch.setattr("sys.argv", ["generate.py", "--overlay", str(bad), "--target", str(target)])
    assert generate.main() == 1
    assert "nothing was changed" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["generated", "overlay.yaml"]
    assert [path.name for path in target.iterdir()] == ["old"]


def test_check_fails_on_a_difference_and_changes_nothing(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A changed byte in a file of the same size and time is a difference."""
    present = tmp_path / "generated"
    shutil.copytree(made, present)
    monkeypatch.setattr("sys.argv", ["generate.py", "--check", "--target", str(present)])
    assert generate.main() == 0
    changed = present / "modelslab_pony_raw" / "types.py"
    status, text = changed.stat(), changed.read_text("utf-8")
    changed.write_text(text.replace("a", "b", 1), "utf-8")
    os.utime(changed, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert generate.main() == 1
    assert "changed  modelslab_pony_raw/types.py" in capsys.readouterr().err
    assert changed.read_text("utf-8") != text
