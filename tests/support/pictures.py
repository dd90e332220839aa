"""Small pictures, and recipes written into them, without a client."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image

from modelslab_pony import Recipe
from modelslab_pony._redact import Redactor
from modelslab_pony._snapshot import Snapshot
from modelslab_pony._wire import LocalImage, prepare
from modelslab_pony.recipes import parse, recipe_of, writer
from modelslab_pony.requests import Request
from support.both import KEY

URLS = [
    "https://images.example/a1.png",
    "https://example.com/2024/01/02/my-photo-1024x768.jpg",
    "https://example.com/ComfyUI_00001_.png",
    "https://example.com/WhatsApp%20Image%202024-01-02%20at%2010.12.png",
    "https://pub-3626123a908346a7a8be8d9295f44e26.r2.dev/generations/0-9f8a7c6d-5e4b-3a2f-1e0d-aaaaaaaaaaaa.png",
    "https://raw.githubusercontent.com/CompVis/stable-diffusion/main/data/overture-creations-5sI6fQgYIuo.png",
]
"""Ordinary places of pictures, which are no secrets."""
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


def read_back(content: bytes) -> Recipe:
    recipe = parse(content)
    assert recipe is not None
    return recipe
