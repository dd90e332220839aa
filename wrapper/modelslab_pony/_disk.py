"""Where a download goes: memory, or a file that is there whole or not at all."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Protocol

from modelslab_pony._files import file_name, numbered
from modelslab_pony._steps import Save

_PROCESS = secrets.token_hex(4)
"""Tells this process from one that had its number before it: in a container, that is often the same."""
MOST_FINISHED = 64 * 1024 * 1024
"""Bytes of a file that is read once more to be finished: four times the largest picture."""


class DiskError(Exception):
    """A file cannot be made or written here; the text says why."""


@contextlib.contextmanager
def _disk_faults() -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as fault:
        raise DiskError(f"cannot write the file: {fault}") from None


class Sink(Protocol):
    """Takes the bytes of a download; one of `commit` and `discard` ends it."""

    def write(self, chunk: bytes) -> object:
        """Take the next bytes."""
        ...

    def commit(self, suffix: str) -> tuple[Path | None, bytes]:
        """Keep what was written; return its path, or its bytes."""
        ...

    def discard(self) -> None:
        """Leave nothing behind."""
        ...


def open_sink(step: Save) -> Sink:
    """Return the place that a step asks for. It raises `DiskError` then or later."""
    if step.path is None:
        return _Memory()
    with _disk_faults():
        return _File(step, step.path)


def check_writable(folder: Path) -> None:
    """Make a folder, and raise `DiskError` if no file can be made in it."""
    with _disk_faults():
        folder.mkdir(parents=True, exist_ok=True)
        path = part_in(folder)
        path.open("xb").close()
        path.unlink()


class _Memory:
    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    def write(self, chunk: bytes) -> None:
        self._chunks.append(chunk)

    def commit(self, suffix: str) -> tuple[None, bytes]:  # noqa: ARG002 - bytes need no name
        return None, b"".join(self._chunks)

    def discard(self) -> None:
        self._chunks.clear()


class _File:
    def __init__(self, step: Save, path: Path) -> None:
        self._path, self._url, self._overwrite, self._finish = path, step.url, step.overwrite, step.finish
        if "\0" in str(path):
            raise ValueError("a NUL in the name")
        self._is_folder = path.is_dir()
        if not self._is_folder and path.exists() and not step.overwrite:
            raise _exists(path)
        folder = path if self._is_folder else path.parent
        folder.mkdir(parents=True, exist_ok=True)
        self._temporary = part_in(folder)
        self._file = self._temporary.open("xb")

    def write(self, chunk: bytes) -> None:
        with _disk_faults():
            self._file.write(chunk)

    def commit(self, suffix: str) -> tuple[Path, bytes]:
        with _disk_faults():
            self._file.flush()
            self._finished()
            os.fsync(self._file.fileno())
            self._file.close()
            path = self._named(suffix)
        _sync_folder(path.parent)
        return path, b""

    def discard(self) -> None:
        # On a full disk closing fails too, since it writes what is left; the file has to go all the same.
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            self._temporary.unlink()

    def _finished(self) -> None:
        """Write the file anew as `finish` has it; one of unusual size is kept as it came."""
        if self._finish is None or self._temporary.stat().st_size > MOST_FINISHED:
            return
        content = self._temporary.read_bytes()
        try:
            finished = self._finish(content)
        except Exception:  # noqa: BLE001 - nothing that was paid for is lost to what is written beside it
            return
        if finished != content:
            self._file.seek(0)
            self._file.truncate()
            self._file.write(finished)
            self._file.flush()

    def _named(self, suffix: str) -> Path:
        if not self._is_folder:
            if self._overwrite:
                self._temporary.replace(self._path)
            else:
                _name_new(self._temporary, self._path)
            return self._path
        wanted = self._path / file_name(self._url, suffix)
        for number in count(1):
            path = numbered(wanted, number)
            with contextlib.suppress(FileExistsError):
                _name_new(self._temporary, path)
                return path
        raise AssertionError  # count() has no end


def part_in(folder: Path) -> Path:
    """Return a new name for a file while it is written; it tells by whom."""
    return folder / f".pony-{os.getpid()}-{_PROCESS}-{secrets.token_hex(8)}.part"


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all. Raises `OSError`, and leaves nothing behind then."""
    part = part_in(path.parent)
    try:
        part.write_bytes(content)
        part.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise


def parts_left(folder: Path, number: str = "*") -> list[Path]:
    """Return what processes of this machine, or the one of that number, left half written when they ended."""
    return [part for part in folder.glob(f".pony-{number}-*.part") if not is_being_written(part)]


def is_being_written(part: Path) -> bool:
    """Tell whether the process that a half-written file names is alive, or cannot be asked about."""
    found = re.fullmatch(r"\.pony-(\d+)-([0-9a-f]+)-[0-9a-f]+\.part", part.name)
    if found is None or os.name != "posix":
        return True
    number = int(found[1])
    return found[2] == _PROCESS if number == os.getpid() else _is_alive(number)


def _is_alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    # One that has ended keeps its number until its parent asks; in a container without an init, for ever.
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{number}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[0] not in "ZX"
    return True


def _name_new(temporary: Path, path: Path) -> None:
    """Give a name, without taking the place of a file that is there. The other name goes in `discard`."""
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        raise _exists(path) from None
    except OSError:
        # A file system without hard links, such as FAT: the look and the rename are two steps.
        if path.exists():
            raise _exists(path) from None
        temporary.rename(path)


def _exists(path: Path) -> FileExistsError:
    return FileExistsError(f"{path} exists; choose another name or pass overwrite=True")


def _sync_folder(folder: Path) -> None:
    """Make the new name durable where the system can open a folder for that."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
