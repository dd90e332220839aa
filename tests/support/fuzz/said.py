"""What an answer says, read a second time, by other code than the wrapper's: the judge's own opinion.

The rules are those of the service as it is documented and was seen: `status` decides under 2xx, an
id with a status that nobody knows is a job that runs, and only the service's own words, or a code
that is given before anything is accepted, are a refusal.
"""

from __future__ import annotations

import json
from typing import Any

from attrs import frozen

from support import leaks
from support.both import KEY
from support.fuzz.wires import Wire

REFUSALS = {400, 401, 402, 403, 404, 422, 429}
"""Codes with which nothing was accepted, whoever gave them."""
LONGEST_NUMERAL = 300
LONGEST_ID = 200
LONGEST_URL = 8_000
DEEPEST = 60


@frozen
class Said:
    """What an answer means for a job."""

    kind: str
    """done, pending, failed, refused; odd: none of them; unclear: the judge cannot tell."""
    ids: tuple[int | str, ...] = ()
    """What it calls the job; more than one if it says the name twice."""
    urls: tuple[str, ...] = ()
    document: Any = None
    is_plain: bool = False
    """Whether the document is small, shallow, says no name twice and never repeats the key, however it is spelt."""
    may_repeat: bool = False
    """Whether a generation that was answered so was refused for the rate limit, and nothing was accepted."""


UNCLEAR = Said("unclear")
LIMITED = Said("unclear", may_repeat=True)
"""Under HTTP 429, whatever stands in it that cannot be read."""


def said(wire: Wire) -> Said:
    """Return what an answer says."""
    if wire.end != "whole" or wire.plain is None:
        return UNCLEAR if wire.code != 429 else LIMITED
    try:
        document, pairs, has_doubles = _document(wire.plain)
    except RecursionError:
        return UNCLEAR if wire.code != 429 else LIMITED
    except ValueError:
        refused = wire.code in REFUSALS
        return Said("refused" if refused else "odd", may_repeat=wire.code == 429)
    is_plain = len(wire.plain) < 20_000 and _depth(document) <= DEEPEST and not has_doubles
    is_plain = is_plain and not leaks.found(KEY, repr(document))
    if not isinstance(document, dict):
        kind = "refused" if wire.code in REFUSALS else "odd"
        return Said(kind, document=document, is_plain=is_plain, may_repeat=wire.code == 429)
    statuses = [value for name, value in pairs if name == "status"]
    words = {value.strip().lower() if isinstance(value, str) else "" for value in statuses}
    ids = tuple(found for name, value in pairs if name == "id" and (found := _id(value)) is not None)
    outputs = [value for name, value in pairs if name == "output" and value not in ("", None, [], {})]
    urls = _urls(outputs[-1]) if outputs else ()
    kind = _kind(wire.code, statuses, words, ids, urls)
    text = json.dumps(document).lower()
    limited = wire.code == 429 or any(hint in text for hint in ("rate limit", "too many", "queued requests"))
    may_repeat = kind == "refused" and limited and not ids and not words & {"success", "processing"}
    return Said(kind, ids, urls if kind == "done" else (), document, is_plain, may_repeat)


def _kind(code: int, statuses: list[Any], words: set[str], ids: tuple[Any, ...], urls: tuple[str, ...]) -> str:
    is_mixed = any(one != statuses[0] for one in statuses)
    no = words and words <= {"error", "failed"} and not is_mixed
    if not 200 <= code < 300:
        claims = words & {"success", "processing"} or any(_names(one, "success", "processing") for one in statuses)
        return "refused" if no or (code in REFUSALS and not claims) else "odd"
    if is_mixed or len(words) != 1:
        return "pending" if ids else "odd"
    word = next(iter(words))
    if word == "success":
        return "done" if urls else "odd"
    if word in {"processing", "failed"}:
        return {"processing": "pending", "failed": "failed"}[word]
    return "refused" if word == "error" else "pending" if ids else "odd"


def _names(given: Any, *words: str) -> bool:
    return isinstance(given, list) and any(isinstance(one, str) and one.strip().lower() in words for one in given)


def _id(given: Any) -> int | str | None:
    if isinstance(given, float) and given.is_integer():
        given = int(given)
    if isinstance(given, int) and not isinstance(given, bool):
        return given if abs(given) < 10**30 else None
    if isinstance(given, str) and given.isprintable() and given.strip():
        found = given.replace(KEY, "[api key]").strip()
        return found if len(found) <= LONGEST_ID else None
    return None


def _urls(given: Any) -> tuple[str, ...]:
    items = [given] if isinstance(given, str) else given if isinstance(given, list) else []
    found = tuple(item.strip() for item in items if isinstance(item, str) and _is_url(item.strip()))
    return tuple(url.replace(KEY, "[api key]") for url in found) if len(found) == len(items) else ()


def _is_url(text: str) -> bool:
    scheme, _, rest = text.partition("://")
    is_short = len(text) <= LONGEST_URL
    return scheme.lower() in {"http", "https"} and rest[:1].strip() != "" and text.isprintable() and is_short


def _document(content: bytes) -> tuple[Any, list[tuple[str, Any]], bool]:
    """Return the JSON, the names and values of its outermost object, and whether any object says a name twice.

    What looks like UTF-16 or UTF-32, and says nothing as that, may be UTF-8 behind a zero.
    """
    try:
        return _parsed(content, json.detect_encoding(content))
    except ValueError:
        return _parsed(content, "utf-8")


def _parsed(content: bytes, encoding: str) -> tuple[Any, list[tuple[str, Any]], bool]:
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    last: list[tuple[str, Any]] = []
    doubles = []

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        last[:] = found
        whole = dict(found)
        if len(whole) != len(found):
            doubles.append(whole)
        return whole

    reader = json.JSONDecoder(
        object_pairs_hook=pairs,
        parse_constant=lambda _: None,
        parse_int=lambda digits: int(digits) if len(digits) <= LONGEST_NUMERAL else None,
        parse_float=lambda digits: None if abs(float(digits)) == float("inf") else float(digits),
        strict=False,
    )
    text = text.lstrip("\ufeff")
    try:
        document = reader.decode(text)
    except ValueError:
        if text.find("{") <= 0:
            raise
        document = reader.decode(text[text.find("{") :])
    return document, last if isinstance(document, dict) else [], bool(doubles)


def _depth(document: Any) -> int:
    depth, level = 0, [document]
    while level and depth <= DEEPEST:
        inner = [one for one in level if isinstance(one, dict | list)]
        level = [value for one in inner for value in (one.values() if isinstance(one, dict) else one)]
        depth += 1
    return depth
