"""Files and folders of one folder replaced together: killed at any moment, all are old or all are new.

What is new is written aside first. One rename, of the plan, decides; carrying it out is renames that can
be repeated from wherever they were cut off. That is done by a process of its own, which does not die with
the one that decided, and by whoever comes next: `make`, and every program that looks at the files.
Needs nothing but Python, so that it runs where nothing is installed yet.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

ASIDE = ".generated-next"
PLAN = "plan.json"


@contextlib.contextmanager
def alone(root: Path) -> Iterator[None]:
    """Keep others from replacing anything in the folder meanwhile; raise BlockingIOError if another does."""
    folder = os.open(root, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(folder)  # and so is the lock, also when the process is killed


def put(root: Path, new: Mapping[str, Path]) -> None:
    """Put files and folders in the place of those of the same names; call it `alone`."""
    finish(root)
    aside = root / ASIDE
    (aside / "new").mkdir(parents=True)
    for name, path in new.items():
        if path.is_dir():
            shutil.copytree(path, aside / "new" / name)
        else:
            shutil.copyfile(path, aside / "new" / name)
    _sync(aside)
    draft = aside / f"{PLAN}.draft"
    draft.write_text(json.dumps(sorted(new)), "utf-8")
    _sync(draft)
    draft.rename(aside / PLAN)  # decided
    subprocess.run([sys.executable, __file__, root], start_new_session=True, check=True)


def finish(root: Path) -> bool:
    """Carry out what was decided, if anything was; tell whether it was. What was not decided is removed."""
    aside = root / ASIDE
    with _held(aside) as is_there:
        plan = aside / PLAN
        decided = is_there and plan.exists()
        if decided:
            (aside / "old").mkdir(exist_ok=True)
            for name in json.loads(plan.read_text("utf-8")):
                _replace(aside / "new" / name, root / name, aside / "old" / name)
            plan.unlink()
        if is_there:
            shutil.rmtree(aside)
    return decided


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[bool]:
    """Wait for whoever else is at it; tell whether the folder is still there."""
    while True:
        try:
            handle = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:
            yield False
            return
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if _is(folder, handle):
                yield True
                return
        finally:
            os.close(handle)


def _is(folder: Path, handle: int) -> bool:
    try:
        return os.path.samestat(folder.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


def _replace(new: Path, target: Path, old: Path) -> None:
    if not new.exists():
        return  # done, before this was cut off
    if target.is_dir():
        shutil.rmtree(old, ignore_errors=True)
        target.rename(old)
    new.replace(target)


def _sync(path: Path) -> None:
    """Have everything below a path written before what follows."""
    inner = list(path.rglob("*")) if path.is_dir() else []
    for found in [*inner, path]:
        handle = os.open(found, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


if __name__ == "__main__":
    finish(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent))
