"""Images of this machine that rows begin with: read once, and kept where a later run finds them."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from os import PathLike
from pathlib import Path
from typing import Any

from modelslab_pony import _pictures
from modelslab_pony._disk import write_whole
from modelslab_pony._formats import image_suffix
from modelslab_pony._wire import LocalImage

KEPT = 4
"""Images in memory, at most 5 MB each: neighbouring rows often begin with the same one."""


class Inputs:
    """Reads images, and writes those that a program gave as bytes into a folder of the batch."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loaded: OrderedDict[tuple[str, int, int], LocalImage | str] = OrderedDict()

    def load(self, given: Any) -> LocalImage | str:
        """Return an image, or what is wrong with it."""
        found: LocalImage | str
        mark = _mark(given)
        if mark is None:
            return _pictures.load({"image": given})["image"]
        if mark in self._loaded:
            self._loaded.move_to_end(mark)
            return self._loaded[mark]
        found = self._loaded[mark] = _pictures.load({"image": given})["image"]
        while len(self._loaded) > KEPT:
            self._loaded.popitem(last=False)
        return found

    def keep(self, given: Any, image: LocalImage) -> str:
        """Return the path of an image, whole, so that a run in another folder finds it."""
        if isinstance(given, str | PathLike):
            return str(Path(given).absolute())
        path = self._folder / f"{image.digest}{image_suffix(image.content)}"
        if not path.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            write_whole(path, image.content)
        return str(path.absolute())

    @staticmethod
    def digest(content: bytes) -> str:
        """Return what tells one content from every other."""
        return hashlib.sha256(content).hexdigest()


def _mark(given: Any) -> tuple[str, int, int] | None:
    """Return what changes when a file does; None for what is no file that can be looked at."""
    if not isinstance(given, str | PathLike):
        return None
    try:
        path = Path(given)
        found = path.stat()
    except (OSError, ValueError, TypeError):
        return None
    return str(path.absolute()), found.st_mtime_ns, found.st_size
