"""Faults that cost money once: rows sent again, jobs lost to the books, mistakes in the input that nobody named."""

from __future__ import annotations

import asyncio
import io
import json
import socket
import sqlite3
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import httpx
import pytest
import sqlalchemy.exc
from attrs import evolve

from modelslab_pony import AsyncPonyClient, ConfigurationError, NotFoundError, ServerError, TransportError
from modelslab_pony._redact import Redactor
from modelslab_pony.batch import _names, _rows, _saving, _verdicts
from modelslab_pony.batch._inputs import Inputs
from modelslab_pony.batch._ledger import Ledger
from modelslab_pony.batch._outcome import status_of
from modelslab_pony.batch._rows import Checked, Format, Problem
from modelslab_pony.batch._store import tidy_after
from modelslab_pony.batch._surely import Surely
from modelslab_pony.batch._tables import sqlite_url
from support.scripted import PNG


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(sqlite_url(tmp_path / "ledger.sqlite"))
    opened.limit(5)
    yield opened
    opened.close()


def load(ledger: Ledger, *digests: str) -> list[int]:
    document = json.dumps({"op": "text2img", "fields": {"prompt": "a"}})
    ledger.load("b", "https://x.example", {}, [Checked(digest=one, name=None, document=document) for one in digests])
    return [item.id for item in ledger.rows("b")]


def checked(text: str, kind: Format, folder: Path) -> list[Checked]:
    rows = _rows.read(io.StringIO(text, newline=""), kind)
    return list(_rows.check(rows, Inputs(folder), strict=True, redactor=Redactor("k" * 20)))


# --- money -------------------------------------------------------------------------------------


def test_a_row_that_is_refused_after_the_batch_was_cancelled_is_not_sent(ledger: Ledger) -> None:
    """Its POST was under way when the batch was cancelled; given back, it must not wait for another one."""
    (a,) = load(ledger, "a")
    ledger.claim(a, "one", "w")
    ledger.cancel("b")
    ledger.refused(a, "one")
    assert ledger.claim(a, "two", "w") == "taken"


def test_a_row_that_is_refused_after_it_left_the_input_is_not_sent(ledger: Ledger) -> None:
    """One that left the input is not sent any more."""
    (a,) = load(ledger, "a")
    ledger.claim(a, "one", "w")
    load(ledger, "x")
    ledger.unclaim(a, "one")
    assert ledger.claim(a, "two", "w") == "taken"


def test_numbers_that_are_the_same_have_the_same_digest(tmp_path: Path) -> None:
    """The same rows as JSONL and as CSV are the same pictures: nothing is paid for twice."""
    texts: list[tuple[str, Format]] = [
        ('{"prompt": "a", "guidance_scale": 7}', "jsonl"),
        ('{"prompt": "a", "guidance_scale": 7.0}', "jsonl"),
        ("prompt,guidance_scale\na,7\n", "csv"),
    ]
    assert len({checked(text, kind, tmp_path)[0].digest for text, kind in texts}) == 1


def test_a_row_less_of_the_same_keeps_the_picture_that_is_there(ledger: Ledger) -> None:
    """Of two same rows the second one is done: with one of them left in the input, nothing is to be made."""
    _, second = load(ledger, "a", "a")
    ledger.claim(second, "t", "w")
    ledger.accepted(second, "t", 7, {})
    ledger.done(second)
    load(ledger, "a")
    assert ledger.counts("b") == {"done": 1}


def test_an_acceptance_may_be_noted_twice(ledger: Ledger) -> None:
    """The database went away after the commit and is asked again: the job is this row's, and no stray."""
    (a,) = load(ledger, "a")
    ledger.claim(a, "t", "w")
    assert ledger.accepted(a, "t", 7, {})
    assert ledger.accepted(a, "t", 7, {})


def test_an_accepted_job_is_not_lost_to_another_execution_s_fault(ledger: Ledger) -> None:
    """An execution without a claim, whose image is not on its machine, has no say about a row that another sends."""
    (a,) = load(ledger, "a")
    ledger.claim(a, "other", "w2")
    ledger.failed(a, ValueError("the image is not here"), token="mine")
    assert ledger.accepted(a, "other", 7, {})


def test_a_database_that_goes_away_under_a_name_leaves_no_row_behind(ledger: Ledger, tmp_path: Path) -> None:
    """It is asked again, and the image has one name, even if the first was kept and the word of that was lost."""
    (a,) = load(ledger, "a")
    ledger.claim(a, "t", "w")
    ledger.accepted(a, "t", 7, {})
    ledger.answered(a, {"links": [{"url": "https://images.example/1.png", "proxy_url": None}]})
    reserve, away = ledger.reserve, [True, False]

    def kept_and_lost(id: int, folder: str, candidates: Iterable[str]) -> str:
        file = reserve(id, folder, candidates)
        if away.pop(0):
            raise sqlalchemy.exc.OperationalError("COMMIT", {}, sqlite3.OperationalError("the server went away"))
        return file

    async def run() -> int:
        transport = httpx.MockTransport(lambda _: httpx.Response(200, content=PNG))
        async with (
            httpx.AsyncClient(transport=transport) as http,
            AsyncPonyClient("k" * 20, http_client=http) as client,
        ):
            settings = {"template": "{name}.png", "metadata": False}
            surely = Surely(lambda *_: None)
            item = evolve(ledger.item(a), document={**ledger.item(a).document, "digests": {}})
            return await _saving.save_images(item, settings, client, ledger, tmp_path, surely)

    ledger.reserve = kept_and_lost  # type: ignore[method-assign]  # that database goes away
    assert asyncio.run(run()) == 1
    (file,) = ledger.item(a).files
    assert (tmp_path / file).read_bytes() == PNG


# --- the queue ---------------------------------------------------------------------------------


def test_a_night_s_sleep_does_not_hold_the_queue(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that was fetched ten hours later says nothing of how long jobs take."""
    now = 1_800_000_000.0
    monkeypatch.setattr(time, "time", lambda: now)
    ledger.limit(1)
    a, b, c = load(ledger, "a", "b", "c")
    ledger.claim(a, "t", "w")
    ledger.accepted(a, "t", 7, {})
    now += 36_000
    ledger.answered(a, {"generation_time": 3.0})
    ledger.done(a)
    ledger.claim(b, "t", "w")
    ledger.unknown(b)
    now += 3600
    assert ledger.claim(c, "t", "w") == "claimed"


# --- verdicts ----------------------------------------------------------------------------------


def test_a_failed_upload_is_tried_again() -> None:
    """No image was asked for yet, and the reason passes; the same answer to the POST itself is the service's no."""
    fates = [_verdicts.of_submission(ServerError("busy"), 1, claimed=claimed).fate for claimed in (False, True)]
    assert fates == ["again", "failed"]


def test_a_job_is_believed_unknown_after_four_such_answers_alone() -> None:
    """Three faults of the network and one 404 are not four looks at which the service did not know it."""
    faults = [TransportError("offline"), TransportError("offline"), TransportError("offline"), NotFoundError("job")]
    missed = [0, 0, 0, 1]
    verdicts = [_verdicts.of_look(error, place + 1, missed[place]) for place, error in enumerate(faults)]
    assert "failed" not in [verdict.fate for verdict in verdicts]


# --- input that is not named by row and field --------------------------------------------------


def test_a_name_that_no_database_takes_is_named(tmp_path: Path) -> None:
    """Half a character (JSON may write one) is a mistake in row 1, not a traceback; so is NUL, for PostgreSQL."""
    for name in ("\\ud800", "\\u0000"):
        rows = list(_rows.read(io.StringIO(f'{{"prompt": "a", "name": "{name}"}}'), "jsonl"))
        with pytest.raises(ValueError, match="row 1: name"):
            list(_rows.check(rows, Inputs(tmp_path), strict=True, redactor=Redactor("k" * 20)))


def test_a_mapping_with_odd_keys_is_named() -> None:
    """A program's mistake in a row is told by its row."""
    (found,) = _rows.of_requests([{1: 2, "prompt": "a"}])  # type: ignore[dict-item]  # the mistake
    assert isinstance(found, Problem)


def test_a_default_is_a_value_of_the_row_s_own_operation(tmp_path: Path) -> None:
    """`--set strength=0.5` for JSONL rows that say op: img2img."""
    row = json.dumps({"op": "img2img", "prompt": "a", "init_image": "https://x.example/a.png"})
    rows = _rows.read(io.StringIO(row), "jsonl", defaults=_rows.default_fields(["strength=0.5"]))
    assert len(list(_rows.check(rows, Inputs(tmp_path), strict=True, redactor=Redactor("k" * 20)))) == 1


# --- small ones --------------------------------------------------------------------------------


def test_a_parked_row_that_is_cancelled_counts_as_cancelled(ledger: Ledger) -> None:
    """Nothing of it is left to be fetched."""
    (a,) = load(ledger, "a")
    ledger.park(a, ValueError("a fault of ours"))
    ledger.cancel("b")
    found = status_of("b", ledger.counts("b"))
    assert (found.cancelled, found.left) == (1, 0)


def test_a_row_that_is_called_thumbnails_keeps_out_of_that_folder() -> None:
    """It belongs to the batch itself."""
    values = {**_names.FIELDS, "name": "thumbnails"}
    template = _names.check_template("{name}/{index}.png")
    assert not _names.file_name(template, values, "", 1).startswith("thumbnails/")


def test_no_value_makes_a_path_absolute() -> None:
    """A template's fill sign is not made harmless with the value."""
    with pytest.raises(ConfigurationError, match="no width"):
        _names.check_template("{job_id:/>8}.png")
    name = _names.file_name("{job_id:/>8}.png", {**_names.FIELDS, "job_id": "1234567"}, "", 1)
    assert name == "1234567.png"


def test_what_a_worker_that_is_gone_had_half_written_is_removed(ledger: Ledger, tmp_path: Path) -> None:
    """Its own, on its own machine: a number means another process elsewhere."""
    (a,) = load(ledger, "a")
    ledger.reserve(a, "", iter(["nested/a.png"]))
    gone, others = 2**22 + 1, 2**22 + 2  # no process has such a number
    places = ["", "nested", "thumbnails", "thumbnails/nested", ".batch", ".batch/inputs"]
    parts = [tmp_path / place / f".pony-{number}-00-00.part" for place in places for number in (gone, others)]
    for part in parts:
        part.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(b"half")
    tidy_after(ledger, tmp_path, f"another-host-{gone}-abcdef12")
    assert [part.exists() for part in parts] == [True, True] * len(places)
    tidy_after(ledger, tmp_path, f"{socket.gethostname()}-{gone}-abcdef12")
    assert [part.exists() for part in parts] == [False, True] * len(places)
