"""Wheels and sdists made from a copy of the tracked files, and environments that have nothing else."""

from __future__ import annotations

import email
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from email.message import Message
from pathlib import Path

from attrs import frozen

from prism_image import ROOT

# Taken before any test changes it: what reaches the package index from here (PIP_*, SSL_CERT_FILE, proxies) stays.
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("MODELSLAB_", "PONY_", "PYTHON", "PYTEST_", "GITHUB_")) and name != "SOURCE_URL"
}
EPOCH = "1700000000"
"""SOURCE_DATE_EPOCH of all builds, so that their bytes can be compared."""
LIMIT = 110
"""Seconds that one command may take: below pytest's own limit, so that its output is told."""


@frozen
class Distributions:
    """What one build made."""

    wheel: Path
    sdist: Path | None

    def names(self) -> list[str]:
        """Return the paths in the wheel."""
        with zipfile.ZipFile(self.wheel) as content:
            return content.namelist()

    def read(self, name: str) -> str:
        """Return a file of the wheel's metadata, or another one by its path."""
        with zipfile.ZipFile(self.wheel) as content:
            (path,) = [known for known in content.namelist() if known == name or known.endswith(f".dist-info/{name}")]
            return content.read(path).decode()

    def metadata(self) -> Message:
        """Return the wheel's METADATA."""
        return email.message_from_string(self.read("METADATA"))


@frozen
class Environment:
    """A virtual environment, and a service for what runs in it."""

    folder: Path
    service: str = ""

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    def install(self, *requirements: str | Path) -> None:
        """Install with our own pip: the environment has none, so all that it has was asked for."""
        self._pip("install", "--quiet", "--no-compile", *map(str, requirements))

    def check(self) -> str:
        """Return what `pip check` says; it fails where requirements are not met."""
        return self._pip("check")

    def packages(self) -> dict[str, str]:
        """Return the version of each package that is installed."""
        return {item["name"].lower(): item["version"] for item in json.loads(self._pip("list", "--format=json"))}

    def run(self, *command: str | Path, at: Path, status: int = 0) -> str:
        """Run a command of the environment in a folder; return all its output. It has to end with `status`."""
        given = {"MODELSLAB_API_KEY": "a-key", "MODELSLAB_BASE_URL": self.service, "NO_PROXY": "127.0.0.1"}
        environment = {**ENVIRONMENT, **given, "COLUMNS": "100", "PATH": f"{self.folder / 'bin'}:/usr/bin:/bin"}
        program = self.folder / "bin" / command[0]
        return _told([program, *command[1:]], at=at, environment=environment, status=status)

    def script(self, code: str, *, at: Path, strict: bool = False, status: int = 0) -> str:
        """Run Python code in a folder; with `strict`, each warning is an error."""
        return self.run("python", *(("-W", "error") if strict else ()), "-c", code, at=at, status=status)

    def _pip(self, *words: str) -> str:
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(self.python)]
        return _told([*pip, *words], at=self.folder, environment=ENVIRONMENT, errors=False)


def copy_tracked(target: Path) -> Path:
    """Copy the files that git knows, as they are now, so that nothing else can go into a build."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if path.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target / name)
    return target


def build(source: Path, target: Path, *kinds: str, source_url: str = "") -> Distributions:
    """Build as `make build` does: an sdist and from that a wheel, or what `kinds` say."""
    environment = {**ENVIRONMENT, "SOURCE_DATE_EPOCH": EPOCH, "SOURCE_URL": source_url}
    command = [sys.executable, "-m", "build", "--outdir", str(target), *kinds, str(source)]
    _told(command, at=source.parent, environment=environment)
    (wheel,) = target.glob("*.whl")
    return Distributions(wheel, next(target.glob("*.tar.gz"), None))


def environment(folder: Path, *requirements: str | Path, service: str = "") -> Environment:
    """Make an environment with what is given, and what that needs."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True, timeout=LIMIT)
    made = Environment(folder, service)
    made.install(*requirements)
    return made


def _told(
    command: Sequence[str | Path], *, at: Path, environment: dict[str, str], status: int = 0, errors: bool = True
) -> str:
    """Run a command; return what it said. A wrong exit code fails with all of that."""
    ended = subprocess.run(command, cwd=at, env=environment, capture_output=True, text=True, timeout=LIMIT, check=False)
    said = f"{ended.stdout}{ended.stderr}"
    assert ended.returncode == status, f"{' '.join(map(str, command))} ended with {ended.returncode}:\n{said}"
    return said if errors else ended.stdout
