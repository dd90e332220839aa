"""Content encodings, undone a piece at a time, so that a small answer cannot grow without bound."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

ACCEPTED = "gzip, deflate"
"""What is asked for. A zip inside a zip, which may grow a millionfold, is refused."""
PIECE = 64 * 1024
"""Bytes that come out at a time."""
_FRAME = 2
"""Bytes in which gzip and deflate say that they are it."""
_EITHER = 32 + zlib.MAX_WBITS
"""zlib finds out by itself whether it is gzip or deflate."""


class EncodingError(ValueError):
    """A body is not in the encoding that it claims, or in one that was not asked for."""


class Decoder:
    """Undoes the Content-Encoding of one answer."""

    def __init__(self, encoding: str) -> None:
        names = [name for part in encoding.split(",") if (name := part.strip().lower()) not in {"", "identity"}]
        if any(name not in {"gzip", "x-gzip", "deflate"} for name in names) or len(names) > 1:
            raise EncodingError(f"encoded as {encoding[:100]!r}, which was not asked for")
        self._inflater = zlib.decompressobj(_EITHER) if names else None
        self._is_deflate = names == ["deflate"]
        self._first = b""

    def feed(self, given: bytes) -> Iterator[bytes]:
        """Yield what comes out of the next bytes, `PIECE` at most at a time. Raises `EncodingError`."""
        if self._inflater is None:
            if given:
                yield given
            return
        if len(self._first) < _FRAME:
            given = self._first = self._first + given
            if len(given) < _FRAME:
                return
        while given:
            piece = self._inflated(self._inflater, given)
            if piece:
                yield piece
            given = self._inflater.unconsumed_tail
            if self._inflater.eof:
                return  # what follows the end is no part of it

    def end(self) -> None:
        """Raise `EncodingError` if the end is missing."""
        if self._inflater is not None and self._first and not self._inflater.eof:
            raise EncodingError("cut short within its encoding")

    def _inflated(self, inflater: zlib._Decompress, given: bytes) -> bytes:
        try:
            return inflater.decompress(given, PIECE)
        except zlib.error as fault:
            if not self._is_deflate or given is not self._first:
                raise EncodingError(f"not in the encoding that it claims ({fault})") from None
            # Some servers send deflate without its frame.
            self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
            self._is_deflate = False
            return self._inflated(self._inflater, given)


PLAIN = Decoder("")
"""For what is not encoded; it keeps nothing, so one is enough for all."""
