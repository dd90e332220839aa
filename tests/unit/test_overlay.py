"""The overlay: a fault in it fails the build, with its place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from overlay import apply, check_examples, examine, read_overlay
from spec import SpecError

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
    with pytest.raises(SpecError, match=r"action 2, \$\.paths\['/gone'\]\.post, matches nothing\n.*for the lost one"):
        apply(SPEC, overlay(action(), missing))


@pytest.mark.parametrize(("field", "meaning"), [("description", "a reason"), ("x-source", "a source")])
def test_an_action_without_reason_or_source_fails(field: str, meaning: str) -> None:
    """Nobody can review a correction whose ground is not stated."""
    text = json.dumps(overlay(action(**{field: " "})))
    with pytest.raises(SpecError, match=f"lacks {meaning}"):
        read_overlay("overlay", text)


def test_what_is_no_overlay_fails() -> None:
    """The document is held to the Overlay 1.1 schema; a key that stands twice is no YAML."""
    with pytest.raises(SpecError, match=r"not an OpenAPI Overlay 1\.1"):
        read_overlay("overlay", json.dumps({"overlay": "1.1.0", "actions": []}))
    with pytest.raises(SpecError, match="duplicate key"):
        read_overlay("overlay", "overlay: 1.1.0\noverlay: 1.1.0\n")


def test_an_example_that_breaks_its_schema_fails() -> None:
    """A mock server would serve it without a word."""
    media = {"schema": {"type": "object", "required": ["id"]}, "examples": {"bad": {"value": {}}}}
    response = {"description": "d", "content": {"application/json": media}}
    spec = {"components": {"responses": {"R": response}}}
    with pytest.raises(SpecError, match=r"example 'bad' at \$\.components\.responses\.R.*'id' is a required"):
        check_examples(spec)


def with_text(update: Any, **fields: Any) -> dict[str, Any]:
    return overlay(action(target="$.components.schemas.Text", update=update, **fields))


def spec_with(schema: dict[str, Any]) -> dict[str, Any]:
    return {**SPEC, "components": {"schemas": {"Text": schema}}}


def test_what_the_vendor_ships_itself_is_a_problem() -> None:
    """An action that adds nothing any more can be dropped; the spec is the same without it."""
    vendor = spec_with({"type": "string", "minLength": 1, "required": ["a", "b"]})
    result, (problem,) = examine(vendor, with_text({"minLength": 1, "required": ["b"]}))
    assert (problem.number, problem.droppable, result) == (1, True, vendor)
    assert "says what the vendor now ships itself" in problem.said
    assert "the same at $.components.schemas.Text.minLength: 1" in problem.said
    assert "its reason was: why" in problem.said
    assert "ACCEPT=overlay drops it" in problem.said


def test_an_action_that_still_adds_something_is_not_dropped() -> None:
    """Its author has to take out what the vendor has; meanwhile only the rest is applied."""
    vendor = spec_with({"type": "string", "minLength": 1, "required": ["a"]})
    _, (problem,) = examine(vendor, with_text({"minLength": 1, "maxLength": 9}))
    assert not problem.droppable
    update = {"minLength": 1, "maxLength": 9, "required": ["a", "b"]}
    result, (problem,) = examine(vendor, with_text(update))
    assert not problem.droppable
    assert "take out of the action what the vendor has" in problem.said
    assert result["components"]["schemas"]["Text"] == {**vendor["components"]["schemas"]["Text"], "maxLength": 9}


@pytest.mark.parametrize("update", [{"type": "integer"}, {"type": ["string", "null"]}, {"type": {"a": 1}}])
def test_another_word_than_the_vendors_is_a_problem(update: dict[str, Any]) -> None:
    """It would hide what the vendor says from now on; the vendor's word is kept meanwhile."""
    vendor = spec_with({"type": "string"})
    result, (problem,) = examine(vendor, with_text(update))
    assert not problem.droppable
    assert "contradicts the vendor" in problem.said
    assert 'the vendor has "string", the action' in problem.said
    assert "x-replaces" in problem.said
    assert result == vendor
    with pytest.raises(SpecError, match="contradicts the vendor"):
        apply(vendor, with_text(update))


def test_a_correction_says_what_it_replaces() -> None:
    """And is applied as long as the vendor says that, and no longer."""
    correction = with_text({"type": "integer"}, **{"x-replaces": {"type": "string"}})
    assert apply(spec_with({"type": "string"}), correction)["components"]["schemas"]["Text"] == {"type": "integer"}
    _, (problem,) = examine(spec_with({"type": "number"}), correction)
    assert 'the action was written to replace "string"' in problem.said
    assert not problem.droppable
    _, (problem,) = examine(spec_with({"type": "integer"}), correction)
    assert problem.droppable
    _, (problem,) = examine(spec_with({}), correction)
    assert "the vendor has nothing" in problem.said
    assert not problem.droppable


@pytest.mark.parametrize("replaced", ["string", {"typo": "string"}, {"type": "string", "format": "x"}])
def test_what_is_replaced_is_shaped_as_what_replaces_it(replaced: Any) -> None:
    """A slip in it would be a correction that nobody holds to the vendor's word."""
    text = json.dumps(with_text({"type": "integer"}, **{"x-replaces": replaced}))
    with pytest.raises(SpecError, match=r"x-replaces has .*, which update has not"):
        read_overlay("overlay", text)


def test_the_way_out_is_ready_to_be_copied() -> None:
    """What the vendor says, as it has to stand in the action."""
    vendor = {**SPEC, "info": {"title": "Theirs", "version": "1", "contact": {"name": "n"}}}
    update = {"title": "Ours", "contact": {"name": "o"}}
    _, (problem,) = examine(vendor, overlay(action(target="$.info", update=update)))
    stated = json.loads(problem.said.partition("x-replaces: ")[2])
    assert stated == {"title": "Theirs", "contact": {"name": "n"}}
    fixed = overlay(action(target="$.info", update=update, **{"x-replaces": stated}))
    assert apply(vendor, fixed)["info"] == {"version": "1", **update}


def test_one_of_several_places_is_not_all() -> None:
    """What the vendor ships at one of them is still needed at the others."""
    vendor = {**SPEC, "components": {"schemas": {"A": {"x": 1}, "B": {}}}}
    both = overlay(action(target="$.components.schemas[*]", update={"x": 1}))
    result, (problem,) = examine(vendor, both)
    assert not problem.droppable
    assert result["components"]["schemas"] == {"A": {"x": 1}, "B": {"x": 1}}
    _, (problem,) = examine({**SPEC, "components": {"schemas": {"A": {"x": 1}, "B": {"x": 1}}}}, both)
    assert problem.droppable


@pytest.mark.parametrize(
    ("base", "update", "same"),
    [
        ({"type": ["string", "null"]}, {"type": "integer"}, False),
        ({"type": ["string", "null"]}, {"type": "string"}, False),
        ({"a.b": 1, "a": {}}, {"a": {"b": 1}, "a.b": 1}, True),
        ({"a": {"x": 1}}, {"a": {}}, True),
        ({"a": []}, {"a": []}, True),
        ({"a": [True]}, {"a": [1]}, None),
    ],
)
def test_a_place_is_met_as_it_is_merged(base: dict[str, Any], update: dict[str, Any], same: bool | None) -> None:
    """A text in the place of a list replaces it; an empty object adds nothing; a name with a dot is one name."""
    result, problems = examine(spec_with(base), with_text(update))
    assert [("the same at" in problem.said) for problem in problems] == ([] if same is None else [same])
    if same is not None:
        assert set(base) <= set(result["components"]["schemas"]["Text"])


def test_a_copy_over_what_is_there_is_a_problem() -> None:
    """And so is a copy of nothing."""
    vendor = {**SPEC, "components": {"schemas": {"A": {"x": 1}, "B": {"x": 2}}}}
    _, (problem,) = examine(
        vendor,
        overlay(
            {
                "target": "$.components.schemas.B",
                "description": "why",
                "x-source": "where",
                "copy": "$.components.schemas.A",
            }
        ),
    )
    assert "contradicts the vendor" in problem.said
    _, (problem,) = examine(
        vendor,
        overlay({"target": "$.components.schemas.B", "description": "why", "x-source": "where", "copy": "$.gone"}),
    )
    assert "matches nothing" in problem.said


@pytest.mark.parametrize("target", ["$..[", "$.paths[0]", "$.servers[0]"])
def test_what_the_libraries_stumble_over_is_named(target: str) -> None:
    """With the action, and no traceback."""
    vendor = {**SPEC, "servers": [{"url": "https://a"}]}
    with pytest.raises(SpecError, match=r"overlay action 1, \$"):
        apply(vendor, overlay(action(target=target, update={"x": 1})))


def test_every_problem_is_told_at_once() -> None:
    """Nobody mends an overlay one run at a time."""
    faults = overlay(action(target="$.gone"), action(target="$.info", update={"title": "t"}), action(target="$.lost"))
    with pytest.raises(SpecError) as caught:
        apply(SPEC, faults)
    assert [line for line in str(caught.value).splitlines() if line.startswith("overlay action")] == [
        "overlay action 1, $.gone, matches nothing",
        "overlay action 2, $.info, says what the vendor now ships itself",
        "overlay action 3, $.lost, matches nothing",
    ]


def test_a_list_in_the_place_of_a_list_is_added_to_it() -> None:
    """As the Overlay specification has it; what stands in it already is a problem."""
    vendor = spec_with({"enum": ["yes", "no"]})
    assert apply(vendor, with_text({"enum": ["maybe"]}))["components"]["schemas"]["Text"]["enum"] == [
        "yes",
        "no",
        "maybe",
    ]
    target = action(target="$.components.schemas.Text.enum", update=["no", "maybe"])
    result, (problem,) = examine(vendor, overlay(target))
    assert not problem.droppable
    assert result == vendor
