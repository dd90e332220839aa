"""The changelog has the form of Keep a Changelog, and is about the version that is in the tree."""

from __future__ import annotations

import re

from modelslab_pony import __version__
from prism_image import ROOT
from release_notes import UNRELEASED, sections

TEXT = (ROOT / "CHANGELOG.md").read_text("utf-8")
SECTIONS = sections(TEXT)
KINDS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
WIDTH = 120
# A full stop within a sentence.
ABBREVIATED = re.compile(r"\b(?:e\.g|i\.e|etc|vs)\.|`[^`]*`|\d\.\d|\.\.\.")


def numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def test_it_begins_with_what_is_unreleased() -> None:
    """The heading stays, also when nothing is below it; then come versions with dates, which `sections` reads."""
    assert TEXT.startswith("# Changelog\n\n")
    assert next(iter(SECTIONS)) == UNRELEASED


def test_versions_descend_and_the_latest_is_the_one_in_the_tree() -> None:
    """Until it is released, its entries are those that are unreleased."""
    released = [numbers(name) for name in SECTIONS if name != UNRELEASED]
    assert released == sorted(set(released), reverse=True)
    if released and released[0] == numbers(__version__):
        return
    assert not released or released[0] < numbers(__version__)
    assert "### " in SECTIONS[UNRELEASED], f"nothing is said of {__version__}"


def test_dates_do_not_ascend() -> None:
    """A later version was not released earlier."""
    dates = re.findall(r"^## \d\S* - (\S+)$", TEXT, re.MULTILINE)
    assert dates == sorted(dates, reverse=True)


def test_changes_are_of_the_six_kinds_in_their_order() -> None:
    """Each kind once, none empty; inside one, groups have a heading of their own and entries."""
    for name, text in SECTIONS.items():
        kinds = re.findall(r"^### (.+)$", text, re.MULTILINE)
        assert kinds == [kind for kind in KINDS if kind in kinds], name
        assert not re.search(r"^#{5}", text, re.MULTILINE), name
        parts = re.split(r"^#{3,4} .+$", text, flags=re.MULTILINE)[1:]
        headed = re.findall(r"^(#{3,4}) ", text, re.MULTILINE)
        for index, part in enumerate(parts):
            is_followed_by_its_groups = headed[index] == "###" and headed[index + 1 : index + 2] == ["####"]
            assert part.strip() or is_followed_by_its_groups, (name, index)


def test_a_line_is_a_sentence() -> None:
    """An entry begins with a dash, its further sentences below it; each ends, on its own line of at most 120."""
    for text in SECTIONS.values():
        for line in text.splitlines():
            if not line or line.startswith("#"):
                continue
            assert len(line) <= WIDTH, line
            assert line.endswith("."), line
            assert not re.search(r"[.!?] ", ABBREVIATED.sub("", line)), f"two sentences: {line}"


def test_what_it_links_to_is_elsewhere_for_certain() -> None:
    """The repository's own address is not known to it, so no version links to a comparison that may not be there."""
    targets = re.findall(r"\]\(([^)]+)\)|^\[[^]]+\]: (\S+)", TEXT, re.MULTILINE)
    assert {inline or below for inline, below in targets} == {
        "https://keepachangelog.com/en/1.1.0/",
        "https://semver.org/spec/v2.0.0.html",
    }
