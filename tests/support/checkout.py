"""A checkout to regenerate in: its own spec, overlay and generated client, and links to the rest."""

from __future__ import annotations

import shutil
from pathlib import Path

from prism_image import ROOT

LINKED = ("pyproject.toml", "wrapper", "tests")
OWN = ("openapi.json", "openapi.overlay.yaml", "generated")


def make(folder: Path) -> Path:
    """Fill a new folder."""
    folder.mkdir()
    for name in LINKED:
        (folder / name).symlink_to(ROOT / name)
    for name in OWN:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(ROOT / name, folder / name)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file of a checkout that is its own."""
    found = [path for path in folder.iterdir() if path.name not in LINKED]
    inner = [path for place in found for path in ([place] if place.is_file() else place.rglob("*"))]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in inner if path.is_file()}
