"""Odd answers as they come over the wire: a recipe says how one is made, so that it can be made again."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from random import Random
from typing import Any

import httpx
from attrs import field, frozen

from support.both import KEY
from support.fuzz import documents, specified
from support.pictures import PICTURE
from support.scripted import ANSWERS

MAX_REAL = 120.0
"""Seconds of the clock that a lost answer takes: the client's own limit for one read."""


@frozen
class Recipe:
    """How an answer is made; a number beside a name is the seed of its chance."""

    base: str
    changes: tuple[tuple[str, int], ...] = ()
    coat: tuple[str, int] = ("none", 0)
    code: int | None = None
    head: tuple[str, int] = ("none", 0)
    end: str = "whole"


@frozen
class Wire:
    """An answer: what is written to the wire, and what a faultless reader would get of it."""

    recipe: Recipe
    code: int
    headers: list[tuple[bytes, bytes]]
    pieces: list[bytes] = field(repr=False)
    plain: bytes | None = field(repr=False)
    """The content without its encodings; None where it cannot be told what a reader gets."""
    end: str = "whole"
    inside: bytes | None = field(default=None, repr=False)
    """What was packed, whatever a reader gets of it."""

    def response(self, request: httpx.Request, wait: Callable[[float], None]) -> httpx.Response:
        """Return it as httpx has it when the first bytes have come; or raise what becomes of the connection."""
        if self.end == "refused":
            raise httpx.ConnectError("connection refused", request=request)
        if self.end == "silence":
            wait(MAX_REAL)
            raise httpx.ReadTimeout("the read operation timed out", request=request)
        return httpx.Response(self.code, headers=self.headers, stream=_Body(self, request))


class _Body(httpx.SyncByteStream, httpx.AsyncByteStream):
    def __init__(self, wire: Wire, request: httpx.Request) -> None:
        self._wire, self._request = wire, request

    def __iter__(self) -> Iterator[bytes]:
        yield from self._wire.pieces
        if self._wire.end == "torn":
            message = "peer closed connection without sending complete message body"
            raise httpx.RemoteProtocolError(message, request=self._request)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            yield piece


def made(recipe: Recipe) -> Wire:
    """Return the answer of a recipe, always the same."""
    code, content_type, document = BASES[recipe.base](Random(repr(recipe.changes)))  # noqa: S311 - repeatable
    content: bytes | None = document if isinstance(document, bytes) else None
    for name, seed in recipe.changes:
        rng = Random(seed)  # noqa: S311 - no secret, it has to be repeatable
        if name in documents.CHANGES:
            document = documents.CHANGES[name](document, rng) if content is None else document
        else:
            content = BYTES[name](documents.written(document).encode() if content is None else content, rng)
    if content is None:
        content = documents.written(document).encode()
    inside = content
    encoding, raw, plain = COATS[recipe.coat[0]](content, Random(recipe.coat[1]))  # noqa: S311 - repeatable
    headers = [(b"content-type", content_type.encode()), *encoding]
    headers = HEADS[recipe.head[0]](headers, raw, Random(recipe.head[1]))  # noqa: S311 - repeatable
    if recipe.end == "torn":
        raw, plain = raw[: max(1, len(raw) * 2 // 3)], None
    step = max(1, len(raw) // 3)
    pieces = [raw[start : start + step] for start in range(0, len(raw), step)]
    return Wire(recipe, recipe.code or code, headers, pieces, plain, recipe.end, inside)


# --- where it begins -------------------------------------------------------------------------

Base = Callable[[Random], tuple[int, str, Any]]
HTML = b"<html><head><title>502 Bad Gateway</title></head><body>cloudflare</body></html>"
PNG_HEAD = PICTURE[:8]


def _reply(code: int, content_type: str, body: Any) -> Base:
    return lambda _: (code, content_type, body.encode() if isinstance(body, str) else body)


def _documented(answer: specified.Documented) -> Base:
    return lambda rng: (answer.code, "application/json", specified.value(answer.schema, rng))


def _bytes(rng: Random) -> tuple[int, str, bytes]:
    return 200, "application/octet-stream", rng.randbytes(rng.choice([0, 1, 16, 900]))


BASES: dict[str, Base] = {
    **{reply.name: _reply(reply.http_status, reply.content_type, reply.body) for reply in ANSWERS},
    **{answer.name: _documented(answer) for answer in specified.documented()},
    "html": _reply(502, "text/html", HTML.decode()),
    "bytes": _bytes,
    "png": lambda _: (200, "image/png", PICTURE),
    "png as text": lambda _: (200, "text/plain", PICTURE),
    "png without end": lambda _: (200, "image/png", PICTURE[:-6]),
    "png head": lambda _: (200, "image/png", PNG_HEAD),
}

# --- what is done to bytes -------------------------------------------------------------------

BytesChange = Callable[[bytes, Random], bytes]
CHARSETS = ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]
PREFIXES = [
    b"<br />\n<b>Warning</b>:  Undefined index: eta in <b>/var/www/api.php</b> on line <b>7</b><br />\n",
    b"\xef\xbb\xbf",
    b")]}',\n",
    b"\x00",
    b"{} ",
    b"{not json} ",
    b"data: ",
    b" " * 5000,
]
SUFFIXES = [b"\n<!-- 0.2 s -->", b"}", b"\x00", b"{}", b" " * 5000, b'{"status": "success"}', b"\xff"]


def _charset(content: bytes, rng: Random) -> bytes:
    return content.decode("utf-8", "replace").encode(rng.choice(CHARSETS))


def _latin(content: bytes, rng: Random) -> bytes:
    place = rng.randrange(len(content) + 1)
    return content[:place] + rng.choice([b"\xe9", b"\xff", b"\xed\xa0\x80", b"\xc0\xaf", b"\x80"]) + content[place:]


def _cut(content: bytes, rng: Random) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def _flip(content: bytes, rng: Random) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice([1, 1, 3, 20]) if changed else 0):
        changed[rng.randrange(len(changed))] = rng.choice(b'"{}[],:\\ \x00\xff19e-+truefals')
    return bytes(changed)


BYTES: dict[str, BytesChange] = {
    "charset": _charset,
    "latin": _latin,
    "cut": _cut,
    "flip": _flip,
    "before": lambda content, rng: rng.choice(PREFIXES) + content,
    "behind": lambda content, rng: content + rng.choice(SUFFIXES),
    "half charset": lambda content, rng: _cut(_charset(content, rng), rng),
}

# --- how it is packed ------------------------------------------------------------------------

Packed = tuple[list[tuple[bytes, bytes]], bytes, bytes | None]
Coat = Callable[[bytes, Random], Packed]


def _said(name: str) -> list[tuple[bytes, bytes]]:
    return [(b"content-encoding", name.encode())]


def _raw_deflate(content: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()


def _gzip(content: bytes) -> bytes:
    return gzip.compress(content, 1, mtime=0)


def _gzip_cut(content: bytes, rng: Random) -> Packed:
    packed = _gzip(content)
    return _said("gzip"), packed[: rng.randrange(len(packed))], None


def _bomb(_: bytes, rng: Random) -> Packed:
    """A few megabytes of nothing, which is small enough to meet often; the large ones have a test of their own."""
    content = rng.choice([b"\x00", b" "]) * 3_000_000
    return _said("gzip"), _gzip(content), content


COATS: dict[str, Coat] = {
    "none": lambda content, _: ([], content, content),
    "gzip": lambda content, _: (_said("gzip"), _gzip(content), content),
    "GZIP": lambda content, _: (_said("GZIP"), _gzip(content), content),
    "deflate": lambda content, _: (_said("deflate"), zlib.compress(content), content),
    "raw deflate": lambda content, _: (_said("deflate"), _raw_deflate(content), None),
    "identity": lambda content, _: (_said("identity"), content, content),
    "gzip twice": lambda content, _: (_said("gzip, gzip"), _gzip(_gzip(content)), None),
    "gzip said twice": lambda content, _: (_said("gzip, gzip"), _gzip(content), None),
    "gzip unsaid": lambda content, _: ([], _gzip(content), _gzip(content)),
    "gzip of nothing": lambda content, _: (_said("gzip"), content, None),
    "gzip cut": _gzip_cut,
    "gzip and more": lambda content, rng: (_said("gzip"), _gzip(content) + rng.randbytes(9), None),
    "deflate of nothing": lambda content, _: (_said("deflate"), content, None),
    "br": lambda content, _: (_said("br"), content, None),
    "zstd": lambda content, _: (_said("zstd"), content, None),
    "unheard of": lambda content, rng: (_said(rng.choice(["x-gzip", "compress", "", ",,", "gzip;q=1"])), content, None),
    "bomb": _bomb,
}

# --- what stands above it --------------------------------------------------------------------

Headers = list[tuple[bytes, bytes]]
Head = Callable[[Headers, bytes, Random], Headers]
TYPES = [b"", b"text/plain", b"text/html; charset=utf-16", b"application/json; charset=latin-1", b"image/png", b"\xff"]
WAITS = [b"", b"0", b"3", b"-1", b"1e3", b"nan", b"inf", b"99999999999", b"soon", b"Wed, 21 Oct 2026 07:28:00 GMT"]
PLACES_THAT_BREAK = [b"data:text/plain,x", b"javascript:1", b"https://xn--\xc3\xa9/", b"x" * 70_000]
"""Over which httpx fails before it gives the answer to anybody."""
COOKIES_THAT_BREAK = [b"\xff=\xff"]
"""Which httpx can put into no header."""
PLACES = [
    *(b"", b"/", b"https://elsewhere.example/a.png", b"//elsewhere.example", b"ftp://x.example/", b"https://["),
    *(b"\xff", b"http://a b/", b"https://images.example:99999/"),
    *(b"https://" + b"a" * 300 + b".example/", b"x" * 3_000, b"?" + KEY.encode()),
    *PLACES_THAT_BREAK,
]


def _head(name: bytes, values: list[bytes]) -> Head:
    def change(headers: Headers, _: bytes, rng: Random) -> Headers:
        return [pair for pair in headers if pair[0] != name] + [(name, rng.choice(values))]

    return change


def _length(headers: Headers, raw: bytes, rng: Random) -> Headers:
    near = [b"%d" % (len(raw) + more) for more in (0, 1, -1, 10**12)]
    return [*headers, (b"content-length", rng.choice([*near, b"", b"x", b"-5", b"1, 1", b"9" * 5000]))]


HEADS: dict[str, Head] = {
    "none": lambda headers, _, __: headers,
    "type": _head(b"content-type", TYPES),
    "untyped": lambda headers, _, __: [pair for pair in headers if pair[0] != b"content-type"],
    "wait": _head(b"retry-after", WAITS),
    "place": _head(b"location", PLACES),
    "length": _length,
    "many": lambda headers, _, __: [*headers, *((b"x-%d" % number, b"y" * 50) for number in range(200))],
    "cookie": _head(b"set-cookie", [b"a=b", b"a=b; Domain=x", KEY.encode(), b"a=" + b"b" * 9000, *COOKIES_THAT_BREAK]),
    "echo": lambda headers, _, __: [*headers, (b"x-key", KEY.encode()), (b"retry-after", KEY.encode())],
}

ENDS = ["whole"] * 12 + ["torn", "silence", "refused"]
CODES = [None] * 6 + [
    200,
    201,
    202,
    204,
    206,
    100,
    101,
    199,
    301,
    302,
    304,
    307,
    308,
    399,
    400,
    401,
    402,
    403,
    404,
    405,
]
CODES += [408, 409, 413, 418, 422, 425, 429, 499, 500, 501, 502, 503, 504, 520, 522, 527, 530, 599, 600, 999]


def good(place: str) -> Wire:
    """Return what the service answers when all goes well, so that a journey comes to an end."""
    if place == "GET":
        return made(Recipe("png"))
    name = {"wallet_balance": "wallet_balance 200 WalletBalanceResponse", "model_reload": "success"}
    name |= {"request_count": "request_count 200 RequestCountResponse"}
    name |= {"base64_to_url": "base64_to_url 200 Base64ToUrlResponse"}
    return made(Recipe(name.get(place, "success")))


def stuck() -> Wire:
    """Return the answer about a job that never ends."""
    return made(Recipe("processing"))


def wire(body: Any, code: int = 200) -> Wire:
    """Return an answer with this JSON or these bytes."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Wire(Recipe("by hand"), code, [(b"content-type", b"application/json")], [content], content)
