"""What of a request may stand in a file that is passed on: nothing that may let somebody in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import PurePath
from typing import Any
from urllib.parse import urlsplit

_URL = re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)
_SECRET_NAME = re.compile(
    r"\bkey\b|[_-]key\b|key[_-]id|[a-z]Key|apikey|token|secret|passw|pwd|credential|auth|bearer|signature|cookie|session",
)
# A part of a URL that is a token and no name: long, and now a letter, now a digit, now upper case;
# or letters and digits in one run.
_TOKEN_LENGTH, _TOKEN_SWITCHES = 12, 4
_TOKEN_RUN = re.compile(r"(?=[A-Za-z0-9]*[0-9])(?=[A-Za-z0-9]*[A-Za-z])[A-Za-z0-9]{14,}|[A-Za-z0-9]{32,}")
_PLAIN_PATH = re.compile(r"(/[a-z-]{0,12})*")
"""The path of a webhook that lets nobody in; many carry their secret there."""
_LONGEST_TEXT = 100_000
"""Characters; a longer text is no setting, but an image in base64."""


def may_be_kept(name: str, value: Any) -> bool:
    """Tell whether a field may stand in a file, by its name and by every text within its value."""
    try:
        return _may_be_kept(name, value)
    except RecursionError:  # nested deeper than anybody reads
        return False


def without_private_urls(text: str) -> str:
    """Return a text with "[URL]" for each URL that may hold a token."""
    return _URL.sub(lambda found: "[URL]" if _may_hold_token(found[0]) else found[0], text)


def _may_be_kept(name: str, value: Any) -> bool:
    if _SECRET_NAME.search(name) or _SECRET_NAME.search(name.lower()):
        return False
    if isinstance(value, str):
        is_webhook = name == "webhook" and not _PLAIN_PATH.fullmatch(_path_of(value))
        return not is_webhook and len(value) <= _LONGEST_TEXT and without_private_urls(value) == value
    if isinstance(value, Mapping):
        return all(_may_be_kept(str(part), given) for part, given in value.items())
    if isinstance(value, list | tuple):
        return all(_may_be_kept("", given) for given in value)
    return value is None or isinstance(value, int | float | PurePath)


def _may_hold_token(url: str) -> bool:
    """Tell whether a URL may let in whoever has it: by a user, a query, a fragment, or a part of host or path."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return True
    if "@" in parts.netloc or parts.query or parts.fragment:
        return True
    return any(map(_is_token, [*parts.netloc.split("."), *re.split(r"[/;=,&]", parts.path)])) or ";" in parts.path


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
