"""Where a batch is kept: a folder below the output, or a database that several machines share."""

from __future__ import annotations

import contextlib
import json
import secrets
import socket
import sqlite3
import sys
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from attrs import field, frozen

from modelslab_pony._disk import DiskError, check_writable, part_in, parts_left
from modelslab_pony._rules import shown
from modelslab_pony.batch._ledger import Ledger
from modelslab_pony.batch._names import OWN_FOLDER
from modelslab_pony.batch._outcome import RESULTS, replaced
from modelslab_pony.batch._tables import open_engine, postgres_url, sqlite_url
from modelslab_pony.errors import ConfigurationError, InvalidRequestError
from modelslab_pony.requests import refused

FOLDER = ".batch"
ONLY = "batch"
"""The batch of a folder's own database."""
LEDGER, WORKFLOWS, LOCK, MARK, INPUTS = "ledger.sqlite", "workflows.sqlite", "lock", "batch.json", "inputs"
PLACE = "place"

MOST = 1000
"""A larger limit is a slip of the finger."""


@frozen(kw_only=True)
class Account:
    """What a client of a batch is made with; what is None comes from the environment."""

    api_key: str | None = field(repr=False)
    base_url: str | None


def check_sqlite(python: tuple[int, int], sqlite: tuple[int, int, int]) -> None:
    """Refuse an SQLite in which DBOS's statements fail. Raises `ConfigurationError`.

    From Python 3.12 on DBOS asks for `unixepoch('subsec')` (dbos 3.4, `_sys_db.py`), which SQLite has from 3.42 on
    (its release notes); an earlier one answers NULL.
    """
    if python >= (3, 12) and sqlite < (3, 42):
        raise ConfigurationError(
            f"the SQLite of this Python is {'.'.join(map(str, sqlite))}; batches need 3.42 on Python 3.12 and newer: "
            "take another build of Python, Python 3.11, or a database=postgresql://... (--database)"
        )


def remembers(folder: Path, batch: str) -> bool:
    """Tell whether a folder of this machine is that of a batch in a shared database."""
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
        return bool(json.loads((folder / FOLDER / MARK).read_text("utf-8"))["batch"] == batch)
    return False


def tidy_after(ledger: Ledger, output: Path, worker: str) -> None:
    """Remove what a worker of this machine that is gone had half written."""
    host, number, _ = worker.rsplit("-", 2)
    if host != socket.gethostname():
        return
    for id in ledger.batches():
        known = ledger.batch(id) or {"settings": {}}
        for base in {output, Path(known["settings"].get("output") or output)}:
            _tidy(base, ledger.folders(id), number)


def _tidy(output: Path, folders: set[str], number: str = "*") -> None:
    """Remove what was left half written in the folders of a batch: images, their small copies, inputs and results."""
    images = [output / base / folder for base in ("", OWN_FOLDER) for folder in folders]
    for folder in {*images, output / FOLDER, output / FOLDER / INPUTS}:
        for part in parts_left(folder, number):
            with contextlib.suppress(OSError):
                part.unlink()


def place_of(output: Path) -> str:
    """Return what a folder is called wherever it is mounted; it is written into it. Raises `OSError`."""
    folder = output / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    _write_first(folder / PLACE, secrets.token_hex(16))
    return (folder / PLACE).read_text("ascii").strip()


def _write_first(path: Path, text: str) -> None:
    """Write a file unless it is there; of two that begin at once, the first one's counts, and is whole."""
    if path.exists():
        return
    mine = part_in(path.parent)
    with replaced(mine) as file:
        file.write(text)
    try:
        path.hardlink_to(mine)
    except FileExistsError:
        pass
    except OSError:  # a file system without hard links, such as FAT: the look and the rename are two steps
        if not path.exists():
            mine.replace(path)
    finally:
        with contextlib.suppress(OSError):
            mine.unlink()


def no_batch(output: Path) -> InvalidRequestError:
    """Return the error for a folder without a batch."""
    return refused({"output": [f"{str(output)!r} has no batch: begin one with `pony batch INPUT -o ...`"]})


def check_place(ledger: Ledger, id: str, base_url: str) -> None:
    """Refuse to ask one service about the jobs of another. Raises `ConfigurationError`."""
    known = ledger.batch(id)
    if known is not None and known["base_url"] != base_url and ledger.has_jobs(id):
        raise ConfigurationError(
            f"the batch {id} has jobs at {known['base_url']}, which {base_url} does not know: "
            f"finish them with MODELSLAB_BASE_URL={known['base_url']}"
        )


def checked_limit(value: Any) -> int | None:
    """Return a limit. Raises `ConfigurationError`."""
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST):
        return value
    raise ConfigurationError(f"limit must be an integer from 1 to {MOST}, not {shown(value)}")


class Store:
    """Finds the ledger of an output folder, and keeps a second process out where there must be one."""

    def __init__(self, output: Path, database: str | None, named: str | None = None) -> None:
        self.output = output
        self.folder = output / FOLDER
        self._url = None if database is None else postgres_url(database)
        if named is not None and self._url is None:
            raise ConfigurationError(
                "batch names one of several in a database, and there is none: a folder has its own"
            )
        self._lock: sqlite3.Connection | None = None
        self._mark: tuple[int, int] | None = None
        """Which file the ledger was when the work began."""

    @property
    def is_shared(self) -> bool:
        """Whether several machines may work on it."""
        return self._url is not None

    def workflows(self) -> sa.URL:
        """Return where DBOS keeps what it knows. Raises `ConfigurationError` where no SQLite can do that."""
        if self._url is not None:
            return self._url
        check_sqlite(sys.version_info[:2], sqlite3.sqlite_version_info)
        url = sqlite_url((self.folder / WORKFLOWS).absolute())
        engine = open_engine(url, durable=True)
        engine.connect().close()  # write-ahead from the first moment on
        engine.dispose()
        return url

    def is_gone(self) -> bool:
        """Tell whether the folder that a run began in was taken away: open files go with it, new ones do not."""
        return self._mark is not None and self._mark != self._place()

    def _place(self) -> tuple[int, int] | None:
        try:
            found = (self.folder / LEDGER).stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def open(self, *, create: bool) -> Ledger:
        """Return the ledger. Raises `InvalidRequestError` where there is none yet, unless one is to be made."""
        if create:
            self._check_output()
        elif self._url is None and not (self.folder / LEDGER).is_file():
            raise no_batch(self.output)
        return Ledger(self._url or sqlite_url(self.folder / LEDGER), create=create or self.is_shared)

    def id(self, ledger: Ledger, given: str | None, *, begin: bool) -> str:
        """Return the name of the batch of this folder, or of the one that was named; `begin` gives a new one its name.

        Raises `InvalidRequestError` for a batch that is not there, and `ConfigurationError` where the folder had one
        whose name is lost: begun anew, all of it would be paid for again.
        """
        if self._url is None:
            if ledger.batch(ONLY) is None:
                self._check_new(begin=begin)
            return ONLY
        name = given or self._marked()
        if name is None and begin:
            name = f"{self.output.absolute().name or 'batch'}-{secrets.token_hex(4)}"
        if name is None or (not begin and ledger.batch(name) is None):
            there = ", ".join(ledger.batches()) or "none"
            said = "is not told by the folder" if name is None else f"{name!r} is not in this database"
            raise refused({"batch": [f"{said}; there is {there}"]})
        return self._remembered(name, given) if begin else name

    def _check_new(self, *, begin: bool) -> None:
        if not begin:
            raise no_batch(self.output)
        if (self.output / RESULTS).exists():
            raise ConfigurationError(
                f"{self.output / RESULTS} is of a batch whose books ({self.folder / LEDGER}) are gone, and begun anew, "
                f"all of it would be paid for again: restore them, choose another folder, or delete {RESULTS}"
            )

    def _marked(self) -> str | None:
        """Return the name that the folder remembers."""
        mark = self.folder / MARK
        try:
            return str(json.loads(mark.read_text("utf-8"))["batch"])
        except FileNotFoundError:
            if not (self.output / RESULTS).exists():
                return None
            why = f"{mark} is gone"
        except (OSError, ValueError, LookupError, TypeError):
            why = f"{mark} cannot be read"
        raise ConfigurationError(
            f"{why}, and this folder has had a batch: name it with --batch, or choose another folder for a new one"
        )

    def _remembered(self, name: str, given: str | None) -> str:
        """Write the name into the folder; of two processes that begin at once, the first one's counts."""
        text = json.dumps({"batch": name}) + "\n"
        if given is not None:
            with replaced(self.folder / MARK) as file:
                file.write(text)
            return name
        _write_first(self.folder / MARK, text)
        return self._marked() or name

    def lock(self) -> None:
        """Keep other processes away from a folder's own database. Raises `ConfigurationError` where one is at work.

        The lock is SQLite's, which every system has and which ends with its process.
        """
        if self.is_shared:
            return
        connection = sqlite3.connect(self.folder / LOCK, timeout=0.0, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as fault:
            connection.close()
            if not isinstance(fault, sqlite3.OperationalError):
                raise ConfigurationError(f"{self.folder / LOCK} is damaged ({fault}): delete it") from None
            raise ConfigurationError(
                f"another process works on the batch in {str(self.output)!r}: wait for it, or stop it; "
                "several work together on a --database postgresql://..."
            ) from None
        self._lock = connection
        self._mark = self._place()

    def unlock(self) -> None:
        """Let others in again."""
        if self._lock is not None:
            self._lock.close()
            self._lock = self._mark = None

    def tidy(self, ledger: Ledger, id: str) -> None:
        """Remove what a process that was killed had half written: below the folders that have this batch's files."""
        if not self.is_shared:
            _tidy(self.output, ledger.folders(id))

    def _check_output(self) -> None:
        try:
            check_writable(self.output)
            check_writable(self.folder)
        except DiskError as error:
            problem = f"{str(self.output)!r} cannot be written to ({error}); choose another folder with -o"
            raise InvalidRequestError(f"output: {problem}. Nothing was sent.", errors={"output": [problem]}) from None
