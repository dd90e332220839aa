"""What several tests have a client do; see `support.both`."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

from support.both import Story


def read(pony: Any) -> Generator[Any, Any, Any]:
    """Make an image, and download it into memory."""
    generation = yield pony.text2img("x")
    return (yield generation.images[0].read())


def save_to(path: Path | str, **options: Any) -> Story:
    """Make an image, and save it."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        generation = yield pony.text2img("x")
        return (yield generation.images[0].save(path, **options))

    return story
