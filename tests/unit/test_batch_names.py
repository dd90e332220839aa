"""What the files of a batch are called."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import given, strategies as st

from modelslab_pony import ConfigurationError
from modelslab_pony.batch._names import DEFAULT_TEMPLATE, FIELDS, LONGEST_PART, check_template, file_name

URL = "https://images.example/a1.png"


def named(template: str, number: int = 1, url: str = URL, **values: Any) -> str:
    return file_name(check_template(template), {**FIELDS, **values}, url, number)


def test_the_default_names_row_and_seed() -> None:
    """So that files sort as the rows do."""
    assert named(DEFAULT_TEMPLATE, index=12, seed=345) == "00012-345.png"


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_may_be_in_a_template(name: str) -> None:
    """Each with its value."""
    assert named(f"a-{{{name}}}.png") == f"a-{FIELDS[name]}.png"


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{index}", "must end in one of .png"),
        ("{index}.html", "must end in one of .png"),
        ("", "must name a file"),
        ("/a/{index}.png", "below the output folder"),
        ("../{index}.png", "below the output folder"),
        ("a/../{index}.png", "below the output folder"),
        ("a\\{index}.png", "below the output folder"),
        ("a\0{index}.png", "below the output folder"),
        (".batch/{index}.png", "begin with a dot"),
        ("a/.{index}.png", "begin with a dot"),
        ("thumbnails/{index}.png", "belong to the batch"),
        ("{sede}.png", "{sede} is not known; there are index, seed"),
        ("{}.png", "{} is not known"),
        ("{0}.png", "{0} is not known"),
        ("{index.__class__}.png", "{index.__class__} is not known"),
        ("{name[0]}.png", "is not known"),
        ("{index", "cannot be used"),
        ("index}.png", "cannot be used"),
        ("{name:d}.png", "cannot be used"),
        ("{index:{sede}}.png", "cannot be used"),
        ("{index!x}.png", "cannot be used"),
    ],
)
def test_a_template_that_cannot_work_is_refused(template: str, why: str) -> None:
    """When the batch is made, before anything is paid for; with what is wrong."""
    with pytest.raises(ConfigurationError) as raised:
        check_template(template)
    assert why in str(raised.value)
    assert repr(template) in str(raised.value)


def test_a_template_may_have_folders() -> None:
    """Below the output folder."""
    assert named("{model}/{op}/{index}.jpg", model="a/b") == "a_b/text2img/1.png"


@pytest.mark.parametrize(
    ("url", "suffix"),
    [
        (URL, ".png"),
        ("https://x.example/a.JPG?sig=1.png", ".jpg"),
        ("https://x.example/a.jpeg", ".jpeg"),
        ("https://x.example/a.webp", ".webp"),
        ("https://x.example/a.php", ".png"),
        ("https://x.example/", ".png"),
        ("http://[", ".png"),
        ("", ".png"),
    ],
)
def test_the_suffix_is_that_of_the_picture(url: str, suffix: str) -> None:
    """As far as its URL tells one; a dot within the name is no suffix."""
    assert named("{name}.png", url=url, name="v1.5") == f"v1.5{suffix}"


def test_a_taken_name_has_others_beside_it() -> None:
    """In its folder, with its suffix."""
    assert [named("a/{name}.png", number) for number in (1, 2, 3)] == ["a/name.png", "a/name-2.png", "a/name-3.png"]


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("a/b", "a_b"),
        ("..", "_"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("/etc/passwd", "_etc_passwd"),
        ("C:\\windows", "C_windows"),
        (".hidden", "hidden"),
        (" a. ", "a"),
        ("", "_"),
        ("a\x00\x1f\nb", "a_b"),
        ('a<>:"|?*b', "a_b"),
        ("con", "_con"),
        ("LPT1.txt", "_LPT1.txt"),
        ("console", "console"),
        ("{seed}", "{seed}"),
        ("a fox, é", "a fox, é"),
    ],
)
def test_a_name_is_harmless_on_every_system(name: str, kept: str) -> None:
    """It is one part of a path, whatever the row calls itself."""
    assert named("{name}.png", name=name) == f"{kept}.png"


@given(name=st.text(max_size=400), model=st.text(max_size=400), number=st.integers(1, 99))
def test_no_row_leaves_the_folder(name: str, model: str, number: int) -> None:
    """Nor does it make more folders than the template has, hide a file, or ask too much of a file system."""
    path = PurePosixPath(named("{model}/{name}.png", number, name=name, model=model))
    assert len(path.parts) == 2
    assert path.suffix == ".png"
    for part in path.parts:
        assert not part.startswith(".")
        assert len(part.encode()) <= 255


def test_a_long_name_keeps_its_suffix() -> None:
    """It is cut between characters, and numbered behind the cut."""
    assert named("{name}.png", name="x" * 999) == "x" * LONGEST_PART + ".png"
    assert named("{name}.png", 2, name="x" * 999) == "x" * LONGEST_PART + "-2.png"
    assert named("{name}.png", name="x" + "é" * 999) == "x" + "é" * 74 + ".png"


def test_a_seed_that_nobody_told_fits_every_template() -> None:
    """A format for numbers is left aside; the other fields are there."""
    assert named("{index:05d}-{seed:08d}-{{x}}.png", seed="random") == "1-random-{x}.png"
