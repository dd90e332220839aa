"""Looks for a key in whatever a program leaves behind, in every spelling; and walks to where one may be.

It shares nothing with what takes the key out: that one knows spellings, this one undoes them.
"""

from __future__ import annotations

import base64
import html
import io
import pickle
import re
import sqlite3
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import unquote

import attrs
from PIL import Image
from rich.console import Console
from rich.traceback import Traceback

TESTS = Path(__file__).parent.parent
STANDING_IN = {"handle_request", "handle_async_request", "hook"}
"""What stands in for code of an application's own, below ours; other frames of tests know the key by right."""
DEEPEST = 6
ROUNDS = 5
"""Of undoing: JSON within JSON, a URL within HTML."""
_ENCODINGS = ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
_NUMBERED = re.compile(r"\\+(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2}))")


# --- spellings -------------------------------------------------------------------------------


def found(key: str, *given: str | bytes) -> list[str]:
    """Return how and where the key is spelt in any of these, with what stands around it; [] is what is wanted."""
    return [place for one in dict.fromkeys(given) for place in _found(key, one)]


def _found(key: str, given: str | bytes) -> Iterator[str]:
    content = given if isinstance(given, bytes) else given.encode("utf-8", "surrogatepass")
    for encoding in _ENCODINGS:
        if key.encode(encoding) in content:
            yield f"{encoding}: {content[:80]!r}"
    text = content.decode("latin-1")
    for round in range(ROUNDS):
        for name, spelling in _fixed(key):
            at = (text.lower() if name == "hex" else text).find(spelling)
            if at >= 0:
                yield f"{name}, undone {round} times: {text[max(0, at - 80) : at + len(spelling) + 40]!r}"
                return
        undone = _undone(text)
        if undone == text:
            return
        text = undone


def _fixed(key: str) -> Iterator[tuple[str, str]]:
    content = key.encode()
    yield "plain", key
    yield "hex", content.hex()
    yield "numbers", ", ".join(map(str, content))
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            whole = encode(b"\0" * before + content + b"\0\0").decode()
            first = -(-before * 4 // 3)  # the signs that hold nothing but bits of the key
            last = (before + len(content)) * 4 // 3
            yield f"base64 at {before}", whole[first:last]


def _undone(text: str) -> str:
    text = _NUMBERED.sub(lambda number: chr(int(number[1] or number[2], 16)), text)
    text = re.sub(r"\\+([^ux\\])", r"\1", text)
    return html.unescape(unquote(text, "latin-1"))


# --- exceptions ------------------------------------------------------------------------------


def chain(error: BaseException) -> list[BaseException]:
    """Return an exception and all that hang on it, told or not."""
    known: list[BaseException] = []
    waiting: list[Any] = [error]
    while waiting:
        one = waiting.pop()
        if isinstance(one, BaseException) and not any(one is other for other in known):
            known.append(one)
            waiting += [one.__cause__, one.__context__, *one.args, *getattr(one, "exceptions", ())]
            waiting += list(vars(one).values())
    return known


def exception_texts(error: BaseException) -> Iterator[str | bytes]:
    """Yield all that can be said of an exception, by people, by pytest, by rich, by a crash reporter, by pickle."""
    for one in chain(error):
        yield from (str(one), repr(one), repr(one.args), repr(vars(one)), *getattr(one, "__notes__", ()))
        yield from walked(vars(one))
        yield from frames(one.__traceback__)
        yield "".join(traceback.format_exception(one))
        try:
            yield pickle.dumps(one)
        except Exception as refused:  # noqa: BLE001 - some of others' cannot be pickled, which tells nothing
            yield repr(refused)
    yield rich_text(error)


def frames(trace: TracebackType | None) -> Iterator[str | bytes]:
    """Yield the locals of each frame, as a crash reporter reads them."""
    while trace is not None:
        if _is_searched(trace.tb_frame.f_code.co_filename, trace.tb_frame.f_code.co_name):
            place = f"{trace.tb_frame.f_code.co_qualname}: "
            for name, value in trace.tb_frame.f_locals.items():
                yield from (f"{place}{name} = {text}" if isinstance(text, str) else text for text in walked(value))
        trace = trace.tb_next


def _is_searched(file: str, function: str) -> bool:
    return function in STANDING_IN or not Path(file).is_relative_to(TESTS)


def walked(value: Any, depth: int = 0) -> Iterator[str | bytes]:
    """Yield the repr of a value and of all within it, through mappings, lists and attrs classes."""
    try:
        yield repr(value)
    except Exception as refused:  # noqa: BLE001 - a reporter goes on
        yield repr(refused)
    if isinstance(value, str | bytes | bytearray | memoryview):
        yield value if isinstance(value, str) else bytes(value)
    elif depth < DEEPEST:
        for part in _parts(value):
            yield from walked(part, depth + 1)


def _parts(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return [*value.keys(), *value.values()]
    if isinstance(value, list | tuple | set | frozenset):
        return list(value)
    if attrs.has(type(value)):
        return [getattr(value, item.name, None) for item in attrs.fields(type(value)) if item.repr]
    return []


def rich_text(error: BaseException) -> str:
    """Return what rich shows with locals, nothing cut off; frames of tests excepted."""
    shown = Traceback.from_exception(
        type(error),
        error,
        error.__traceback__,
        show_locals=True,
        locals_max_length=10_000,
        locals_max_string=100_000,
    )
    for stack in shown.trace.stacks:
        stack.frames = [frame for frame in stack.frames if _is_searched(frame.filename, frame.name)]
    console = Console(file=io.StringIO(), width=100_000)
    console.print(shown)
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


# --- files -----------------------------------------------------------------------------------


def file_texts(folder: Path) -> Iterator[str | bytes]:
    """Yield the names and the contents of all files, databases row by row, pictures with what is written in them."""
    for path in sorted(folder.rglob("*")):
        yield str(path.relative_to(folder))
        if path.is_file():
            content = path.read_bytes()
            yield content
            if content.startswith(b"SQLite format 3\0"):
                yield from _rows(path)
            elif content[:4] in {b"\x89PNG", b"\xff\xd8\xff\xe0", b"\xff\xd8\xff\xe1", b"RIFF"}:
                yield from picture_texts(content)


def picture_texts(content: bytes) -> Iterator[str | bytes]:
    """Yield what a picture file says beside its pixels, unpacked."""
    with Image.open(io.BytesIO(content)) as picture:
        picture.load()
        yield repr(picture.info)
        yield from walked(dict(picture.info))
        exif = picture.getexif()
        yield from walked({**exif, **exif.get_ifd(0x8769)})


def _rows(path: Path) -> Iterator[str | bytes]:
    """Yield every value: a long one is in pieces in the file, and what DBOS keeps is pickled in base64."""
    with sqlite3.connect(path) as connection:
        connection.text_factory = bytes
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            for row in connection.execute(f'SELECT * FROM "{table.decode()}"'):  # noqa: S608 - its own names
                for value in row:
                    if isinstance(value, str | bytes):
                        yield value
    connection.close()
