"""Replacing files together: at whatever step it is cut off, all are old or, once finished, all are new."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import swap
from prism_image import ROOT

SCRIPTS = ROOT / "scripts"
# Ends itself, as kill -9 would, before the n-th change of a name or a file.
KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import shutil, subprocess, swap
left = int(sys.argv[4])
def counted(module, name):
    original = getattr(module, name)
    def call(*args, **options):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*args, **options)
    setattr(module, name, call)
for name in ("rename", "replace", "unlink", "mkdir", "rmdir", "open"):
    counted(os, name)
counted(Path, "write_text")
counted(shutil, "copyfile")
counted(subprocess, "Popen")
if sys.argv[5] == "put":
    new = Path(sys.argv[3])
    swap.put(Path(sys.argv[2]), {path.name: path for path in new.iterdir()})
else:
    swap.finish(Path(sys.argv[2]))
print(left)
"""
OLD = {"a.json": "old", "folder/one": "old", "folder/inner/two": "old"}
NEW = {"a.json": "new", "folder/one": "new", "folder/three": "new"}


def fill(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    return folder


def files(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text("utf-8")
        for path in folder.rglob("*")
        if path.is_file() and swap.ASIDE not in path.parts
    }


def decide(root: Path, new: Path) -> None:
    """Leave a replacement as one leaves it who dies right after the decision."""
    shutil.copytree(new, root / swap.ASIDE / "new")
    plan = {path.name: {"old": swap.digest(root / path.name), "new": swap.digest(path)} for path in new.iterdir()}
    (root / swap.ASIDE / swap.PLAN).write_text(json.dumps(plan), "utf-8")


def new_names(folder: Path) -> dict[str, Path]:
    return {path.name: path for path in folder.iterdir()}


def test_everything_is_replaced(tmp_path: Path) -> None:
    """Files and folders, those that were not there too; nothing else, and nothing is left over."""
    root = fill(tmp_path / "root", {**OLD, "other": "mine"})
    new = fill(tmp_path / "new", {**NEW, "extra": "new"})
    swap.put(root, new_names(new))
    assert files(root) == {**NEW, "other": "mine", "extra": "new"}
    assert not (root / swap.ASIDE).exists()
    assert files(new) == {**NEW, "extra": "new"}


def killed(tmp_path: Path, root: Path, step: int, what: str) -> int:
    command = [sys.executable, "-c", KILLED, str(SCRIPTS), str(root), str(tmp_path / "new"), str(step), what]
    return subprocess.run(command, check=False, capture_output=True).returncode


def test_a_kill_at_any_step_leaves_old_or_new(tmp_path: Path) -> None:
    """Of the one that decides; whoever comes next sees one of the two, and so does the one after a second kill."""
    fill(tmp_path / "new", NEW)
    seen, step = set(), 0
    while True:
        step += 1
        root = fill(tmp_path / f"root{step}", OLD)
        code = killed(tmp_path, root, step, "put")
        decided = (root / swap.ASIDE / swap.PLAN).exists()
        assert files(root) == OLD or (files(root) == NEW and not decided)
        swap.finish(root)
        assert files(root) == (NEW if decided or files(root) == NEW else OLD)
        assert not (root / swap.ASIDE).exists()
        seen.add((code, decided))
        if code == 0:
            break
    assert step > 15
    assert {(-signal.SIGKILL, False), (-signal.SIGKILL, True), (0, False)} <= seen


def test_a_kill_of_who_finishes_is_finished_by_the_next(tmp_path: Path) -> None:
    """However often, at whatever step; in the end all are new."""
    new = fill(tmp_path / "new", NEW)
    steps = 0
    for first in range(1, 60):
        root = fill(tmp_path / f"root{first}", OLD)
        decide(root, new)
        code = killed(tmp_path, root, first, "finish")
        if code == 0:
            break
        steps += 1
        killed(tmp_path, root, first, "finish")
        swap.finish(root)
        assert files(root) == NEW
        assert not (root / swap.ASIDE).exists()
    assert steps > 8


@pytest.mark.parametrize("name", ["a.json", "folder/one", "folder/mine"])
def test_what_somebody_changed_meanwhile_is_kept(name: str, tmp_path: Path) -> None:
    """Nothing at all is replaced, until who changed it has decided."""
    root = fill(tmp_path / "root", OLD)
    decide(root, fill(tmp_path / "new", NEW))
    fill(root, {name: "mine"})
    before = files(root)
    with pytest.raises(swap.UnfinishedError, match="was changed after its replacement was decided"):
        swap.finish(root)
    assert files(root) == before
    shutil.rmtree(root / swap.ASIDE)
    swap.put(root, new_names(tmp_path / "new"))
    assert files(root) == NEW


def test_what_changed_while_the_new_was_made_is_not_replaced(tmp_path: Path) -> None:
    """The new one knows nothing of it."""
    root = fill(tmp_path / "root", OLD)
    old = {name: swap.digest(root / name) for name in ("a.json", "folder")}
    fill(root, {"a.json": "mine"})
    with pytest.raises(OSError, match=r"a\.json was changed while the new one was made: run it again"):
        swap.put(root, new_names(fill(tmp_path / "new", NEW)), old)
    assert files(root) == {**OLD, "a.json": "mine"}


def test_what_is_aside_has_to_be_what_was_decided(tmp_path: Path) -> None:
    """Before the first of it is put in place."""
    root = fill(tmp_path / "root", OLD)
    decide(root, fill(tmp_path / "new", NEW))
    (root / swap.ASIDE / "new" / "folder" / "one").write_text("x", "utf-8")
    with pytest.raises(swap.UnfinishedError, match="is not what was decided on"):
        swap.finish(root)
    assert files(root) == OLD


def test_what_is_taken_back_meanwhile_is_replaced_again(tmp_path: Path) -> None:
    """As by a checkout of the old state, in the middle of it: all are new, and none is lost."""
    root = fill(tmp_path / "root", OLD)
    decide(root, fill(tmp_path / "new", NEW))
    aside = root / swap.ASIDE
    for step in range(1, 40):
        if killed(tmp_path, root, step, "finish") == 0:
            break
        if not aside.exists() or not (aside / swap.PLAN).exists():
            continue
        shutil.rmtree(root / "folder", ignore_errors=True)
        fill(root, OLD)
    swap.finish(root)
    assert files(root) == NEW


@pytest.mark.parametrize("text", ["", "3", "[]", '{"../a.json": {"old": null, "new": null}}', '{"a.json": 1}'])
def test_what_is_no_plan_is_not_carried_out(text: str, tmp_path: Path) -> None:
    """Whoever wrote it; it is said what to remove."""
    root = fill(tmp_path / "root", OLD)
    decide(root, fill(tmp_path / "new", NEW))
    (root / swap.ASIDE / swap.PLAN).write_text(text, "utf-8")
    with pytest.raises(swap.UnfinishedError, match=r"is no plan of a replacement: remove .*\.generated-next"):
        swap.finish(root)
    assert files(root) == OLD


def test_what_cannot_be_replaced_is_told_before_it_is_decided(tmp_path: Path) -> None:
    """A link, a file in the place of a folder, something in the way."""
    new = fill(tmp_path / "new", NEW)
    roots = [fill(tmp_path / name, OLD) for name in ("link", "file", "way")]
    for root in roots[:2]:
        shutil.rmtree(root / "folder")
    (roots[0] / "folder").symlink_to(tmp_path)
    (roots[1] / "folder").write_text("x", "utf-8")
    (roots[2] / swap.ASIDE).write_text("x", "utf-8")
    for root in roots:
        with pytest.raises(OSError, match=r"cannot be replaced|is no folder|is in the way"):
            swap.put(root, new_names(new))
        assert (root / "a.json").read_text("utf-8") == "old"
        assert not (root / swap.ASIDE / swap.PLAN).exists()


def test_what_was_not_decided_is_removed(tmp_path: Path) -> None:
    """It was written aside, and says nothing."""
    root = fill(tmp_path / "root", OLD)
    fill(root / swap.ASIDE / "new", NEW)
    (root / swap.ASIDE / "plan.json.draft").write_text("{}", "utf-8")
    assert not swap.finish(root)
    assert files(root) == OLD
    assert not (root / swap.ASIDE).exists()


def test_one_at_a_time(tmp_path: Path) -> None:
    """The second is told; who dies, lets go."""
    with swap.alone(tmp_path), pytest.raises(BlockingIOError), swap.alone(tmp_path):
        pass
    program = f"import sys; sys.path.insert(0, {str(SCRIPTS)!r}); import swap, time, pathlib\n"
    program += f"with swap.alone(pathlib.Path({str(tmp_path)!r})): print('held', flush=True); sys.stdin.read()"
    holder = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(BlockingIOError), swap.alone(tmp_path):
        pass
    os.kill(holder.pid, signal.SIGKILL)
    holder.communicate()
    with swap.alone(tmp_path):
        pass


def test_make_finishes_first(tmp_path: Path) -> None:
    """Any target, before it looks at the files; with nothing installed."""
    (tmp_path / "Makefile").write_text((ROOT / "Makefile").read_text("utf-8"), "utf-8")
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "swap.py").write_text((SCRIPTS / "swap.py").read_text("utf-8"), "utf-8")
    fill(tmp_path, OLD)
    decide(tmp_path, fill(tmp_path / "new", NEW))
    done = subprocess.run(["make", "help"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "finishing a replacement of generated files that was cut off" in done.stdout
    assert (tmp_path / "a.json").read_text("utf-8") == "new"
    assert (tmp_path / "folder" / "three").read_text("utf-8") == "new"
    done = subprocess.run(["make", "help"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "finishing" not in done.stdout
    decide(tmp_path, fill(tmp_path / "new", {"a.json": "newer"}))
    fill(tmp_path, {"a.json": "mine"})
    done = subprocess.run(["make", "help"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "a.json was changed after its replacement was decided" in done.stderr
    assert (tmp_path / "a.json").read_text("utf-8") == "mine"
