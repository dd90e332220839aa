"""What comes from standard input: a prompt (`echo "a lighthouse" | pony text2img -`), the rows of a batch."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from modelslab_pony.requests import refused

FROM_STDIN = "-"
MOST_BYTES = 1_000_000
"""A prompt has some hundred characters; what never ends is no prompt."""


def given(text: str | None, name: str = "prompt") -> str | None:
    """Return a value of the command line, or what standard input holds for `-`. Raises `InvalidRequestError`."""
    return text if text != FROM_STDIN else _text(_read(name), name)


def _read(name: str) -> bytes:
    try:
        return _stream(name).read(MOST_BYTES + 1)
    except OSError as fault:
        raise refused({name: [f"cannot be read from standard input: {fault.strerror}"]}) from None


def _text(content: bytes, name: str) -> str:
    """Return a prompt, without the white space around it. Raises `InvalidRequestError` for what is none."""
    if len(content) > MOST_BYTES:
        raise refused({name: [f"on standard input has more than {MOST_BYTES:,} bytes"]})
    try:
        text = content.decode("utf-8-sig").strip()
    except UnicodeDecodeError as fault:
        raise refused({name: [f"on standard input is no UTF-8 text: {fault.reason} at byte {fault.start}"]}) from None
    if "\0" in text:
        raise refused({name: ["on standard input holds NUL bytes: save it as UTF-8 text"]})
    if not text:
        raise refused({name: ["must not be empty, and nothing came on standard input"]})
    return text


@contextlib.contextmanager
def as_file(rows: Path | None, format: str | None) -> Iterator[Path | None]:
    """Return a file of rows; for `-`, one with what standard input holds, for as long as the block lasts.

    It lies in the folder in which the command runs, to which the images that its rows name are relative.
    Raises `InvalidRequestError`.
    """
    if rows is None or str(rows) != FROM_STDIN:
        yield rows
        return
    source = _stream("input")
    kept = Path(f".pony-{os.getpid()}-stdin.{format or 'txt'}")
    try:
        try:
            with kept.open("xb") as file:
                shutil.copyfileobj(source, file)
        except OSError as fault:
            raise refused({"input": [f"from standard input cannot be kept here ({fault}): give a file"]}) from None
        yield kept
    finally:
        with contextlib.suppress(OSError):
            kept.unlink()


def _stream(name: str) -> BinaryIO:
    if sys.stdin is None:
        raise refused({name: ["is to come from standard input, which is closed"]})
    return sys.stdin.buffer
