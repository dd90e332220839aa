"""The site: built strictly, whole, and fetching nothing from elsewhere."""

from __future__ import annotations

import html.parser
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest
from attrs import Factory, define
from PIL import Image, ImageChops

import demo
from modelslab_pony.testing import Simulator
from prism_image import ROOT


@define
class Page(html.parser.HTMLParser):
    """What a built page links to, what it loads by itself, and the places in it that a link may name."""

    links: list[str] = Factory(list)
    loaded: list[str] = Factory(list)
    places: set[str] = Factory(set)

    def __attrs_post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.places |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif "src" in given:
            self.loaded.append(given["src"])
        elif tag == "link" and given.get("rel") in {"stylesheet", "icon", "preload"}:
            self.loaded.append(given["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `make docs` builds it."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    found: dict[Path, Page] = defaultdict(Page)
    for path in site.rglob("*.html"):
        found[path.resolve()].feed(path.read_text("utf-8"))
    return dict(found)


def test_no_link_is_broken(site: Path, pages: dict[Path, Page]) -> None:
    """To a page, to a place in it, to a file: each is there."""
    broken = []
    for path, page in pages.items():
        for link in page.links + page.loaded:
            target, place = urldefrag(link)
            if urlsplit(link).scheme or path.name == "404.html":  # it is served from any folder
                continue
            there = (path.parent / unquote(target)).resolve() if target else path
            there = there / "index.html" if there.is_dir() else there
            if not there.is_file() or (place and there in pages and unquote(place) not in pages[there].places):
                broken.append(f"{path.relative_to(site.resolve())}: {link}")
    assert len(pages) > 20
    assert broken == []


def test_nothing_is_fetched_from_elsewhere(pages: dict[Path, Page]) -> None:
    """No font, script or picture of another host: the site opens from the disk, and tells nobody who reads it."""
    assert [link for page in pages.values() for link in page.loaded if urlsplit(link).netloc] == []


def test_every_public_class_has_its_place(pages: dict[Path, Page]) -> None:
    """In the reference, under its own name."""
    places = set[str]().union(*(page.places for page in pages.values()))
    import modelslab_pony
    import modelslab_pony.batch
    import modelslab_pony.testing
    import modelslab_pony.webhooks

    modules = (modelslab_pony, modelslab_pony.batch, modelslab_pony.testing, modelslab_pony.webhooks)
    names = {name for module in modules for name in module.__all__ if not name.startswith("__")}
    assert {name for name in names if not any(place.rpartition(".")[2] == name for place in places)} == set()


def test_make_docs_is_strict() -> None:
    """A warning fails it."""
    planned = subprocess.run(["make", "-n", "docs"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "mkdocs build --strict" in planned


def test_the_picture_is_what_the_demo_makes() -> None:
    """The README's and the first page's, to a pixel but for how a Pillow draws letters."""
    with Simulator(eta=0).client() as pony:
        made = pony.text2img(demo.PROMPT, seed=int(demo.SEED)).images[0].to_pil().convert("RGB")
    with Image.open(ROOT / "docs" / "images" / "demo.png") as shown:
        difference = ImageChops.difference(made, shown.convert("RGB")).convert("L").point(lambda value: value > 8)
    assert sum(difference.histogram()[1:]) < 0.01 * made.width * made.height
