"""The report: a table, Markdown and JSON say the same, whatever stands in the spec."""

from __future__ import annotations

import io
import json

from markdown_it import MarkdownIt
from rich.console import Console

from spec_changes import Change, Level
from spec_report import Report, as_json, counted, markdown, table
from spec_schemas import Difference

EVIL = "a|b`c`\n<img src=x> [l](http://x) @you #1 \x1b[31m"
FOUND = [
    Change(Level.BREAKING, "refused", Difference("request", "Ask.width", "maximum", "narrowed", 2048, 1024)),
    Change(Level.SAFE, "words", Difference("answer", f"Tell.{EVIL}", "description", "words", None, EVIL * 9)),
]


def text_of(found: list[Change], width: int = 200) -> str:
    file = io.StringIO()
    Console(file=file, width=width, force_terminal=False).print(table(found, width))
    return file.getvalue()


def test_a_count_says_each_class() -> None:
    """The gravest first."""
    assert counted(FOUND) == "2 changes: 1 breaking, 1 safe"
    assert counted(FOUND[:1]) == "1 change: 1 breaking"
    assert counted([]) == "no change"


def test_the_table_has_what_changed() -> None:
    """And no control character of the spec's, which a terminal would obey."""
    assert "\x1b" not in text_of(FOUND) + text_of(FOUND, 80)
    assert "│ breaking │ request │ Ask.width" in text_of(FOUND)
    assert text_of(FOUND, 80).splitlines()[:3] == [
        "breaking  request Ask.width",
        "    maximum: 2048 -> 1024",
        "    refused",
    ]


def test_the_markdown_has_the_table_and_nothing_of_the_specs_making() -> None:
    """A value of the spec makes no cell, tag, link or mention."""
    report = Report("page.md", changes=FOUND, lessons=[EVIL], refused=f"no: {EVIL}\nnext", verdict="breaking")
    text = markdown(report)
    parsed = MarkdownIt("commonmark").enable("table").parse(text)
    assert len([token for token in parsed if token.type == "tr_open"]) == 1 + len(FOUND)
    assert len([token for token in parsed if token.type == "td_open"]) == 7 * len(FOUND)
    inner = [child for token in parsed for child in token.children or ()]
    assert not {"link_open", "html_inline", "image"} & {child.type for child in inner}
    assert not [child for child in inner if child.type == "text" and "@" in child.content]
    assert [child.content for child in inner if child.type == "code_inline" and child.content.startswith("a|b`c`")]
    assert "\x1b" not in text
    assert "## The wrapper has to learn" in text
    assert "    next" in text


def test_the_json_has_every_value_whole() -> None:
    """For tools."""
    whole = json.loads(as_json(Report("page.md", changes=FOUND, exit_code=3, verdict="breaking")))
    assert (whole["class"], whole["exit_code"], whole["verdict"]) == ("breaking", 3, "breaking")
    assert whole["changes"][1] == {
        "class": "safe",
        "side": "answer",
        "place": f"Tell.{EVIL}",
        "what": "description",
        "kind": "words",
        "today": None,
        "new": EVIL * 9,
        "why": "words",
    }
