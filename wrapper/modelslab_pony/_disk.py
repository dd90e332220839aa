"""Where a download goes: memory, or a file that is there whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from itertools import count
from pathlib import Path
from typing import BinaryIO, Protocol

from modelslab_pony._files import file_name, numbered
from modelslab_pony._steps import Save


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
    """Return the place that a step asks for. Raises `OSError` if it cannot be written."""
    return _Memory() if step.path is None else _File(step.path, step.url, overwrite=step.overwrite)


def check_writable(folder: Path) -> None:
    """Make a folder, and fail with `OSError` if no file can be made in it."""
    folder.mkdir(parents=True, exist_ok=True)
    path, file = _temporary(folder)
    file.close()
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
    def __init__(self, path: Path, url: str, *, overwrite: bool) -> None:
        self._path, self._url, self._overwrite = path, url, overwrite
        self._is_folder = path.is_dir()
        if not self._is_folder and path.exists() and not overwrite:
            raise _exists(path)
        folder = path if self._is_folder else path.parent
        folder.mkdir(parents=True, exist_ok=True)
        self._temporary, self._file = _temporary(folder)
        self.write = self._file.write

    def commit(self, suffix: str) -> tuple[Path, bytes]:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        path = self._named(suffix)
        _sync_folder(path.parent)
        return path, b""

    def discard(self) -> None:
        self._file.close()
        with contextlib.suppress(OSError):
            self._temporary.unlink()

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


def _temporary(folder: Path) -> tuple[Path, BinaryIO]:
    path = folder / f".pony-{secrets.token_hex(8)}.part"
    return path, path.open("xb")


def _name_new(temporary: Path, path: Path) -> None:
    """Rename, without taking the place of a file that is there."""
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        raise _exists(path) from None
    except OSError:
        # A file system without hard links, such as FAT: the look and the rename are two steps.
        if path.exists():
            raise _exists(path) from None
        temporary.rename(path)
    else:
        temporary.unlink()


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
