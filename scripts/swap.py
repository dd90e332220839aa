"""Files and folders of one folder replaced together: killed at any moment, all are old or all are new.

What is new is written aside first. One rename, of the plan, decides; carrying it out is renames that can
be repeated from wherever they were cut off. That is done by a process of its own, which does not die with
the one that decided, and by whoever comes next: `make`, and every program that looks at the files.
What somebody changed meanwhile is neither the old nor the new: then nothing is replaced, and it is said.
Needs nothing but Python, so that it runs where nothing is installed yet.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

ASIDE = ".generated-next"
PLAN = "plan.json"


class UnfinishedError(OSError):
    """A replacement is decided, and cannot be carried out; the message says why."""


@contextlib.contextmanager
def alone(root: Path) -> Iterator[None]:
    """Keep others from replacing anything in the folder meanwhile; raise BlockingIOError if another does."""
    folder = os.open(root, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(folder)  # and so is the lock, also when the process is killed


def put(root: Path, new: Mapping[str, Path], old: Mapping[str, str | None] | None = None) -> None:
    """Put files and folders in the place of those of the same names; call it `alone`.

    `old` are the digests of what the new was made from: what was changed since is not replaced.
    Raises OSError with everything as it was, or UnfinishedError.
    """
    finish(root)
    for name, path in new.items():
        if old is not None and digest(root / name) != old[name]:
            raise OSError(f"{root / name} was changed while the new one was made: run it again")
        _check_replaceable(root / name, path)
    aside = root / ASIDE
    try:
        aside.mkdir()
    except FileExistsError:
        raise OSError(f"{aside} is in the way: remove it") from None
    with _held(aside):
        plan = {name: {"old": digest(root / name), "new": digest(path)} for name, path in new.items()}
        for name, path in new.items():
            _copy(path, aside / "new" / name)
        _sync(aside)
        draft = aside / f"{PLAN}.draft"
        draft.write_text(json.dumps(plan, indent=1), "utf-8")
        _sync(draft)
        draft.rename(aside / PLAN)  # decided
    _finish_apart(root)
    if {name: digest(root / name) for name in new} != {name: entry["new"] for name, entry in plan.items()}:
        raise UnfinishedError(f"not everything in {root} is the new one: see {aside}")


def finish(root: Path) -> bool:
    """Carry out what was decided, if anything was; tell whether it was. What was not decided is removed."""
    aside = root / ASIDE
    with _held(aside) as is_there:
        decided = is_there and (aside / PLAN).exists()
        if decided:
            plan = _read(aside / PLAN)
            for name, entry in plan.items():
                _check_untouched(root / name, aside / "old" / name, entry)
                if digest(aside / "new" / name) != entry["new"]:
                    raise UnfinishedError(f"{aside / 'new' / name} is not what was decided on: remove {aside}")
            for name, entry in plan.items():
                if digest(root / name) != entry["new"]:
                    _replace(aside / "new" / name, root / name, aside)
            (aside / PLAN).unlink()
        if is_there:
            shutil.rmtree(aside, ignore_errors=True)
    return decided


def digest(path: Path) -> str | None:
    """Return a word that a file or folder has in common with its equal; None if there is none."""
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    if not path.is_dir():
        return None
    files = sorted(found for found in path.rglob("*") if found.is_file() and "__pycache__" not in found.parts)
    listed = [f"{found.relative_to(path).as_posix()} {digest(found)}" for found in files]
    return hashlib.sha256("\n".join(listed).encode("utf-8", "surrogateescape")).hexdigest()


def _finish_apart(root: Path) -> None:
    """Have it finished by a process that neither Ctrl-C nor the end of this one reaches."""
    process = subprocess.Popen([sys.executable, __file__, root], start_new_session=True)
    while process.returncode is None:
        with contextlib.suppress(KeyboardInterrupt):
            process.wait()


def _check_replaceable(target: Path, new: Path) -> None:
    """Find out before it is decided what would fail afterwards."""
    if target.is_symlink() or target.is_mount():
        raise OSError(f"{target} is a link or a mount, and cannot be replaced")
    if target.exists() and target.is_dir() != new.is_dir():
        raise OSError(f"{target} is no {'folder' if new.is_dir() else 'file'}: remove it")
    if not os.access(target.parent, os.W_OK) or (target.is_dir() and not os.access(target, os.W_OK)):
        raise OSError(f"{target} cannot be replaced: it is not yours to write")


def _check_untouched(target: Path, moved: Path, entry: Mapping[str, str | None]) -> None:
    found = digest(target)
    if found in {entry["old"], entry["new"]} or (found is None and digest(moved) == entry["old"]):
        return
    raise UnfinishedError(
        f"{target} was changed after its replacement was decided, and before it was carried out:\n"
        f"  put your change away and run this again; or keep it, remove {moved.parent.parent}, and have git restore\n"
        "  whatever else of spec, overlay and generated/ is not as it was"
    )


def _replace(new: Path, target: Path, aside: Path) -> None:
    now = aside / "now" / target.name
    _remove(now)
    _copy(new, now)  # what is aside stays there to the end
    if target.is_dir():
        _remove(aside / "old" / target.name)
        (aside / "old").mkdir(exist_ok=True)
        target.rename(aside / "old" / target.name)
    elif target.exists():
        shutil.copymode(target, now)
    now.replace(target)


def _copy(path: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        shutil.copytree(path, to, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copyfile(path, to)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _read(plan: Path) -> dict[str, dict[str, str | None]]:
    try:
        found: dict[str, dict[str, str | None]] = json.loads(plan.read_text("utf-8"))
        names = all(name == Path(name).name and name != ".." for name in found)
        if names and all(isinstance(entry[key], str | None) for entry in found.values() for key in ("old", "new")):
            return found
    except (ValueError, AttributeError, TypeError, KeyError, OSError):
        pass
    raise UnfinishedError(f"{plan} is no plan of a replacement: remove {plan.parent}")


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[bool]:
    """Wait for whoever else is at it; tell whether the folder is still there."""
    while True:
        try:
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except (FileNotFoundError, NotADirectoryError):
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
    try:
        finish(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent))
    except OSError as error:
        sys.exit(f"error: {error}")
