"""As much of EXIF as a picture's recipe needs: a comment, a note, and which way is up.

EXIF is a TIFF file without a picture: a header, a first table with a pointer to a second one, and
both tables' values (EXIF 2.32, TIFF 6.0).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

_ORIENTATION, _POINTER, _NOTE, _COMMENT = 0x0112, 0x8769, 0x927C, 0x9286
_SHORT, _LONG, _UNDEFINED = 3, 4, 7
_SIZES = {1: 1, 2: 1, _SHORT: 2, _LONG: 4, 5: 8, 6: 1, _UNDEFINED: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
_MOST_ENTRIES = 1000
_WANTED = {_ORIENTATION, _POINTER, _NOTE, _COMMENT}
_OURS = b"modelslab_pony\0"
"""How our own maker's note begins."""

Order = Literal["big", "little"]


def build(comment: str, note: str, turned: int = 1) -> bytes:
    """Return EXIF with a user comment, a maker's note, and an orientation."""
    values = {
        _NOTE: _OURS + note.encode(),
        _COMMENT: b"UNICODE\0" + comment.encode("utf-16-be", "replace"),
    }
    first = 8
    second = first + 2 + 2 * 12 + 4
    at = second + 2 + len(values) * 12 + 4
    table = len(values).to_bytes(2, "big")
    data = b""
    for tag, value in sorted(values.items()):
        table += _entry(tag, _UNDEFINED, len(value), (at + len(data)).to_bytes(4, "big"))
        data += value + b"\0" * (len(value) % 2)
    pointing = _entry(_ORIENTATION, _SHORT, 1, turned.to_bytes(2, "big") + b"\0\0")
    pointing += _entry(_POINTER, _LONG, 1, second.to_bytes(4, "big"))
    end = bytes(4)
    return b"MM\0*" + first.to_bytes(4, "big") + b"\0\2" + pointing + end + table + end + data


def read(content: bytes) -> tuple[str | None, str | None]:
    """Return the user comment and our own maker's note, in either byte order; None for what is not there."""
    order, first = _tables(content)
    second = _entries(content, _number(first.get(_POINTER, b""), order), order)
    note = second.get(_NOTE, b"")
    ours = note.removeprefix(_OURS).decode("utf-8", "replace") if note.startswith(_OURS) else None
    return _text(second.get(_COMMENT, b""), order), ours


def orientation(content: bytes) -> int:
    """Return which way is up, 1 to 8; 1 where nothing is said."""
    order, first = _tables(content)
    found = _number(first.get(_ORIENTATION, b""), order)
    return found if 1 <= found <= 8 else 1


def _entry(tag: int, kind: int, count: int, value: bytes) -> bytes:
    return tag.to_bytes(2, "big") + kind.to_bytes(2, "big") + count.to_bytes(4, "big") + value


def _tables(content: bytes) -> tuple[Order, Mapping[int, bytes]]:
    order: Order = "little" if content[:2] == b"II" else "big"
    if content[:4] not in {b"MM\0*", b"II*\0"}:
        return order, {}
    return order, _entries(content, int.from_bytes(content[4:8], order), order)


def _entries(content: bytes, at: int, order: Order) -> dict[int, bytes]:
    """Return the values that are wanted, by tag; what points outside the file is left out."""
    found = {}
    count = min(int.from_bytes(content[at : at + 2], order), _MOST_ENTRIES) if at else 0
    for start in range(at + 2, at + 2 + 12 * count, 12):
        entry = content[start : start + 12]
        tag = int.from_bytes(entry[:2], order)
        if len(entry) < 12:
            break
        if tag not in _WANTED or tag in found:
            continue
        size = _SIZES.get(int.from_bytes(entry[2:4], order), 0) * int.from_bytes(entry[4:8], order)
        place = int.from_bytes(entry[8:12], order)
        value = entry[8 : 8 + size] if size <= 4 else content[place : place + size]
        if size and len(value) == size:
            found[tag] = value
    return found


def _number(value: bytes, order: Order) -> int:
    return int.from_bytes(value[:4], order)


def _text(value: bytes, order: Order) -> str | None:
    """Return a user comment: eight bytes name its code, the rest is the text."""
    code, text = value[:8], value[8:]
    if code == b"UNICODE\0":
        # The byte order is the file's by custom, big-endian in what Automatic1111 writes.
        found = text.decode("utf-16-be", "replace")
        other = text.decode("utf-16-le", "replace")
        return other if order == "little" and _plain(other) > _plain(found) else found
    if code == b"ASCII\0\0\0":
        return text.rstrip(b"\0").decode("utf-8", "replace")
    return None


def _plain(text: str) -> int:
    return sum(character.isascii() for character in text)
