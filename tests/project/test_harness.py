"""The harness itself: what it does when Prism does not start, and how it chooses one."""

from __future__ import annotations

import sys
import time

import pytest

from contract import conftest
from support import docker, prism

SERVE = """
import http.server, sys
http.server.HTTPServer((sys.argv[2], int(sys.argv[4])), http.server.BaseHTTPRequestHandler).serve_forever()
"""


def test_a_process_that_dies_is_noticed_and_its_log_printed() -> None:
    """At once, not after the limit."""
    command = [sys.executable, "-c", "import sys; print('no such spec'); sys.exit(3)"]
    began = time.monotonic()
    with pytest.raises(prism.PrismError, match="no such spec"), prism.started(command, prism.free_port()):
        pass
    assert time.monotonic() - began < prism.START_LIMIT / 2


def test_a_process_that_never_answers_is_given_up() -> None:
    """With its log; and it does not outlive the attempt."""
    command = [sys.executable, "-c", "import time; print('thinking', flush=True); time.sleep(60)"]
    gives_up = pytest.raises(prism.PrismError, match=r"within 0\.5 s; it said:\nthinking")
    with gives_up, prism.started(command, prism.free_port(), limit=0.5):
        pass


def test_a_server_is_given_once_it_answers_and_ended_after() -> None:
    """The port is free again."""
    port = prism.free_port()
    with prism.started([sys.executable, "-c", SERVE], port) as url:
        assert url == f"http://127.0.0.1:{port}"
        assert prism.answers(port)
    assert not prism.answers(port)


def test_prism_says_which_spec_it_cannot_read() -> None:
    """The real one, with a file that is not there."""
    with pytest.raises(prism.PrismError, match="nowhere"), prism.running(prism.mock_arguments("nowhere.json")):
        pass


@pytest.mark.parametrize(
    ("wanted", "engine", "image", "expected"),
    [
        (None, True, True, "docker"),
        (None, True, False, "npm"),
        (None, False, False, "npm"),
        ("npm", True, True, "npm"),
        ("docker", True, True, "docker"),
        ("http://127.0.0.1:4010", True, True, "http://127.0.0.1:4010"),
    ],
)
def test_which_prism_is_taken(
    wanted: str | None, engine: bool, image: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By hand, or Docker where engine and image are there, else npm."""
    _pretend(monkeypatch, wanted, engine=engine, image=image)
    assert conftest.mode() == expected


@pytest.mark.parametrize(
    ("wanted", "engine", "said"),
    [("docker", False, "no Docker engine"), ("docker", True, "make prism-image"), ("podman", True, "has to be")],
)
def test_what_cannot_be_had_fails(wanted: str, engine: bool, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking for docker without an engine is no reason to take something else."""
    _pretend(monkeypatch, wanted, engine=engine, image=False)
    with pytest.raises(pytest.UsageError, match=said):
        conftest.mode()


def _pretend(monkeypatch: pytest.MonkeyPatch, wanted: str | None, *, engine: bool, image: bool) -> None:
    monkeypatch.delenv("PRISM_IMAGE", raising=False)
    if wanted is None:
        monkeypatch.delenv("PRISM", raising=False)
    else:
        monkeypatch.setenv("PRISM", wanted)
    monkeypatch.setattr(docker, "engine_answers", lambda: engine)
    monkeypatch.setattr(docker, "image_is_there", lambda: image)
    monkeypatch.setattr(docker, "compose_command", lambda: "docker compose")
