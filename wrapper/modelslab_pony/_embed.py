"""Texts inside picture files: PNG text chunks, EXIF in JPEG and WebP. The picture itself is not touched.

`parameters` is the text that Automatic1111 writes and many tools read; the other is our own
document. A file that is not built as its format demands is left as it is.
"""

from __future__ import annotations

import zlib

from attrs import frozen

from modelslab_pony import _exif
from modelslab_pony._formats import (
    EXIF,
    SCAN,
    SIGNATURE,
    exif_of,
    image_suffix,
    jpeg_segments,
    png_chunks,
    webp_chunks,
    webp_size,
)

_PARAMETERS, _DOCUMENT = _KEYWORDS = ("parameters", "modelslab_pony")
_SEGMENT_MOST = 0xFFFF - 2
"""Bytes in one JPEG segment."""
_TEXT_MOST = 1_000_000
"""Characters of a compressed text that are unpacked."""
_WEBP_ALPHA, _WEBP_EXIF = 0x10, 0x08


@frozen
class Texts:
    """What a picture file says about itself."""

    parameters: str | None
    document: str | None


def embed(content: bytes, texts: Texts) -> bytes:
    """Return the file with the texts in the place of those that it had; GIFs take none."""
    writer = {".png": _into_png, ".jpg": _into_jpeg, ".webp": _into_webp}.get(image_suffix(content) or "")
    return (writer(content, texts) if writer else None) or content


def extract(content: bytes) -> Texts:
    """Return the texts of a file; None for each that it has not."""
    suffix = image_suffix(content)
    if suffix == ".png":
        found: dict[str, str] = {}
        for kind, start, end in png_chunks(content):
            keyword = _png_keyword(content, kind, start)
            if keyword in _KEYWORDS and keyword not in found:
                found[keyword] = _png_text(kind, content[start + 8 : end - 4])
        return Texts(found.get(_PARAMETERS), found.get(_DOCUMENT))
    block = exif_of(content)
    return Texts(*_exif.read(block)) if block else Texts(None, None)


# --- PNG -------------------------------------------------------------------------------------


def _into_png(content: bytes, texts: Texts) -> bytes | None:
    # In front of the picture's data, where readers find them without unpacking it.
    chunks = list(png_chunks(content))
    if not chunks or chunks[0][0] != b"IHDR" or chunks[-1][0] != b"IEND":
        return None
    ours = {_PARAMETERS: texts.parameters, _DOCUMENT: texts.document}
    kept = [content[start:end] for kind, start, end in chunks if _png_keyword(content, kind, start) not in ours]
    written = [_png_text_chunk(keyword, text) for keyword, text in ours.items() if text is not None]
    return b"".join([content[:SIGNATURE], kept[0], *written, *kept[1:], content[chunks[-1][2] :]])


def _png_text_chunk(keyword: str, text: str) -> bytes:
    text = text.replace("\0", "\ufffd")
    try:
        kind, body = b"tEXt", keyword.encode("latin-1") + b"\0" + text.encode("latin-1")
    except UnicodeEncodeError:
        kind, body = b"iTXt", keyword.encode("latin-1") + b"\0\0\0\0\0" + text.encode("utf-8", "replace")
    return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")


def _png_keyword(content: bytes, kind: bytes, start: int) -> str | None:
    """Return the keyword of a text chunk, at most 79 characters long."""
    if kind not in {b"tEXt", b"zTXt", b"iTXt"}:
        return None
    return content[start + 8 : start + 8 + 80].partition(b"\0")[0].decode("latin-1")


def _png_text(kind: bytes, body: bytes) -> str:
    rest = body.partition(b"\0")[2]
    if kind == b"tEXt":
        return rest.decode("latin-1")
    if kind == b"zTXt":
        return _unpacked(rest[1:]).decode("latin-1")
    text = rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    return (_unpacked(text) if rest[:1] == b"\1" else text).decode("utf-8", "replace")


def _unpacked(content: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(content, _TEXT_MOST)
    except zlib.error:
        return b""


# --- JPEG ------------------------------------------------------------------------------------


def _into_jpeg(content: bytes, texts: Texts) -> bytes | None:
    segments = list(jpeg_segments(content))
    if not segments or segments[-1][0] != SCAN:
        return None
    earlier = exif_of(content)
    # A segment has 64 KB: where both texts are too much, the one is kept from which the other could be made.
    alone = [Texts(None, texts.document), Texts(texts.parameters, None)] if texts.document and texts.parameters else []
    tries = [texts, *alone]
    bodies = (EXIF + _exif_of(given, earlier) for given in tries)
    body = next((body for body in bodies if len(body) <= _SEGMENT_MOST), None)
    if body is None:
        return None
    ours = b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body
    kept = [
        content[start:end]
        for marker, start, end in segments
        if not (marker == 0xE1 and content.startswith(EXIF, start + 4))
    ]
    # JFIF's own segment has to be the first.
    front = 1 if segments[0][0] == 0xE0 else 0
    return b"".join([content[:2], *kept[:front], ours, *kept[front:], content[segments[-1][2] :]])


# --- WebP ------------------------------------------------------------------------------------


def _into_webp(content: bytes, texts: Texts) -> bytes | None:
    chunks = [(kind, chunk) for kind, chunk in webp_chunks(content) or () if kind != b"EXIF"]
    size = webp_size(chunks[0][1]) if chunks else None
    if size is None:
        return None
    kind, first = chunks[0]
    if kind == b"VP8X":
        head = first[:8] + bytes([first[8] | _WEBP_EXIF]) + first[9:]
        chunks = chunks[1:]
    else:
        # The simple form has no place for EXIF. Only the lossless kind may be transparent in it.
        alpha = _WEBP_ALPHA if kind == b"VP8L" and int.from_bytes(first[9:13], "little") >> 28 & 1 else 0
        canvas = b"".join((pixels - 1).to_bytes(3, "little") for pixels in size)
        head = b"VP8X" + (10).to_bytes(4, "little") + bytes([alpha | _WEBP_EXIF, 0, 0, 0]) + canvas
    body = _exif_of(texts, exif_of(content))
    ours = b"EXIF" + len(body).to_bytes(4, "little") + body + b"\0" * (len(body) % 2)
    after = next((place for place, (name, _) in enumerate(chunks) if name == b"XMP "), len(chunks))
    parts = [head, *(chunk for _, chunk in chunks[:after]), ours, *(chunk for _, chunk in chunks[after:])]
    joined = b"WEBP" + b"".join(parts)
    return b"RIFF" + len(joined).to_bytes(4, "little") + joined


def _exif_of(texts: Texts, earlier: bytes | None) -> bytes:
    turned = _exif.orientation(earlier) if earlier else 1
    return _exif.build(texts.parameters or "", texts.document or "", turned)
