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
    turned = suffix in {".png", ".jpg", ".webp"} and _exif.orientation(exif_of(content) or b"") >= 5
    if suffix == ".png" and content[12:16] == b"IHDR":
        size = int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")
    elif suffix == ".gif":
        size = int.from_bytes(content[6:8], "little"), int.from_bytes(content[8:10], "little")
    elif suffix == ".webp":
        size = webp_size(content[12:30])
    elif suffix == ".jpg":
        size = _jpeg_size(content)
    if not size or min(size) == 0:
        return None
    # 5 to 8 lie on their side, and are turned by whoever shows them.
    return (size[1], size[0]) if turned else size


def exif_of(content: bytes) -> bytes | None:
    """Return the EXIF of a PNG, a JPEG or a WebP; None where there is none."""
    suffix, found = image_suffix(content), None
    if suffix == ".png":
        chunks = png_chunks(content)
        found = next((content[start + 8 : end - 4] for kind, start, end in chunks if kind == b"eXIf"), None)
    elif suffix == ".jpg":
        starts = (start + 4 for marker, start, _ in jpeg_segments(content) if marker == 0xE1)
        at = next((start for start in starts if content.startswith(EXIF, start)), None)
        found = None if at is None else content[at : at - 2 + int.from_bytes(content[at - 2 : at], "big")]
    elif suffix == ".webp":
        found = next((chunk[8:] for kind, chunk in webp_chunks(content) or () if kind == b"EXIF"), None)
    return found.removeprefix(EXIF) if found else None


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


SIGNATURE = 8
"""Bytes in front of a PNG's first chunk."""
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


def png_chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield (kind, start, end) of each whole chunk, up to the one that ends the picture."""
    at = SIGNATURE
    for _ in range(MOST_PARTS):
        end = at + 12 + int.from_bytes(content[at : at + 4], "big")
        if end > len(content):
            return
        kind = content[at + 4 : at + 8]
        yield kind, at, end
        if kind == b"IEND":
            return
        at = end


def webp_chunks(content: bytes) -> list[tuple[bytes, bytes]] | None:
    """Return (kind, chunk with its header and padding) of each chunk; None for a file that is not whole."""
    chunks: list[tuple[bytes, bytes]] = []
    at, end = 12, 8 + int.from_bytes(content[4:8], "little")
    while at < end and len(chunks) < MOST_PARTS:
        size = int.from_bytes(content[at + 4 : at + 8], "little")
        after = at + 8 + size
        if after > min(end, len(content)):
            return None
        chunks.append((content[at : at + 4], content[at:after] + b"\0" * (size % 2)))
        at = after + size % 2
    return chunks if at >= end else None


def _jpeg_size(content: bytes) -> tuple[int, int] | None:
    for marker, start, end in jpeg_segments(content):
        body = content[start + 4 : end]
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC} and len(body) >= 5:
            return int.from_bytes(body[3:5], "big"), int.from_bytes(body[1:3], "big")
    return None
