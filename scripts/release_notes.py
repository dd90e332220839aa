"""Print the changelog's section for a release, or say why a tag is none.

scripts/release_notes.py v1.2.3    the section of 1.2.3; ends with 1 unless the tag is that of `_version.py`, and the
                                   changelog has a dated section for it, with entries, above all others
scripts/release_notes.py           what a release would say now: the section of `_version.py`, else what is unreleased
"""

from __future__ import annotations

import datetime as dt
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHANGELOG = ROOT / "CHANGELOG.md"
VERSION = ROOT / "wrapper" / "modelslab_pony" / "_version.py"
UNRELEASED = "Unreleased"
_HEADING = re.compile(r"^## (?P<name>.+)$", re.MULTILINE)
_RELEASE = re.compile(r"(?P<version>\d+\.\d+\.\d+) - (?P<date>\d{4}-\d{2}-\d{2})")


class NoReleaseError(Exception):
    """This cannot be released; the message says why."""


def main() -> int:
    """Print the notes, or the reason why there are none."""
    try:
        print(notes(sys.argv[1] if len(sys.argv) > 1 else "", CHANGELOG.read_text("utf-8"), version()))
    except NoReleaseError as reason:
        print(f"error: {reason}", file=sys.stderr)
        return 1
    return 0


def version() -> str:
    """Return the version of this tree."""
    (found,) = re.findall(r'^__version__ = "(.+)"$', VERSION.read_text("utf-8"), re.MULTILINE)
    return str(found)


def notes(tag: str, changelog: str, version: str) -> str:
    """Return the text of a release; without a tag, that of the next one. Raises `NoReleaseError`."""
    found = sections(changelog)
    if not tag:
        return found.get(version) or found.get(UNRELEASED, "")
    if tag != f"v{version}":
        raise NoReleaseError(f"the tag is {tag}, and _version.py has {version}: a release of it is tagged v{version}")
    released = [name for name in found if name != UNRELEASED]
    if version not in released:
        raise NoReleaseError(f"CHANGELOG.md has no heading `## {version} - YYYY-MM-DD`")
    if released[0] != version:
        raise NoReleaseError(f"CHANGELOG.md has {released[0]} above {version}")
    if not found[version]:
        raise NoReleaseError(f"CHANGELOG.md says nothing of {version}")
    if found.get(UNRELEASED):
        raise NoReleaseError(f"CHANGELOG.md has entries that are unreleased: they belong below {version}")
    return found[version]


def sections(changelog: str) -> dict[str, str]:
    """Return the text below each version's heading, in order. Raises `NoReleaseError` for a bad or second heading."""
    headings = list(_HEADING.finditer(changelog))
    names = [_named(heading["name"]) for heading in headings]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise NoReleaseError(f"CHANGELOG.md has two headings for {twice}")
    ends = [*(heading.start() for heading in headings[1:]), len(changelog)]
    return {
        name: changelog[heading.end() : end].strip() for name, heading, end in zip(names, headings, ends, strict=True)
    }


def _named(heading: str) -> str:
    if heading == UNRELEASED:
        return heading
    found = _RELEASE.fullmatch(heading)
    try:
        dt.date.fromisoformat(found["date"] if found else "")
    except ValueError:
        raise NoReleaseError(f"CHANGELOG.md has the heading `## {heading}`, which is no version and date") from None
    return found["version"] if found else ""


if __name__ == "__main__":
    sys.exit(main())
