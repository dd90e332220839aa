"""Take another spec, with all that follows from it; or nothing at all, and say why.

make regenerate SPEC=page.md                   a JSON or YAML file, an address, a page of the vendor
make regenerate SPEC="one.md two.md"           several are merged
make regenerate SPEC=… ACCEPT=breaking         write breaking changes too (or wrapper, or overlay)
make regenerate SPEC=… REPORT=changes.md       and the report as Markdown

Exit codes: 0 nothing or safe (or accepted), 1 refused, 3 breaking; 2 for a wrong option. `make` ends with 2 for each.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from attrs import frozen
from rich.console import Console

import overlay_text
import spec_report
import swap
from generate import generate, recorded
from overlay import Problem, examine, read_overlay
from spec import Document, SpecError, operations, text_of
from spec_changes import Change, Level, changes, for_the_client, worst
from spec_report import Report
from spec_source import read
from spec_text import source_name
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
_FIELD = re.compile(r"\w+\.\w+")
"""A field of a named schema."""


@frozen
class Run:
    """What was asked for."""

    root: Path
    sources: Sequence[str]
    accept: frozenset[str]
    console: Console
    report: Report

    def say(self, step: str, text: str) -> None:
        """Tell how far it is."""
        said = f"{step:<11}{spec_report.printable(text)}"
        self.console.print(said, markup=False, highlight=False, soft_wrap=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Regenerate, and report however it ends."""
    options = _options(arguments)
    report = Report(", ".join(options.spec))
    console = Console(width=shutil.get_terminal_size((150, 24)).columns, stderr=options.json)
    run = Run(options.root.resolve(), options.spec, frozenset(options.accept), console, report)
    unchanged = "\nnothing was changed"
    try:
        with swap.alone(run.root):
            swap.finish(run.root)
            regenerate(run)
    except swap.UnfinishedError as error:
        _refuse(report, str(error))
        unchanged = "\nthe new state is decided, and not in its place yet"
    except BlockingIOError:
        _refuse(report, f"another program is replacing files in {run.root}: wait for it")
    except (SpecError, OSError, RecursionError) as error:
        _refuse(report, str(error))
    except KeyboardInterrupt:
        _refuse(report, "interrupted")
    if report.refused:
        run.say(report.verdict, report.refused + unchanged)
    if options.report:
        try:
            options.report.write_text(spec_report.markdown(report), "utf-8")
        except OSError as error:
            run.say("report", f"not written: {error}")
    if options.json:
        print(spec_report.as_json(report))
    return report.exit_code


def regenerate(run: Run) -> None:
    """Take the steps in order; nothing is changed before the last."""
    report = run.report
    report.source = ", ".join(map(source_name, run.sources))
    document = read(run.sources)
    check(document)
    text = text_of(document)
    run.say("1 read", f"{report.source}: OpenAPI {document['openapi']}, {_size(document)}")
    old = {name: swap.digest(run.root / name) for name in (SHIPPED, OVERLAY, GENERATED)}
    today, overlay = _today(run.root)
    if text == today:
        run.say("2 compare", f"no change: {SHIPPED} says the same already")
        return
    effective, problems = examine(upgraded(document), read_overlay(OVERLAY, overlay))
    report.changes = _changes(run.root, json.loads(today), document, effective, problems)
    run.say("2 compare", spec_report.counted(report.changes))
    run.console.print(spec_report.table(report.changes, run.console.width))
    breaking = worst(report.changes) is Level.BREAKING and "breaking" not in run.accept
    try:
        overlay = _overlay(run, overlay, problems)
        with tempfile.TemporaryDirectory(prefix="regenerate-") as folder:
            _make(run, Path(folder), text, overlay)
            if breaking:
                raise SpecError("to write it all the same: ACCEPT=breaking")  # noqa: TRY301 - as any other reason
            _hold_to_lessons(run)
            swap.put(run.root, {name: Path(folder) / name for name in old}, old)
    except SpecError as error:
        counted = f"{spec_report.counted(report.changes)}\n" if breaking else ""
        _refuse(report, f"{counted}{error}", BREAKING if breaking else REFUSED)
        return
    report.verdict = "written"
    run.say("6 swap", f"{SHIPPED}, {OVERLAY} and {GENERATED}/ are the new ones: `make test`, and commit them together")


def _today(root: Path) -> tuple[str, str]:
    """Return today's shipped spec and overlay, each with its own line ends."""
    for name in (SHIPPED, OVERLAY, f"{GENERATED}/openapi.json"):
        if not (root / name).is_file():
            raise SpecError(f"{name} is not there: restore it, or run `make generate`")
        try:
            text = (root / name).read_bytes().decode("utf-8")
            if name != OVERLAY:
                json.loads(text)
        except ValueError as error:
            raise SpecError(f"today's {name} cannot be read: {error}: restore it") from None
    return (root / SHIPPED).read_bytes().decode("utf-8"), (root / OVERLAY).read_bytes().decode("utf-8")


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
        run.say("3 overlay", f"{_count(len(standing), 'action')} cannot stay as it is")
        raise SpecError("\n".join(problem.said for problem in standing))
    total = len(read_overlay(OVERLAY, text)["actions"])
    if droppable:
        text = overlay_text.without(text, droppable.keys())
        run.report.dropped = [said.partition("\n")[0].partition(" says ")[0].rstrip(",") for said in droppable.values()]
    dropped = f", {len(droppable)} dropped" if droppable else ""
    run.say("3 overlay", f"{_count(total - len(droppable), 'action')} applied{dropped}")
    return text


def _make(run: Run, folder: Path, shipped: str, overlay: str) -> None:
    """Make the new state aside, and see what the wrapper says to it."""
    (folder / SHIPPED).write_bytes(shipped.encode("utf-8"))
    (folder / OVERLAY).write_bytes(overlay.encode("utf-8"))
    generate(folder / SHIPPED, folder / OVERLAY, folder / GENERATED, recorded(run.report.source))
    spec = json.loads((folder / GENERATED / "openapi.json").read_text("utf-8"))
    run.say("4 generate", f"{_size(spec)}; each has its code, and keeps what it is given")
    run.report.lessons = lessons(run.root, folder / GENERATED)
    run.report.unknown = _unknown(run.report.changes)
    number = len(run.report.lessons)
    run.say("5 wrapper", f"it has to learn {_count(number, 'thing')}:" if number else "its fields, types and calls fit")
    for sentence in (*run.report.lessons, *run.report.unknown):
        run.say("", sentence)


def _unknown(found: list[Change]) -> list[str]:
    """Return what no check can tell: whether the wrapper knows what an answer means, or how a call is made.

    The parity test knows the operations and the fields of their bodies, mypy knows the names.
    """
    return [
        f"{change.difference.place}: {change.difference.turn} ({change.difference.what}): {change.why}"
        for change in found
        if change.level is Level.WRAPPER
        and change.difference.turn not in {"named", "operation added"}
        and (change.difference.side == "answer" or not _FIELD.fullmatch(change.difference.place))
    ]


def _hold_to_lessons(run: Run) -> None:
    learn, see = run.report.lessons, run.report.unknown
    if not (learn or see) or run.accept & {"wrapper", "breaking"}:
        return
    said = []
    if learn:
        said += [f"the wrapper has to learn {_count(len(learn), 'thing')}, see above:"]
        said += ["  teach it (CONTRIBUTING.md) and run this again; or write the new client first: ACCEPT=wrapper"]
    if see:
        said += [f"no check can tell whether the wrapper knows {_count(len(see), 'other thing')}, see above:"]
        said += ["  look at it, and once it does: ACCEPT=wrapper"]
    raise SpecError("\n".join(said))


def _refuse(report: Report, why: str, code: int = REFUSED) -> None:
    report.refused, report.exit_code = why, code
    report.verdict = "breaking" if code == BREAKING else "refused"


def _size(document: Document) -> str:
    schemas = document.get("components", {}).get("schemas", {})
    return f"{_count(len(list(operations(document))), 'operation')}, {_count(len(schemas), 'schema')}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="regenerate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("spec", nargs="*", help="files, addresses, pages; else the environment's SPEC")
    meaning = "; ".join(f"{word}: {text}" for word, text in ACCEPTED.items())
    parser.add_argument("--accept", help=f"words, with commas or spaces between them; else ACCEPT. {meaning}")
    parser.add_argument("--report", type=Path, help="write the report as Markdown; else REPORT")
    parser.add_argument("--json", action="store_true", help="print the report as JSON, and the steps to stderr")
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout to change")
    options = parser.parse_args(arguments)
    spec = os.environ.get("SPEC", "")
    try:
        options.spec = options.spec or ([spec] if os.path.isfile(spec) else shlex.split(spec))  # noqa: PTH113 - Path's raises for an odd name
    except ValueError as error:
        parser.error(f"SPEC={spec} cannot be split into sources: {error}")
    if not options.spec:
        parser.error("which spec? make regenerate SPEC=<file, address, or the vendor's page>")
    words = os.environ.get("ACCEPT", "") if options.accept is None else options.accept
    options.accept = words.replace(",", " ").split()
    if unknown := [word for word in options.accept if word not in ACCEPTED]:
        parser.error(f"ACCEPT={unknown[0]} is not known; known: {', '.join(ACCEPTED)}")
    if options.report is None and os.environ.get("REPORT"):
        options.report = Path(os.environ["REPORT"])
    if options.report and (options.report.is_dir() or not os.access(options.report.resolve().parent, os.W_OK)):
        parser.error(f"REPORT={options.report} cannot be written: give a file in a folder of yours")
    return options


if __name__ == "__main__":
    sys.exit(main())
