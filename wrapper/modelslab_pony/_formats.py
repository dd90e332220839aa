"""Image formats, told by their bytes: which one, how large, and whether the end is there."""

from __future__ import annotations

from collections.abc import Iterator

from modelslab_pony import _exif

MEDIA_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".webp": "image/webp", ".gif": "image/gif"}
"""What each format is called, by the suffix of its files."""
MOST_PARTS = 100_000
"""Chunks or segments of a file; one with more is built to do harm."""
EXIF = b"Exif\0\0"
"""How a JPEG segment with EXIF begins."""


def image_suffix(head: bytes) -> str | None:
    """Return the file suffix for an image's first bytes, or None if it is no image.

    The CDN sends valid images as text/plain, so the content type says nothing.
    """
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return ".png"
    if head.startswith(b"\xff\xd8\xff"):
        return ".jpg"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return ".webp"
    if head[:6] in {b"GIF87a", b"GIF89a"}:
        return ".gif"
    return None


def has_trailer(suffix: str, head: bytes, tail: bytes, size: int) -> bool:
    """Tell whether an image has its end: the last chunk or marker, or the length that it states."""
    if suffix == ".webp":
        return size >= 8 + int.from_bytes(head[4:8], "little")
    return {".png": b"IEND\xaeB`\x82", ".jpg": b"\xff\xd9", ".gif": b";"}[suffix] in tail


def image_size(content: bytes) -> tuple[int, int] | None:
    """Return width and height in pixels as they are seen, or None where the image does not tell."""
    size = None
    suffix = image_suffix(content)
    if suffix == ".png" and content[12:16] == b"IHDR":
        size = int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")
    elif suffix == ".gif":
        size = int.from_bytes(content[6:8], "little"), int.from_bytes(content[8:10], "little")
    elif suffix == ".webp":
        size = webp_size(content[12:30])
    elif suffix == ".jpg":
        size = _jpeg_size(content)
    return size if size and min(size) > 0 else None


def webp_size(chunk: bytes) -> tuple[int, int] | None:
    """Return the size that the first 18 bytes of a WebP's first chunk tell."""
    kind, body = chunk[:4], chunk[8:]
    if kind == b"VP8X" and len(body) >= 10:
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if kind == b"VP8L" and body[:1] == b"\x2f":
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
        return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
    return None


SCAN = 0xDA
"""The marker of the segment behind which the picture's own data stand."""


def jpeg_segments(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield (marker, start, end) of each segment up to the one that begins the picture's own data; whole ones only."""
    at = 2
    for _ in range(MOST_PARTS):
        while content[at : at + 2] == b"\xff\xff":  # fill bytes
            at += 1
        end = at + 2 + int.from_bytes(content[at + 2 : at + 4], "big")
        if at + 4 > len(content) or content[at] != 0xFF or end < at + 4 or end > len(content):
            return
        marker = content[at + 1]
        yield marker, at, end
        if marker == SCAN:
            return
        at = end


def _jpeg_size(content: bytes) -> tuple[int, int] | None:
    turned = False
    for marker, start, end in jpeg_segments(content):
        body = content[start + 4 : end]
        if marker == 0xE1 and body.startswith(EXIF):
            # 5 to 8 lie on their side, and are turned by whoever shows them.
            turned = _exif.orientation(body[len(EXIF) :]) >= 5
        elif 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC} and len(body) >= 5:
            height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
            return (height, width) if turned else (width, height)
    return None
