"""What `--help` looks like: commands and options in named sections, one line a command, defaults told as sentences.

Typer's own plain text cuts off what a command is for, and words a default in one way by itself and in another where
a help text tells it. Typer from 0.20 on is met through its public classes alone: newer ones bring a Click of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from typer.core import TyperCommand, TyperGroup

_EXTRAS = re.compile(r"(?:^|  )\\?\[([^\[\]]+)\]$")
"""What Typer adds to a help text; some versions escape it for Rich, which has no part in this."""
_RANGE = re.compile(r"(?:(?P<low>[\d.]+)<=)?x(?:>=(?P<least>[\d.]+)|<=(?P<most>[\d.]+))?")
_COLUMN = 30
"""Characters that a name may have beside its text; a longer one has a line of its own (Click's own limit)."""
Rows = list[tuple[str, str]]


class Command(TyperCommand):
    """A command whose options stand below the headings that `rich_help_panel` names."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return `PROMPT` for an argument that is needed, `[INPUT]` for another, whatever the version of Typer."""
        found = [one for one in self.get_params(ctx) if one.param_type_name == "argument"]
        names = [(one.metavar or str(one.name).upper(), one.required) for one in found]
        return [self.options_metavar or "", *(name if is_needed else f"[{name}]" for name, is_needed in names)]

    def get_short_help_str(self, limit: int = 0) -> str:  # noqa: ARG002 - nothing is cut off
        """Return what shells show beside the name."""
        return first_sentence(self.help or "")

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options, section by section."""
        write_options(self.get_params(ctx), ctx, formatter)


class Group(TyperGroup):
    """A group whose commands stand below the headings that `rich_help_panel` names, each with its whole purpose."""

    sections: Sequence[str] = ()
    """The headings in their order, where that is not the commands' own."""

    def get_short_help_str(self, limit: int = 0) -> str:  # noqa: ARG002 - nothing is cut off
        """Return what shells show beside the name."""
        return first_sentence(self.help or "")

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the commands, which are looked for first, and then the options."""
        self.format_commands(ctx, formatter)
        write_options(self.get_params(ctx), ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands, section by section, the names in one column."""
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [
            (getattr(command, "rich_help_panel", None) or "Commands", (name, command.get_short_help_str()))
            for name, command in found
            if command is not None and not command.hidden
        ]
        if self.sections:
            rows.sort(key=lambda row: self.sections.index(row[0]))
        _write(formatter, rows)


def write_options(parameters: Iterable[Any], ctx: Any, formatter: Any) -> None:
    """Write arguments and options; those without a heading of their own come last."""
    rows = []
    for parameter in parameters:
        record = parameter.get_help_record(ctx)
        if record is None:
            continue
        is_argument = parameter.param_type_name == "argument"
        # What kind of value an argument takes is in its text, and not in every version's name for it.
        name = (parameter.metavar or record[0]).strip("[]") if is_argument else record[0]
        heading = getattr(parameter, "rich_help_panel", None) or ("Arguments" if is_argument else "Options")
        rows.append((heading, (name, as_sentences(record[1], is_argument=is_argument))))
    rows.sort(key=lambda row: row[0] == "Options")
    rows.sort(key=lambda row: row[0] != "Arguments")
    _write(formatter, rows)


def first_sentence(text: str) -> str:
    """Return what a text begins with, up to its first full stop or blank line, on one line."""
    paragraph = " ".join(text.partition("\n\n")[0].split())
    return re.split(r"(?<=\.) ", paragraph, maxsplit=1)[0]


def as_sentences(text: str, *, is_argument: bool = False) -> str:
    """Return a help text in which Typer's `[default: 600.0; x>=0]` reads as the sentences before it.

    That an argument is needed, the line of usage tells.
    """
    found = _EXTRAS.search(text)
    if found is None:
        return text
    parts = [_sentence(part) for part in found[1].split("; ") if not (is_argument and part == "required")]
    return " ".join(filter(None, [text[: found.start()], *parts]))


def _sentence(extra: str) -> str:
    name, _, value = extra.partition(": ")
    if extra == "required":
        return "Required."
    if name == "default":
        return f"Default: {_number(value).removeprefix('(').removesuffix(')')}."
    if name == "env var":
        return f"Environment: {value}."
    bounds = _RANGE.fullmatch(extra)
    if bounds is None:
        return f"[{extra}]"
    if bounds["low"] is not None:
        return f"From {_number(bounds['low'])} to {_number(bounds['most'])}."
    return f"At least {_number(bounds['least'])}." if bounds["least"] else f"At most {_number(bounds['most'])}."


def _number(text: str) -> str:
    return re.sub(r"^(\d+)\.0$", r"\1", text)


def _write(formatter: Any, rows: list[tuple[str, tuple[str, str]]]) -> None:
    """Write rows below their headings, in the order in which each heading comes first."""
    widest = min(max((len(row[0]) for _, row in rows), default=0), _COLUMN)
    for heading in dict.fromkeys(heading for heading, _ in rows):
        below: Rows = [row for its, row in rows if its == heading]
        # One column for all sections: a name is filled up to the widest of them.
        first = below[0][0].ljust(widest)
        with formatter.section(heading):
            formatter.write_dl([(first, below[0][1]), *below[1:]])
