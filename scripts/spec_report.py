"""What `make regenerate` found, said three ways: a table for the terminal, Markdown, JSON."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

from attrs import define, field
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from spec_changes import Change, Level, worst

_COLOURS = {Level.SAFE: "green", Level.WRAPPER: "yellow", Level.BREAKING: "bold red"}
_NARROW = 130
"""Columns of a terminal below which a table folds its words."""
_LONGEST = 60
"""Characters of a value in a table; the JSON has them all."""


@define
class Report:
    """All that is known at the end, however early that came."""

    source: str
    changes: list[Change] = field(factory=list)
    dropped: list[str] = field(factory=list)
    """Overlay actions that were not needed any more, and went."""
    lessons: list[str] = field(factory=list)
    """What the wrapper has to learn, by its checks."""
    unknown: list[str] = field(factory=list)
    """What it may have to learn: no check knows."""
    refused: str | None = None
    """Why nothing was written."""
    exit_code: int = 0
    verdict: str = "no change"
    """no change, written, refused or breaking."""


def counted(changes: list[Change]) -> str:
    """Return how many changes of which class there are."""
    levels = Counter(change.level for change in changes)
    parts = [f"{levels[level]} {level}" for level in sorted(levels, reverse=True)]
    return f"{len(changes)} change{'s' * (len(changes) != 1)}: {', '.join(parts)}" if parts else "no change"


def table(changes: list[Change], width: int) -> RenderableType:
    """Return the changes for a terminal, the gravest first; one below the other where a table would be cramped."""
    if width < _NARROW:
        return Text("\n").join(_lines(change) for change in changes)
    result = Table("class", "in", "where", "what", "today", "new", "why")
    for column in result.columns[:4]:
        column.no_wrap = True
    for column in result.columns:
        column.overflow = "fold"
    for change in changes:
        level, *rest = _row(change)
        result.add_row(Text(level, _COLOURS[change.level]), *(Text(printable(cell)) for cell in rest))
    return result


def _lines(change: Change) -> Text:
    level, side, place, what, today, new, why = _row(change)
    said = printable(f"  {side} {place}\n    {what}: {today} -> {new}\n    {why}")
    return Text.assemble((level, _COLOURS[change.level]), said)


def markdown(report: Report) -> str:
    """Return the report for a pull request."""
    lines = [
        f"# The vendor's spec, from {_code(report.source)}",
        "",
        f"**{report.verdict}**: {counted(report.changes)}.",
        "",
    ]
    if report.changes:
        lines += ["| class | in | where | what | today | new | why |", "|---|---|---|---|---|---|---|"]
        lines += [f"| {' | '.join(_cells(change))} |" for change in report.changes]
        lines.append("")
    for title, sentences in (
        ("The wrapper has to learn", report.lessons),
        ("No check can tell whether the wrapper knows", report.unknown),
        ("Overlay actions that went: the vendor ships what they added", report.dropped),
    ):
        if sentences:
            lines += [f"## {title}", "", *(f"- {_code(sentence)}" for sentence in sentences), ""]
    if report.refused:
        lines += ["## Nothing was written", "", *(f"    {line}" for line in printable(report.refused).splitlines()), ""]
    return "\n".join(lines)


def as_json(report: Report) -> str:
    """Return the report for tools."""
    whole: dict[str, Any] = {
        "verdict": report.verdict,
        "exit_code": report.exit_code,
        "source": report.source,
        "class": str(worst(report.changes)) if report.changes else None,
        "changes": [
            {
                "class": str(change.level),
                "side": change.difference.side,
                "place": change.difference.place,
                "what": change.difference.what,
                "kind": change.difference.turn,
                "today": change.difference.today,
                "new": change.difference.new,
                "why": change.why,
            }
            for change in report.changes
        ],
        "lessons": report.lessons,
        "unknown": report.unknown,
        "dropped": report.dropped,
        "refused": report.refused,
    }
    return json.dumps(whole, indent=2, ensure_ascii=False)


def _row(change: Change) -> list[str]:
    found = change.difference
    return [
        str(change.level),
        found.side,
        found.place,
        found.turn if found.what in {"field", "operation", "branch", "answer"} else found.what,
        _value(found.today),
        _value(found.new),
        change.why,
    ]


def _cells(change: Change) -> list[str]:
    level, side, place, what, today, new, why = _row(change)
    return [f"**{level}**" if change.level else level, side, _code(place), _code(what), _code(today), _code(new), why]


def _value(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        value = " or ".join(value) or "nothing"
    said = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return said if len(said) <= _LONGEST else f"{said[: _LONGEST - 1]}…"


def printable(text: str) -> str:
    """Return a text without what a terminal would obey."""
    return "".join(letter if letter.isprintable() or letter == "\n" else f"\\u{ord(letter):04x}" for letter in text)


def _code(text: str) -> str:
    """Return a text of the spec's as code, in which nothing is a cell, a tag, a link or a mention."""
    plain = " ".join(printable(text).split()).replace("|", "\\|")
    fence = "`" * (max(map(len, re.findall("`+", plain)), default=0) + 1)
    space = " " if "`" in plain else ""
    return f"{fence}{space}{plain or ' '}{space}{fence}"
