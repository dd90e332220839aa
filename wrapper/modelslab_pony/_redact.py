"""Takes the API key out of what came from outside, however it is spelt there, and out of logs."""

from __future__ import annotations

import base64
import functools
import json
import logging
import re
from collections.abc import Iterator
from weakref import ref

REDACTED = "[api key]"
SHORTEST_KEY = 8
"""Characters. A shorter key (no real one is) would mangle words that happen to contain it."""
WITHHELD = "[a record that could not be searched for the api key]"
LOGGERS = (
    "httpx",  # the reason phrase of each answer
    "httpcore.connection",
    "httpcore.http11",  # the headers of each answer
    "httpcore.http2",
    "httpcore.proxy",
    "httpcore.socks",
    "hpack.hpack",  # HTTP/2's headers
    "hpack.table",
    "modelslab_pony",
    "modelslab_pony.webhooks",  # what an application's on_done raised
)
"""A filter on a logger does not see what is logged below it, so each is named."""


class Redactor:
    """Knows one key in the spellings in which an answer may repeat it.

    Plain; as JSON, JavaScript, Python and HTML escape it; as it stands in a URL; in base64, whatever is
    around it; in hexadecimal. Time is linear in what is read.
    """

    def __init__(self, key: str) -> None:
        self._key = key

    @functools.cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        # Compiled on first need: it takes as long as a dozen modules to import.
        return re.compile("|".join(_patterns(self._key))) if len(self._key) >= SHORTEST_KEY else None

    def text(self, given: str) -> str:
        """Return a text without the key."""
        return self._pattern.sub(REDACTED, given) if self._pattern else given

    def body(self, given: bytes) -> bytes:
        """Return an answer's body without the key. UTF-16 and UTF-32, which JSON may be in, become UTF-8."""
        if self._pattern is None:
            return given
        encoding = json.detect_encoding(given)
        if not encoding.startswith("utf-8"):
            text = given.decode(encoding, "replace")
            clean = self._pattern.sub(REDACTED, text)
            if clean != text:
                return clean.encode(errors="replace")
        # Whatever it is, and whether or not it is that as a whole, each byte may be a character.
        text = given.decode("latin-1")
        clean = self._pattern.sub(REDACTED, text)
        return given if clean == text else clean.encode("latin-1")


# --- spellings -------------------------------------------------------------------------------

# What stands in front of a character may be repeated: JSON within JSON, a URL within a URL. All is bounded, and
# each alternative begins with a character of its own: no text takes longer than its length.
_BACKSLASHES = r"\\\\{0,7}"
_NAMED = {'"': "quot", "&": "amp", "'": "apos", "<": "lt", ">": "gt"}


def _patterns(key: str) -> Iterator[str]:
    # In UTF-16 and UTF-32 zeros stand between the characters, also where the rest is no such text.
    yield "\0{0,3}".join(map(_spellings, key))
    content = key.encode()
    for written in {base64.b64encode(b"\0" * place + content) for place in range(3)}:
        # Base64 has four signs for three bytes: those that also tell of the bytes around the key are not searched.
        place = len(written.rstrip(b"=")) * 6 // 8 - len(content)
        whole = written.rstrip(b"=")[-(-place * 8 // 6) : (place + len(content)) * 8 // 6]
        yield "".join(map(_base64_sign, whole.decode()))
    yield f"(?i:{content.hex()})"


def _spellings(character: str) -> str:
    """Return a pattern for one character: itself, behind backslashes, or by its number."""
    code, plain = ord(character), re.escape(character)
    number = f"(?i:{code:02x})"
    ways = [
        plain,
        rf"{_BACKSLASHES}(?:{plain}|u00{number}|x{number})" if character != "\\" else r"\\(?:u00|x)(?i:5c)|\\\\",
        rf"%(?:25){{0,4}}{number}",
        rf"&(?i:amp;){{0,4}}\#(?:[xX]0{{0,6}}{number}|0{{0,6}}{code});?",
    ]
    if character in _NAMED:
        ways.append(f"&(?i:amp;){{0,4}}{_NAMED[character]};")
    return f"(?:{'|'.join(ways)})"


def _base64_sign(sign: str) -> str:
    """Return a pattern for one sign of base64: in its two alphabets, as JSON and URLs have them."""
    if sign in "+/":
        code, other = f"(?i:{ord(sign):02x})", {"+": "-", "/": "_"}[sign]
        return rf"(?:\{sign}|{other}|%{code}|{_BACKSLASHES}(?:{sign}|u00{code}))".replace("(?:+|", r"(?:\+|")
    return sign


# --- logs ------------------------------------------------------------------------------------


class KeyFilter(logging.Filter):
    """Takes the keys of all living clients out of records. Asked only about what is logged at all."""

    def __init__(self) -> None:
        super().__init__()
        # Each step on it is one that no other thread comes between.
        self._known: dict[int, ref[Redactor]] = {}

    def add(self, redactor: Redactor) -> None:
        """Look for a key for as long as its redactor lives."""
        known, number = self._known, id(redactor)
        known[number] = ref(redactor, lambda _: known.pop(number, None))

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record through, without a key; one that cannot be read, without its words."""
        try:
            self._clean(record)
        except Exception:  # noqa: BLE001 - a log is no place to fail in, nor one to show the key
            record.msg, record.args = WITHHELD, ()
            record.exc_info = record.exc_text = record.stack_info = None
        return True

    def _clean(self, record: logging.LogRecord) -> None:
        said = record.getMessage()
        if self._is_in(said, repr(record.msg), repr(record.args)):
            record.msg, record.args = self._without(said), ()
        if record.exc_info:
            told = record.exc_text or _FORMATTER.formatException(record.exc_info)
            if self._is_in(told):  # the exception itself is not ours to change
                record.exc_info, record.exc_text = None, told
        for name, value in list(vars(record).items()):
            if isinstance(value, str):
                setattr(record, name, self._without(value))

    def _is_in(self, *texts: str) -> bool:
        return any(self._without(text) != text for text in texts)

    def _without(self, text: str) -> str:
        for known in list(self._known.values()):
            redactor = known()
            if redactor is not None:
                text = redactor.text(text)
        return text


_FORMATTER = logging.Formatter()
_FILTER = KeyFilter()


def keep_out_of_logs(redactor: Redactor) -> None:
    """Keep a key out of what httpx and what is below it log, for as long as its redactor lives."""
    _FILTER.add(redactor)
    for name in LOGGERS:
        logging.getLogger(name).addFilter(_FILTER)  # a second time it changes nothing
