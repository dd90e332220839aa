"""Where a spec comes from: a JSON or YAML file, an address, or the Markdown pages of a documentation.

A page holds the document in a fenced block. Several pages, or blocks, are merged; where two of them
say different things of one place, nothing is taken. What may be cut off is refused: a spec without
its end looks like one without its last fields.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
from attrs import frozen
from markdown_it import MarkdownIt
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from spec import Document, SpecError

LIMIT = 10_000_000
"""Bytes; the vendor's page has nine thousand."""
TIMEOUT = 30.0
"""Seconds for each step of a download."""
# With a number: the front matter of a page may have "openapi: POST /path".
_OPENAPI = re.compile(r"""^\s*\{?\s*['"]?(openapi|swagger)['"]?\s*:\s*['"]?\d""", re.MULTILINE)
_HTML = re.compile(r"<(!doctype|html|head|body|\?xml)\b", re.IGNORECASE)
_MOST = 100_000
"""Values in a document with its aliases written out; the vendor's has five hundred."""
_WANTED = "wanted: an OpenAPI document as JSON or YAML, or a Markdown page with one in a fenced block"


@frozen
class Part:
    """One document, and the words for where it stands."""

    place: str
    document: Document


def read(sources: Sequence[str]) -> Document:
    """Read every source, and merge what they hold."""
    parts = [part for source in sources for part in parse(_place(source), _text(source))]
    return merge(parts)


def source_name(source: str) -> str:
    """Return the name to record: a file without its folder, an address without its secrets."""
    if not _is_address(source):
        return Path(source).name
    address = urlsplit(source)
    return urlunsplit((address.scheme, address.netloc.rpartition("@")[2], address.path, "", ""))


def _place(source: str) -> str:
    """Return the words for a source in a message: a file as it was given, an address without its secrets."""
    return source_name(source) if _is_address(source) else source


def parse(name: str, text: str) -> list[Part]:
    """Return the documents in a text: what it is, is told by its content."""
    text = text.removeprefix("\ufeff")
    start = text.lstrip()
    if not start:
        raise SpecError(f"{name} is empty; {_WANTED}")
    if _HTML.match(start):
        raise SpecError(f"{name} is an HTML page, or XML; {_WANTED}. Many documentations have it at the address + .md")
    if start[0] in "{[":
        return [_part(name, _json(name, text))]
    fences = list(_fences(name, text))
    if not fences or _OPENAPI.match(_unfenced(text)):
        if not _OPENAPI.search(_unfenced(text)):
            raise SpecError(f"{name} has no OpenAPI document; {_WANTED}")
        return [_part(name, _yaml(name, text))]
    if not (found := [(place, inner) for place, inner in fences if _OPENAPI.search(inner)]):
        raise SpecError(f"{name} has {len(fences)} fenced blocks, and none is an OpenAPI document; {_WANTED}")
    return [_part(place, (_json if inner.lstrip().startswith("{") else _yaml)(place, inner)) for place, inner in found]


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
            into[key] = {} if isinstance(value, dict) else value
            said[here] = source
        known = into[key]
        if isinstance(known, dict) and isinstance(value, dict):
            _merge(known, value, here, source, said)
        elif json.dumps(known, sort_keys=True) != json.dumps(value, sort_keys=True):
            raise SpecError(
                f"two sources contradict each other at {here}:\n"
                f"  {said[here]} says {_short(known)}\n  {source} says {_short(value)}\n"
                "  take one of them, or ask the vendor which is right"
            )


# --- getting the text ---------------------------------------------------------------------------


def _is_address(source: str) -> bool:
    return source.lower().startswith(("http://", "https://"))


def _text(source: str) -> str:
    name = _place(source)
    if _is_address(source):
        data = _download(source, name)
    elif "://" in source:
        raise SpecError(
            f"{source.split('://', maxsplit=1)[0]}:// is no way to read a spec: give a file, http:// or https://"
        )
    else:
        data = _file(source)
    if len(data) > LIMIT:
        raise SpecError(f"{name} has more than {LIMIT} bytes; no spec is as large")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SpecError(f"{name} is not UTF-8: byte {error.start} is {data[error.start]:#04x}") from None


def _file(source: str) -> bytes:
    try:
        with Path(source).open("rb") as file:
            return file.read(LIMIT + 1)
    except OSError as error:
        raise SpecError(f"{source} cannot be read: {error.strerror or error}") from None


def _download(address: str, name: str) -> bytes:
    headers = {"Accept": "application/json, application/yaml, text/markdown, text/plain;q=0.9, */*;q=0.1"}
    data = b""
    try:
        with (
            httpx.Client(timeout=TIMEOUT, follow_redirects=True, max_redirects=5, headers=headers) as client,
            client.stream("GET", address) as response,
        ):
            if response.status_code != 200:
                raise SpecError(
                    f"{name} answers {response.status_code} {response.reason_phrase}: is the address right?"
                )
            for chunk in response.iter_bytes():
                data += chunk
                if len(data) > LIMIT:
                    break
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise SpecError(f"{name} cannot be fetched: {str(error) or type(error).__name__}") from None
    return data


# --- reading the text ---------------------------------------------------------------------------


def _fences(name: str, text: str) -> Iterator[tuple[str, str]]:
    lines = re.split(r"\r\n|\r|\n", text)
    for token in MarkdownIt("commonmark").parse(text):
        if token.type == "fence" and token.map:
            first, end = token.map
            place = f"{name}, block at line {first + 1}"
            if _OPENAPI.search(token.content) and not lines[end - 1].strip(" >\t").startswith(token.markup):
                raise SpecError(f"{place} is not closed: the page may be cut off; fetch it again")
            yield place, token.content


def _unfenced(text: str) -> str:
    """Return what comes before the first fence: a YAML document begins there, a page's block does not."""
    return re.split(r"^\s*(?:```|~~~)", text, maxsplit=1, flags=re.MULTILINE)[0]


def _part(place: str, document: Any) -> Part:
    if not isinstance(document, dict):
        raise SpecError(f"{place} is no OpenAPI document but a {type(document).__name__}")
    try:
        json.dumps(document, allow_nan=False, ensure_ascii=False).encode("utf-8")
    except RecursionError:
        raise SpecError(f"{place} is nested too deeply") from None
    except ValueError as error:  # NaN, infinity, a lone surrogate
        raise SpecError(f"{place} holds what JSON cannot: {error}") from None
    return Part(place, document)


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
        return yaml.load(text)
    except (YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
        raise SpecError(f"{place} is malformed YAML: {problem}{where}") from None
    except RecursionError:
        raise SpecError(f"{place} is nested too deeply") from None


def _yaml(place: str, text: str) -> Any:
    seen = 0

    def plain(node: Any) -> Any:
        """Return the JSON that a YAML value is: names are texts (`200:` is a number in YAML)."""
        nonlocal seen
        seen += 1
        if seen > _MOST:
            raise SpecError(f"{place} has more than {_MOST} values once its aliases are written out")
        if isinstance(node, dict):
            if odd := [key for key in node if isinstance(key, bool) or not isinstance(key, str | int)]:
                raise SpecError(f"{place}: the key {odd[0]!r} is no name; put it in quotes")
            return {str(key): plain(value) for key, value in node.items()}
        if isinstance(node, list):
            return [plain(item) for item in node]
        if node is None or isinstance(node, str | bool | int | float):
            return node
        raise SpecError(f"{place}: {_short(node)} is a {type(node).__name__}, which JSON does not know")

    try:
        return plain(read_yaml(place, text))
    except RecursionError:
        raise SpecError(f"{place} is nested too deeply, or holds itself") from None


def _short(value: Any) -> str:
    said = json.dumps(value, ensure_ascii=False, default=str)
    return said if len(said) <= 120 else f"{said[:119]}…"
