"""Prism for the contract suites and the journeys: through pytest-docker, from npm, or running already.

PRISM=docker|npm|URL decides; without it, Docker is taken where an engine answers and has the
image (`make prism-image` builds it), else npm. A URL is a mock of the effective spec.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from modelslab_pony.testing import Simulator, VirtualClock
from modelslab_pony.testing.server import serving
from prism_image import IMAGE, ROOT, VERSION
from support import docker, prism
from support.prism import PrismError


def mode() -> str:
    """docker, npm, or a URL."""
    wanted = os.environ.get("PRISM") or ("docker" if docker.image_is_there() and docker.compose_command() else "npm")
    if wanted == "docker":
        if not docker.engine_answers():
            raise pytest.UsageError("PRISM=docker, and no Docker engine answers: start one, or take PRISM=npm")
        if docker.compose_command() is None:
            raise pytest.UsageError("PRISM=docker, and there is no Docker Compose: install it, or take PRISM=npm")
        if not docker.image_is_there() and not os.environ.get("PRISM_IMAGE"):
            raise pytest.UsageError(f"PRISM=docker, and the image {IMAGE} is not there: run `make prism-image`")
    elif wanted != "npm" and not wanted.startswith(("http://", "https://")):
        raise pytest.UsageError(f"PRISM={wanted}: it has to be docker, npm, or the URL of a Prism")
    return wanted


def pytest_report_header() -> str:
    return f"prism: {VERSION} through {mode()}"


@pytest.fixture(scope="session")
def prism_mode() -> str:
    return mode()


# --- the service behind the proxy --------------------------------------------------------------


@pytest.fixture(scope="session")
def virtual() -> VirtualClock:
    """The one clock of the simulator and of its clients, so that no journey takes real time."""
    return VirtualClock()


@pytest.fixture(scope="session")
def simulator(virtual: VirtualClock) -> Simulator:
    return Simulator(clock=virtual)


@pytest.fixture(scope="session")
def simulator_url(simulator: Simulator) -> Iterator[str]:
    with serving(simulator) as url:
        yield url


# --- one Prism for each suite --------------------------------------------------------------------


@pytest.fixture(scope="session")
def shipped_url(request: pytest.FixtureRequest, prism_mode: str) -> Iterator[str]:
    """A mock of what the vendor published."""
    if prism_mode == "docker":
        yield request.getfixturevalue("containers")("shipped")
    elif prism_mode == "npm":
        with prism.running(prism.mock_arguments(ROOT / "openapi.json")) as url:
            yield url
    else:
        pytest.skip("PRISM names one running mock, of the effective spec; this suite needs another")


@pytest.fixture(scope="session")
def effective_url(request: pytest.FixtureRequest, prism_mode: str) -> Iterator[str]:
    """A mock of the effective spec, whose examples can be chosen by name."""
    if prism_mode == "docker":
        yield request.getfixturevalue("containers")("effective")
    elif prism_mode == "npm":
        with prism.running(prism.mock_arguments(ROOT / "generated" / "openapi.json")) as url:
            yield url
    else:
        yield prism_mode.rstrip("/")


@pytest.fixture(scope="session")
def proxy_url(request: pytest.FixtureRequest, prism_mode: str, simulator_url: str) -> Iterator[str]:
    """The simulator behind a Prism that refuses what breaks the effective spec, in both directions."""
    if prism_mode == "docker":
        yield request.getfixturevalue("containers")("proxy")
    elif prism_mode == "npm":
        spec = ROOT / "generated" / "openapi.json"
        with prism.running(prism.proxy_arguments(spec, simulator_url)) as url:
            yield url
    else:
        raise pytest.UsageError(f"PRISM={prism_mode} is a mock; the journeys need docker or npm for their proxy")


# --- pytest-docker -------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def docker_compose_command() -> str:
    return docker.compose_command() or "docker compose"


@pytest.fixture(scope="session")
def docker_compose_file() -> str:
    return str(ROOT / "tests" / "docker-compose.yml")


@pytest.fixture(scope="session")
def docker_setup(simulator_url: str) -> list[str]:
    """Plain `up -d`: Compose v1 has no --wait, and `containers` waits anyhow."""
    found = docker.prism_version()
    if found != VERSION:
        raise PrismError(f"{IMAGE} holds Prism {found}, and package.json pins {VERSION}")
    os.environ["PRISM_IMAGE"] = IMAGE
    os.environ["SIMULATOR_URL"] = simulator_url
    os.environ["PROXY_PORT"] = str(prism.free_port())
    return ["up -d"]


@pytest.fixture(scope="session")
def docker_cleanup() -> list[str]:
    return ["down -v -t 1"]


@pytest.fixture(scope="session")
def containers(docker_services: Any) -> Any:
    """Give the URL of a service once it listens; its log if it never does."""

    def url(service: str) -> str:
        # With -a, since Compose v2 hides the containers that died, whose log is what is wanted.
        container = docker_services._docker_compose.execute(f"ps -a -q {service}").decode().split()[-1]
        try:
            port = int(os.environ["PROXY_PORT"]) if service == "proxy" else docker_services.port_for(service, 4010)
        except Exception as error:
            raise PrismError(f"{service} has no port; it said:\n{docker.log_of(container)}") from error
        prism.wait_for(port, lambda: docker.is_running(container), lambda: docker.log_of(container))
        return f"http://{prism.HOST}:{port}"

    return url
