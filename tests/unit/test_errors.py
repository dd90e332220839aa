"""The error tree."""

from __future__ import annotations

import pickle
import re

import pytest

import modelslab_pony
from modelslab_pony import errors
from modelslab_pony.cli._exits import exit_code

CLASSES = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, errors.PonyError)]


def drawn() -> dict[str, str]:
    """Read the tree at the top of errors.py: class → its parent there."""
    parents: dict[str, str] = {}
    path = ["PonyError"]
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"([│ ]*)[├└]── (\w+)", line)
        if found:
            depth = 1 + len(found[1]) // 4
            path = [*path[:depth], found[2]]
            parents[found[2]] = path[depth - 1]
    return parents


def test_the_drawn_tree_is_the_real_one() -> None:
    """Every class is drawn, below a class that it derives from."""
    tree = drawn()
    assert set(tree) == {kind.__name__ for kind in CLASSES} - {"PonyError"}
    for name, parent in tree.items():
        assert issubclass(getattr(errors, name), getattr(errors, parent))


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_travels_between_processes_with_its_facts(kind: type[errors.PonyError]) -> None:
    """An error pickled and loaded has the same text and job id."""
    error = kind("said")
    error.job_id = 7
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (type(again), str(again), again.job_id) == (kind, "said", 7)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_is_exported(kind: type[errors.PonyError]) -> None:
    """`from modelslab_pony import ...` works for each."""
    assert getattr(modelslab_pony, kind.__name__) is kind


def test_every_error_has_an_exit_code_of_its_own() -> None:
    """Scripts tell them apart; the two that are of two kinds exit as the one that costs money."""
    codes = {kind.__name__: exit_code(kind("x")) for kind in CLASSES if kind is not errors.PonyError}
    unclear = {"UnknownServerError", "UnknownResponseError"}
    own = [code for name, code in codes.items() if name not in unclear]
    assert len(own) == len(set(own))
    assert min(own) > 2
    assert {codes[name] for name in unclear} == {codes["SubmissionUnknown"]}


def test_a_time_out_is_a_time_out() -> None:
    """`except TimeoutError` catches it."""
    assert issubclass(errors.JobTimeout, TimeoutError)
