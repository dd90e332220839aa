"""What a Content-Encoding may be, and that nothing unpacks without bound."""

from __future__ import annotations

import gzip
import zlib

import pytest

from modelslab_pony._encodings import PIECE, Decoder, EncodingError

CONTENT = b"a lighthouse at dusk " * 20_000


def raw_deflate(content: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()


def decoded(encoding: str, given: bytes, size: int) -> bytes:
    """Return what comes out if `size` bytes come at a time."""
    decoder = Decoder(encoding)
    pieces = [piece for start in range(0, len(given), size) for piece in decoder.feed(given[start : start + size])]
    decoder.end()
    assert all(0 < len(piece) <= max(PIECE, size) for piece in pieces)
    return b"".join(pieces)


@pytest.mark.parametrize("size", [1, 2, 3, 1000, 10**9])
@pytest.mark.parametrize(
    ("encoding", "given"),
    [
        ("", CONTENT),
        ("identity", CONTENT),
        ("gzip", gzip.compress(CONTENT)),
        (" GZIP , identity", gzip.compress(CONTENT)),
        ("x-gzip", gzip.compress(CONTENT)),
        ("gzip", gzip.compress(CONTENT) + b"what follows the end"),
        ("deflate", zlib.compress(CONTENT)),
        ("deflate", raw_deflate(CONTENT)),
    ],
    ids=range(8),
)
def test_what_was_packed_comes_out(encoding: str, given: bytes, size: int) -> None:
    """However it is cut on its way, and in pieces of a bounded size."""
    if size == 1:
        given, content = (given, CONTENT) if encoding not in {"", "identity"} else (given[:3000], CONTENT[:3000])
    else:
        content = CONTENT
    assert decoded(encoding, given, size) == content


@pytest.mark.parametrize(
    "encoding", ["br", "zstd", "gzip, gzip", "deflate, gzip", "compress", "gzip, br", "x" * 10_000]
)
def test_what_was_not_asked_for_is_refused(encoding: str) -> None:
    """A zip inside a zip, too: it may grow a millionfold. The error names it, shortened."""
    with pytest.raises(EncodingError, match="was not asked for") as raised:
        Decoder(encoding)
    assert len(str(raised.value)) < 200


@pytest.mark.parametrize(
    ("encoding", "given"),
    [
        ("gzip", CONTENT),
        ("deflate", b"\xff\xff\xff"),
        ("gzip", gzip.compress(CONTENT)[:-1]),
        ("gzip", gzip.compress(CONTENT)[:1]),
        ("gzip", gzip.compress(CONTENT)[:-8] + b"\0" * 8),
        ("deflate", zlib.compress(CONTENT)[:-1]),
        ("deflate", raw_deflate(CONTENT)[:-1]),
    ],
    ids=range(7),
)
def test_what_is_not_whole_is_an_error(encoding: str, given: bytes) -> None:
    """Cut, not in the encoding that it claims, or with a wrong check sum."""
    for size in (1, 10**9):
        with pytest.raises(EncodingError):
            decoded(encoding, given, size)


def test_deflate_may_lack_its_frame_from_the_beginning_only() -> None:
    """What breaks off later is broken, also where something follows that would unpack by itself."""
    decoder = Decoder("deflate")
    assert b"".join(decoder.feed(zlib.compress(CONTENT)[:-4])) == CONTENT
    with pytest.raises(EncodingError):
        list(decoder.feed(raw_deflate(CONTENT)))


def test_nothing_is_nothing() -> None:
    """An empty body under gzip, as some servers send it."""
    assert decoded("gzip", b"", 1) == b""
