"""Which images a client has uploaded already, so that the same bytes go up once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from modelslab_pony._wire import LocalImage

LockT = TypeVar("LockT")

URL_LIFE = 23 * 3600.0
"""Seconds. The service keeps an upload for 24 hours (vendor docs, base64 to URL page); a queued job may be late."""


class Uploads(Generic[LockT]):
    """Remembers URLs by what was uploaded; a lock for each image keeps two calls from sending it twice."""

    def __init__(self, lock: Callable[[], LockT]) -> None:
        self._new_lock = lock
        self._locks: dict[str, LockT] = {}
        self._found: dict[str, tuple[str, float]] = {}

    def lock(self, image: LocalImage) -> LockT:
        """Return the lock to hold while an image is looked up or sent."""
        return self._locks.setdefault(image.digest, self._new_lock())

    def url(self, image: LocalImage, now: float) -> str | None:
        """Return where an image is, or None if it has to be sent."""
        url, until = self._found.get(image.digest, (None, now))
        return url if now < until else None

    def keep(self, image: LocalImage, url: str, now: float) -> None:
        """Note where an image is, and forget what has run out."""
        self._found = {digest: found for digest, found in self._found.items() if now < found[1]}
        self._found[image.digest] = (url, now + URL_LIFE)

    def forget(self, sent: Mapping[str, Any]) -> None:
        """Forget the uploads of a request that was refused or failed: one may be gone before its time."""
        urls = {value for value in sent.values() if isinstance(value, str)}
        self._found = {digest: found for digest, found in self._found.items() if found[0] not in urls}
