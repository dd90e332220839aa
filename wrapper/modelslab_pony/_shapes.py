"""The service's odd spellings put right: ids, numbers, links, messages.

Each function takes what stood in the JSON, of whatever type, and returns what it means or None.
The spellings were seen in captured replies (tests/replies/) and in the vendor's docs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from modelslab_pony.errors import FieldErrors, JobId

_WEB = re.compile(r"\s*https?://\S", re.IGNORECASE)


def job_id(given: Any) -> JobId | None:
    """Return an id as the service gave it, or None: it is an integer, a string, or "" for none.

    A string with control characters or lone surrogates cannot be shown or sent, and is none.
    """
    if isinstance(given, bool):
        return None
    if isinstance(given, float) and given.is_integer():
        return int(given)
    if isinstance(given, int):
        return given
    return (given.strip() or None) if isinstance(given, str) and given.isprintable() else None


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
    urls = [item.strip() for item in items if isinstance(item, str) and _WEB.match(item)]
    return urls if len(urls) == len(items) else []


def proxies(given: Any) -> dict[int, str]:
    """Return CDN URLs by index; they come as a list, null, or an object {"0": url}."""
    if isinstance(given, list):
        pairs = list(enumerate(given))
    elif isinstance(given, dict):
        pairs = [(int(key), url) for key, url in given.items() if key.isascii() and key.isdigit() and len(key) < 4]
    else:
        pairs = []
    return {index: url for index, url in pairs if isinstance(url, str) and url.strip()}


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


def message_of(answer: Any) -> str:
    """Return the service's words: `message`, also spelt `messege`, a text or an object of lists."""
    if isinstance(answer, str):
        return " ".join(re.sub(r"<[^<>]*>", " ", answer[:2000]).split())[:200]
    if not isinstance(answer, dict):
        return ""
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
