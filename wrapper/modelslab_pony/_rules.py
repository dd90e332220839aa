"""What a request field may hold: one rule a field, and the sentence that says it was broken."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from attrs import frozen

_URL = re.compile(r"https?://(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+", re.IGNORECASE)
HUGE = 10**20
"""Beyond every bound and every 64-bit number; such an integer may be too long to be written down."""


@frozen(kw_only=True)
class Rule:
    """What one field may hold; the numbers are those of the effective spec."""

    kind: str
    """text, integer, number, flag, url or image"""
    name: str | None = None
    """The spec's name of the field, where it is another."""
    spec_default: Any = None
    """The spec's default, where None stands for "decided when the request is sent"."""
    minimum: float | None = None
    maximum: float | None = None
    multiple_of: int | None = None
    min_length: int = 0
    optional: bool = False
    """Whether None may stand for "left out"."""

    def problem(self, value: Any) -> str | None:
        """Return what is wrong with a value, as a sentence without its subject, or None."""
        if value is None and self.optional:
            return None
        expected, fits = _KINDS[self.kind]
        if not fits(value):
            hint = " (write a space as %20, and so on)" if "URL" in expected and "://" in str(value)[:10] else ""
            return f"must be {expected}, not {shown(value)}{hint}"
        if self.kind == "text" and len(value.strip()) < self.min_length:
            return "must not be empty"
        if self.kind in {"integer", "number"}:
            return self._number_problem(value)
        return None

    def allowed(self) -> str:
        """Return the range in words, for a help text; empty where there is none."""
        bounds = self.minimum is not None or self.maximum is not None
        step = f", divisible by {self.multiple_of}" if self.multiple_of else ""
        return f"{self._range()}{step}".capitalize() if bounds else ""

    def _number_problem(self, value: float) -> str | None:
        if abs(value) >= HUGE:
            return f"must be {self._range()}, not a number of that size"
        low = self.minimum is None or value >= self.minimum
        high = self.maximum is None or value <= self.maximum
        if not (low and high):
            return f"must be {self._range()}, not {value}"
        if self.multiple_of and value % self.multiple_of:
            near = int(value // self.multiple_of) * self.multiple_of
            options = [n for n in (near, near + self.multiple_of) if self._number_problem(n) is None]
            return f"must be divisible by {self.multiple_of}, not {value}; try {' or '.join(map(str, options))}"
        return None

    def _range(self) -> str:
        if self.minimum is None and self.maximum is None:
            return "a 64-bit number"
        if self.minimum is None or self.maximum is None:
            return f"at least {self.minimum}" if self.maximum is None else f"at most {self.maximum}"
        return f"from {self.minimum} to {self.maximum}"


def is_url(value: Any) -> bool:
    """Tell whether a value is a whole http(s) URL, in the characters that one may have (RFC 3986)."""
    if not isinstance(value, str) or not _URL.fullmatch(value):
        return False
    try:
        parts = urlsplit(value)
        return parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        return False


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_KINDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "text": ("a text", lambda value: isinstance(value, str)),
    "integer": ("an integer", _is_integer),
    "number": ("a number", lambda value: _is_integer(value) or isinstance(value, float)),
    "flag": ("True or False", lambda value: isinstance(value, bool)),
    "url": ("an http(s) URL", is_url),
    # What is no URL has been read from this machine by then, or could not be.
    "image": ("an http(s) URL, a path, bytes or a PIL image", is_url),
}


def shown(value: Any) -> str:
    """Return a value and its type for an error's text, on one short line."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - a huge integer has no text; a caller's own repr may do anything
        text = "a value that cannot be shown"
    return f"{text if len(text) <= 60 else text[:57] + '...'} ({type(value).__name__})"
