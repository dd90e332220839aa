"""Takes the API key out of what came from outside, however it is spelt there."""

from __future__ import annotations

import json
import re

REDACTED = "[api key]"
SHORTEST_KEY = 8
"""Characters. A shorter key (no real one is) would mangle words that happen to contain it."""


class Redactor:
    """Knows one key, as plain text and as JSON may write it."""

    def __init__(self, key: str) -> None:
        self._pattern = re.compile("".join(map(_spellings, key))) if len(key) >= SHORTEST_KEY else None

    def text(self, given: str) -> str:
        """Return a text without the key."""
        return self._pattern.sub(REDACTED, given) if self._pattern else given

    def body(self, given: bytes) -> bytes:
        """Return an answer's body without the key. UTF-16 and UTF-32, which JSON may be in, become UTF-8."""
        if self._pattern is None:
            return given
        try:
            text = given.decode(json.detect_encoding(given))
            clean = self._pattern.sub(REDACTED, text).encode()
        except UnicodeError:  # no text, or one with lone surrogates: each byte is a character
            text = given.decode("latin-1")
            clean = self._pattern.sub(REDACTED, text).encode("latin-1")
        return clean if REDACTED.encode() in clean else given


def _spellings(character: str) -> str:
    """Return a pattern for one character: itself, behind a backslash, or as JSON's escape by number."""
    return rf"(?:\\?{re.escape(character)}|\\u00(?i:{ord(character):02x}))"
