"""HTTP that is broken, each in one way."""

from __future__ import annotations

import gzip

JOB = b'{"status": "processing", "id": 70010006}'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
WHOLE = HEAD + b"Content-Length: %d\r\n\r\n" % len(JOB) + JOB
ODD: dict[str, bytes] = {
    "nothing": b"",
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "random": bytes(range(256)) * 40,
    "half a status line": b"HTTP/1.1 20",
    "a status without a number": b"HTTP/1.1 OK\r\n\r\n",
    "a status of one digit": b"HTTP/1.1 2 OK\r\n\r\n",
    "a status beyond all": b"HTTP/1.1 9999 OK\r\n\r\n",
    "another version": b"HTTP/3.0 200 OK\r\n\r\n" + JOB,
    "HTTP 0.9": JOB,
    "only a continue": b"HTTP/1.1 100 Continue\r\n\r\n",
    "many continues": b"HTTP/1.1 100 Continue\r\n\r\n" * 2000 + WHOLE,
    "switching": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    "a header without a colon": HEAD + b"nonsense\r\n\r\n" + JOB,
    "a header of 100 kB": HEAD + b"X-Long: " + b"x" * 100_000 + b"\r\nContent-Length: 40\r\n\r\n" + JOB,
    "headers of 1 MB": HEAD + b"".join(b"X-%d: %s\r\n" % (number, b"y" * 90) for number in range(10_000)) + b"\r\n",
    "a header with zeros": HEAD + b"X-\x00: \x00\r\n\r\n" + JOB,
    "a status line of 100 kB": b"HTTP/1.1 200 " + b"x" * 100_000 + b"\r\n\r\n" + JOB,
    "two lengths": HEAD + b"Content-Length: 40\r\nContent-Length: 4\r\n\r\n" + JOB,
    "encoded twice": HEAD + b"Content-Encoding: gzip\r\n" * 2 + b"\r\n" + gzip.compress(JOB, mtime=0),
    "a length below nothing": HEAD + b"Content-Length: -1\r\n\r\n" + JOB,
    "a length of 5000 digits": HEAD + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n" + JOB,
    "a length that is none": HEAD + b"Content-Length: forty\r\n\r\n" + JOB,
    "too long a length": HEAD + b"Content-Length: 4000\r\n\r\n" + JOB,
    "too short a length": HEAD + b"Content-Length: 4\r\n\r\n" + JOB,
    "chunks of garbage": HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + JOB,
    "a chunk cut off": HEAD + b"Transfer-Encoding: chunked\r\n\r\nffff\r\n" + JOB,
    "no last chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n28\r\n" + JOB + b"\r\n",
    "a chunk too long": HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 30 + b"\r\n" + JOB,
    "length and chunks": HEAD
    + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n28\r\n"
    + JOB
    + b"\r\n0\r\n\r\n",
    "an unknown transfer": HEAD + b"Transfer-Encoding: gzip\r\n\r\n" + JOB,
    "gzip that is none": HEAD + b"Content-Encoding: gzip\r\nContent-Length: 40\r\n\r\n" + JOB,
    "an answer and more": WHOLE + WHOLE,
    "bare line feeds": WHOLE.replace(b"\r\n", b"\n"),
    "whole": WHOLE,
}
