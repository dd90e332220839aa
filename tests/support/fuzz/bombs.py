"""A client meets an answer that is small on the wire and huge inside; run as a process, it prints what that took.

python -m support.fuzz.bombs zeros sync
"""

from __future__ import annotations

import asyncio
import resource
import sys
import zlib
from collections.abc import Iterator

import httpx

from modelslab_pony import AsyncPonyClient, PonyClient
from modelslab_pony.errors import PonyError
from support.fuzz.play import OPTIONS, REQUEST
from support.fuzz.wires import Recipe, Wire

MEGABYTES = 400
PIECE = 65_536
"""Bytes that a socket gives at once."""


def packed(content: Iterator[bytes]) -> bytes:
    packer = zlib.compressobj(1, wbits=zlib.MAX_WBITS | 16)
    return b"".join([*map(packer.compress, content), packer.flush()])


def bomb(kind: str) -> Wire:
    """Return an answer of a few kilobytes or megabytes with `MEGABYTES` inside."""
    letter = {"zeros": b"\x00", "blanks": b" ", "twice": b" ", "image": b"\x00", "job": b" "}[kind]
    begin = {"image": b"\x89PNG\r\n\x1a\n", "job": b'{"status": "processing", "id": 7, "tip": "'}.get(kind, b"")
    raw = packed(iter([begin, *([letter * 2**20] * MEGABYTES)]))
    encoding = b"gzip"
    if kind == "twice":
        raw, encoding = packed(iter([raw])), b"gzip, gzip"
    pieces = [raw[start : start + PIECE] for start in range(0, len(raw), PIECE)]
    headers = [(b"content-type", b"application/json"), (b"content-encoding", encoding)]
    return Wire(Recipe(kind), 200, headers, pieces, None)


def main(kind: str, client: str) -> None:
    """Submit, and print the outcome's class and the megabytes that it took beyond those before it."""
    wire = bomb(kind)

    def answer(request: httpx.Request) -> httpx.Response:
        return wire.response(request, lambda _: None)

    transport = httpx.MockTransport(answer)

    def blocking() -> None:
        with httpx.Client(transport=transport) as http, PonyClient(http_client=http, **OPTIONS) as pony:
            pony.submit(REQUEST)

    async def awaited() -> None:
        async with httpx.AsyncClient(transport=transport) as http:
            await AsyncPonyClient(http_client=http, **OPTIONS).submit(REQUEST)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outcome = "Job"
    try:
        blocking() if client == "sync" else asyncio.run(awaited())
    except PonyError as error:
        outcome = type(error).__name__
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sys.stdout.write(f"{outcome} {(after - before) // 1024}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
