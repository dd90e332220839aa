"""Which images a client has uploaded already, so that the same bytes go up once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar

from modelslab_pony._wire import LocalImage


class _Lock(Protocol):
    def locked(self) -> bool: ...


LockT = TypeVar("LockT", bound=_Lock)

URL_LIFE = 23 * 3600.0
"""Seconds. The service keeps an upload for 24 hours (vendor docs, base64 to URL page); a queued job may be late."""


class Uploads(Generic[LockT]):
    """Remembers URLs by what was uploaded; a lock for each image keeps two calls from sending it twice."""

    def __init__(self, lock: Callable[[], LockT]) -> None:
        self._new_lock = lock
        self._locks: dict[str, LockT] = {}
        self._found: dict[str, tuple[str, float]] = {}
        self._changing = threading.Lock()

    def lock(self, image: LocalImage) -> LockT:
        """Return the lock to hold while an image is looked up or sent."""
        return self._locks.setdefault(image.digest, self._new_lock())

    def url(self, image: LocalImage, now: float) -> str | None:
        """Return where an image is, or None if it has to be sent."""
        url, until = self._found.get(image.digest, (None, now))
        return url if now < until else None

    def keep(self, image: LocalImage, url: str, now: float) -> None:
        """Note where an image is, and forget what has run out."""
        with self._changing:
            self._drop({digest for digest, (_, until) in self._found.items() if until <= now})
            self._found[image.digest] = (url, now + URL_LIFE)

    def forget(self, urls: Iterable[str]) -> None:
        """Forget the uploads of a request that was refused or failed: one may be gone before its time."""
        with self._changing:
            self._drop({digest for digest, (url, _) in self._found.items() if url in urls})

    def _drop(self, digests: set[str]) -> None:
        for digest in digests:
            del self._found[digest]
            lock = self._locks.get(digest)
            if lock is not None and not lock.locked():
                del self._locks[digest]
