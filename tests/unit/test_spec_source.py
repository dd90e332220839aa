"""Reading a spec: what it is, is told by its content; what may be cut off or ambiguous is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx

from prism_image import ROOT
from spec import SpecError, text_of
from spec_source import merge, parse, read
from spec_text import LIMIT, source_name

SHIPPED = (ROOT / "openapi.json").read_text("utf-8")
YAML = "openapi: 3.1.0\ninfo:\n  title: t\npaths: {}\n"
ADDRESS = "https://docs.example/page.md"


def page(*blocks: str, words: str = "yaml openapi.json POST /x") -> str:
    """A page of a documentation: some prose, an example, and the blocks."""
    fenced = "\n\n".join(f"````{words}\n{block}````" for block in blocks)
    return f'> ## Index\n\n# Title\n\n```json\n{{"key": "k"}}\n```\n\n{fenced}\n\nThe end.\n'


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"openapi": "3.1.0", "info": {"title": "t"}, "paths": {}}', id="JSON"),
        pytest.param('\ufeff{"openapi": "3.1.0", "info": {"title": "t"}, "paths": {}}', id="JSON with a mark"),
        pytest.param(YAML, id="YAML"),
        pytest.param(f"# a comment\n---\n{YAML}", id="YAML with a comment"),
        pytest.param(page(YAML), id="a page"),
        pytest.param(page(YAML, words=""), id="a page that says nothing of its block"),
        pytest.param(page(YAML).replace("\n", "\r\n"), id="a page with other line ends"),
        pytest.param(page("a: 1\n", YAML), id="a page with another YAML block"),
        pytest.param(page(YAML, YAML), id="a page that says it twice"),
        pytest.param(page('{"openapi": "3.1.0", "info": {"title": "t"}, "paths": {}}\n'), id="a page with JSON"),
        pytest.param(f"---\nopenapi: POST /x\n---\n<Note>n</Note>\n{page(YAML)}", id="a page with front matter"),
        pytest.param(f"<Note>n</Note>\n\n{page(YAML)}", id="a page that begins with a tag"),
        pytest.param(f"[badge](b.svg) {{x}}\n{page(YAML)}", id="a page that begins with a link"),
        pytest.param(f"{{/* a comment */}}\n{page(YAML)}", id="a page that begins with a brace"),
        pytest.param(f"<CodeGroup>\n```yaml\n{YAML}```\n</CodeGroup>\n", id="a block below a tag"),
        pytest.param(page('{"info":{"title":"t"},"openapi":"3.1.0","paths":{}}\n'), id="a page with JSON in one line"),
        pytest.param(f"openapi: 3 things\n\n{page(YAML)}", id="a page with prose like it"),
        pytest.param(
            "info:\n  title: t\npaths: {}\nopenapi: 3.1.0\n".replace("  title: t\n", "  title: t\n  # ```yaml\n"),
            id="YAML in another order",
        ),
        pytest.param(f"1. one\n\n   ~~~yaml\n   {YAML.replace(chr(10), chr(10) + '   ')}~~~\n", id="in a list"),
    ],
)
def test_a_document_is_found(text: str) -> None:
    """However it is wrapped."""
    assert merge(parse("source", text)) == {"openapi": "3.1.0", "info": {"title": "t"}, "paths": {}}


def test_the_order_of_keys_is_kept() -> None:
    """The same document gives the same bytes, from JSON, YAML and a page; the shipped one its own."""
    assert text_of(merge(parse("spec", SHIPPED))) == SHIPPED
    reordered = '{"paths": {}, "openapi": "3.1.0"}'
    assert list(merge(parse("spec", reordered))) == ["paths", "openapi"]
    assert list(merge(parse("spec", "paths: {}\nopenapi: 3.1.0\n"))) == ["paths", "openapi"]


def test_yaml_is_read_as_openapi_means_it() -> None:
    """`no` is a text, a date is a text, a status code is a name."""
    text = "openapi: 3.1.0\nx: [no, yes, on, 2026-01-31, 1.5, true, null, 012]\nresponses:\n  200: ok\n"
    (part,) = parse("spec", text)
    assert part.document["x"] == ["no", "yes", "on", "2026-01-31", 1.5, True, None, 12]
    assert part.document["responses"] == {"200": "ok"}


REFUSED = {
    "nothing": (" \n", "spec is empty"),
    "an HTML page": ("<!DOCTYPE html><html></html>", "spec is an HTML page, or XML.*\\.md"),
    "an HTML page without a type": ("\n<html lang=en>", "spec is an HTML page"),
    "prose": ("There is no spec here.\nopenapi is a word.\n", "spec has no OpenAPI document; wanted"),
    "a page without a document": (page("a: 1\n"), "spec has 2 fenced blocks, and none is an OpenAPI document"),
    "malformed JSON": ('{"openapi": "3.1.0",}', "spec is malformed JSON: .* at line 1, column 21"),
    "JSON that ends early": (SHIPPED[:5000], "spec is malformed JSON"),
    "JSON with a key twice": ('{"openapi": "3.1.0", "a": 1, "a": 2}', "'a' stands twice in one object"),
    "JSON with no number": ('{"openapi": "3.1.0", "a": NaN}', "holds what JSON cannot"),
    "JSON with half a letter": ('{"openapi": "3.1.0", "a": "\\ud800"}', "holds what JSON cannot"),
    "a JSON list": ("[1]", "spec has no OpenAPI document"),
    "very deep JSON": ('{"a":' * 100_000, "spec cannot be read"),
    "malformed YAML": ("openapi: 3.1.0\na: [1\n", "spec is malformed YAML: .* at line 3, column 1"),
    "YAML with a key twice": ("openapi: 3.1.0\nopenapi: 3.1.1\n", 'duplicate key "openapi"'),
    "two YAML documents": (f"{YAML}---\n{YAML}", "another document"),
    "YAML with a tag": ("openapi: 3.1.0\na: !!python/name:os.system x\n", "could not determine a constructor"),
    "YAML with bytes": ("openapi: 3.1.0\na: !!binary aGk=\n", "bytes, which JSON does not know"),
    "YAML with a key that is no name": ("openapi: 3.1.0\n1.5: a\n", "the key 1.5 is no name"),
    "YAML that holds itself": ("openapi: 3.1.0\na: &a\n  b: *a\n", "written out, or holds itself"),
    "YAML that grows": (
        "openapi: 3.1.0\na: &a [1,1,1,1,1,1,1,1]\n"
        + "".join(
            f"{x}: &{x} [*{y},*{y},*{y},*{y},*{y},*{y},*{y},*{y}]\n" for y, x in zip("abcdefg", "bcdefgh", strict=True)
        ),
        "more than 100000 values once its aliases are written out",
    ),
    "YAML with a number and a text for a key": ("openapi: 3.1.0\na: {401: x, '401': y}\n", "stands twice, as a number"),
    "YAML that grows by merging": (
        "openapi: 3.1.0\nm0: &m0 {a: 1}\n"
        + "".join(f"m{n + 1}: &m{n + 1}\n  <<: [{', '.join([f'*m{n}'] * 9)}]\n" for n in range(8)),
        "more than 100000 values",
    ),
    "YAML with another value than its tag": ("openapi: 3.1.0\na: !!bool maybe\n", "malformed YAML"),
    "JSON that is deep": ('{"openapi": "3.1.0", "a": ' + "[" * 101 + "]" * 101 + "}", "nested more than 100 deep"),
    "a page that is cut off": (page(YAML).partition("paths")[0], "block at line 9 is not closed: .* cut off"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_used_is_refused(name: str) -> None:
    """With its place and the way out."""
    text, said = REFUSED[name]
    with pytest.raises(SpecError, match=said):
        merge(parse("spec", text))


def test_pages_are_merged(tmp_path: Path) -> None:
    """Each brings its operation; what they share, they say alike."""
    one = {"openapi": "3.1.0", "paths": {"/one": {"post": {}}}, "components": {"schemas": {"A": {"type": "object"}}}}
    two = {
        "openapi": "3.1.0",
        "paths": {"/two": {"post": {}}},
        "components": {"schemas": {"A": {"type": "object"}, "B": {}}},
    }
    sources = []
    for name, document in (("one.md", one), ("two.md", two)):
        (tmp_path / name).write_text(page(json.dumps(document, indent=1) + "\n"), "utf-8")
        sources.append(str(tmp_path / name))
    merged = read(sources)
    assert list(merged["paths"]) == ["/one", "/two"]
    assert merged["components"]["schemas"] == {"A": {"type": "object"}, "B": {}}


@pytest.mark.parametrize("key", ["$ref", "minLength"])
def test_a_schema_is_said_as_a_whole(key: str) -> None:
    """A page that has less of it, or refers where the other writes it out, contradicts the other."""
    one, two = (json.dumps({"openapi": "3.1.0", "components": {"schemas": {"A": a}}}) for a in ({}, {key: "x"}))
    with pytest.raises(SpecError, match=re.escape(f"contradict each other at $.components.schemas.A.{key}:")):
        merge([*parse("one", one), *parse("two", two)])


@pytest.mark.parametrize("other", [{"type": "string"}, {"type": ["object"]}, {"type": True}, {"type": {"a": 1}}])
def test_a_contradiction_names_both_places(other: dict[str, object]) -> None:
    """And what each of them says."""
    one, two = (json.dumps({"openapi": "3.1.0", "schemas": {"A": schema}}) for schema in ({"type": "object"}, other))
    with pytest.raises(SpecError) as caught:
        merge([*parse("one.json", one), *parse("two.md", page(f"{two}\n"))])
    said = json.dumps(other["type"])
    assert str(caught.value).splitlines()[:3] == [
        "two sources contradict each other at $.schemas.A.type:",
        '  one.json says "object"',
        f"  two.md, block at line 9 says {said}",
    ]


@respx.mock
def test_an_address_is_read(respx_mock: respx.MockRouter) -> None:
    """Through a redirect; what is recorded of it has no secret."""
    respx_mock.get("https://docs.example/old").respond(308, headers={"Location": ADDRESS})
    respx_mock.get(ADDRESS).respond(200, text=page(SHIPPED + "\n"))
    assert text_of(read(["https://docs.example/old"])) == SHIPPED
    assert source_name("https://me:secret@docs.example:8080/a/page.md?token=t#part") == (
        "https://docs.example:8080/a/page.md"
    )
    assert source_name("/home/me/page.md") == "page.md"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"status_code": 404, "text": SHIPPED}, "https://docs.example/page.md answers 404 Not Found"),
        ({"status_code": 500}, "answers 500"),
        ({"status_code": 204}, "answers 204"),
        ({"text": "<!doctype html>"}, "is an HTML page"),
        ({"content": b"\xff\xfe{\x00"}, "is not UTF-8: byte 0 is 0xff"),
        ({"content": b"x" * (LIMIT + 1)}, "has more than 10000000 bytes"),
    ],
)
@respx.mock
def test_an_answer_that_is_no_spec_is_refused(respx_mock: respx.MockRouter, answer: dict[str, Any], said: str) -> None:
    """Whatever its body looks like; the address is named without its query."""
    respx_mock.get(ADDRESS).respond(**answer)
    with pytest.raises(SpecError, match=said) as caught:
        read([f"{ADDRESS}?token=secret"])
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "fault", [httpx.ConnectError("no route"), httpx.ReadTimeout(""), httpx.TooManyRedirects("round")]
)
@respx.mock
def test_an_address_that_does_not_answer_is_refused(respx_mock: respx.MockRouter, fault: Exception) -> None:
    """With what happened."""
    respx_mock.get(ADDRESS).mock(side_effect=fault)
    with pytest.raises(SpecError, match=f"cannot be fetched: {str(fault) or 'ReadTimeout'}"):
        read([ADDRESS])


def test_a_sample_in_a_description_is_not_the_spec() -> None:
    """The document around it is."""
    sample = f"```yaml\n{YAML}```\n".replace("\n", "\n    ")
    (part,) = parse("spec", f"info:\n  title: t\n  description: |\n    {sample}\nopenapi: 3.0.0\npaths: {{/a: {{}}}}\n")
    assert part.document["openapi"] == "3.0.0"


@pytest.mark.parametrize("address", ["http://[::1/x", "http://a..b/x", f"http://{'a' * 64}.example/"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    """With what is wrong."""
    with pytest.raises(SpecError, match=r"cannot be fetched|is no address"):
        read([address])


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """Missing, a folder, too large, another kind of place."""
    with pytest.raises(SpecError, match=r"gone\.json cannot be read: No such file"):
        read([str(tmp_path / "gone.json")])
    with pytest.raises(SpecError, match="Is a directory"):
        read([str(tmp_path)])
    (tmp_path / "large").write_bytes(b" " * (LIMIT + 1))
    with pytest.raises(SpecError, match="more than 10000000 bytes"):
        read([str(tmp_path / "large")])
    with pytest.raises(SpecError, match="ftp:// is no way to read a spec"):
        read(["ftp://docs.example/page.md"])
