"""What is in the wheel and in the sdist, and what the package's page will show."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

import modelslab_pony
from prism_image import ROOT
from support.packages import ENVIRONMENT, Distributions, build

pytest_plugins = ["support.packaged"]
SOURCE_URL = "https://host.example/owner/name"
VERSION = modelslab_pony.__version__
EXTRAS = {"aiohttp", "batch", "cli", "images", "testing", "webhooks"}


def links(text: str) -> list[str]:
    """Return the targets of all links and pictures of a Markdown text."""
    tokens = MarkdownIt("commonmark").parse(text)
    inner = [child for token in tokens for child in token.children or ()]
    return [str(target) for child in inner for target in (child.attrGet("href"), child.attrGet("src")) if target]


def test_the_wheel_has_the_two_packages_and_nothing_else(built: Distributions, source: Path) -> None:
    """Each tracked file of the two, the spec, the licence; no tests, scripts or caches."""
    names = set(built.names())
    packages = {
        path.relative_to(source / top).as_posix()
        for top, package in (("generated", "modelslab_pony_raw"), ("wrapper", "modelslab_pony"))
        for path in (source / top / package).rglob("*")
        if path.is_file()
    }
    added = {"modelslab_pony_raw/openapi.json", "modelslab_pony_raw/py.typed"}
    assert {name for name in names if ".dist-info/" not in name} == packages | added
    needed = (
        "modelslab_pony/py.typed",
        "modelslab_pony_raw/py.typed",
        "modelslab_pony/batch/gallery.html",
        "modelslab_pony/testing/page.html",
    )
    assert names >= {*needed, f"modelslab_pony-{VERSION}.dist-info/licenses/LICENSE"}
    assert built.read("modelslab_pony_raw/openapi.json") == (ROOT / "generated" / "openapi.json").read_text("utf-8")


def test_the_wheel_brings_the_command_and_the_fixtures(built: Distributions) -> None:
    """Entry points: `pony`, and the plugin of pytest."""
    assert built.read("entry_points.txt").split("\n") == [
        "[console_scripts]",
        "pony = modelslab_pony.cli:main",
        "",
        "[pytest11]",
        "modelslab_pony = modelslab_pony.testing.plugin",
        "",
    ]


def test_the_metadata_is_complete(built: Distributions) -> None:
    """What an index shows and what resolvers read, in a form that older tools know."""
    metadata = built.metadata()
    for name in ("Summary", "Author", "Keywords", "Requires-Python", "License-File"):
        assert metadata[name], name
    assert (metadata["Name"], metadata["Version"]) == ("modelslab-pony", VERSION)
    assert metadata["Metadata-Version"] == "2.4"
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert set(metadata.get_all("Provides-Extra", ())) == EXTRAS
    classifiers = metadata.get_all("Classifier", ())
    assert "Typing :: Typed" in classifiers
    assert not [name for name in classifiers if name.startswith("License ::")]  # the expression says it
    pythons = re.findall(r"Programming Language :: Python :: (3\.\d+)", "\n".join(classifiers))
    assert f">={min(pythons, key=lambda minor: int(minor[2:]))}" == metadata["Requires-Python"]


def test_without_an_address_the_page_has_no_link_of_the_repository(built: Distributions) -> None:
    """None is invented: the vendor's documentation is the one link, and what was relative is text."""
    metadata = built.metadata()
    assert metadata.get_all("Project-URL") == ["ModelsLab API, https://docs.modelslab.com"]
    text = str(metadata.get_payload())
    assert links(text)
    assert all(link.startswith("https://") for link in links(text)), links(text)
    # Code is code: what looks like a link there stays.
    fences = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
    assert fences.findall(text) == fences.findall((ROOT / "README.md").read_text("utf-8"))


def test_with_an_address_links_lead_to_the_files_of_the_version(source: Path, tmp_path: Path) -> None:
    """Each relative link of the README becomes that of a file which is there, as tagged; and an sdist keeps them."""
    made = build(source, tmp_path / "dist", source_url=SOURCE_URL)
    metadata = made.metadata()
    assert f"Source, {SOURCE_URL}" in metadata.get_all("Project-URL", ())
    assert f"Changelog, {SOURCE_URL}/blob/v{VERSION}/CHANGELOG.md" in metadata.get_all("Project-URL", ())
    theirs = [link for link in links(str(metadata.get_payload())) if link.startswith(SOURCE_URL)]
    assert theirs
    for link in theirs:
        path = re.fullmatch(rf"{re.escape(SOURCE_URL)}/(?:blob|raw)/v{re.escape(VERSION)}/([^#]+)(#.*)?", link)
        assert path, link
        assert (ROOT / path[1]).exists(), link
    assert made.sdist
    with tarfile.open(made.sdist) as content:
        content.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.glob("modelslab_pony-*")
    again = build(unpacked, tmp_path / "again", "--wheel")
    assert again.wheel.read_bytes() == made.wheel.read_bytes()


def test_an_address_that_is_none_ends_the_build(source: Path, tmp_path: Path) -> None:
    """A mistake in a workflow does not end up on the page."""
    with pytest.raises(AssertionError, match="SOURCE_URL must look like"):
        build(source, tmp_path / "dist", "--wheel", source_url="owner/name")


def test_the_tree_gives_the_same_wheel_as_the_sdist(built: Distributions, source: Path, tmp_path: Path) -> None:
    """Byte for byte: what is published can be made again from either."""
    assert build(source, tmp_path / "dist", "--wheel").wheel.read_bytes() == built.wheel.read_bytes()


def test_the_sdist_has_what_a_build_needs_and_no_more(built: Distributions) -> None:
    """The two packages, both specs with the overlay between them, and documents; no tests, tools or workflows."""
    assert built.sdist
    with tarfile.open(built.sdist) as content:
        names = {name.partition("/")[2] for name in content.getnames()}
    assert {name.partition("/")[0] for name in names} == {
        *(".gitignore", "PKG-INFO", "pyproject.toml", "LICENSE"),
        *("README.md", "CHANGELOG.md", "SECURITY.md", "openapi.json", "openapi.overlay.yaml"),
        *("generated", "scripts", "wrapper"),
    }
    assert {name for name in names if name.startswith("scripts/")} == {"scripts/metadata_hook.py"}


def test_an_index_would_take_both(built: Distributions) -> None:
    """`twine check --strict`: the description renders, and nothing is missing."""
    assert built.sdist
    files = (str(built.wheel), str(built.sdist))
    command = [sys.executable, "-m", "twine", "--no-color", "check", "--strict", *files]
    checked = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
    assert checked.stdout.count("PASSED") == 2


def test_the_version_stands_in_one_place() -> None:
    """`_version.py`; documents and pictures show it in what was made, lock files have versions of other packages."""
    number = re.compile(rf"(?<![\d.]){re.escape(VERSION)}(?![\d.])")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    read_by_programs = [
        name for name in listed.split("\0") if name and not name.endswith((".md", ".png", "-lock.json"))
    ]
    there = [name for name in read_by_programs if (ROOT / name).is_file()]
    texts = {name: (ROOT / name).read_bytes().decode("utf-8", "replace") for name in there}
    assert [name for name, text in texts.items() if number.search(text)] == ["wrapper/modelslab_pony/_version.py"]
