"""What of a request may stand in a file that is passed on: nothing that may let somebody in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import PurePath
from typing import Any
from urllib.parse import urlsplit

# The scheme is bounded, or a long word would be read once from each of its letters.
_URL = re.compile(r"(?:[a-z][a-z0-9+.-]{0,30}:)?//\S+|\bwww\.\S+", re.IGNORECASE)
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
# A word that makes a name one of a secret: anywhere in it, or only at its end (or in front of "id").
_SECRET_WORD = re.compile(
    r"secrets?|passw(or)?d|passphrase|pwd|credentials?|auth|authori[sz]ation|bearer|signature|cookies?"
    r"|(api|access|private|secret)key|(auth|api)token"
)
_SECRET_ENDS = frozenset(("key", "token", "session"))
# A part of a URL that is a token and no name: long, and now a letter, now a digit, now upper case;
# or letters and digits in one run; or more letters than a word has.
_TOKEN_LENGTH, _TOKEN_SWITCHES = 12, 4
_TOKEN_RUN = re.compile(r"(?=[A-Za-z0-9]*[0-9])(?=[A-Za-z0-9]*[A-Za-z])[A-Za-z0-9]{14,}|[A-Za-z0-9]{18,}")
_PICTURE_NAME = re.compile(r".*\.(?:png|jpe?g|webp|gif)", re.IGNORECASE)
_PLAIN_PATH = re.compile(r"(?:/(?:[a-z]{1,10}(?:-[a-z]{1,10})?|v\d)?)*")
"""The path of a webhook that lets nobody in; many carry their secret there."""
_DEEPEST = 50
"""Levels of lists and mappings; what is nested deeper is nothing that a person wrote."""
_LONGEST_TEXT = 100_000
"""Characters; a longer text is no setting, but an image in base64."""


def may_be_kept(name: str, value: Any, depth: int = 0) -> bool:
    """Tell whether a field may stand in a file, by its name and by every text within its value."""
    if _is_secret(name) or depth > _DEEPEST:
        return False
    if isinstance(value, str):
        is_webhook = name == "webhook" and not _PLAIN_PATH.fullmatch(_path_of(value))
        return not is_webhook and len(value) <= _LONGEST_TEXT and without_private_urls(value) == value
    if isinstance(value, Mapping):
        return all(may_be_kept(str(part), given, depth + 1) for part, given in value.items())
    if isinstance(value, list | tuple):
        return all(may_be_kept("", given, depth + 1) for given in value)
    return value is None or isinstance(value, int | float | PurePath)


def without_private_urls(text: str) -> str:
    """Return a text with "[URL]" for each URL that may hold a token."""
    return _URL.sub(lambda found: "[URL]" if _may_hold_token(found[0]) else found[0], text)


def _is_secret(name: str) -> bool:
    words = [word.lower() for word in _WORD.findall(name)]
    ends = words[:-1] if words[-1:] == ["id"] else words
    return any(map(_SECRET_WORD.fullmatch, words)) or not _SECRET_ENDS.isdisjoint(ends[-1:])


def _may_hold_token(url: str) -> bool:
    """Tell whether a URL may let in whoever has it: by a user, a query, a fragment, or a part of host or path.

    The name of a picture may be as odd as it likes, and so may the host that serves it.
    """
    try:
        parts = urlsplit(url if "//" in url else f"//{url}")
    except ValueError:
        return True
    if "@" in parts.netloc or parts.query or parts.fragment or ";" in parts.path:
        return True
    folders = parts.path.split("/")
    is_picture = bool(_PICTURE_NAME.fullmatch(folders[-1]))
    if any(_is_secret(word) for folder in folders for word in re.split(r"[=,&.]", folder)):
        return True
    names = [folder for folder in folders if not _PICTURE_NAME.fullmatch(folder)]
    return any(map(_is_token, names if is_picture else [*parts.netloc.split("."), *names]))


def _path_of(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:
        return url


def _is_token(part: str) -> bool:
    kinds = ["digit" if sign.isdigit() else "upper" if sign.isupper() else "lower" for sign in part if sign.isalnum()]
    switches = sum(one != other for one, other in pairwise(kinds))
    is_mixed = len(part) >= _TOKEN_LENGTH and switches >= _TOKEN_SWITCHES
    return is_mixed or bool(_TOKEN_RUN.search(part))
