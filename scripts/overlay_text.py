"""The overlay as a text: actions are dropped from it with their comments, and nothing else moves.

A comment directly above an action is the action's; one with a blank line below it is the section's, and
goes with the last of its actions. An anchor that stands in a dropped action and is used further down
goes to where it is used first.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, NodeEvent

from spec import SpecError
from spec_source import read_yaml

_COMMENT = re.compile(r"\s*#")


def without(text: str, numbers: Collection[int]) -> str:
    """Return an overlay without some of its actions, counted from 1."""
    lines = re.findall(r"[^\n]*\n|[^\n]+", text)
    places = _places(text, lines)
    left = dict(enumerate(lines))
    for number in numbers:
        first, end = places[number - 1]
        for line in range(first, end):
            del left[line]
        if _blank(lines, first - 1) and _blank(lines, end):
            left.pop(end, None)  # one blank line where there were two
    result = "".join(left.values())
    # A section's comment with a blank line below it, and then another's, or the end of the actions.
    comment = rf"(?: {{{_column(text, lines)}}}#.*\n)+"
    empty = re.compile(rf"^{comment}\s*\n(?={comment}\s*\n|\S|\Z)", re.MULTILINE)
    if not empty.search(text):
        result = empty.sub("", result)
    wanted = read_yaml("the overlay", text)
    wanted["actions"] = [action for number, action in enumerate(wanted["actions"], 1) if number not in numbers]
    try:
        result = _anchored(text, result)
        same = read_yaml("the overlay", result) == wanted
    except (YAMLError, SpecError):
        same = False
    if not same:
        raise SpecError(f"actions {sorted(numbers)} cannot be cut out of the overlay: drop them by hand")
    return result


def _places(text: str, lines: list[str]) -> list[tuple[int, int]]:
    """Return where each action begins, with its comment, and where it ends."""
    actions = YAML().load(text)["actions"]
    starts = [_dash(lines, actions.lc.item(index)[0]) for index in range(len(actions))]
    after = range(starts[-1] + 1, len(lines))
    ends = [*starts[1:], next((number for number in after if lines[number][:1].strip(" #\n")), len(lines))]
    return [
        (_with_comment(lines, start), _of_action(lines, start, end)) for start, end in zip(starts, ends, strict=True)
    ]


def _column(text: str, lines: list[str]) -> int:
    """Return where the dashes of the actions stand; at least one, so that no comment of the file is a section's."""
    return max(1, _indent(lines[_dash(lines, YAML().load(text)["actions"].lc.item(0)[0])]))


def _with_comment(lines: list[str], start: int) -> int:
    column = _indent(lines[start])
    while _COMMENT.match(lines[start - 1]) and _indent(lines[start - 1]) <= column:
        start -= 1
    return start


def _of_action(lines: list[str], start: int, end: int) -> int:
    column = _indent(lines[start])
    while _blank(lines, end - 1) or (_COMMENT.match(lines[end - 1]) and _indent(lines[end - 1]) <= column):
        end -= 1
    return end


def _blank(lines: list[str], number: int) -> bool:
    return number == len(lines) or not lines[number].strip()


def _dash(lines: list[str], number: int) -> int:
    while not lines[number].lstrip().startswith("-"):
        if number == 0:
            raise SpecError("the overlay's actions are no list with dashes: drop them by hand")
        number -= 1
    return number


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _anchored(before: str, after: str) -> str:
    """Put each anchor that was cut off where it is used first."""
    while missing := _undefined(after):
        name, first, end = missing
        start, stop = _definition(before, name)
        shift = _key_column(after, first) - _key_column(before, start)
        head, *rest = before[start:stop].splitlines()
        body = [(" " * shift + line if shift > 0 else line[-shift:]) if line.strip() else line for line in rest]
        after = after[:first] + "\n".join([head, *body]) + after[end:]
    return after


def _undefined(text: str) -> tuple[str, int, int] | None:
    known = set()
    for event in _events(text):
        if isinstance(event, AliasEvent):
            if event.anchor not in known:
                return event.anchor, event.start_mark.index, event.end_mark.index
        elif isinstance(event, NodeEvent) and event.anchor:
            known.add(event.anchor)
    return None


def _definition(text: str, name: str) -> tuple[int, int]:
    """Return where the node with an anchor begins and ends, without what stands between it and the next."""
    depth, start = 0, None
    for event in _events(text):
        if isinstance(event, AliasEvent):
            continue
        if start is None and isinstance(event, NodeEvent) and event.anchor == name:
            start = event.start_mark.index
            depth = 0
        depth += isinstance(event, CollectionStartEvent)
        depth -= isinstance(event, CollectionEndEvent)
        if start is not None and depth == 0:
            part = text[start : event.end_mark.index].splitlines(keepends=True)
            while not part[-1].strip() or _COMMENT.match(part[-1]):
                part.pop()
            return start, start + len("".join(part).rstrip())
    raise SpecError(f"the overlay uses *{name}, which is defined nowhere")


def _key_column(text: str, index: int) -> int:
    """Return where the key of a value stands in its line, behind the dashes of lists; or its own dash."""
    line = text[text.rfind("\n", 0, index) + 1 : index]
    key = re.sub(r"^[ -]*", "", line)
    return len(line) - len(key) if key else line.rindex("-")


def _events(text: str) -> list[Any]:
    return list(YAML(typ="safe", pure=True).parse(text))
