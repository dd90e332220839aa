from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from modelslab_pony.cli import _app, _client
from modelslab_pony.testing import Simulator, VirtualClock
from modelslab_pony.testing._core import Core
from support import held
from support.both import Colour
from support.scripted import Service

Run = Callable[..., Result]


@pytest.fixture(params=["sync", "async"])
def colour(request: pytest.FixtureRequest) -> Colour:
    """Each test that takes this runs once with each client."""
    return Colour(request.param)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def service(clock: VirtualClock) -> Service:
    return Service(clock)


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own key, URL and proxies reach no test."""
    for name in ("MODELSLAB_API_KEY", "MODELSLAB_BASE_URL", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(autouse=True)
def _simulators_keep_to_the_spec(monkeypatch: pytest.MonkeyPatch) -> None:
    """In every test: what the simulator answers in its spec dialect, unspoilt, is what the spec documents."""
    monkeypatch.setattr(Core, "answer", held.to_the_spec(Core.answer))


@pytest.fixture
def simulator(clock: VirtualClock) -> Simulator:
    return Simulator(eta=3, clock=clock)


@pytest.fixture
def run(simulator: Simulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    """The command, in a folder of its own, with a simulator for the service."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_client, "connect", simulator.client)

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(_app.app, arguments, env={"COLUMNS": "500", "NO_COLOR": "1"})

    return call


@pytest.fixture(params=["direct", "watched"])
def aiohttp_way(request: pytest.FixtureRequest) -> Iterator[None]:
    """Have calls go straight to aiohttp, and once more through httpx, as they do if somebody reads its log."""
    log = logging.getLogger("httpx")
    before = log.level
    log.setLevel(logging.INFO if request.param == "watched" else logging.WARNING)
    yield
    log.setLevel(before)
