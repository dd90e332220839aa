"""Starts and stops Prism from the locked npm tree, and notices when it does not start."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from prism_image import NODE, ROOT, VERSION

PACKAGE = ROOT / "node_modules" / "@stoplight" / "prism-cli"
HOST = "127.0.0.1"
START_LIMIT = 30.0
"""Seconds."""


class PrismError(Exception):
    """Prism cannot be started; the message holds its log."""


def mock_arguments(spec: Path | str) -> list[str]:
    """A mock of a spec."""
    return ["mock", str(spec)]


def proxy_arguments(spec: Path | str, upstream: str) -> list[str]:
    """A proxy that refuses what breaks the spec, in both directions."""
    return ["proxy", str(spec), upstream, "--errors"]


@contextlib.contextmanager
def running(arguments: list[str]) -> Iterator[str]:
    """Run Prism on a free port; give its URL."""
    installed = PACKAGE / "package.json"
    if not installed.is_file() or json.loads(installed.read_text("utf-8"))["version"] != VERSION:
        raise PrismError(f"Prism {VERSION} is not in node_modules: run `make setup`")
    command = [str(NODE), str(PACKAGE / "dist" / "index.js"), *arguments]
    with started(command, free_port()) as url:
        yield url


@contextlib.contextmanager
def started(command: list[str], port: int, limit: float = START_LIMIT) -> Iterator[str]:
    """Run a server on a port until the block ends; raise `PrismError` with its log if it dies or never listens."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [*command, "--host", HOST, "--port", str(port)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )

        def said() -> str:
            log.seek(0)
            return log.read().decode("utf-8", "replace")

        def alive() -> bool:
            return process.poll() is None

        try:
            wait_for(port, alive, said, limit)
            yield f"http://{HOST}:{port}"
        finally:
            stop(process)


def wait_for(port: int, alive: Callable[[], bool], log: Callable[[], str], limit: float = START_LIMIT) -> None:
    """Return as soon as a port answers HTTP; give up when its process died, or after the limit.

    A connection alone proves nothing: Docker accepts them before the container listens.
    """
    deadline = time.monotonic() + limit
    while True:
        if not alive():
            raise PrismError(f"Prism ended before it answered on port {port}; it said:\n{log()}")
        if answers(port):
            return
        if time.monotonic() > deadline:
            raise PrismError(f"Prism did not answer on port {port} within {limit:g} s; it said:\n{log()}")
        time.sleep(0.05)


def answers(port: int) -> bool:
    """Whether an HTTP server is there; any answer will do."""
    connection = http.client.HTTPConnection(HOST, port, timeout=1)
    try:
        connection.request("GET", "/")
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    else:
        return True
    finally:
        connection.close()


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process, politely first."""
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
