"""The weekly look at the vendor's pages: a pull request, an issue, or nothing; with `make` and `gh` played."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from prism_image import ROOT

SCRIPT = ROOT / "scripts" / "spec_watch.sh"
# What `make regenerate` leaves: a change of the checkout, a report, its exit code.
MAKE = """#!/usr/bin/env bash
echo "make $*" >>"$LOG"
for word in "$@"; do
  case $word in REPORT=*) printf '# R\\n\\n**written**: 1 change: 1 safe.\\n' >"${word#REPORT=}" ;; esac
done
[ "$MADE" = change ] && echo new >openapi.json
[ "$MADE" = refuse ] && exit 2
exit 0
"""
GH = """#!/usr/bin/env bash
echo "gh $*" >>"$LOG"
case "$1 $2" in "pr list" | "issue list") echo "$KNOWN" ;; esac
case "$*" in *--body-file*) cat >/dev/null ;; esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A clone of a repository of its own, and the two programs."""
    for name, text in (("make", MAKE), ("gh", GH)):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(text, "utf-8")
        program.chmod(0o755)
    clone = tmp_path / "clone"
    git("init", "--quiet", "--bare", str(tmp_path / "origin"), cwd=tmp_path)
    git("clone", "--quiet", str(tmp_path / "origin"), str(clone), cwd=tmp_path)
    (clone / "scripts").mkdir()
    (clone / "scripts" / SCRIPT.name).write_text(SCRIPT.read_text("utf-8"), "utf-8")
    (clone / "openapi.json").write_text("old", "utf-8")
    git("add", "--all", cwd=clone)
    git("-c", "user.name=t", "-c", "user.email=t@t", "commit", "--quiet", "--message", "first", cwd=clone)
    return clone


def git(*arguments: str, cwd: Path) -> str:
    return subprocess.run(["git", *arguments], cwd=cwd, check=True, capture_output=True, text=True).stdout


def watch(checkout: Path, made: str, known: str = "") -> tuple[int, list[str]]:
    """Run it; return how it ended, and the programs that it called."""
    log = checkout.parent / "log"
    environment = {
        **os.environ,
        "PATH": f"{checkout.parent / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "LOG": str(log),
        "MADE": made,
        "KNOWN": known,
        "PAGES": "https://docs.example/one.md https://docs.example/two.md",
    }
    command = ["bash", str(checkout / "scripts" / SCRIPT.name)]
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    called = log.read_text("utf-8").splitlines()
    log.unlink()
    expected = (
        "make regenerate SPEC=https://docs.example/one.md https://docs.example/two.md ACCEPT=breaking wrapper overlay "
    )
    assert called[0].startswith(expected + "REPORT=")
    return done.returncode, called[1:]


def test_nothing_changed(checkout: Path) -> None:
    """No branch, no pull request."""
    code, called = watch(checkout, "nothing")
    assert (code, [line.split()[1:3] for line in called]) == (0, [["issue", "list"]])


def test_a_change_is_proposed(checkout: Path) -> None:
    """Pushed to a branch of its own, with the report as the text; its checks are started."""
    code, called = watch(checkout, "change")
    assert code == 0
    words = [line.split()[1:3] for line in called]
    assert words == [["issue", "list"], ["pr", "list"], ["pr", "create"], ["workflow", "run"]]
    assert "--title The vendor's spec: written: 1 change: 1 safe." in called[2]
    assert called[3] == "gh workflow run ci.yml --ref spec-watch"
    assert git("show", "spec-watch:openapi.json", cwd=checkout.parent / "origin") == "new\n"


def test_a_known_pull_request_is_renewed(checkout: Path) -> None:
    """The next week, there is one still; an issue of a week before is closed."""
    assert watch(checkout, "change")[0] == 0
    git("switch", "--quiet", "-", cwd=checkout)
    code, called = watch(checkout, "change", known="7")
    assert code == 0
    assert [" ".join(called[n].split()[:4]) for n in (1, 3)] == ["gh issue close 7", "gh pr edit 7"]


def fetching(checkout: Path, instead: str) -> None:
    """From here on, the script's `git fetch` does this instead."""
    program = checkout.parent / "bin" / "git"
    real = shutil.which("git")
    program.write_text(f'#!/usr/bin/env bash\n[ "$1" = fetch ] && {instead}\nexec "{real}" "$@"\n', "utf-8")
    program.chmod(0o755)


def taught(checkout: Path) -> None:
    """The branch that was proposed has the work of someone more."""
    git("switch", "--quiet", "spec-watch", cwd=checkout)
    (checkout / "wrapper").write_text("taught", "utf-8")
    git("add", "--all", cwd=checkout)
    git("-c", "user.name=me", "-c", "user.email=m@m", "commit", "--quiet", "--message", "taught", cwd=checkout)
    git("push", "--quiet", "origin", "spec-watch", cwd=checkout)
    git("switch", "--quiet", "-", cwd=checkout)


@pytest.mark.parametrize("more", [0, 3000], ids=["one commit", "more than a pipe holds"])
def test_the_work_of_others_is_left_alone(checkout: Path, more: int) -> None:
    """Whoever teaches the wrapper on that branch does not lose it on Monday; the report goes to the pull request."""
    assert watch(checkout, "change")[0] == 0
    git("switch", "--quiet", "-", cwd=checkout)
    if more:
        commits = "".join(
            "commit refs/heads/spec-watch\n"
            f"committer {'somebody with a long name ' * 4}<s@s> {1_700_000_000 + n} +0000\n"
            "data 1\nx\n" + ("from refs/heads/spec-watch^0\n" if n == 0 else "")
            for n in range(more)
        )
        subprocess.run(["git", "fast-import", "--quiet"], cwd=checkout, input=commits, text=True, check=True)
    taught(checkout)
    code, called = watch(checkout, "change", known="7")
    assert (code, called[-1].split()[1:4]) == (0, ["pr", "comment", "7"])
    assert git("show", "spec-watch:wrapper", cwd=checkout.parent / "origin") == "taught"


def test_the_work_of_others_without_a_pull_request_is_told(checkout: Path) -> None:
    """A branch that was merged and not deleted would hide every change to come: the run fails, so that it is seen."""
    assert watch(checkout, "change")[0] == 0
    git("switch", "--quiet", "-", cwd=checkout)
    taught(checkout)
    code, called = watch(checkout, "change")
    assert (code, [line.split()[1:3] for line in called]) == (1, [["issue", "list"], ["pr", "list"]])
    assert git("show", "spec-watch:wrapper", cwd=checkout.parent / "origin") == "taught"


def test_what_is_pushed_in_between_is_not_overwritten(checkout: Path) -> None:
    """The branch is looked at, then pushed over: a push from elsewhere between the two makes the run fail, no more."""
    assert watch(checkout, "change")[0] == 0
    git("switch", "--quiet", "-", cwd=checkout)
    taught(checkout)
    before = git("rev-parse", "spec-watch~", cwd=checkout).strip()
    fetching(checkout, f'exec "{shutil.which("git")}" update-ref FETCH_HEAD {before}')
    assert watch(checkout, "change", known="7")[0] != 0
    assert git("show", "spec-watch:wrapper", cwd=checkout.parent / "origin") == "taught"


def test_a_branch_that_cannot_be_fetched_is_not_overwritten(checkout: Path) -> None:
    """A fetch that fails is no proof that there is no such branch."""
    assert watch(checkout, "change")[0] == 0
    git("switch", "--quiet", "-", cwd=checkout)
    taught(checkout)
    fetching(checkout, "exit 128")
    assert watch(checkout, "change", known="7")[0] != 0
    assert git("show", "spec-watch:wrapper", cwd=checkout.parent / "origin") == "taught"


@pytest.mark.parametrize(("known", "expected"), [("", ["issue", "create"]), ("9", ["issue", "edit"])])
def test_what_is_refused_is_an_issue(checkout: Path, known: str, expected: list[str]) -> None:
    """There is nothing to propose; the run fails, so that it is seen."""
    code, called = watch(checkout, "refuse", known)
    assert code == 1
    assert called[-1].split()[1:3] == expected
    assert git("ls-remote", "origin", "spec-watch", cwd=checkout) == ""


def test_the_workflow_runs_it_weekly() -> None:
    """On what `make setup` installs, with the rights that it needs."""
    workflow = YAML(typ="safe", pure=True).load((ROOT / ".github" / "workflows" / "spec-watch.yml").read_text("utf-8"))
    assert workflow["on"]["schedule"] == [{"cron": "23 5 * * 1"}]
    steps = [step.get("run") for step in workflow["jobs"]["watch"]["steps"]]
    assert steps[-2:] == ["make setup", "scripts/spec_watch.sh"]
    assert workflow["permissions"] == {
        "actions": "write",
        "contents": "write",
        "issues": "write",
        "pull-requests": "write",
    }
    assert os.access(SCRIPT, os.X_OK)
    dispatched = YAML(typ="safe", pure=True).load((ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8"))
    assert "workflow_dispatch" in dispatched["on"]
