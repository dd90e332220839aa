"""What a download may be: names, limits, and first bytes. Nothing here touches a file."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from modelslab_pony._formats import has_trailer, image_suffix

MAX_IMAGE_BYTES = 256 * 1024 * 1024
"""Larger than any image of the service: 4 bytes for each of 2048 x 2048 pixels are 16 MiB."""
HEAD_BYTES = 16
"""How many first bytes tell an image."""
TAIL_BYTES = 1024
"""How many last bytes are searched for an image's end."""
NAME_LENGTH = 100


class NotAnImageError(Exception):
    """The download must not be kept; the text says why."""

    def __init__(self, reason: str, *, again: bool) -> None:
        super().__init__(reason)
        self.again = again
        """Whether a later try may fare better."""


def check_status(status_code: int) -> None:
    """Refuse an answer that is no file. Until an image is ready its URL may answer 404."""
    if status_code != 200:
        reason = f"HTTP {status_code}"
        raise NotAnImageError(reason, again=status_code in {404, 408, 425, 429} or status_code >= 500)


class Arrival:
    """Counts and judges the bytes of a download as they arrive."""

    def __init__(self, max_bytes: int, announced: str | None) -> None:
        self.size = 0
        self.head = b""
        self.tail = b""
        self._max_bytes = max_bytes
        self._announced = int(announced) if announced and re.fullmatch(r"[0-9]{1,18}", announced) else None
        if self._announced is not None:
            self._limit(self._announced)

    def add(self, chunk: bytes) -> None:
        """Take the next bytes. Raises `NotAnImageError` as soon as they cannot be kept."""
        self.size += len(chunk)
        self._limit(self.size)
        self.tail = (self.tail + chunk[-TAIL_BYTES:])[-TAIL_BYTES:]
        if len(self.head) < HEAD_BYTES:
            self.head += chunk[: HEAD_BYTES - len(self.head)]
            if len(self.head) == HEAD_BYTES:
                self._suffix()

    def end(self) -> str:
        """Return the file suffix of what arrived. Raises `NotAnImageError` if it is not whole."""
        if self._announced is not None and self.size < self._announced:
            reason = f"cut short after {self.size} of {self._announced} bytes"
            raise NotAnImageError(reason, again=True)
        suffix = self._suffix()
        # A connection or a cache may have cut it where no length shows it; the picture itself does.
        if not has_trailer(suffix, self.head, self.tail, self.size):
            reason = f"cut short after {self.size} bytes: the picture has no end"
            raise NotAnImageError(reason, again=True)
        return suffix

    def _limit(self, size: int) -> None:
        if size > self._max_bytes:
            reason = f"larger than {self._max_bytes} bytes"
            raise NotAnImageError(reason, again=False)

    def _suffix(self) -> str:
        suffix = image_suffix(self.head)
        if suffix is None:
            reason = f"not an image: it begins with {self.head!r}" if self.head else "empty"
            raise NotAnImageError(reason, again=True)
        return suffix


def file_name(url: str, suffix: str) -> str:
    """Return a name for a download that stays in its folder: the URL's last part, made harmless."""
    last = unquote(urlsplit(url).path).rsplit("/", 1)[-1]
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", last).strip("._-")
    stem = re.sub(r"\.(png|jpe?g|webp|gif)$", "", stem, flags=re.IGNORECASE)[:NAME_LENGTH].strip("._-")
    return f"{stem or 'image'}{suffix}"


def numbered(path: Path, number: int) -> Path:
    """Return `path` for the first number, then a name beside it: a-2.png, a-3.png."""
    return path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")
