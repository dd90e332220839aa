"""What a page shows, run as a reader would: its files written, its commands and programs started, from top to bottom.

A fenced block with a `title` is a file of that name. A block of `python` is a program of its own, or a test where it
defines one; a block of `sh` is typed into a shell. Everything else on a page is only shown. A page has one folder and
one simulator, so what an early block saved is there for a later one.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from attrs import frozen

from modelslab_pony.testing._door import reserve
from prism_image import ROOT
from support import typed

FENCE = re.compile(r"^(?P<indent> *)```(?P<words>[^\n`]*)\n(?P<text>.*?)^(?P=indent)```$", re.DOTALL | re.MULTILINE)
TITLE = re.compile(r'title="([^"]+)"')
PORTS = ("8010", "8020")
"""Where the pages listen; a test that runs beside others takes free ones."""
DATABASE = "postgresql://pony@db.example/pony"
"""The pages' word for a database that is shared."""
KEY = "pages-key-0123456789"
LIMIT = 100.0
"""Seconds that one block may take."""


@frozen
class Block:
    """One fenced block of a page."""

    language: str
    title: str | None
    text: str

    @property
    def is_test(self) -> bool:
        return self.language == "python" and "def test_" in self.text

    @property
    def is_program(self) -> bool:
        return self.language == "python" and self.title is None and not self.is_test

    @property
    def is_typed(self) -> bool:
        return self.language == "sh"


def blocks(markdown: str) -> list[Block]:
    """Return the blocks of a page, in order."""
    found = []
    for match in FENCE.finditer(markdown):
        language, _, rest = match["words"].strip().partition(" ")
        title = TITLE.search(rest)
        text = re.sub(rf"^{match['indent']}", "", match["text"], flags=re.MULTILINE)
        found.append(Block(language, title[1] if title else None, text))
    return found


@contextlib.contextmanager
def reading(
    folder: Path, base_url: str, values: Mapping[str, str] = {}, *, in_a_checkout: bool = False
) -> Iterator[Reader]:
    """A reader with a folder of their own, who has the package installed and a service at `base_url`."""
    reader = Reader(folder, base_url, values)
    if in_a_checkout:
        for path in ROOT.iterdir():
            (reader.folder / path.name).symlink_to(path)
    try:
        yield reader
    finally:
        reader.leave()


class Reader:
    """Does what a page says."""

    def __init__(self, folder: Path, base_url: str, values: Mapping[str, str]) -> None:
        self.folder = folder / "page"
        self.folder.mkdir()
        self._beside = folder / "typed"
        typed.install(self._beside)
        with contextlib.ExitStack() as open_:
            free = [str(open_.enter_context(contextlib.closing(reserve())).getsockname()[1]) for _ in PORTS]
        self._values = {**dict(zip(PORTS, free, strict=True)), **values}
        # A key and an address as a page's reader has them, and nothing else of this machine's.
        self._environment = {
            "PATH": os.pathsep.join((str(self._beside / "bin"), str(Path(sys.executable).parent), os.environ["PATH"])),
            "HOME": str(folder),
            "MODELSLAB_API_KEY": KEY,
            "MODELSLAB_BASE_URL": base_url,
            "PYTHONWARNINGS": "error",
            typed.BESIDE: str(self._beside),
        }

    def follow(self, block: Block) -> None:
        """Do what one block says. Raises `AssertionError` with what was said, if it fails."""
        if block.title is not None:
            path = self.folder / block.title
            assert not path.resolve().is_relative_to(ROOT), f"{block.title} would be written into the checkout itself"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self._here(block.text), "utf-8")
        elif block.is_test:
            path = self.folder / f"test_block_{len(list(self.folder.glob('test_block_*')))}.py"
            path.write_text(self._here(block.text), "utf-8")
            self._run([sys.executable, "-m", "pytest", "-q", "-W", "error", path.name], block)
        elif block.is_program:
            self._run([sys.executable, "-c", self._here(block.text)], block)
        elif block.is_typed:
            self._run(["bash", "-euo", "pipefail", "-c", self._here(block.text)], block)

    def typed(self, program: str) -> list[list[str]]:
        """Return the arguments of each call of a program that stands in for the real one."""
        return typed.calls(self._beside, program)

    def leave(self) -> None:
        """End what a block left running, as a reader closes the other terminal."""
        for number in typed.running(self._beside):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(number, signal.SIGTERM)
        shutil.rmtree(self._beside, ignore_errors=True)

    def _here(self, text: str) -> str:
        for shown, here in self._values.items():
            text = text.replace(shown, here)
        return text

    def _run(self, command: list[str], block: Block) -> None:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        said = f"exit {done.returncode} of\n{block.text}\n{done.stdout}\n{done.stderr}"
        assert done.returncode == 0, said
        assert KEY not in done.stdout + done.stderr, said


def pages() -> dict[str, Path]:
    """Return every page that has something to run, by its place in the checkout."""
    found = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "ARCHITECTURE.md")]
    found += [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "examples" / "README.md"]
    return {path.relative_to(ROOT).as_posix(): path for path in found if path.is_file()}
