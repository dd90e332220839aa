"""Fixtures for an application's tests; pytest loads this by itself where the package is installed.

Nothing but pytest is imported until a test asks for a fixture.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from modelslab_pony import AsyncPonyClient, PonyClient
    from modelslab_pony.testing import Simulator, VirtualClock


@pytest.fixture
def pony_simulator_options() -> dict[str, Any]:
    """Keywords for the `Simulator` of `pony_simulator`.

    A fixture of this name in a project replaces it, as does
    `@pytest.mark.parametrize("pony_simulator_options", [{"eta": 20}])`.
    """
    return {}


@pytest.fixture
def pony_clock() -> VirtualClock:
    """The time of `pony_simulator` and of its clients: it passes only when one of them sleeps."""
    from modelslab_pony.testing import VirtualClock  # noqa: PLC0415 - no cost for who does not ask

    return VirtualClock()


@pytest.fixture
def pony_simulator(pony_simulator_options: dict[str, Any], pony_clock: VirtualClock) -> Simulator:
    """A stand-in for the service, fresh for each test; see `modelslab_pony.testing.Simulator`."""
    from modelslab_pony.testing import Simulator  # noqa: PLC0415 - no cost for who does not ask

    return Simulator(**{"clock": pony_clock, **pony_simulator_options})


@pytest.fixture
def pony_client(pony_simulator: Simulator) -> PonyClient:
    """A `PonyClient` of `pony_simulator`."""
    return pony_simulator.client()


@pytest.fixture
def async_pony_client(pony_simulator: Simulator) -> AsyncPonyClient:
    """An `AsyncPonyClient` of `pony_simulator`, for asyncio; it holds nothing that would have to be closed."""
    return pony_simulator.async_client()


@pytest.fixture
def pony_takeover(pony_simulator: Simulator) -> Iterator[Simulator]:
    """`pony_simulator`, with which every client that the application makes itself speaks, too."""
    with pony_simulator.takeover():
        yield pony_simulator
