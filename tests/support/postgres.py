"""A PostgreSQL server of a test's own, started from what the system has and gone with the test."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
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


class Server:
    """A running server."""

    def __init__(self, folder: Path, owner: str | None, port: int) -> None:
        self.address = f"postgresql://pony@127.0.0.1:{port}/postgres"
        self._folder, self._owner, self._port = folder, owner, port
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        assert BIN is not None
        options: list[str | Path] = ["-h", "127.0.0.1", "-p", str(self._port), "-k", self._folder]
        options += ["-F", "-c", "max_connections=200"]
        log = self._folder / "log"
        with log.open("ab") as file:
            command: list[str | Path] = [BIN / "postgres", "-D", self._folder / "data", *options]
            self._process = subprocess.Popen(command, user=self._owner, stdout=file, stderr=file, cwd=self._folder)
        ready: list[str | Path] = [BIN / "pg_isready", "-h", "127.0.0.1", "-p", str(self._port), "-U", "pony", "-q"]
        deadline = time.monotonic() + START_LIMIT
        while subprocess.run(ready, check=False).returncode:
            assert self._process.poll() is None, log.read_text(errors="replace")
            assert time.monotonic() < deadline, log.read_text(errors="replace")
            time.sleep(0.05)

    def stop(self, number: int = signal.SIGINT) -> None:
        """Stop it: at once for those that are connected."""
        if self._process is not None:
            self._process.send_signal(number)
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def restart(self, away: float) -> None:
        """Stop it as a crash would, and start it again after so many seconds."""
        self.stop(signal.SIGQUIT)
        time.sleep(away)
        self.start()


@contextlib.contextmanager
def postgres() -> Iterator[Server]:
    """Run a server on this machine, with an empty database."""
    assert BIN is not None, "NEEDS_POSTGRES is set, and there is none"
    folder = Path(tempfile.mkdtemp(prefix="pony-postgres-"))
    owner: str | None = None
    if os.geteuid() == 0:  # the server refuses to be root
        owner = next(name for name in ("postgres", "nobody") if _exists(name))
        shutil.chown(folder, owner)
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
    try:
        initdb: list[str | Path] = [BIN / "initdb", "-D", folder / "data", "-U", "pony", "-A", "trust"]
        initdb += ["--no-sync", "-E", "UTF8", "--locale=C"]
        subprocess.run(initdb, user=owner, check=True, stdout=subprocess.DEVNULL, cwd=folder)
        server = Server(folder, owner, port)
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _exists(name: str) -> bool:
    with contextlib.suppress(KeyError):
        pwd.getpwnam(name)
        return True
    return False
