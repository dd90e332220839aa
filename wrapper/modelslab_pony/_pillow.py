"""The only door to Pillow, which is there with the extra `modelslab-pony[images]` or by the caller's own choice."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any

from modelslab_pony.errors import MissingExtraError

if TYPE_CHECKING:
    from PIL.Image import Image

# Modes that PNG has, and what the others become; a mode that is not here holds numbers and no colours.
_AS_PNG = {mode: mode for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")} | {
    **dict.fromkeys(("RGBX", "CMYK", "YCbCr", "LAB", "HSV"), "RGB"),
    **dict.fromkeys(("PA", "RGBa", "La"), "RGBA"),
}


class PictureError(Exception):
    """Pillow cannot read or write this picture; the text has its words."""


def check() -> None:
    """Raise `MissingExtraError` where Pillow is not installed."""
    try:
        import PIL.Image  # noqa: F401, PLC0415 - an extra
    except ModuleNotFoundError:
        raise MissingExtraError("Pillow is missing: pip install 'modelslab-pony[images]'") from None


def is_picture(value: object) -> bool:
    """Tell whether a value is an image of Pillow; whoever has one has imported Pillow."""
    pillow: Any = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(value, pillow.Image)


def png(picture: Any) -> bytes:
    """Return a PNG file. Raises `PictureError`."""
    file = io.BytesIO()
    mode = _AS_PNG.get(picture.mode)
    if mode is None:
        raise PictureError(f'has mode {picture.mode}, whose values are no colours: give it as picture.convert("L")')
    try:
        from PIL import ImageOps  # noqa: PLC0415 - an extra

        picture = ImageOps.exif_transpose(picture)  # PNG readers do not turn a picture as its EXIF says
        plain = picture if mode == picture.mode else _converted(picture, mode)
        plain.save(file, "PNG", icc_profile=plain.info.get("icc_profile") if plain is picture else None)
    except Exception as fault:  # noqa: BLE001 - whatever is wrong with a picture that is read only now
        raise PictureError(f"cannot be written as PNG ({fault})") from None
    return file.getvalue()


def _converted(picture: Any, mode: str) -> Any:
    # Pillow knows no way from La but to LA.
    return (picture.convert("LA") if picture.mode == "La" else picture).convert(mode)


def opened(content: bytes) -> Image:
    """Return a file as an image, read to its end. Raises `PictureError`, and `MissingExtraError` without Pillow."""
    check()
    import PIL.Image  # noqa: PLC0415 - an extra

    try:
        picture = PIL.Image.open(io.BytesIO(content))
        picture.load()
    except Exception as fault:  # noqa: BLE001 - decoders raise what they like
        raise PictureError(f"Pillow cannot read it ({fault})") from None
    return picture


def thumbnail(content: bytes, most: int) -> bytes | None:
    """Return a small JPEG of a picture, at most so many pixels wide and high; None where that cannot be made."""
    try:
        picture = opened(content).convert("RGB")
        picture.thumbnail((most, most))
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=85)
    except (PictureError, MissingExtraError, OSError):
        return None
    return file.getvalue()
