from __future__ import annotations

import pytest

from modelslab_pony.testing import VirtualClock
from support.both import Colour
from support.scripted import Service


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
