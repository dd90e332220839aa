"""The report: a pure function of what was measured. Whether a bound is met is computed here."""

from __future__ import annotations

import math
from collections.abc import Sequence

from attrs import field, frozen


@frozen(kw_only=True)
class Bound:
    """A figure that has to be shown, and what it may be."""

    name: str
    measured: float | None
    """None where there is no figure: then `instead` says why."""
    at_most: float = math.inf
    at_least: float = -math.inf
    unit: str = "x"
    instead: str = ""

    @property
    def met(self) -> bool:
        """Whether there is a figure, and it is within its bound."""
        return self.measured is not None and self.at_least <= self.measured <= self.at_most


@frozen
class Table:
    """Rows of cells; numbers are written here."""

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]


@frozen
class Section:
    """What is told of one subject."""

    title: str
    parts: Sequence[str | Table]
    bounds: Sequence[Bound] = field(factory=tuple)


def markdown(opening: Sequence[str | Table], sections: Sequence[Section]) -> str:
    """Return the whole report: the bounds first, then each subject."""
    lines = ["# Benchmarks", "", *_parts(opening), "## Bounds", "", *_bounds(sections)]
    for section in sections:
        lines += [f"## {section.title}", "", *_parts(section.parts)]
    return "\n".join(lines).rstrip() + "\n"


def unmet(sections: Sequence[Section]) -> list[Bound]:
    """Return the bounds that are not met."""
    return [bound for section in sections for bound in section.bounds if not bound.met]


def number(value: float) -> str:
    """Write a number with three digits that count, and no more."""
    if math.isnan(value):
        return "n/a"
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    rounded = float(f"{abs(value):.2e}")  # or 9.996 would have a digit more
    digits = max(0, 2 - math.floor(math.log10(rounded)))
    return f"{value:.{min(digits, 4)}f}"


def _bounds(sections: Sequence[Section]) -> list[str]:
    rows = [
        (bound.name, _limit(bound), _measured(bound), "yes" if bound.met else "**no**")
        for section in sections
        for bound in section.bounds
    ]
    if not rows:
        return ["None was measured.", ""]
    return [*_table(Table(("figure", "bound", "measured", "met"), rows)), ""]


def _limit(bound: Bound) -> str:
    if bound.at_most < math.inf:
        return f"≤ {number_of(bound.at_most, bound.unit)}"
    return f"≥ {number_of(bound.at_least, bound.unit)}"


def _measured(bound: Bound) -> str:
    return bound.instead if bound.measured is None else number_of(bound.measured, bound.unit)


def number_of(value: float, unit: str) -> str:
    """Write a number with its unit; a ratio as in 1.05 x."""
    return f"{number(value)} {unit}".strip()


def _parts(parts: Sequence[str | Table]) -> list[str]:
    lines: list[str] = []
    for part in parts:
        lines += [part.strip()] if isinstance(part, str) else _table(part)
        lines.append("")
    return lines


def _table(table: Table) -> list[str]:
    # Texts to the left, numbers to the right; a column of numbers may have a text where there is none.
    columns = [[row[index] for row in table.rows] for index in range(len(table.columns))]
    rule = ["---:" if any(isinstance(cell, int | float) for cell in column) else "---" for column in columns]
    return [_row(table.columns), _row(rule), *(_row([_cell(cell) for cell in row]) for row in table.rows)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: object) -> str:
    if isinstance(cell, float):
        return number(cell)
    return f"{cell:,}" if isinstance(cell, int) else str(cell)
