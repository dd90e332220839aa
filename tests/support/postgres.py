"""A PostgreSQL server of a test's own, started from what the system has and gone with the test."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

START_LIMIT = 60.0
"""Seconds."""


def _bin() -> Path | None:
    """Return the folder of the newest server: Debian keeps them off the PATH."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    there = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    return there[-1].parent if there else None


BIN = _bin()
# `.ci/run` installs one and says so, so that CI never skips.
POSTGRES_IS_THERE = pytest.mark.skipif(
    BIN is None and not os.environ.get("NEEDS_POSTGRES"),
    reason="no PostgreSQL server: initdb is neither on PATH nor in /usr/lib/postgresql (apt-get install postgresql)",
)


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """Run a server on this machine; give the address of an empty database."""
    assert BIN is not None, "NEEDS_POSTGRES is set, and there is none"
    folder = Path(tempfile.mkdtemp(prefix="pony-postgres-"))
    owner: str | None = None
    if os.geteuid() == 0:  # the server refuses to be root
        owner = next(name for name in ("postgres", "nobody") if _exists(name))
        shutil.chown(folder, owner)
    data = folder / "data"
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
    log = (folder / "log").open("wb")
    try:
        initdb: list[str | Path] = [BIN / "initdb", "-D", data, "-U", "pony", "-A", "trust"]
        initdb += ["--no-sync", "-E", "UTF8", "--locale=C"]
        subprocess.run(initdb, user=owner, check=True, stdout=log, stderr=log, cwd=folder)
        options: list[str | Path] = [
            "-h",
            "127.0.0.1",
            "-p",
            str(port),
            "-k",
            folder,
            "-F",
            "-c",
            "max_connections=200",
        ]
        server = subprocess.Popen(
            [BIN / "postgres", "-D", data, *options], user=owner, stdout=log, stderr=log, cwd=folder
        )
        try:
            _wait(server, port, folder / "log")
            yield f"postgresql://pony@127.0.0.1:{port}/postgres"
        finally:
            server.terminate()
            try:
                server.wait(30)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
    finally:
        log.close()
        shutil.rmtree(folder, ignore_errors=True)


def _exists(name: str) -> bool:
    with contextlib.suppress(KeyError):
        pwd.getpwnam(name)
        return True
    return False


def _wait(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    assert BIN is not None
    ready: list[str | Path] = [BIN / "pg_isready", "-h", "127.0.0.1", "-p", str(port), "-U", "pony", "-q"]
    deadline = time.monotonic() + START_LIMIT
    while subprocess.run(ready, check=False).returncode:
        assert server.poll() is None, log.read_text(errors="replace")
        assert time.monotonic() < deadline, log.read_text(errors="replace")
        time.sleep(0.05)
