"""The overlay: a fault in it fails the build, with its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from overlay import SpecError, apply, check_examples, read_overlay

SPEC: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "t", "version": "1"},
    "paths": {"/x": {"post": {"responses": {"200": {"description": "d"}}}}},
    "components": {"schemas": {}},
}


def action(**fields: Any) -> dict[str, Any]:
    return {"target": "$.paths", "description": "why", "x-source": "where", "update": {}, **fields}


def overlay(*actions: dict[str, Any]) -> dict[str, Any]:
    return {"overlay": "1.1.0", "info": {"title": "t", "version": "1"}, "actions": list(actions)}


def test_an_action_is_applied_to_what_earlier_ones_left() -> None:
    """The second action finds what the first one added; the input stays as it was."""
    first = action(target="$.components.schemas", update={"A": {"type": "object"}})
    second = action(target="$.components.schemas.A", update={"required": ["b"]})
    changed = apply(SPEC, overlay(first, second))
    assert changed["components"]["schemas"] == {"A": {"type": "object", "required": ["b"]}}
    assert SPEC["components"]["schemas"] == {}


@pytest.mark.parametrize("kind", [{"update": {"a": 1}}, {"remove": True}, {"copy": "$.info"}])
def test_an_action_that_matches_nothing_fails(kind: dict[str, Any]) -> None:
    """oas-patch passes over it in silence; here its number, target and reason are named."""
    missing = action(target="$.paths['/gone'].post", description="for the lost one", **kind)
    with pytest.raises(SpecError, match=r"action 2 matches nothing: \$\.paths\['/gone'\]\.post\n.*for the lost one"):
        apply(SPEC, overlay(action(), missing))


@pytest.mark.parametrize(("field", "meaning"), [("description", "a reason"), ("x-source", "a source")])
def test_an_action_without_reason_or_source_fails(tmp_path: Path, field: str, meaning: str) -> None:
    """Nobody can review a correction whose ground is not stated."""
    path = tmp_path / "overlay.yaml"
    path.write_text(yaml.safe_dump(overlay(action(**{field: " "}))), "utf-8")
    with pytest.raises(SpecError, match=f"lacks {meaning}"):
        read_overlay(path)


def test_what_is_no_overlay_fails(tmp_path: Path) -> None:
    """The document is held to the Overlay 1.1 schema."""
    path = tmp_path / "overlay.yaml"
    path.write_text(yaml.safe_dump({"overlay": "1.1.0", "actions": []}), "utf-8")
    with pytest.raises(SpecError, match=r"not an OpenAPI Overlay 1\.1"):
        read_overlay(path)


def test_an_example_that_breaks_its_schema_fails() -> None:
    """A mock server would serve it without a word."""
    media = {"schema": {"type": "object", "required": ["id"]}, "examples": {"bad": {"value": {}}}}
    response = {"description": "d", "content": {"application/json": media}}
    spec = {"components": {"responses": {"R": response}}}
    with pytest.raises(SpecError, match=r"example 'bad' at \$\.components\.responses\.R.*'id' is a required"):
        check_examples(spec)
