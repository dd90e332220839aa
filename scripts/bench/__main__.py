"""make bench: all figures, in one run, to docs/benchmarks.md. make bench-quick: most of them, in under a minute.

python -m bench --only imports --only calls     some of them, printed
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
import traceback
from collections.abc import Sequence

from bench._measure import PEERS, ROOT, Machine, machine
from bench._report import Section, Table, markdown, number, unmet

SUBJECTS = ("imports", "calls", "flight", "polling", "downloads", "costs")
"""Modules of this package, in the report's order."""
TARGET = ROOT / "docs" / "benchmarks.md"
PACKAGES = (
    *("httpx", "httpcore", "attrs", "httpx-aiohttp", "aiohttp", "httpx2", "requests"),
    *("replicate", "fal_client", "openai", "modelslab_py"),
)


def main() -> int:
    """Measure, then print or write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, and nothing that takes minutes")
    parser.add_argument("--only", action="append", choices=SUBJECTS, help="a subject; may be given several times")
    parser.add_argument("--write", action="store_true", help=f"write {TARGET.relative_to(ROOT)} instead of printing")
    options = parser.parse_args()
    if options.write and (options.quick or options.only):
        parser.error("--write takes all of a whole run: without --quick and --only")
    if not (PEERS / "bin" / "python").exists():
        parser.error("the peers are not installed: run `make bench`, or `make bench-quick`")
    began = time.monotonic()
    sections = [_section(name, quick=options.quick) for name in options.only or SUBJECTS]
    failed = None in sections
    found = [section for section in sections if section is not None]
    text = markdown(opening(machine(), quick=options.quick), found)
    if options.write and not failed:
        TARGET.write_text(text, "utf-8")
        _say(f"{TARGET.relative_to(ROOT)} written")
    else:
        print(text)
    for bound in unmet(found):
        _say(f"not met: {bound.name}")
    _say(f"{time.monotonic() - began:.0f} s in all")
    return int(failed)


def _section(name: str, *, quick: bool) -> Section | None:
    """Measure a subject; what fails is told, and the others are measured all the same."""
    _say(f"{name} ...")
    began = time.monotonic()
    try:
        subject = importlib.import_module(f"bench.{name}")
        found: Section = subject.section(subject.measure(quick=quick))
    except Exception:  # noqa: BLE001 - it is shown, and ends in the exit code
        traceback.print_exc()
        return None
    _say(f"{name}: {time.monotonic() - began:.0f} s")
    return found


def opening(where: Machine, *, quick: bool) -> Sequence[str | Table]:
    """Return what stands above the bounds."""
    how = "`make bench-quick`: a few rounds, which show what is far off." if quick else "Made by `make bench`."
    versions = ", ".join(f"{name} {where.packages[name]}" for name in PACKAGES if name in where.packages)
    return (
        (
            f"{how} All figures are of one run on one machine. Ratios are what can be compared with other machines: "
            "medians, measured in turns, every second round backwards."
        ),
        (
            f"{where.system}, {where.cpus} CPUs, {number(where.memory_gb)} GiB of memory; Python {where.python}. "
            f"Peers in an environment of their own: {versions}."
        ),
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
