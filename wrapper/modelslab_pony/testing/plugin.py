"""Fixtures for an application's tests; pytest loads this by itself where the package is installed.

Nothing but pytest is imported until a test asks for a fixture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from modelslab_pony import AsyncPonyClient, PonyClient
    from modelslab_pony.testing import Simulator


@pytest.fixture
def pony_simulator_options() -> dict[str, Any]:
    """Keywords for the `Simulator` of `pony_simulator`; a project's own fixture of this name replaces it."""
    return {}


@pytest.fixture
def pony_simulator(pony_simulator_options: dict[str, Any]) -> Simulator:
    """A stand-in for the service, fresh for each test, whose time passes only when a client sleeps."""
    from modelslab_pony.testing import Simulator, VirtualClock  # noqa: PLC0415 - no cost for who does not ask

    return Simulator(**{"clock": VirtualClock(), **pony_simulator_options})


@pytest.fixture
def pony_client(pony_simulator: Simulator) -> PonyClient:
    """A `PonyClient` of `pony_simulator`."""
    return pony_simulator.client()


@pytest.fixture
def async_pony_client(pony_simulator: Simulator) -> AsyncPonyClient:
    """An `AsyncPonyClient` of `pony_simulator`; it holds nothing that would have to be closed."""
    return pony_simulator.async_client()
