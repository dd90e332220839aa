"""What a difference means: for what we send and for what we read, narrower and wider are opposites."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

import spec_changes
from spec_changes import RULES, Change, Level, changes, for_the_client, worst
from spec_schemas import Difference, Schemas

Spec = dict[str, Any]
SAFE, WRAPPER, BREAKING = Level.SAFE, Level.WRAPPER, Level.BREAKING


def ref(name: str) -> Spec:
    return {"$ref": f"#/components/schemas/{name}"}


def json_of(schema: Spec) -> Spec:
    return {"content": {"application/json": {"schema": schema}}}


def pattern_of(name: str) -> Spec:
    return {"type": "object", "patternProperties": {"^a": ref(name)}}


FIELDS: Spec = {
    "text": {"type": "string", "minLength": 1, "maxLength": 9, "pattern": "^a", "format": "uri", "default": "a"},
    "number": {"type": "number", "minimum": 1, "maximum": 9, "multipleOf": 2, "exclusiveMinimum": 0},
    "whole": {"type": "integer"},
    "word": {"type": "string", "enum": ["yes", "no"]},
    "list": {"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": True},
    "inner": {"type": "object", "properties": {"deep": {"type": "string"}}, "additionalProperties": False},
    "maybe": {"type": ["string", "null"]},
    "choice": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
    "other": ref("Other"),
    "sized": ref("Size"),
    "parted": {"allOf": [{"maximum": 5}, {"maximum": 10}, {"maximum": 20}]},
    "patterned": pattern_of("Size"),
}
SPEC: Spec = {
    "openapi": "3.1.0",
    "info": {"title": "t", "version": "1"},
    "servers": [{"url": "https://a.example"}, {"url": "https://b.example"}],
    "paths": {
        "/x/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
            "post": {
                "operationId": "x",
                "parameters": [{"name": "tier", "in": "query", "schema": {"type": "string"}, "description": "d"}],
                "requestBody": {"required": True, **json_of(ref("Ask"))},
                "responses": {
                    "200": {"description": "d", **json_of({"oneOf": [ref("Tell"), ref("Wait")]})},
                    "400": {"$ref": "#/components/responses/No"},
                    "401": {"$ref": "#/components/responses/No"},
                },
            },
        },
    },
    "components": {
        "schemas": {
            "Ask": {"type": "object", "required": ["text"], "properties": copy.deepcopy(FIELDS)},
            "Tell": {"type": "object", "required": ["text"], "properties": FIELDS},
            "Wait": {"type": "object", "properties": {"status": {"const": "wait"}, "tell": ref("Tell")}},
            "Other": {"type": "object", "properties": {"ask": ref("Other"), "flag": {"type": "boolean"}}},
            "Size": {"type": "integer", "maximum": 12},
            "Unused": {"type": "object"},
        },
        "responses": {"No": {"description": "d", **json_of({"type": "object", "properties": {"why": {}}})}},
    },
}


def found(edit: Callable[[Spec], object]) -> list[Change]:
    new = copy.deepcopy(SPEC)
    edit(new)
    return changes(SPEC, new)


def schema(spec: Spec, name: str) -> Spec:
    inner: Spec = spec["components"]["schemas"][name]
    return inner


def both(change: Callable[[Spec, Spec], object]) -> Callable[[str], list[Change]]:
    """Make the same edit of a schema that is sent and of one that is read."""

    def edit(name: str) -> list[Change]:
        return found(lambda spec: change(schema(spec, name), schema(spec, name)["properties"]))

    return edit


# An edit of a schema, then its level where it is sent, and where it is read.
SCHEMAS: dict[str, tuple[Callable[[Spec, Spec], object], Level, Level]] = {
    "a field is added": (lambda _, f: f.update(new={}), WRAPPER, SAFE),
    "a required field is added": (lambda s, f: (f.update(new={}), s["required"].append("new")), BREAKING, SAFE),
    "a required name is added": (lambda s, _: s["required"].append("new"), BREAKING, SAFE),
    "a field is removed": (lambda _, f: f.pop("whole"), BREAKING, BREAKING),
    "a field is renamed": (lambda _, f: f.update(words=f.pop("word")), BREAKING, BREAKING),
    "a deep field is removed": (lambda _, f: f["inner"]["properties"].pop("deep"), BREAKING, BREAKING),
    "a field is required": (lambda s, _: s["required"].append("whole"), BREAKING, SAFE),
    "a field is required no more": (lambda s, _: s["required"].remove("text"), WRAPPER, WRAPPER),
    "a maximum is higher": (lambda _, f: f["number"].update(maximum=9.5), WRAPPER, WRAPPER),
    "a maximum is lower": (lambda _, f: f["number"].update(maximum=8), BREAKING, SAFE),
    "a maximum is gone": (lambda _, f: f["number"].pop("maximum"), WRAPPER, WRAPPER),
    "a maximum is new": (lambda _, f: f["whole"].update(maximum=8), BREAKING, SAFE),
    "a minimum is lower": (lambda _, f: f["number"].update(minimum=0), WRAPPER, WRAPPER),
    "a minimum is higher": (lambda _, f: f["number"].update(minimum=2), BREAKING, SAFE),
    "an exclusive minimum is higher": (lambda _, f: f["number"].update(exclusiveMinimum=1), BREAKING, SAFE),
    "a text may be shorter": (lambda _, f: f["text"].update(minLength=0), WRAPPER, WRAPPER),
    "a text may be longer": (lambda _, f: f["text"].update(maxLength=99), WRAPPER, WRAPPER),
    "a step is finer": (lambda _, f: f["number"].update(multipleOf=0.5), WRAPPER, WRAPPER),
    "a step is coarser": (lambda _, f: f["number"].update(multipleOf=4), BREAKING, SAFE),
    "a step is another": (lambda _, f: f["number"].update(multipleOf=3), BREAKING, BREAKING),
    "a pattern is another": (lambda _, f: f["text"].update(pattern="^b"), BREAKING, BREAKING),
    "a pattern is gone": (lambda _, f: f["text"].pop("pattern"), WRAPPER, WRAPPER),
    "a format is another": (lambda _, f: f["text"].update(format="uuid"), BREAKING, BREAKING),
    "a format is new": (lambda _, f: f["word"].update(format="date"), BREAKING, WRAPPER),
    "a list may repeat": (lambda _, f: f["list"].update(uniqueItems=False), WRAPPER, WRAPPER),
    "a list holds another type": (lambda _, f: f["list"].update(items={"type": "integer"}), BREAKING, BREAKING),
    "a list holds anything": (lambda _, f: f["list"].pop("items"), WRAPPER, WRAPPER),
    "a default is another": (lambda _, f: f["text"].update(default="ab"), WRAPPER, SAFE),
    "an enum has one more": (lambda _, f: f["word"]["enum"].append("so"), WRAPPER, WRAPPER),
    "an enum has one less": (lambda _, f: f["word"]["enum"].remove("no"), BREAKING, SAFE),
    "an enum has another": (lambda _, f: f["word"].update(enum=["yes", "so"]), BREAKING, BREAKING),
    "an enum is new": (lambda _, f: f["text"].update(enum=["a"]), BREAKING, SAFE),
    "an enum is gone": (lambda _, f: f["word"].pop("enum"), WRAPPER, WRAPPER),
    "a type is another": (lambda _, f: f["whole"].update(type="string"), BREAKING, BREAKING),
    "a type is wider": (lambda _, f: f["whole"].update(type="number"), WRAPPER, WRAPPER),
    "a type is narrower": (lambda _, f: f["number"].update(type="integer"), BREAKING, SAFE),
    "a type is gone": (lambda _, f: f["whole"].pop("type"), WRAPPER, WRAPPER),
    "null comes": (lambda _, f: f["whole"].update(type=["integer", "null"]), WRAPPER, WRAPPER),
    "null comes, as in 3.0": (lambda _, f: f["whole"].update(nullable=True), WRAPPER, WRAPPER),
    "null comes beside a reference": (
        lambda _, f: f.update(other={"anyOf": [ref("Other"), {"type": "null"}]}),
        WRAPPER,
        WRAPPER,
    ),
    "null goes": (lambda _, f: f["maybe"].update(type="string"), BREAKING, SAFE),
    "a branch comes": (lambda _, f: f["choice"]["oneOf"].append({"type": "boolean"}), WRAPPER, WRAPPER),
    "a branch goes": (lambda _, f: f.update(choice={"type": "string"}), BREAKING, WRAPPER),
    "a branch is narrower": (lambda _, f: f["choice"]["oneOf"][1].update(minimum=1), BREAKING, SAFE),
    "any of them, and not one": (lambda _, f: f["choice"].update(anyOf=f["choice"].pop("oneOf")), WRAPPER, WRAPPER),
    "unknown fields may come": (lambda _, f: f["inner"].pop("additionalProperties"), WRAPPER, WRAPPER),
    "unknown fields may not come": (lambda s, _: s.update(additionalProperties=False), BREAKING, SAFE),
    "a keyword that nobody knows comes": (lambda _, f: f["whole"].update({"if": {"minimum": 1}}), BREAKING, BREAKING),
    "a text is something else inside": (lambda _, f: f["word"].update(contentEncoding="base64"), BREAKING, BREAKING),
    "a list's first is another": (lambda _, f: f["list"].update(prefixItems=[{"type": "integer"}]), BREAKING, BREAKING),
    "fields of a pattern come": (lambda _, f: f["inner"].update(patternProperties={"^b": {}}), BREAKING, BREAKING),
    "a reference and a bound beside it": (
        lambda _, f: f.update(other={**ref("Other"), "required": ["flag"]}),
        BREAKING,
        WRAPPER,
    ),
    "a named type with a lower maximum beside": (
        lambda _, f: f.update(sized={**ref("Size"), "maximum": 9}),
        BREAKING,
        SAFE,
    ),
    "a third of the same": (
        lambda _, f: f.update(parted={"allOf": [{"maximum": 5}, {"maximum": 4}, {"maximum": 20}]}),
        BREAKING,
        SAFE,
    ),
    "what is below a pattern": (lambda _, f: f.update(patterned=pattern_of("Other")), BREAKING, BREAKING),
    "nothing may be there": (lambda _, f: f.update(whole=False), BREAKING, BREAKING),
    "another keyword that nobody knows comes": (
        lambda _, f: f["inner"].update({"not": {"type": "null"}}),
        BREAKING,
        SAFE,
    ),
    "read only": (lambda _, f: f["whole"].update(readOnly=True), BREAKING, SAFE),
    "write only": (lambda _, f: f["whole"].update(writeOnly=True), SAFE, BREAKING),
    "words": (lambda _, f: f["whole"].update(description="d", title="t", example=1, deprecated=True), SAFE, SAFE),
    "a vendor's own word": (lambda _, f: f["whole"].update({"x-order": 1}), SAFE, SAFE),
    "everything in a part": (
        lambda s, f: s.update(allOf=[{"properties": f, "required": s.pop("required")}], properties={}),
        SAFE,
        SAFE,
    ),
    "a required field in a part": (
        lambda s, _: s.update(allOf=[{"properties": {"new": {}}, "required": ["new"]}]),
        BREAKING,
        SAFE,
    ),
    "a narrower part": (lambda _, f: f.update(whole={"allOf": [f["whole"], {"maximum": 3}]}), BREAKING, SAFE),
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_change_of_a_schema(name: str) -> None:
    """By the side that it is on."""
    edit, sent, read = SCHEMAS[name]
    of_sent, of_read = both(edit)("Ask"), both(edit)("Tell")
    assert of_sent
    assert of_read
    assert (worst(of_sent), worst(of_read)) == (sent, read), (of_sent, of_read)


def post(spec: Spec) -> Spec:
    inner: Spec = spec["paths"]["/x/{id}"]["post"]
    return inner


def parameter(**fields: Any) -> Spec:
    return {"name": "extra", "in": "query", "schema": {"type": "string"}, **fields}


DOCUMENTS: dict[str, tuple[Callable[[Spec], object], Level, str]] = {
    "an operation is added": (lambda s: s["paths"].update({"/y": {"get": {}}}), WRAPPER, "operation added"),
    "an operation is removed": (lambda s: s.update(paths={}), BREAKING, "operation removed"),
    "an operation moves": (lambda s: s.update(paths={"/y/{id}": s["paths"]["/x/{id}"]}), BREAKING, "operation renamed"),
    "an operation is another": (
        lambda s: s.update(paths={"/y": {"post": {"responses": {}}}}),
        BREAKING,
        "operation removed",
    ),
    "the name of an operation": (lambda s: post(s).update(operationId="y"), WRAPPER, "named"),
    "the first server": (lambda s: s["servers"].reverse(), BREAKING, "server"),
    "the second server": (lambda s: s["servers"].pop(), SAFE, "words"),
    "a server of a path": (lambda s: s["paths"]["/x/{id}"].update(servers=[{"url": "https://c"}]), BREAKING, "server"),
    "a server of an operation": (lambda s: post(s).update(servers=[{"url": "https://c"}]), BREAKING, "server"),
    "a variable of the first server": (
        lambda s: s["servers"][0].update(url="https://{h}.example", variables={"h": {"default": "b"}}),
        BREAKING,
        "server",
    ),
    "the same server, with a variable": (
        lambda s: s["servers"][0].update(url="https://{h}.example", variables={"h": {"default": "a"}}),
        SAFE,
        "words",
    ),
    "what the service calls back": (lambda s: post(s).update(callbacks={"done": {}}), WRAPPER, "notice"),
    "a header of an answer": (
        lambda s: post(s)["responses"]["200"].update(headers={"Retry-After": {"schema": {"type": "integer"}}}),
        WRAPPER,
        "header",
    ),
    "how the body is written": (
        lambda s: post(s)["requestBody"]["content"]["application/json"].update(encoding={"__a": {"explode": True}}),
        BREAKING,
        "unknown",
    ),
    "what nobody knows of an operation": (lambda s: post(s).update(query={}), BREAKING, "unknown"),
    "what nobody knows of an answer": (lambda s: post(s)["responses"]["200"].update(query={}), BREAKING, "unknown"),
    "another dialect": (lambda s: s.update(jsonSchemaDialect="https://d"), BREAKING, "unknown"),
    "a place within a schema is referred to": (
        lambda s: schema(s, "Other")["properties"].update(flag={"$ref": "#/components/schemas/Tell/properties/whole"}),
        BREAKING,
        "changed",
    ),
    "security": (lambda s: s.update(security=[{"k": []}]), BREAKING, "security"),
    "security of an operation": (lambda s: post(s).update(security=[{"k": []}]), BREAKING, "security"),
    "no security, said so": (lambda s: s.update(security=[]), SAFE, "wording"),
    "a parameter": (lambda s: post(s)["parameters"].append(parameter()), WRAPPER, "field added"),
    "a required parameter": (
        lambda s: post(s)["parameters"].append(parameter(required=True)),
        BREAKING,
        "required field added",
    ),
    "a parameter goes": (lambda s: post(s)["parameters"].clear(), BREAKING, "field removed"),
    "a parameter is written another way": (
        lambda s: post(s)["parameters"][0].update(explode=False),
        BREAKING,
        "unknown",
    ),
    "a parameter's words": (lambda s: post(s)["parameters"][0].update(description="e"), SAFE, "words"),
    "a parameter's type": (lambda s: post(s)["parameters"][0].update(schema={"type": "integer"}), BREAKING, "changed"),
    "the name of a place in the path": (
        lambda s: s.update(
            paths={
                "/x/{job}": {
                    **s["paths"]["/x/{id}"],
                    "parameters": [{"name": "job", "in": "path", "required": True, "schema": {"type": "string"}}],
                }
            }
        ),
        WRAPPER,
        "named",
    ),
    "the body may be missing": (lambda s: post(s)["requestBody"].pop("required"), WRAPPER, "widened"),
    "there is no body": (lambda s: post(s).pop("requestBody"), BREAKING, "narrowed"),
    "another kind of body too": (
        lambda s: post(s)["requestBody"]["content"].update({"text/plain": {}}),
        WRAPPER,
        "widened",
    ),
    "another kind of body": (
        lambda s: post(s)["requestBody"].update(content={"text/plain": {}}),
        BREAKING,
        "changed",
    ),
    "another kind of answer": (
        lambda s: post(s)["responses"]["200"].update(content={"text/plain": {}}),
        BREAKING,
        "changed",
    ),
    "a status comes": (lambda s: post(s)["responses"].update({"429": {}}), WRAPPER, "code added"),
    "a status goes": (lambda s: post(s)["responses"].pop("400"), SAFE, "code removed"),
    "success goes": (lambda s: post(s)["responses"].pop("200"), BREAKING, "success removed"),
    "a shared answer": (
        lambda s: s["components"]["responses"]["No"]["content"]["application/json"]["schema"]["properties"].clear(),
        BREAKING,
        "field removed",
    ),
    "a branch of the answers": (
        lambda s: post(s)["responses"]["200"]["content"]["application/json"]["schema"]["oneOf"].pop(),
        WRAPPER,
        "branch removed",
    ),
    "a schema's name": (
        lambda s: (
            s["components"]["schemas"].update(Asked=s["components"]["schemas"].pop("Ask")),
            post(s)["requestBody"]["content"]["application/json"].update(schema=ref("Asked")),
        ),
        WRAPPER,
        "named",
    ),
    "the name of a schema that is read": (
        lambda s: (
            s["components"]["schemas"].update(Told=s["components"]["schemas"]["Tell"]),
            post(s)["responses"]["200"]["content"]["application/json"]["schema"]["oneOf"].__setitem__(0, ref("Told")),
        ),
        WRAPPER,
        "named",
    ),
    "a choice beside the fields, and a field less": (
        lambda s: (
            schema(s, "Tell")["properties"].pop("whole"),
            schema(s, "Tell").update(oneOf=[{"required": ["text"]}, {"required": ["word"]}]),
        ),
        BREAKING,
        "field removed",
    ),
    "the title of a schema": (lambda s: schema(s, "Ask").update(title="Asked"), WRAPPER, "named"),
    "the title of a field": (lambda s: schema(s, "Ask")["properties"]["word"].update(title="W"), SAFE, "words"),
    "the first tag": (lambda s: post(s).update(tags=["t"]), WRAPPER, "named"),
    "a schema that nobody uses": (lambda s: schema(s, "Unused").update(type="string"), SAFE, "unused"),
    "a schema that holds itself": (lambda s: schema(s, "Other")["properties"].pop("flag"), BREAKING, "field removed"),
    "what is posted to us": (lambda s: s.update(webhooks={"done": {"post": {}}}), WRAPPER, "notice"),
    "words about the API": (lambda s: s["info"].update(version="2"), SAFE, "words"),
    "words about the operation": (lambda s: post(s).update(summary="s"), SAFE, "words"),
    "another version of OpenAPI": (lambda s: s.update(openapi="3.1.1"), SAFE, "wording"),
    "another order": (lambda s: s.update(info=s.pop("info")), SAFE, "wording"),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_change_of_a_document(name: str) -> None:
    """With the kind of its worst change."""
    edit, level, turn = DOCUMENTS[name]
    first = found(edit)[0]
    assert (first.level, first.difference.turn) == (level, turn), found(edit)


def test_no_change() -> None:
    """Of the same in the same words, there is none."""
    assert found(lambda _: None) == []


def test_every_rule_is_met_by_a_case() -> None:
    """And none of the cases above meets what has no rule."""
    edits = [edit for edit, _, _ in DOCUMENTS.values()]
    met = {(c.difference.side, c.difference.turn) for edit in edits for c in found(edit)}
    for change, _, _ in SCHEMAS.values():
        for name in ("Ask", "Tell"):
            met |= {(c.difference.side, c.difference.turn) for c in both(change)(name)}
    assert met - set(RULES) == set()
    assert set(RULES) - met == set()


def test_what_has_no_rule_is_breaking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing unknown is ever safe."""
    monkeypatch.setattr(spec_changes, "RULES", {})
    assert all(change.level is BREAKING for change in found(lambda s: s["info"].update(version="2")))


def test_a_change_is_said_once() -> None:
    """A schema that is read in many places is one; the gravest change comes first."""
    (change,) = found(lambda s: schema(s, "Tell")["properties"].pop("whole"))
    assert change.difference == Difference("answer", "Tell.whole", "field", "field removed", "integer", None)
    levels = [
        c.level for c in found(lambda s: (s["info"].update(version="2"), schema(s, "Ask")["properties"].pop("whole")))
    ]
    assert levels == [BREAKING, SAFE]


def test_a_change_below_a_name_is_found_wherever_it_is_used() -> None:
    """Also where a keyword is compared word by word, and where the name is but a part."""
    spec = copy.deepcopy(SPEC)
    for name in ("not", "contains", "propertyNames", "if"):
        schema(spec, "Ask")["properties"][name] = {name: ref("Size")}
    schema(spec, "Ask")["properties"]["part"] = {"allOf": [ref("Size"), {"minimum": 1}]}
    del schema(spec, "Ask")["properties"]["sized"]
    del schema(spec, "Tell")["properties"]["sized"]
    new = copy.deepcopy(spec)
    schema(new, "Size").update(maximum=6)
    places = {c.difference.place for c in changes(spec, new) if c.level is BREAKING}
    assert {"Ask.not", "Ask.contains", "Ask.propertyNames", "Ask.if", "Ask.part", "Ask.patterned"} <= places


def test_a_part_with_fields_of_its_own_is_not_its_name() -> None:
    """What stands beside a reference is compared at each place."""
    composite = {"allOf": [ref("Other")], "required": ["flag"]}
    for beside in (composite, {**ref("Other"), "required": ["flag"]}, {"oneOf": [ref("Other")], "required": ["flag"]}):
        new = copy.deepcopy(SPEC)
        schema(new, "Ask")["properties"].update(again=ref("Other"), other=beside)
        assert worst(changes(SPEC, new)) is BREAKING


def obj(**properties: Any) -> Spec:
    return {"type": "object", "properties": properties}


STRING, INTEGER, NULL = {"type": "string"}, {"type": "integer"}, {"type": "null"}
CLOSED = {"additionalProperties": False}
# Today's schema and the new one: what could be sent and may be refused now.
NARROWER: dict[str, tuple[Any, Any]] = {
    "a part closed to the other's fields": (
        {**obj(a=STRING, b=STRING), **CLOSED},
        {"allOf": [{**obj(a=STRING), **CLOSED}, obj(b=STRING)]},
    ),
    "closed beside its fields": ({**obj(a=STRING), **CLOSED}, {"allOf": [obj(a=STRING)], **CLOSED}),
    "other fields in another part": (
        {**obj(a=INTEGER), "additionalProperties": STRING},
        {"allOf": [obj(a=INTEGER), {"additionalProperties": STRING}]},
    ),
    "fields of a pattern in another part": (
        {"patternProperties": {"^x": STRING}, **CLOSED},
        {"allOf": [{"patternProperties": {"^x": STRING}}, CLOSED]},
    ),
    "nothing but null": ({}, {"oneOf": [NULL]}),
    "a text or null, and nothing but null": (STRING, {"oneOf": [NULL]}),
    "null, and beside it a type": ({"type": ["string", "null"]}, {"type": "string", "anyOf": [{"minLength": 0}, NULL]}),
    "null in a part": ({"type": ["string", "null"]}, {"allOf": [{"oneOf": [STRING, NULL]}, STRING]}),
    "null beside a type, and longer": (
        {"type": ["string", "null"], "maxLength": 5},
        {"type": "string", "maxLength": 6, "anyOf": [{"minLength": 0}, NULL]},
    ),
    "one and true": ({"const": 1}, {"allOf": [{"const": 1}, {"const": True}]}),
    "a field where any were texts": (
        {"type": "object", "additionalProperties": STRING},
        {**obj(c=INTEGER), "additionalProperties": STRING},
    ),
    "one more of which it has to be one": (
        {"oneOf": [obj(a=STRING), INTEGER]},
        {"oneOf": [obj(a=STRING), INTEGER, obj(b=STRING)]},
    ),
    "null that is none": ({"anyOf": [STRING, NULL]}, {"anyOf": [STRING, {"type": "null", "enum": []}]}),
}


@pytest.mark.parametrize("name", NARROWER)
def test_what_could_be_sent_and_is_refused_is_breaking(name: str) -> None:
    """However it is put together; the same, read the other way, is not safe."""
    today, new = NARROWER[name]
    assert worst(changes(body_of(today), body_of(new))) is BREAKING
    assert worst(changes(answer_of(new), answer_of(today))) is not SAFE


def test_a_field_that_has_to_be_sent_now_is_breaking() -> None:
    """It was required before, of answers alone."""
    today = {**obj(a={**STRING, "readOnly": True}), "required": ["a"]}
    assert worst(changes(body_of(today), body_of({**obj(a=STRING), "required": ["a"]}))) is BREAKING


def body_of(inner: Any) -> Spec:
    spec = copy.deepcopy(SPEC)
    schema(spec, "Ask")["properties"] = {"it": inner}
    return spec


def answer_of(inner: Any) -> Spec:
    spec = copy.deepcopy(SPEC)
    schema(spec, "Tell")["properties"] = {"it": inner}
    return spec


SAME: dict[str, tuple[Any, Any]] = {
    "two types": ({"type": ["integer", "string"]}, {"anyOf": [INTEGER, STRING]}),
    "a whole number": ({"type": "number", "minimum": 1}, {"type": "number", "minimum": 1.0}),
    "values": ({"enum": [1, 2]}, {"enum": [2, 1.0]}),
    "anything in a list": ({"type": "array"}, {"type": "array", "items": {}}),
    "parts in another order": (
        {"allOf": [{"type": "string", "pattern": "a"}, {"pattern": "b"}]},
        {"allOf": [{"pattern": "b"}, {"type": "string", "pattern": "a"}]},
    ),
    "parts": (
        {**obj(a=STRING, b=INTEGER), "required": ["a"]},
        {"allOf": [obj(a=STRING), obj(b=INTEGER), {"required": ["a"]}]},
    ),
    "null": ({"type": ["string", "null"]}, {"anyOf": [STRING, {"enum": [None]}]}),
    "a tree, unfolded": (ref("Other"), {**obj(ask=ref("Other"), flag={"type": "boolean"})}),
}


@pytest.mark.parametrize("name", SAME)
def test_another_way_of_writing_is_safe(name: str) -> None:
    """Or gives a class another name; in both directions, sent and read."""
    for today, new in (SAME[name], SAME[name][::-1]):
        for place in (body_of, answer_of):
            told = changes(place(today), place(new))
            assert all(c.level is SAFE or c.difference.turn == "named" for c in told), told


@pytest.mark.parametrize(
    ("today", "new"),
    [
        ({"type": "array"}, {"type": "array", "items": ref("It")}),
        ({"allOf": [{"type": "object"}]}, {"allOf": [obj(a={"allOf": [ref("It"), {"required": ["a"]}]})]}),
        ({"$ref": "#/components/schemas/Tell/properties/whole"}, {"oneOf": [STRING, INTEGER]}),
    ],
)
def test_what_leads_to_itself_ends(today: Spec, new: Spec) -> None:
    """And a place within a schema is a place."""
    for first, second in ((today, new), (new, today)):
        old, other = copy.deepcopy(SPEC), copy.deepcopy(SPEC)
        for spec, inner in ((old, first), (other, second)):
            spec["components"]["schemas"]["It"] = inner
            schema(spec, "Ask")["properties"]["it"] = ref("It")
        assert changes(old, other)


def test_the_words_of_30_are_read() -> None:
    """A bound that is exclusive is one, in both forms."""
    bounds = ({"exclusiveMinimum": 1}, {"minimum": 1, "exclusiveMinimum": True})
    today, new = (body_of({"type": "integer", **bound}) for bound in bounds)
    assert [c.difference.turn for c in changes(today, {**new, "openapi": "3.0.3"})] == ["wording"]


def test_any_success_is_one() -> None:
    """Whatever its number."""
    today = copy.deepcopy(SPEC)
    post(today)["responses"]["2XX"] = {"description": "d"}
    assert [c.difference.turn for c in changes(today, SPEC)] == ["success removed"]


def test_branches_are_known_by_what_marks_them() -> None:
    """In any order, without names, and with other fields."""
    done, wait = obj(status={"const": "done"}, url=STRING), obj(status={"const": "wait"}, eta=INTEGER)
    longer = obj(status={"const": "wait"}, eta={"type": "number"}, queue=INTEGER)
    other = obj(status={"const": "done"}, url={"type": ["string", "null"]})
    told = changes(answer_of({"oneOf": [done, wait]}), answer_of({"oneOf": [longer, other]}))
    assert {(c.difference.place, c.difference.turn) for c in told} == {
        ('Tell.it (status "wait").eta', "widened"),
        ('Tell.it (status "wait").queue', "field added"),
        ('Tell.it (status "done").url', "widened"),
    }


def test_what_differs_and_is_not_explained_is_breaking(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hole in the comparison is no reason to call it safe."""
    monkeypatch.setattr(Schemas, "apart", lambda *_: iter(()))
    (change,) = found(lambda s: schema(s, "Other")["properties"].pop("flag"))[:1]
    assert (change.level, change.difference.turn) == (BREAKING, "unknown")


def test_one_operation_becomes_one() -> None:
    """Of two alike that are gone, the new one is but one."""
    today, new = copy.deepcopy(SPEC), copy.deepcopy(SPEC)
    item = today["paths"].pop("/x/{id}")
    today["paths"] = {"/a/{id}": item, "/b/{id}": copy.deepcopy(item)}
    new["paths"] = {"/c/{id}": copy.deepcopy(item)}
    turns = [c.difference.turn for c in changes(today, new)]
    assert sorted(turns) == ["operation removed", "operation renamed"]


def test_no_security_is_not_the_documents() -> None:
    """An operation may take back what the document demands."""
    guarded = {**copy.deepcopy(SPEC), "security": [{"k": []}]}
    free = copy.deepcopy(guarded)
    post(free)["security"] = []
    assert [c.difference.turn for c in changes(guarded, free)] == ["security"]
    post(guarded)["security"] = [{"k": []}]
    assert [c.difference.turn for c in changes({**SPEC, "security": [{"k": []}]}, guarded)] == ["wording"]


def test_two_changes_at_one_place_are_two() -> None:
    """The graver one is not lost behind the other."""

    def form(spec: Spec) -> None:
        content = post(spec)["requestBody"]["content"]
        content["multipart/form-data"] = content.pop("application/json")

    vendor, effective = found(form), found(form)
    assert [c.level for c in for_the_client(vendor, effective)] == [BREAKING, WRAPPER]
    assert [c.level for c in for_the_client(vendor, [c for c in effective if c.level is BREAKING])] == [
        BREAKING,
        BREAKING,
    ]


def test_many_names_are_compared_in_time() -> None:
    """Schemas put together from each other, and hundreds of fields with other names."""
    spec = copy.deepcopy(SPEC)
    for number in range(15):
        parts = [ref(f"D{number + 1}"), ref(f"D{number + 1}")]
        spec["components"]["schemas"][f"D{number}"] = {"allOf": parts, "anyOf": [*parts, {"type": "string"}]}
    spec["components"]["schemas"]["D15"] = {"type": "object"}
    schema(spec, "Ask")["properties"] = {"d": ref("D0"), **{f"a{n}": {"type": "string"} for n in range(300)}}
    new = copy.deepcopy(spec)
    schema(new, "D15")["required"] = ["x"]
    schema(new, "Ask")["properties"] = {"d": ref("D0"), **{f"b{n}": {"type": "string"} for n in range(300)}}
    assert worst(changes(spec, new)) is BREAKING


def test_the_overlay_may_say_the_same_already() -> None:
    """Then the client sees no change; what reaches it only through the overlay is told too."""
    vendor = found(
        lambda s: (schema(s, "Ask")["required"].append("whole"), schema(s, "Tell")["properties"].pop("word"))
    )
    effective = found(lambda s: (schema(s, "Tell")["properties"].pop("word"), post(s)["responses"].pop("400")))
    told = {(c.difference.place, c.level, c.why) for c in for_the_client(vendor, effective)}
    assert told == {
        ("Tell.word", BREAKING, "what was read until now does not come any more"),
        ("Ask.whole", SAFE, "the overlay has it so already"),
        ("POST /x/{id} 400", SAFE, "the service does not answer so any more (through the overlay)"),
    }
