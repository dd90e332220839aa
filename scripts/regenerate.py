"""Take another spec, with all that follows from it; or nothing at all, and say why.

make regenerate SPEC=page.md                   a JSON or YAML file, an address, a page of the vendor
make regenerate SPEC="one.md two.md"           several are merged
make regenerate SPEC=… ACCEPT=breaking         write breaking changes too (or wrapper, or overlay)
make regenerate SPEC=… REPORT=changes.md       and the report as Markdown

Exit codes: 0 nothing or safe (or accepted), 1 refused, 3 breaking. `make` itself ends with 2 for both.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from attrs import field, frozen
from rich.console import Console

import overlay_text
import spec_report
import swap
from generate import generate, recorded
from overlay import Problem, examine, read_overlay
from spec import Document, SpecError, operations, text_of
from spec_changes import Change, Level, changes, for_the_client, worst
from spec_report import Report
from spec_source import read, source_name
from spec_valid import check, upgraded
from wrapper_check import lessons

ROOT = Path(__file__).resolve().parent.parent
SHIPPED, OVERLAY, GENERATED = "openapi.json", "openapi.overlay.yaml", "generated"
ACCEPTED = {
    "breaking": "write breaking changes, and what the wrapper has to learn",
    "wrapper": "write what the wrapper has to learn",
    "overlay": "drop overlay actions that say what the vendor now ships",
}
REFUSED, BREAKING = 1, 3


@frozen
class Run:
    """What was asked for."""

    root: Path
    sources: Sequence[str]
    accept: frozenset[str]
    console: Console
    report: Report = field()

    def say(self, step: str, text: str) -> None:
        """Tell how far it is."""
        self.console.print(f"{step:<11}{spec_report.printable(text)}", markup=False, highlight=False, soft_wrap=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Regenerate, and report however it ends."""
    options = _options(arguments)
    report = Report(", ".join(map(source_name, options.spec)))
    width = shutil.get_terminal_size((150, 24)).columns
    console = Console(width=width, stderr=options.json)
    run = Run(options.root.resolve(), options.spec, frozenset(options.accept), console, report)
    try:
        with swap.alone(run.root):
            swap.finish(run.root)
            regenerate(run)
    except BlockingIOError:
        _refuse(report, f"another program is replacing files in {run.root}: wait for it")
    except (SpecError, OSError) as error:
        _refuse(report, str(error))
    if report.refused:
        run.say(report.verdict, f"{report.refused}\nnothing was changed")
    if options.markdown:
        options.markdown.write_text(spec_report.markdown(report), "utf-8")
    if options.json:
        print(spec_report.as_json(report))
    return report.exit_code


def regenerate(run: Run) -> None:
    """Take the steps in order; nothing is changed before the last."""
    report = run.report
    document = read(run.sources)
    check(document)
    text = text_of(document)
    run.say("1 read", f"{report.source}: OpenAPI {document['openapi']}, {_size(document)}")
    today = (run.root / SHIPPED).read_text("utf-8")
    if text == today:
        run.say("2 compare", f"no change: {SHIPPED} says the same already")
        return
    overlay = (run.root / OVERLAY).read_text("utf-8")
    effective, problems = examine(upgraded(document), read_overlay(OVERLAY, overlay))
    report.changes = _changes(run.root, json.loads(today), document, effective, problems)
    run.say("2 compare", spec_report.counted(report.changes))
    run.console.print(spec_report.table(report.changes))
    breaking = worst(report.changes) is Level.BREAKING and "breaking" not in run.accept
    try:
        overlay = _overlay(run, overlay, problems)
        with tempfile.TemporaryDirectory(prefix="regenerate-") as folder:
            _make(run, Path(folder), text, overlay)
            if breaking:
                _refuse(report, _breaking(report), BREAKING)
                return
            _hold_to_lessons(run)
            swap.put(run.root, {name: Path(folder) / name for name in (SHIPPED, OVERLAY, GENERATED)})
    except SpecError as error:
        _refuse(report, str(error), REFUSED)
        if breaking:
            _refuse(report, f"{_breaking(report)}\n  that apart: {error}", BREAKING)
        return
    report.verdict = "written"
    run.say("6 swap", f"{SHIPPED}, {OVERLAY} and {GENERATED}/ are the new ones: `make test`, and commit them together")


def _changes(root: Path, today: Document, new: Document, effective: Document, problems: list[Problem]) -> list[Change]:
    vendor = changes(today, new)
    if not all(problem.droppable for problem in problems):
        return vendor  # what would reach the client is not known
    try:
        committed = json.loads((root / GENERATED / "openapi.json").read_text("utf-8"))
        return for_the_client(vendor, changes(committed, effective))
    except SpecError:
        return vendor  # the overlay refers to what is not there any more, as the next steps say


def _overlay(run: Run, text: str, problems: list[Problem]) -> str:
    """Return the overlay to go on with: without what the vendor ships now, if that is accepted."""
    droppable = {problem.number: problem.said for problem in problems if problem.droppable}
    if standing := [problem for problem in problems if not (problem.droppable and "overlay" in run.accept)]:
        run.say("3 overlay", f"{len(standing)} actions cannot stand as they are")
        raise SpecError("\n".join(problem.said for problem in standing))
    total = len(read_overlay(OVERLAY, text)["actions"])
    if droppable:
        text = overlay_text.without(text, droppable.keys())
        run.report.dropped = [said.partition("\n")[0].partition(" says ")[0].rstrip(",") for said in droppable.values()]
    run.say(
        "3 overlay", f"{total - len(droppable)} actions applied" + (f", {len(droppable)} dropped" if droppable else "")
    )
    return text


def _make(run: Run, folder: Path, shipped: str, overlay: str) -> None:
    """Make the new state aside, and see what the wrapper says to it."""
    (folder / SHIPPED).write_text(shipped, "utf-8")
    (folder / OVERLAY).write_text(overlay, "utf-8")
    generate(folder / SHIPPED, folder / OVERLAY, folder / GENERATED, recorded(run.report.source))
    spec = json.loads((folder / GENERATED / "openapi.json").read_text("utf-8"))
    run.say("4 generate", f"{_size(spec)}; each has its code, and keeps what it is given")
    run.report.lessons = [*lessons(run.root, folder / GENERATED), *_to_look_at(run.report.changes)]
    number = len(run.report.lessons)
    run.say("5 wrapper", f"it has to learn {_count(number, 'thing')}:" if number else "it knows all of that")
    for lesson in run.report.lessons:
        run.say("", lesson)


def _to_look_at(found: list[Change]) -> list[str]:
    """Return what no check can tell: whether the wrapper knows what an answer means."""
    return [
        f"{change.difference.place}: {change.difference.turn} ({change.difference.what}): {change.why}"
        for change in found
        if change.level is Level.WRAPPER and change.difference.side == "answer"
    ]


def _hold_to_lessons(run: Run) -> None:
    if run.report.lessons and not run.accept & {"wrapper", "breaking"}:
        raise SpecError(
            f"the wrapper has to learn {_count(len(run.report.lessons), 'thing')} first, see above\n"
            "  teach it and run this again, or write the new client now and teach it then: ACCEPT=wrapper"
        )


def _breaking(report: Report) -> str:
    return f"{spec_report.counted(report.changes)}\n  to write them all the same: ACCEPT=breaking"


def _refuse(report: Report, why: str, code: int = REFUSED) -> None:
    report.refused, report.exit_code = why, code
    report.verdict = "breaking" if code == BREAKING else "refused"


def _size(document: Document) -> str:
    schemas = document.get("components", {}).get("schemas", {})
    return f"{_count(len(list(operations(document))), 'operation')}, {_count(len(schemas), 'schema')}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("spec", nargs="*", help="files, addresses, pages; else the environment's SPEC")
    meaning = "; ".join(f"{word}: {text}" for word, text in ACCEPTED.items())
    parser.add_argument("--accept", help=f"words, with commas or spaces between them; else ACCEPT. {meaning}")
    parser.add_argument("--markdown", type=Path, help="write the report as Markdown; else REPORT")
    parser.add_argument("--json", action="store_true", help="print the report as JSON, and the steps to stderr")
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout to change")
    options = parser.parse_args(arguments)
    spec = os.environ.get("SPEC", "")
    options.spec = options.spec or ([spec] if Path(spec).is_file() else shlex.split(spec))
    if not options.spec:
        parser.error("which spec? make regenerate SPEC=<file, address, or the vendor's page>")
    words = os.environ.get("ACCEPT", "") if options.accept is None else options.accept
    options.accept = words.replace(",", " ").split()
    if unknown := [word for word in options.accept if word not in ACCEPTED]:
        parser.error(f"ACCEPT={unknown[0]} is not known; known: {', '.join(ACCEPTED)}")
    if options.markdown is None and os.environ.get("REPORT"):
        options.markdown = Path(os.environ["REPORT"])
    return options


if __name__ == "__main__":
    sys.exit(main())
