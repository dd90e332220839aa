"""Fixtures of tests/packaging, named there as a plugin: one build a session, one environment for each set of extras."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from modelslab_pony.testing import Simulator
from modelslab_pony.testing.server import serving
from support.packages import Distributions, Environment, build, copy_tracked, environment

Installed = Callable[..., Environment]


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_tracked(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="session")
def built(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    """As `make build` does it."""
    return build(source, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="session")
def stand_in() -> Iterator[str]:
    """The base URL of a simulator, for environments that have none."""
    with serving(Simulator(eta=0)) as url:
        yield url


@pytest.fixture(scope="session")
def installed(built: Distributions, stand_in: str, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Return an environment with the wheel, some of its extras, and other requirements; each is made once."""
    made: dict[tuple[str, ...], Environment] = {}

    def get(extras: str = "", *others: str) -> Environment:
        wanted = (extras, *others)
        if wanted not in made:
            wheel = f"{built.wheel}[{extras}]" if extras else str(built.wheel)
            folder = tmp_path_factory.mktemp("environment") / "venv"
            made[wanted] = environment(folder, wheel, *others, service=stand_in)
        return made[wanted]

    return get
