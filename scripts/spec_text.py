"""The text of a spec, from a file or an address; no more than a spec may have, and no secret in its name."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import httpx

from spec import SpecError

LIMIT = 10_000_000
"""Bytes; the vendor's page has nine thousand."""
TIMEOUT = 30.0
"""Seconds for each step of a download."""


def source_name(source: str) -> str:
    """Return the name to record: a file without its folder, an address without its secrets."""
    if not _is_address(source):
        return Path(source).name
    try:
        address = urlsplit(source)
    except ValueError as error:
        raise SpecError(f"{source} is no address: {error}") from None
    return urlunsplit((address.scheme, address.netloc.rpartition("@")[2], address.path, "", ""))


def place_of(source: str) -> str:
    """Return the words for a source in a message: a file as it was given, an address without its secrets."""
    return source_name(source) if _is_address(source) else source


def _is_address(source: str) -> bool:
    return source.lower().startswith(("http://", "https://"))


def text_from(source: str) -> str:
    """Return the text; what cannot be read, is too large or is no text is refused."""
    name = place_of(source)
    if _is_address(source):
        data = _download(source, name)
    elif "://" in source:
        raise SpecError(
            f"{source.split('://', maxsplit=1)[0]}:// is no way to read a spec: give a file, http:// or https://"
        )
    else:
        data = _file(source)
    if len(data) > LIMIT:
        raise SpecError(f"{name} has more than {LIMIT} bytes; no spec is as large")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SpecError(f"{name} is not UTF-8: byte {error.start} is {data[error.start]:#04x}") from None


def _file(source: str) -> bytes:
    try:
        with Path(source).open("rb") as file:
            return file.read(LIMIT + 1)
    except OSError as error:
        raise SpecError(f"{source} cannot be read: {error.strerror or error}") from None


def _download(address: str, name: str) -> bytes:
    headers = {"Accept": "application/json, application/yaml, text/markdown, text/plain;q=0.9, */*;q=0.1"}
    data = b""
    try:
        with (
            httpx.Client(timeout=TIMEOUT, follow_redirects=True, max_redirects=5, headers=headers) as client,
            client.stream("GET", address) as response,
        ):
            if response.status_code != 200:
                raise SpecError(
                    f"{name} answers {response.status_code} {response.reason_phrase}: is the address right?"
                )
            for chunk in response.iter_bytes():
                data += chunk
                if len(data) > LIMIT:
                    break
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise SpecError(f"{name} cannot be fetched: {str(error) or type(error).__name__}") from None
    return data
