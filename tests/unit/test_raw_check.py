"""The generated client has what the spec has, calls what it says, and keeps what it is given."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from prism_image import ROOT
from raw_check import PACKAGE, check, sample
from spec import SpecError

SPEC: dict[str, Any] = json.loads((ROOT / "generated" / "openapi.json").read_text("utf-8"))
KEY = "    key: str\n"
API, MODELS = f"{PACKAGE}/api/default", f"{PACKAGE}/models"


def replaced(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "an operation is left out": (
        lambda folder: (folder / API / "img2img.py").unlink(),
        r"left out POST /img2img \(img2img\)",
    ),
    "another place is called": (
        lambda folder: replaced(folder / API / "text2img.py", '"url": "/text2img"', '"url": "/other"'),
        r"has POST /text2img \(text2img\) call \('post', '/other'\)",
    ),
    "another method is called": (
        lambda folder: replaced(folder / API / "fetch.py", '"method": "post"', '"method": "put"'),
        r"has POST /fetch \(fetch\) call \('put', '/fetch'\)",
    ),
    "a schema is left out": (
        lambda folder: (folder / MODELS / "inpaint_request.py").unlink(),
        "left out the schema InpaintRequest",
    ),
    "a field is lost": (
        lambda folder: replaced(
            folder / MODELS / "fetch_request.py", 'd.pop("request_id")', '"x"; d.pop("request_id")'
        ),
        "FetchRequest garbles what it is given with 'key'",
    ),
    "a module does not load": (
        lambda folder: replaced(folder / MODELS / "key_request.py", "from attrs", "from no_such_package"),
        "is not sound:\nModuleNotFoundError: No module named 'no_such_package'",
    ),
    "a field has the name of a method": (
        lambda folder: replaced(
            folder / MODELS / "key_request.py", "    key: str\n", "    key: str\n    to_dict: str\n"
        ),
        "KeyRequest has a field 'to_dict', which is a word of the generated code's own",
    ),
    "a field has the name of a variable": (
        lambda folder: replaced(folder / MODELS / "key_request.py", KEY, f"{KEY}    cls: str\n"),
        "KeyRequest has a field 'cls'",
    ),
}


@pytest.mark.parametrize("fault", [None, *FAULTS])
def test_a_fault_is_found(fault: str | None, tmp_path: Path) -> None:
    """With its place; the client as it is has none."""
    folder = tmp_path / "generated"
    shutil.copytree(ROOT / "generated", folder, ignore=shutil.ignore_patterns("__pycache__"))
    if fault is None:
        check(SPEC, folder)
        return
    spoil, said = FAULTS[fault]
    spoil(folder)
    with pytest.raises(SpecError, match=said):
        check(SPEC, folder)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": ["null", "integer"]}, 1),
        ({"oneOf": [{"type": "null"}, {"type": "number"}]}, 1.5),
        ({"enum": [None, "a"]}, "a"),
        ({"const": "a"}, "a"),
        ({"type": "string", "format": "date"}, "2026-01-31"),
        (
            {"allOf": [{"properties": {"a": {"type": "boolean"}}}, {"properties": {"b": {"type": "array"}}}]},
            {"a": True, "b": ["text"]},
        ),
        (True, "text"),
        ({"type": "object", "properties": {"a": False}}, {"a": "text"}),
    ],
)
def test_a_sample_is_what_is_described(schema: Any, value: Any) -> None:
    """Of the first form that is not null."""
    assert sample(SPEC, schema) == value


def test_a_sample_of_what_leads_to_itself_ends() -> None:
    """Also where it has to."""
    spec = {
        "components": {"schemas": {"A": {"required": ["a"], "properties": {"a": {"$ref": "#/components/schemas/A"}}}}}
    }
    assert "text" in json.dumps(sample(spec, {"$ref": "#/components/schemas/A"}))
