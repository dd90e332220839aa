"""Dropping actions from the overlay: with their comments, and not a byte besides."""

from __future__ import annotations

import difflib
import random

import pytest

from overlay_text import without
from prism_image import ROOT
from spec import SpecError
from spec_source import read_yaml

OVERLAY = (ROOT / "openapi.overlay.yaml").read_text("utf-8")
TEXT = """\
# The head
overlay: 1.1.0
info: {title: t, version: '1'}
actions:
  # --- one ---

  # About a,
  # in two lines
  - target: $.a
    description: >-
      # no comment
      - target: nothing
    update: &a
      x: 1  # beside it
      # inside it
      y: [1, 2]

  # --- two ---

  - target: $.b
    update:
      deep:
        a: *a
        list:
          - *a
  # About c
  - target: $.c
    update: *a

# The end
x-more: 1
"""


def test_an_action_goes_with_its_comment() -> None:
    """What stands above it with a blank line between is the section's; its neighbours keep theirs."""
    left = without(TEXT, [3])
    assert left == TEXT.replace("  # About c\n  - target: $.c\n    update: *a\n", "")


def test_an_anchor_goes_where_it_is_used_first() -> None:
    """With its comments, moved to the depth of its new place; an empty section goes."""
    left = without(TEXT, [1])
    assert (
        left
        == """\
# The head
overlay: 1.1.0
info: {title: t, version: '1'}
actions:
  # --- two ---

  - target: $.b
    update:
      deep:
        a: &a
          x: 1  # beside it
          # inside it
          y: [1, 2]
        list:
          - *a
  # About c
  - target: $.c
    update: *a

# The end
x-more: 1
"""
    )


def test_an_anchor_goes_into_a_list() -> None:
    """Or up, where its new place is less deep."""
    text = TEXT.replace("        a: *a\n", "")
    assert "          - &a\n            x: 1  # beside it\n" in without(text, [1])
    assert "    update: &a\n      x: 1  # beside it\n" in without(text, [1, 2])


def test_the_last_action_goes() -> None:
    """What follows the actions stays."""
    assert without(TEXT, [2, 3]) == TEXT.partition("  # --- two ---")[0] + "# The end\nx-more: 1\n"


@pytest.mark.parametrize("seed", range(4))
def test_any_of_ours_go(seed: int) -> None:
    """What is left says the same as before, and was there before, but for an anchor's indentation."""
    actions = read_yaml("overlay", OVERLAY)["actions"]
    chance = random.Random(seed)  # noqa: S311 - a choice of cases
    numbers = chance.sample(range(1, len(actions) + 1), chance.randint(1, len(actions) - 1))
    left = without(OVERLAY, numbers)
    kept = [action for number, action in enumerate(actions, 1) if number not in numbers]
    assert read_yaml("overlay", left) == {**read_yaml("overlay", OVERLAY), "actions": kept}
    before = {line.strip() for line in OVERLAY.splitlines()}
    anchored = [line for line in left.splitlines() if line.strip() not in before]
    assert all("&" in line for line in anchored)


def test_ours_has_comments_for_its_sections() -> None:
    """One action less is one piece less, wherever it stood."""
    for number in (1, 2, 9):
        left = without(OVERLAY, [number])
        changed = [line for line in difflib.ndiff(OVERLAY.splitlines(), left.splitlines()) if line[0] in "+-"]
        assert all(line.startswith("-") for line in changed)
        assert "  # --- requests -" in left
        assert ("  # --- names -" in left) == (number != 1)


def test_a_comment_inside_the_action_before_is_its_own() -> None:
    """It is deeper than the dash."""
    text = TEXT.replace("  # About c\n", "      # about the list\n")
    assert "      # about the list\n" in without(text, [3])


def test_line_ends_and_odd_letters_are_kept() -> None:
    """To the byte."""
    text = TEXT.replace("# The head", "# The h\u00e9ad").replace("\n", "\r\n")
    assert without(text, [3]) == text.replace("  # About c\r\n  - target: $.c\r\n    update: *a\r\n", "")


@pytest.mark.parametrize("use", ["update: {k: *a}", "update: [*a]"])
def test_an_anchor_that_cannot_move_is_refused(use: str) -> None:
    """A block does not go into braces."""
    text = TEXT.replace("        a: *a\n        list:\n          - *a\n", "").replace("update: *a", use)
    with pytest.raises(SpecError, match="cannot be cut out of the overlay: drop them by hand"):
        without(text, [1])


def test_what_cannot_be_cut_out_is_refused() -> None:
    """Rather than to leave another overlay."""
    text = "overlay: 1.1.0\nactions: [{target: $.a}, {target: $.b}]\n"
    with pytest.raises(SpecError, match="no list with dashes: drop them by hand"):
        without(text, [1])
