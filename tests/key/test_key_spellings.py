"""What takes the key out knows every spelling, and so does what looks for it."""

from __future__ import annotations

import base64
import pickle
import time
from html import escape
from urllib.parse import quote

import pytest
from hypothesis import given, settings, strategies as st

from modelslab_pony._redact import Redactor
from support.both import KEY
from support.echoing import SPELLINGS
from support.leaks import found, walked

REDACT = Redactor(KEY)
AROUND = ['{"message": "key %s."}', "<p>%s</p>", "https://a.example/?k=%s&b=1", "%s"]
SIGNS = "".join(sign for sign in map(chr, range(33, 127)) if sign not in "\\%&")
"""What a key may be made of: printable ASCII, but for the signs that spellings themselves are written with."""


@pytest.mark.parametrize("name", SPELLINGS)
@pytest.mark.parametrize("around", AROUND)
def test_a_spelling_is_found_and_taken_out(name: str, around: str) -> None:
    """The search finds it; after the redactor it finds nothing."""
    text = around % SPELLINGS[name]
    assert found(KEY, text)
    assert found(KEY, text.encode())
    assert found(KEY, REDACT.text(text)) == []
    assert found(KEY, REDACT.body(text.encode())) == []
    assert REDACT.text(text).startswith(around.partition("%s")[0])


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32-le"])
def test_an_encoding_is_found_and_taken_out(encoding: str) -> None:
    """Those in which JSON may be."""
    body = f'{{"message": "{KEY}"}}'.encode(encoding)
    assert found(KEY, body)
    assert found(KEY, REDACT.body(body)) == []


@settings(max_examples=200)
@given(key=st.text(SIGNS, min_size=8, max_size=40), before=st.binary(max_size=5), after=st.binary(max_size=5))
def test_any_key_is_taken_out(key: str, before: bytes, after: bytes) -> None:
    """Whatever signs it has: special in patterns, in HTML, in URLs."""
    clean = Redactor(key)
    texts = [
        key,
        quote(key, safe=""),
        escape(key),
        "".join(f"\\u{ord(sign):04X}" for sign in key),
        "".join(f"&#{ord(sign)};" for sign in key),
        base64.b64encode(before + key.encode() + after).decode(),
        base64.urlsafe_b64encode(before + key.encode() + after).decode(),
        key.encode().hex(),
    ]
    for text in texts:
        assert found(key, text)
        assert clean.text(f"a {text} b") != f"a {text} b"
        assert found(key, clean.text(text)) == []


@pytest.mark.parametrize(
    "text",
    ["s", "\\", "%25", "&amp;", "&#0", "&#x0", KEY[:-1], "\\u0073\\u006b", "%73%6b", "c2stcGxhbnRlZC8wMTIz", "sk-p\\"],
)
def test_time_is_linear(text: str) -> None:
    """A megabyte of what begins as a key does, and is none, takes no second."""
    long = text * (1_000_000 // len(text))
    begun = time.process_time()
    assert REDACT.text(long) == long
    assert time.process_time() - begun < 1


def test_a_redactor_shows_nothing() -> None:
    """Its pattern is the key, spelt out."""
    assert found(KEY, *walked(REDACT)) == []
    assert found(KEY, *walked([REDACT]), str(REDACT)) == []


def test_other_words_stay() -> None:
    """A part of the key, or another one, is not it."""
    for text in (KEY[:-1], KEY[1:], KEY.upper(), "sk-other/0123456789", base64.b64encode(b"sk-planted").decode()):
        assert REDACT.text(text) == text


def test_the_search_can_come_to_nothing() -> None:
    """Where there is no key it finds none."""
    assert found(KEY, "", b"", "sk-planted", KEY[::-1], pickle.dumps({"key": "other"})) == []
