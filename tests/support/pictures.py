"""Small pictures, and recipes written into them, without a client."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image

from modelslab_pony import Recipe
from modelslab_pony._redact import Redactor
from modelslab_pony._snapshot import Snapshot
from modelslab_pony._wire import LocalImage, prepare
from modelslab_pony.recipes import recipe_of, writer
from modelslab_pony.requests import Request

KEY = "sk-planted/0123456789"
KINDS = ["PNG", "JPEG", "WEBP"]
DONE = Snapshot(status="success", id=70010001, seed=7)


def picture(kind: str, size: tuple[int, int] = (24, 16), mode: str = "RGB", **options: Any) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size, 100).save(file, kind, **options)
    return file.getvalue()


PICTURE = picture("PNG")


def images_of(request: Request) -> dict[str, LocalImage | str]:
    """What a shell would have read, without reading it."""
    names = [
        name for name in ("init_image", "mask_image") if not str(getattr(request, name, "http")).startswith("http")
    ]
    return {name: LocalImage(picture("PNG"), "image/png") for name in names}


def recipe_for(request: Request, snapshot: Snapshot = DONE) -> Recipe:
    return recipe_of(prepare(request, images_of(request), strict=False), snapshot, 0)


def written(request: Request, content: bytes, snapshot: Snapshot = DONE) -> bytes:
    finish = writer(recipe_for(request, snapshot), Redactor(KEY))
    assert finish is not None
    return finish(content)
