"""What docs/comparison.md says of other clients: its notes are looked up, in the packages and on the other pages.

`COMPARISON_PACKAGES=folder` (or several, as in PATH) has the packages that are unpacked there looked at, too.
"""

from __future__ import annotations

import os
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions, requires
from pathlib import Path

import pytest
from attrs import frozen

from modelslab_pony import __version__
from prism_image import ROOT

PAGE = (ROOT / "docs" / "comparison.md").read_text("utf-8")
BESIDE = [folder for folder in os.environ.get("COMPARISON_PACKAGES", "").split(os.pathsep) if folder]
INSTALLED = ("modelslab-py", "replicate", "fal-client")
EMPTY = {"not seen", "\N{EN DASH}"}
"""What a cell may say without a source."""

NOTE = re.compile(r"^\[\^([\w-]+)\]: (.+(?:\n    .+)*)$", re.MULTILINE)
REFERENCE = re.compile(r"\[\^([\w-]+)\](?!:)")
CODE = re.compile(r"(?P<package>[\w-]+) (?P<version>\d[\w.]*)(?P<sdist>, its source distribution)?: (?P<clauses>.+)\.")
RUN = re.compile(r"run with (?P<package>[\w-]+) (?P<version>\d[\w.]*): `(?P<path>[^`]+)`, `(?P<test>\w+)`\.")
ROW = re.compile(
    r'row of \[reliability\.md\]\(reliability\.md#(?P<phase>\w+)\): "(?P<fault>[^"]+)" with '
    r'(?P<client>[\w-]+ [\d.]+): "(?P<words>[^"]+)"\.'
)
COMMIT = re.compile(r"[\w-]+/[\w-]+ at `[0-9a-f]{12}`: `[^`]+`, `\w+` has (?P<tokens>`[^`]+`(, `[^`]+`)*)\.")
HAS = re.compile(r"`(?P<path>[^`:]+):(?P<line>\d+)` has `(?P<token>[^`]+)`")
LACKS = re.compile(r"no `(?P<token>[^`]+)` in `(?P<path>[^`]+)`")
FILE = re.compile(r"the file `(?P<path>[^`]+)`")
NO_FILE = re.compile(r"no file named `(?P<part>[^`]+)`")


@frozen
class Source:
    """A note that is about the files of a package."""

    name: str
    package: str
    version: str
    is_sdist: bool
    clauses: tuple[str, ...]


NOTES = {name: " ".join(text.split()) for name, text in NOTE.findall(PAGE)}
SOURCES = [
    Source(name, found["package"], found["version"], bool(found["sdist"]), tuple(found["clauses"].split("; ")))
    for name, text in NOTES.items()
    if (found := CODE.fullmatch(text))
]
ROWS = {name: found for name, text in NOTES.items() if (found := ROW.fullmatch(text))}
RUNS = {name: found for name, text in NOTES.items() if (found := RUN.fullmatch(text))}
COMMITS = {name: found for name, text in NOTES.items() if (found := COMMIT.fullmatch(text))}


def _distribution(package: str) -> Distribution | None:
    return next(iter(distributions(name=package, path=[*sys.path, *BESIDE])), None)


def _root(source: Source) -> Path | None:
    """Return the folder that a note's paths are relative to, if it is at hand."""
    if source.is_sdist:
        folders = [Path(folder, f"{source.package}-{source.version}") for folder in BESIDE]
        return next((folder for folder in folders if folder.is_dir()), None)
    found = _distribution(source.package)
    return None if found is None else Path(str(found.locate_file("")))


LOOKED_AT = [source for source in SOURCES if _root(source) is not None]


def _tables(text: str) -> Iterator[list[list[str]]]:
    """Yield each table: rows of cells, the header first."""
    for block in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
        rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in block.splitlines()]
        yield [rows[0], *rows[2:]]


COMPARED = [table for table in _tables(PAGE) if table[0][1] == "modelslab-pony"]


# --- The notes -------------------------------------------------------------------------------


def test_the_installed_packages_are_looked_at() -> None:
    """Whatever else is at hand."""
    assert set(INSTALLED) <= {source.package for source in LOOKED_AT}


@pytest.mark.parametrize("source", LOOKED_AT, ids=lambda source: source.name)
def test_a_note_says_what_the_package_holds(source: Source) -> None:
    """In the version that it names: the words on that line, or no such words, or no such file."""
    root = _root(source)
    assert root is not None
    found = _distribution(source.package)
    assert source.is_sdist or (found is not None and found.version == source.version)
    for clause in source.clauses:
        _look(root, found, clause)


def _look(root: Path, found: Distribution | None, clause: str) -> None:
    if has := HAS.fullmatch(clause):
        lines = (root / has["path"]).read_text("utf-8").splitlines()
        assert has["token"] in lines[int(has["line"]) - 1], clause
    elif lacks := LACKS.fullmatch(clause):
        place = root / lacks["path"]
        texts = [place] if place.is_file() else list(place.rglob("*.py"))
        assert texts, clause
        assert [path for path in texts if lacks["token"] in path.read_text("utf-8")] == [], clause
    elif file := FILE.fullmatch(clause):
        assert (root / file["path"]).is_file(), clause
    else:
        no_file = NO_FILE.fullmatch(clause)
        assert no_file is not None, f"not understood: {clause}"
        assert found is not None
        assert [str(path) for path in found.files or [] if no_file["part"] in str(path)] == [], clause


def test_each_note_is_one_that_is_understood() -> None:
    """A misspelt one would be looked up by nobody."""
    understood = {source.name for source in SOURCES} | set(ROWS) | set(RUNS) | set(COMMITS)
    assert set(NOTES) - understood == set()
    known = (HAS, LACKS, FILE, NO_FILE)
    clauses = [clause for source in SOURCES for clause in source.clauses]
    assert [clause for clause in clauses if not any(kind.fullmatch(clause) for kind in known)] == []


def test_each_note_is_used_and_each_reference_has_its_note() -> None:
    """Nothing is left over, on either side."""
    assert len(NOTES) == len(NOTE.findall(PAGE))
    assert set(REFERENCE.findall(PAGE)) == set(NOTES)


def test_quotations_are_short() -> None:
    """Names and bits of a line, of eight words at most: enough to find it by."""
    quoted = [token for text in NOTES.values() for token in re.findall(r"(?:has|no) `([^`]+)`", text)]
    assert quoted
    assert [token for token in quoted if len(token.split()) > 8] == []


@pytest.mark.parametrize("name", ROWS)
def test_a_note_says_what_the_run_gave(name: str) -> None:
    """The row of docs/reliability.md has these words of this client; no figure stands here only."""
    note = ROWS[name]
    text = (ROOT / "docs" / "reliability.md").read_text("utf-8")
    _, _, after = text.partition(f"\n### {note['phase']}\n")
    table = next(_tables(after))
    column = table[0].index(note["client"])
    assert [note["words"] in row[column] for row in table if row[0] == note["fault"]] == [True]


@pytest.mark.parametrize("name", RUNS)
def test_a_note_names_a_run_that_is_made(name: str) -> None:
    """The test is there, and so is the client in that version."""
    note = RUNS[name]
    assert f"\ndef {note['test']}(" in (ROOT / note["path"]).read_text("utf-8")
    found = _distribution(note["package"])
    assert found is not None
    assert found.version == note["version"]


# --- The tables ------------------------------------------------------------------------------


def test_each_cell_about_another_client_has_a_source() -> None:
    """Or says that nothing was seen, or that there is nothing to compare."""
    others = next(table for table in _tables(PAGE) if table[0][0] == "client" and len(table[0]) > 4)
    cells = [cell for table in COMPARED for row in table[1:] for cell in row[2:]]
    cells += [cell for row in others[1:] for cell in row[2:]]
    assert len(cells) > 100
    assert [cell for cell in cells if cell not in EMPTY and not REFERENCE.search(cell)] == []
    assert {len(row) for table in [*COMPARED, others] for row in table} == {6}


def test_a_note_stands_in_the_column_of_its_client() -> None:
    """A line of one client is no source for another."""
    names = {"openai images": "openai"}
    for table in COMPARED:
        for row in table[1:]:
            for column, cell in zip(table[0], row, strict=True):
                for name in REFERENCE.findall(cell):
                    assert f"{names.get(column, column)} " in NOTES[name], (column, name)


def test_each_cell_about_this_client_names_a_page_or_a_file_that_is_there() -> None:
    """Pages by link; files outside docs/ by name, since the site has only docs/."""
    for cell in [row[1] for table in COMPARED for row in table[1:]]:
        files = [
            span
            for span in re.findall(r"`([^`]+)`", cell)
            if re.search(r"/$|^[\w./-]+\.(py|md|json|toml|typed)$", span)
        ]
        links = re.findall(r"\]\(([^)]+)\)", cell)
        assert files or links, cell
        assert [name for name in files if not (ROOT / name).exists()] == []


def test_links_of_the_page_lead_somewhere() -> None:
    """To a page beside it, at a heading of it; none leaves docs/."""
    for link in re.findall(r"\]\(([^)]+)\)", PAGE):
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        text = (ROOT / "docs" / name).read_text("utf-8") if name else PAGE
        headings = {_slug(heading) for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}
        assert ".." not in name
        assert not anchor or anchor in headings, link


def _slug(heading: str) -> str:
    return re.sub(r"[^\w]+", "-", heading.lower()).strip("-")


def test_the_versions_are_those_that_the_project_tests_and_measures_with() -> None:
    """The notes name no others."""
    table = next(table for table in _tables(PAGE) if table[0][:3] == ["client", "version", "released"])
    versions = {row[0]: row[1] for row in table[1:]}
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["dependency-groups"]
    pinned = dict(entry.split("==") for entry in groups["bench"] if isinstance(entry, str))
    assert versions.pop("modelslab-pony") == __version__
    assert versions == {name: pinned[name] for name in versions}
    named = {(source.package, source.version) for source in SOURCES if source.package in versions}
    assert named == set(versions.items())


@pytest.mark.parametrize("client", ["modelslab-pony", *INSTALLED])
def test_requirements_and_python_are_those_of_the_metadata(client: str) -> None:
    """As the installed packages state them, without extras."""
    column = COMPARED[0][0].index(client)
    cells = {row[0]: row[column] for table in COMPARED for row in table[1:]}
    needed = [need for need in requires(client) or [] if "extra ==" not in need]
    assert cells["Direct requirements"].startswith(f"{len(needed)} ") or cells["Direct requirements"].startswith(
        f"{len(needed)}, "
    )
    found = _distribution(client)
    assert found is not None
    assert found.metadata["Requires-Python"].startswith(
        cells["Python"].split(" [")[0].split(" (")[0].replace("≥ ", ">=")
    )
