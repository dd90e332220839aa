"""The key is taken out of answers and faults, however it is spelt."""

from __future__ import annotations

import json

import pytest

from modelslab_pony._redact import Redactor

KEY = "sk-planted/0123456789"
ESCAPED = "".join(f"\\u{ord(character):04x}" for character in KEY)
REDACT = Redactor(KEY)


@pytest.mark.parametrize("spelling", [KEY, KEY.replace("/", r"\/"), ESCAPED, ESCAPED.upper().replace("U", "u")])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_every_spelling_that_json_allows_is_found(spelling: str, encoding: str) -> None:
    """Plain, with an escaped slash, in numbers; in each encoding that a JSON parser takes."""
    clean = REDACT.body(f'{{"message": "key {spelling} é"}}'.encode(encoding))
    assert json.loads(clean)["message"] == "key [api key] é"


@pytest.mark.parametrize("body", [b"\xff\xfe\x00", b"caf\xe9 " + KEY.encode(), b'{"a": "\\ud800"}', b""])
def test_a_body_that_is_no_text_is_survived(body: bytes) -> None:
    """And cleaned all the same."""
    assert KEY.encode() not in REDACT.body(body)


def test_a_body_without_the_key_is_the_same_object() -> None:
    """Nothing is copied for the usual answer."""
    body = '{"message": "fine"}'.encode("utf-16")
    assert REDACT.body(body) is body


def test_a_short_key_is_no_key_and_mangles_nothing() -> None:
    """A test's key may be a word of the answer."""
    assert Redactor("test").text("a test") == "a test"
    assert Redactor("test").body(b"a test") == b"a test"
