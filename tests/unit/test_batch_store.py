"""Where a batch is kept: what this machine has to be able to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelslab_pony import ConfigurationError
from modelslab_pony.batch import Batch, _store
from modelslab_pony.testing import Simulator


@pytest.mark.parametrize(
    ("python", "sqlite", "is_refused"),
    [
        ((3, 11), (3, 34, 1), False),
        ((3, 12), (3, 41, 2), True),
        ((3, 12), (3, 42, 0), False),
        ((3, 14), (3, 40, 1), True),
        ((3, 14), (3, 50, 4), False),
    ],
)
def test_an_sqlite_that_dbos_cannot_use_is_refused(
    python: tuple[int, int], sqlite: tuple[int, int, int], is_refused: bool
) -> None:
    """With its version, and the ways out."""
    if not is_refused:
        _store.check_sqlite(python, sqlite)
        return
    with pytest.raises(ConfigurationError, match=rf"is {sqlite[0]}\.{sqlite[1]}\.{sqlite[2]}; .*postgresql://"):
        _store.check_sqlite(python, sqlite)


def test_it_is_refused_before_anything_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not found out row by row."""
    check = _store.check_sqlite
    monkeypatch.setattr(_store, "check_sqlite", lambda *_: check((3, 13), (3, 40, 1)))
    simulator = Simulator(eta=0)
    with simulator.takeover(), pytest.raises(ConfigurationError, match=r"3\.42"):
        Batch(tmp_path / "out", [{"prompt": "a lighthouse"}]).run()
    assert simulator.submissions == []
