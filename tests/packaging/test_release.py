"""What releases a version: a tag that is right, jobs that may do little, and notes that are the changelog's."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest
from ruamel.yaml import YAML

import modelslab_pony
import release_notes
from prism_image import ROOT
from release_notes import NoReleaseError, notes

TEXT = (ROOT / ".github" / "workflows" / "release.yml").read_text("utf-8")
WORKFLOW: dict[str, Any] = YAML(typ="safe").load(TEXT)
JOBS: dict[str, Any] = WORKFLOW["jobs"]
CHANGELOG = """\
# Changelog

## Unreleased

## 1.2.3 - 2026-02-28

### Added

- A sentence.

## 1.2.2 - 2026-01-31

### Fixed

- Another.
"""


# --- the tag and the changelog ---------------------------------------------------------------------


def test_the_notes_are_the_section_of_the_tag() -> None:
    """Without its heading, and nothing of the one below."""
    assert notes("v1.2.3", CHANGELOG, "1.2.3") == "### Added\n\n- A sentence."


@pytest.mark.parametrize(
    ("tag", "version", "changelog", "why"),
    [
        ("v1.2.4", "1.2.3", CHANGELOG, "the tag is v1.2.4, and _version.py has 1.2.3"),
        ("1.2.3", "1.2.3", CHANGELOG, "tagged v1.2.3"),
        ("v1.2.3rc1", "1.2.3", CHANGELOG, "tagged v1.2.3"),
        ("v1.2.4", "1.2.4", CHANGELOG, "no heading `## 1.2.4 - YYYY-MM-DD`"),
        ("v1.2.2", "1.2.2", CHANGELOG, "has 1.2.3 above 1.2.2"),
        ("v1.2.3", "1.2.3", CHANGELOG.replace("### Added\n\n- A sentence.\n", ""), "says nothing of 1.2.3"),
        ("v1.2.3", "1.2.3", CHANGELOG.replace("Unreleased\n", "Unreleased\n\n- Late.\n"), "unreleased: they belong"),
        ("v1.2.3", "1.2.3", CHANGELOG.replace("2026-02-28", "2026-02-30"), "no version and date"),
        ("v1.2.3", "1.2.3", CHANGELOG.replace(" - 2026-02-28", ""), "no version and date"),
        ("v1.2.3", "1.2.3", f"{CHANGELOG}\n## 1.2.3 - 2026-02-27\n\n- Other words.\n", "two headings for 1.2.3"),
    ],
)
def test_a_tag_that_is_not_right_is_refused(tag: str, version: str, changelog: str, why: str) -> None:
    """Another version's, one that the changelog does not tell of, or not as the latest."""
    with pytest.raises(NoReleaseError, match=re.escape(why)):
        notes(tag, changelog, version)


def test_the_program_ends_the_job_for_a_wrong_tag() -> None:
    """Exit code 1, and nothing that could be taken for notes."""
    command = [sys.executable, "scripts/release_notes.py", "v99.0.0"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("error: the tag is v99.0.0")


def test_a_dry_run_has_notes() -> None:
    """Of the version in the tree, or of what is unreleased."""
    ended = subprocess.run(
        [sys.executable, "scripts/release_notes.py"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "### " in ended.stdout
    assert release_notes.version() == modelslab_pony.__version__


# --- the workflow ------------------------------------------------------------------------------------


def test_a_job_may_do_what_it_has_to_and_no_more() -> None:
    """Nothing by default; one reads, one proves who it is to the index, one writes the release."""
    assert WORKFLOW["permissions"] == {}
    assert {name: job["permissions"] for name, job in JOBS.items()} == {
        "build": {"contents": "read"},
        "publish": {"id-token": "write"},
        "announce": {"contents": "write"},
    }
    assert "secrets." not in TEXT
    assert JOBS["publish"]["environment"] == "pypi"


def test_what_may_publish_runs_no_code_of_the_repository() -> None:
    """It takes what was built before, once, and hands it on."""
    assert [step["uses"].partition("@")[0] for step in JOBS["publish"]["steps"]] == [
        "actions/download-artifact",
        "pypa/gh-action-pypi-publish",
    ]
    assert not [step for job in ("publish", "announce") for step in JOBS[job]["steps"] if "checkout" in str(step)]
    assert TEXT.count("make build") == 1


def test_by_hand_nothing_is_published() -> None:
    """`workflow_dispatch` builds and checks; only a tag of three numbers goes on from there."""
    assert WORKFLOW["on"] == {"push": {"tags": ["v[0-9]+.[0-9]+.[0-9]+"]}, "workflow_dispatch": None}
    for name, before in (("publish", "build"), ("announce", "publish")):
        assert JOBS[name]["if"] == "github.event_name == 'push'"
        assert JOBS[name]["needs"] == before


def test_what_is_published_was_checked_before() -> None:
    """The tag, then every check and suite, then the one build, then its upload; nothing may fail quietly."""
    steps = [step.get("run") or step["uses"].partition("@")[0] for step in JOBS["build"]["steps"]]
    assert steps == [
        "actions/checkout",
        "actions/setup-python",
        'python scripts/release_notes.py ${TAG:+"$TAG"} | tee notes.md',
        "make test PRISM=npm",
        "make build",
        "actions/upload-artifact",
        "actions/upload-artifact",
    ]
    assert "continue-on-error" not in TEXT
    assert JOBS["build"]["steps"][2]["shell"] == "bash"  # with pipefail, as GitHub runs it when it is named


def test_each_action_is_named_by_commit_with_its_version_beside() -> None:
    """A tag could be moved; and the same action is the same commit in all workflows."""
    lines = [line for path in (ROOT / ".github" / "workflows").glob("*.yml") for line in path.read_text().splitlines()]
    used = [line.split("uses:")[1].strip() for line in lines if "uses:" in line]
    assert used
    assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action) for action in used), used
    assert len({action.partition("@")[0] for action in used}) == len(set(used))


def test_nothing_of_an_event_is_pasted_into_a_shell() -> None:
    """A name of a tag reaches a command through the environment alone."""
    runs = [step["run"] for job in JOBS.values() for step in job["steps"] if "run" in step]
    assert not [run for run in runs if "${{" in run]


def test_the_page_links_to_the_repository_that_released_it() -> None:
    """`SOURCE_URL` is what scripts/metadata_hook.py reads."""
    (build,) = [step for step in JOBS["build"]["steps"] if step.get("run") == "make build"]
    assert build["env"]["SOURCE_URL"] == "${{ github.server_url }}/${{ github.repository }}"
