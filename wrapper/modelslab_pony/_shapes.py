"""The service's odd spellings put right: ids, numbers, links, messages.

Each function takes what stood in the JSON, of whatever type, and returns what it means or None.
The spellings were seen in captured replies (tests/replies/) and in the vendor's docs.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping
from typing import Any

from modelslab_pony.errors import FieldErrors, JobId

LONGEST_ID = 200
"""Characters; the service's ids are integers of 9 digits, or UUIDs."""
LARGEST_ID = 10**30
LONGEST_MESSAGE = 100_000
"""Characters that are kept of the service's words."""
LONGEST_URL = 8_000
"""Characters; beyond it no server takes one."""

LONGEST_SHARED = 200
"""Characters of a text that thousands of answers may have in common."""

_WEB = re.compile(r"https?://\S", re.IGNORECASE)
_FIRST = ("status", "id", "message", "messege", "error")
"""What is kept of an answer that is too large, before anything else."""


def job_id(given: Any) -> JobId | None:
    """Return an id as the service gave it, or None: it is an integer, a string, or "" for none.

    What cannot be shown or sent is none: control characters, lone surrogates, a page of text.
    """
    if isinstance(given, float) and given.is_integer():
        given = int(given)
    if isinstance(given, int) and not isinstance(given, bool):
        return given if abs(given) < LARGEST_ID else None
    if isinstance(given, str) and given.isprintable() and len(given.strip()) <= LONGEST_ID:
        return given.strip() or None
    return None


def number(given: Any) -> float | None:
    """Return a finite number that is not negative, also from a numeral in a string."""
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        return None
    try:
        found = float(given)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) and found >= 0 else None


def urls(given: Any) -> list[str]:
    """Return the output URLs; none at all if anything else stands among them."""
    items = [given] if isinstance(given, str) else given
    if not isinstance(items, list):
        return []
    urls = [item.strip() for item in items if _is_web(item)]
    return urls if len(urls) == len(items) else []


def proxies(given: Any) -> dict[int, str]:
    """Return CDN URLs by index; they come as a list, null, or an object {"0": url}."""
    if isinstance(given, list):
        pairs = list(enumerate(given))
    elif isinstance(given, dict):
        pairs = [(int(key), url) for key, url in given.items() if key.isascii() and key.isdigit() and len(key) < 4]
    else:
        pairs = []
    return {index: url.strip() for index, url in pairs if _is_web(url)}


def _is_web(given: Any) -> bool:
    """Tell whether this is an address; one that cannot be shown (control characters, lone surrogates) is none."""
    if not isinstance(given, str) or len(given) > LONGEST_URL:
        return False
    url = given.strip()
    return bool(_WEB.match(url)) and url.isprintable()


def meta_of(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return `meta` as an object; PHP sends an empty one as a list."""
    meta = answer.get("meta")
    return meta if isinstance(meta, dict) else {}


def seed(answer: Mapping[str, Any]) -> int | None:
    """Return the seed that was used: in `meta` or beside it, a number or a numeral."""
    given = meta_of(answer).get("seed", answer.get("seed"))
    if isinstance(given, str) and re.fullmatch(r"\s*-?\d{1,20}\s*", given, re.ASCII):
        return int(given)
    return given if isinstance(given, int) and not isinstance(given, bool) else None


def flag(given: Any) -> bool | None:
    """Return a boolean, or None for anything else."""
    return given if isinstance(given, bool) else None


def status_of(answer: Mapping[str, Any]) -> str | None:
    """Return the status in lower case, or None if it is no text."""
    status = answer.get("status")
    return status.strip().lower() if isinstance(status, str) else None


def claims_acceptance(answer: Any) -> bool:
    """Tell whether an answer says, perhaps beside the opposite, that a request was accepted."""
    rest = [answer.get("status")] if isinstance(answer, dict) else []
    while rest:
        status = rest.pop()
        if isinstance(status, list):
            rest += status
        elif status_of({"status": status}) in {"success", "processing"}:
            return True
    return False


def message_of(answer: Any) -> str:
    """Return the service's words: `message`, also spelt `messege`, a text or an object of lists."""
    if isinstance(answer, str):
        return " ".join(re.sub(r"<[^<>]*>", " ", answer[:2000]).split())[:200]
    return _words(answer)[:LONGEST_MESSAGE] if isinstance(answer, dict) else ""


def _words(answer: Mapping[str, Any]) -> str:
    for name in ("message", "messege", "error"):
        given = answer.get(name)
        if isinstance(given, str) and given.strip():
            return given.strip()
        if given and isinstance(given, dict):
            return "; ".join(f"{field}: {' '.join(texts)}" for field, texts in _by_field(given).items())
        if given and isinstance(given, list):
            return " ".join(map(_text, given))
    return ""


def field_errors(answer: Any) -> FieldErrors:
    """Return what is wrong by field, where the message is an object of lists."""
    given = answer.get("message") or answer.get("messege") if isinstance(answer, dict) else None
    return _by_field(given) if isinstance(given, dict) else {}


def _by_field(given: Mapping[str, Any]) -> dict[str, list[str]]:
    return {
        str(field): [_text(text) for text in (texts if isinstance(texts, list) else [texts])]
        for field, texts in given.items()
    }


def _text(given: Any) -> str:
    return str(given) if given is None or isinstance(given, str | int | float) else "(nested)"


def brief(text: str, most: int) -> str:
    """Return a text as one line that can be shown: no control characters, no lone surrogates."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text[:most]).split())


@functools.lru_cache(maxsize=2048)
def _same(text: str) -> str:
    """Return the text that was given before if it was the same: not interned, which may keep everything for ever."""
    return text


def said_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object; of a name said twice, the last value that says something.

    Statuses that contradict each other are all kept, as a list, which is no status; and no value that is
    no id takes the place of an id.
    """
    # Thousands of jobs may wait at once, and their answers are made of the same words.
    found = {
        _same(name) if len(name) <= LONGEST_SHARED else name: (
            _same(value) if type(value) is str and len(value) <= LONGEST_SHARED else value
        )
        for name, value in pairs
    }
    if len(found) == len(pairs):
        return found
    found = {}
    for name, value in pairs:
        says_nothing = value is None or value in ("", [], {}) or (name == "id" and job_id(value) is None)
        if name not in found or not says_nothing:
            found[name] = value
    statuses = [value for name, value in pairs if name == "status"]
    if any(status != statuses[0] for status in statuses):
        found["status"] = statuses
    return found


def bounded(value: Any, most: int) -> Any:
    """Return a JSON value, or what of it is within so many characters and values; its status and id first."""
    return value if _size(value, most) <= most else _cut(value, most)[0]


def shallow(value: Any, levels: int) -> Any:
    """Return a JSON value without what is nested deeper: it could neither be written nor sent elsewhere."""
    if not isinstance(value, dict | list):
        return value
    if levels == 0:
        return "(nested)"
    if isinstance(value, dict):
        return {name: shallow(inner, levels - 1) for name, inner in value.items()}
    return [shallow(inner, levels - 1) for inner in value]


def _size(value: Any, most: int) -> int:
    size, rest = 0, [value]
    while rest and size <= most:
        one = rest.pop()
        size += len(one) + 1 if isinstance(one, str | list | dict) else 1
        if isinstance(one, dict):
            rest += [*one, *one.values()]
        elif isinstance(one, list):
            rest += one
    return size


def _cut(value: Any, left: int) -> tuple[Any, int]:
    """Return what fits of a value, and how much is left of the room."""
    if isinstance(value, str):
        return value[: max(0, left)], left - len(value[:left]) - 1
    if isinstance(value, list):
        items = []
        for item in value:
            if left <= 1:
                break
            kept, left = _cut(item, left - 1)
            items.append(kept)
        return items, left - 1
    if isinstance(value, dict):
        fields = {}
        for name in sorted(value, key=lambda name: name not in _FIRST):
            if left <= len(name) + 2:
                continue
            room = (left - len(name)) // 2  # so that no field takes the place of all others
            fields[name], rest = _cut(value[name], room)
            left -= len(name) + 1 + room - rest
        return fields, left - 1
    return value, left - 1
