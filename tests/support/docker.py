"""Which Docker there is, and whether the Prism image is in it."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache

from prism_image import IMAGE


def _ok(*command: str) -> bool:
    if shutil.which(command[0]) is None:
        return False
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=20)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


@cache
def engine_answers() -> bool:
    """Whether a Docker engine is there."""
    return _ok("docker", "version", "--format", "{{.Server.Version}}")


@cache
def image_is_there() -> bool:
    """Whether the Prism image need not be pulled."""
    return engine_answers() and _ok("docker", "image", "inspect", IMAGE)


@cache
def compose_command() -> str | None:
    """Compose v2, else v1 (Debian's), else None."""
    if _ok("docker", "compose", "version"):
        return "docker compose"
    return "docker-compose" if _ok("docker-compose", "version") else None


def prism_version() -> str:
    """The version of the Prism in the image."""
    done = subprocess.run(
        ["docker", "run", "--rm", IMAGE, "--version"],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or done.stderr.strip()


def log_of(container: str) -> str:
    """What a container has said."""
    done = subprocess.run(
        ["docker", "logs", container],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def is_running(container: str) -> bool:
    """Whether a container is up."""
    done = subprocess.run(
        ["docker", "inspect", "--format", "{{.State.Running}}", container],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() == "true"
