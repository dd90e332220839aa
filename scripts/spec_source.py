"""Where a spec comes from: a JSON or YAML file, an address, or the Markdown pages of a documentation.

A page holds the document in a fenced block. Several pages, or blocks, are merged; where two of them
say different things of one place, nothing is taken. What may be cut off is refused: a spec without
its end looks like one without its last fields.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from attrs import frozen
from markdown_it import MarkdownIt
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import CollectionNode

from spec import Document, SpecError
from spec_text import place_of, text_from

# With a number: the front matter of a page may have "openapi: POST /path".
_OPENAPI = re.compile(r"""(?:^|[{,])\s*['"]?(openapi|swagger)['"]?\s*:\s*['"]?\d+\.\d""", re.MULTILINE)
_HTML = re.compile(r"<(!doctype|html|head|body|\?xml)\b", re.IGNORECASE)
_MOST = 100_000
"""Values in a document with its aliases written out; the vendor's has five hundred."""
_DEEPEST = 100
"""How deep a document may be; the vendor's is ten deep."""
# Below these, each page brings its own; everything else is said alike, or is a contradiction.
_MERGED = re.compile(r"\$|\$\.paths(\.[^.]*)?|\$\.components(\.[^.]*)?")
_WANTED = "wanted: an OpenAPI document as JSON or YAML, or a Markdown page with one in a fenced block"


@frozen
class Part:
    """One document, and the words for where it stands."""

    place: str
    document: Document


def read(sources: Sequence[str]) -> Document:
    """Read every source, and merge what they hold."""
    parts = [part for source in sources for part in parse(place_of(source), text_from(source))]
    return merge(parts)


def parse(name: str, text: str) -> list[Part]:
    """Return the documents in a text: what it is, is told by its content."""
    text = text.removeprefix("\ufeff")
    start = text.lstrip()
    if not start:
        raise SpecError(f"{name} is empty; {_WANTED}")
    if _HTML.match(start):
        raise SpecError(f"{name} is an HTML page, or XML; {_WANTED}. Many documentations have it at the address + .md")
    fences = list(_fences(name, text))
    found = [(place, inner) for place, inner in fences if _OPENAPI.search(inner)]
    try:
        return [_part(name, text)]
    except SpecError:
        if not fences:
            raise
    if not found:
        raise SpecError(f"{name} has {len(fences)} fenced blocks, and none is an OpenAPI document; {_WANTED}")
    for place, inner in found:
        if not inner.endswith("\n"):
            raise SpecError(f"{place} is not closed: the page may be cut off; fetch it again")
    return [_part(place, inner) for place, inner in found]


def merge(parts: Sequence[Part]) -> Document:
    """Return one document with all that the parts say; they may repeat each other, and not contradict."""
    merged: Document = {}
    said: dict[str, str] = {}
    for part in parts:
        _merge(merged, part.document, "$", part.place, said)
    return merged


def _merge(into: Document, new: Document, place: str, source: str, said: dict[str, str]) -> None:
    for key, value in new.items():
        here = f"{place}.{key}"
        if key not in into:
            into[key] = {} if isinstance(value, dict) and _MERGED.fullmatch(here) else value
            said[here] = source
        known = into[key]
        if isinstance(known, dict) and isinstance(value, dict) and _MERGED.fullmatch(here):
            _merge(known, value, here, source, said)
        elif different := _different(known, value, here):
            raise SpecError(
                f"two sources contradict each other at {different[0]}:\n"
                f"  {said[here]} says {_short(different[1])}\n  {source} says {_short(different[2])}\n"
                "  take one of them, or ask the vendor which is right"
            )


def _different(one: Any, other: Any, place: str) -> tuple[str, Any, Any] | None:
    """Return the first place where two values differ, and what each has there."""
    if isinstance(one, dict) and isinstance(other, dict):
        pairs = ((one.get(key), other.get(key), f"{place}.{key}") for key in dict.fromkeys([*one, *other]))
        return next(filter(None, (_different(*pair) for pair in pairs)), None)
    return None if json.dumps(one) == json.dumps(other) else (place, one, other)


def _fences(name: str, text: str) -> Iterator[tuple[str, str]]:
    """Yield (place, content) for each fenced block; the content of one that is not closed ends without a newline."""
    lines = re.split(r"\r\n|\r|\n", text)
    # A tag above a block, without a blank line, does not make the block HTML.
    for token in MarkdownIt("commonmark").disable("html_block").parse(text):
        if token.type == "fence" and token.map:
            first, end = token.map
            closed = end - 1 > first and lines[end - 1].strip(" >\t").startswith(token.markup)
            yield f"{name}, block at line {first + 1}", token.content if closed else token.content.rstrip()


def _part(place: str, text: str) -> Part:
    start = text.lstrip()[:1]
    document = _json(place, text) if start and start in "{[" else _yaml(place, text)
    if not isinstance(document, dict) or not document.keys() & {"openapi", "swagger"}:
        raise SpecError(f"{place} has no OpenAPI document; {_WANTED}")
    try:
        json.dumps(document, allow_nan=False, ensure_ascii=False).encode("utf-8")
    except ValueError as error:  # NaN, infinity, a lone surrogate
        raise SpecError(f"{place} holds what JSON cannot: {error}") from None
    if _depth(document) > _DEEPEST:
        raise SpecError(f"{place} is nested more than {_DEEPEST} deep")
    return Part(place, document)


def _depth(document: Any) -> int:
    depth, level = 0, [document]
    while level := [
        inner
        for node in level
        for inner in (node.values() if isinstance(node, dict) else node)
        if isinstance(inner, dict | list)
    ]:
        depth += 1
    return depth


def _json(place: str, text: str) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> Document:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise SpecError(f"{place} is ambiguous: {twice!r} stands twice in one object")
        return found

    try:
        return json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise SpecError(
            f"{place} is malformed JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from None
    except (RecursionError, ValueError) as error:  # so deep, or a number so long
        raise SpecError(f"{place} cannot be read: {error}") from None


def read_yaml(place: str, text: str) -> Any:
    """Read YAML 1.2, in which `no` is a text; a key that stands twice is an error, and a date is its text."""
    yaml = YAML(typ="safe", pure=True)
    yaml.constructor.yaml_constructors = {
        **yaml.constructor.yaml_constructors,
        "tag:yaml.org,2002:timestamp": lambda constructor, node: constructor.construct_scalar(node),
    }
    try:
        _count(place, YAML(typ="safe", pure=True).compose(text))
        return yaml.load(text)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
        raise SpecError(f"{place} is malformed YAML: {problem}{where}") from None
    except RecursionError:
        raise SpecError(f"{place} is nested too deeply") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:  # a tag with another kind of value below it
        raise SpecError(f"{place} is malformed YAML: {error}") from None


def _count(place: str, root: Any) -> None:
    """Refuse a document that grows beyond measure when its aliases are written out, or that holds itself."""
    sizes: dict[int, int] = {}

    def size(node: Any) -> int:
        if id(node) not in sizes:
            sizes[id(node)] = _MOST  # as much as one that holds itself
            inner = node.value if isinstance(node, CollectionNode) else ()
            parts = [part for item in inner for part in (item if isinstance(item, tuple) else (item,))]
            sizes[id(node)] = 1 + sum(map(size, parts))
        return sizes[id(node)]

    if size(root) > _MOST:
        raise SpecError(f"{place} has more than {_MOST} values once its aliases are written out, or holds itself")


def _yaml(place: str, text: str) -> Any:
    def plain(node: Any) -> Any:
        """Return the JSON that a YAML value is: names are texts (`200:` is a number in YAML)."""
        if isinstance(node, dict):
            if odd := [key for key in node if isinstance(key, bool) or not isinstance(key, str | int)]:
                raise SpecError(f"{place}: the key {odd[0]!r} is no name; put it in quotes")
            named = {str(key): plain(value) for key, value in node.items()}
            if len(named) < len(node):
                raise SpecError(f"{place}: a key of {sorted(named)} stands twice, as a number and as a text")
            return named
        if isinstance(node, list):
            return [plain(item) for item in node]
        if node is None or isinstance(node, str | bool | int | float):
            return node
        raise SpecError(f"{place}: {_short(node)} is a {type(node).__name__}, which JSON does not know")

    return plain(read_yaml(place, text))


def _short(value: Any) -> str:
    said = json.dumps(value, ensure_ascii=False, default=str)
    return said if len(said) <= 120 else f"{said[:119]}…"
