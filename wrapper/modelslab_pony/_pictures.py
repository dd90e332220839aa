"""Pictures on this machine: those that a request begins with, and recipes inside files."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path, PurePath
from typing import Any

from modelslab_pony import _pillow
from modelslab_pony._files import MAX_IMAGE_BYTES
from modelslab_pony._formats import MEDIA_TYPES, image_suffix
from modelslab_pony._rules import shown
from modelslab_pony._wire import LocalImage
from modelslab_pony.recipes import Recipe, parse
from modelslab_pony.requests import Request, is_request, refused, spec_fields

MAX_UPLOAD_BYTES = 5_000_000
"""The service takes 5 MB (vendor docs, base64 to URL page)."""


class _UnusableError(Exception):
    """This is no picture that can be used; the text says why, without its subject."""


def local(request: Request) -> dict[str, Any]:
    """Return what a request names that is of this machine, by field."""
    known = spec_fields(type(request)) if is_request(request) else {}
    given = {name: getattr(request, name) for name, (_, rule) in known.items() if rule.kind == "image"}
    return {name: image for name, image in given.items() if image is not None and not _is_web(image)}


def load(given: Mapping[str, Any]) -> dict[str, LocalImage | str]:
    """Return each image, or what is wrong with it."""
    found: dict[str, LocalImage | str] = {}
    for name, image in given.items():
        try:
            found[name] = _image(image)
        except _UnusableError as fault:
            found[name] = str(fault)
    return found


def read_recipe(path: str | PathLike[str]) -> Recipe | None:
    """Return how a picture was made, as its file tells; None if it does not.

    Reads PNG, JPEG and WebP; of pictures by other tools, their `parameters` text alone. Raises
    `InvalidRequestError` for what is no file that can be read.
    """
    try:
        return parse(_file(path, MAX_IMAGE_BYTES, "is no file"))
    except _UnusableError as fault:
        raise refused({"path": [str(fault)]}) from None


def _image(given: Any) -> LocalImage:
    if isinstance(given, bytes | bytearray | memoryview):
        try:
            return _checked(bytes(given))
        except ValueError as fault:  # a memoryview that was released
            raise _UnusableError(f"cannot be read ({fault})") from None
    if isinstance(given, str | PathLike):
        content = _file(given, MAX_UPLOAD_BYTES + 1, "is neither an http(s) URL nor a file")
        return _checked(content, f"{_named(given)} ")
    if _pillow.is_picture(given):
        try:
            return _checked(_pillow.png(given), "as PNG ")
        except _pillow.PictureError as fault:
            raise _UnusableError(str(fault)) from None
    raise _UnusableError(f"must be an http(s) URL, a path, bytes or a PIL image, not {shown(given)}")


def _checked(content: bytes, name: str = "") -> LocalImage:
    suffix = image_suffix(content)
    if suffix is None:
        begins = f"it begins with {content[:12]!r}" if content else "it is empty"
        raise _UnusableError(f"{name}is no PNG, JPEG, WebP or GIF: {begins}")
    if len(content) > MAX_UPLOAD_BYTES:
        raise _UnusableError(
            f"{name}is larger than the 5 MB that can be uploaded: make it smaller, save it as JPEG, or give a URL"
        )
    return LocalImage(content, MEDIA_TYPES[suffix])


def _file(given: Any, most: int, missing: str) -> bytes:
    """Return a file's content, as far as it is wanted; a pipe or a device is no file."""
    try:
        path = Path(given)
        problem = "is a folder, and no picture" if path.is_dir() else None if path.is_file() else missing
        if problem is None:
            with path.open("rb") as file:
                return file.read(most)
    except Exception as fault:  # noqa: BLE001 - a caller's own kind of path may do anything
        problem = f"cannot be read ({fault})"
    raise _UnusableError(f"{_named(given)} {problem}")


def _named(given: Any) -> str:
    return shown(str(given)).removesuffix(" (str)") if isinstance(given, str | PurePath) else shown(given)


def _is_web(given: Any) -> bool:
    """Tell whether a text means a URL, be it a proper one or not."""
    return isinstance(given, str) and given.lower().startswith(("http://", "https://"))
