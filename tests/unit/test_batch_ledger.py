"""The books of a batch: each row is sent once, nothing accepted is lost, and all of it outlives the process."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest

from modelslab_pony import GenerationFailed, NotFoundError, SubmissionUnknown
from modelslab_pony.batch import _row_book
from modelslab_pony.batch._ledger import Ledger
from modelslab_pony.batch._row_book import Item
from modelslab_pony.batch._rows import Checked
from modelslab_pony.batch._tables import sqlite_url

URL = "https://service.example"


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time of day, which stands still until it is told to go on."""
    clock = Clock()
    monkeypatch.setattr(time, "time", clock)
    return clock


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(sqlite_url(tmp_path / "ledger.sqlite"))
    opened.limit(5)
    yield opened
    opened.close()


def rows_of(*names: str, prefix: str = "") -> list[Checked]:
    """A row for each name; what it asks for is its first letter."""
    return [
        Checked(
            digest=name[0], name=name, document=json.dumps({"op": "text2img", "fields": {"prompt": prefix + name[0]}})
        )
        for name in names
    ]


def load(ledger: Ledger, *names: str, batch: str = "b") -> int:
    return ledger.load(batch, URL, {"template": "{index}.png"}, rows_of(*names))


def there(ledger: Ledger, batch: str = "b") -> list[Item]:
    return list(ledger.rows(batch))


def told(ledger: Ledger) -> list[tuple[int | None, str | None, str]]:
    return [(item.position, item.name, item.state) for item in there(ledger)]


def id_of(ledger: Ledger, name: str, batch: str = "b") -> int:
    (found,) = (item.id for item in there(ledger, batch) if item.name == name)
    return found


def send(ledger: Ledger, id: int, *, job: int | str = 7) -> None:
    assert ledger.claim(id, "t", "w") == "claimed"
    assert ledger.accepted(id, "t", job, {"seed": 1})


def finish(ledger: Ledger, id: int) -> None:
    send(ledger, id)
    ledger.answered(id, {"seed": 2})
    ledger.done(id)


# --- the input ---------------------------------------------------------------------------------


def test_rows_wait_in_their_order(ledger: Ledger) -> None:
    """Numbered from 1, with what they ask for."""
    assert load(ledger, "a", "b", "c") == 0
    assert told(ledger) == [(1, "a", "waiting"), (2, "b", "waiting"), (3, "c", "waiting")]
    first = there(ledger)[0]
    assert first.document == {"op": "text2img", "fields": {"prompt": "a"}}
    assert (first.attempt, first.parked, first.token, first.job_id, first.files) == (1, False, None, None, ())


def test_the_books_outlive_the_process(tmp_path: Path) -> None:
    """Opened again, they say the same."""
    path = tmp_path / "ledger.sqlite"
    for _ in range(2):
        opened = Ledger(sqlite_url(path))
        if not opened.batches():
            opened.limit(3)
            load(opened, "a", "b")
            send(opened, id_of(opened, "a"), job="j-1")
        assert told(opened) == [(1, "a", "running"), (2, "b", "waiting")]
        assert there(opened)[0].job_id == "j-1"
        opened.close()


def test_a_moved_row_keeps_what_became_of_it(ledger: Ledger) -> None:
    """Also under another name; its file name is what it was."""
    load(ledger, "a", "b", "c")
    finish(ledger, id_of(ledger, "c"))
    assert load(ledger, "c renamed", "a", "b") == 0
    assert told(ledger) == [(1, "c renamed", "done"), (2, "a", "waiting"), (3, "b", "waiting")]


def test_a_changed_row_is_another(ledger: Ledger) -> None:
    """The new one waits, the old one is not in the input any more."""
    load(ledger, "a", "b")
    finish(ledger, id_of(ledger, "a"))
    assert load(ledger, "x", "b") == 1
    assert told(ledger) == [(1, "x", "waiting"), (2, "b", "waiting")]
    assert ledger.former("b") == {"done": 1}


def test_a_removed_row_is_not_sent_any_more(ledger: Ledger) -> None:
    """It is no former row either: there is no picture of it."""
    load(ledger, "a", "b")
    gone = id_of(ledger, "b")
    assert load(ledger, "a") == 1
    assert ledger.claim(gone, "t", "w") == "taken"
    assert ledger.former("b") == {}
    assert load(ledger, "a") == 0


def test_a_removed_row_that_was_sent_is_fetched(ledger: Ledger) -> None:
    """It was paid for."""
    load(ledger, "a", "b")
    gone = id_of(ledger, "b")
    send(ledger, gone)
    assert load(ledger, "a") == 1
    assert ledger.item(gone).state == "running"
    assert ledger.item(gone).position is None
    ledger.cancel("b")
    assert ledger.is_open("b")
    ledger.done(gone)
    assert not ledger.is_open("b")
    assert ledger.former("b") == {"done": 1}


def test_a_row_that_comes_back_is_what_it_was(ledger: Ledger) -> None:
    """Done, it is not sent again; unsent, it waits after the next revival."""
    load(ledger, "a", "b", "c")
    finish(ledger, id_of(ledger, "a"))
    load(ledger, "c")
    load(ledger, "a", "b", "c")
    ledger.revive("b")
    assert told(ledger) == [(1, "a", "done"), (2, "b", "waiting"), (3, "c", "waiting")]


def test_a_row_that_stands_twice_is_made_twice(ledger: Ledger) -> None:
    """Each has a picture of its own, and one more of them is one more to be made."""
    load(ledger, "a1", "a2")
    finish(ledger, id_of(ledger, "a1"))
    finish(ledger, id_of(ledger, "a2"))
    load(ledger, "a1", "b", "a2", "a3")
    assert told(ledger) == [(1, "a1", "done"), (2, "b", "waiting"), (3, "a2", "done"), (4, "a3", "waiting")]
    assert load(ledger, "a") == 3
    assert told(ledger) == [(1, "a", "done")]


def test_an_input_is_taken_whole_or_not_at_all(ledger: Ledger) -> None:
    """A mistake in a late row leaves the batch as it was, and the books usable."""

    def broken() -> Iterator[Checked]:
        yield from rows_of("x", "b")
        raise ValueError("row 3")

    load(ledger, "a", "b")
    with pytest.raises(ValueError, match="row 3"):
        ledger.load("b", "https://other.example", {}, broken())
    assert told(ledger) == [(1, "a", "waiting"), (2, "b", "waiting")]
    known = ledger.batch("b")
    assert known is not None
    assert known["base_url"] == URL
    assert load(ledger, "c") == 2


def test_a_batch_has_its_settings(ledger: Ledger) -> None:
    """Those of the last input; others in the same database have their own."""
    load(ledger, "a")
    load(ledger, "a", batch="another")
    ledger.load("b", "https://other.example", {"strict": False}, rows_of("a"))
    known = ledger.batch("b")
    assert known is not None
    assert (known["base_url"], known["settings"]) == ("https://other.example", {"strict": False})
    assert ledger.batches() == ["b", "another"]
    assert ledger.batch("a third") is None


def test_batches_do_not_share_rows(ledger: Ledger) -> None:
    """The same picture in two of them is made for each."""
    load(ledger, "a", "b")
    load(ledger, "a", batch="c")
    finish(ledger, id_of(ledger, "a"))
    assert ledger.cancel("c") == 1
    assert (ledger.counts("b"), ledger.counts("c")) == ({"done": 1, "waiting": 1}, {"cancelled": 1})
    assert (ledger.serial("b"), ledger.serial("c")) == (1, 0)


def test_more_rows_than_memory_holds_are_paged(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every one comes once, in order, wherever a page ends."""
    monkeypatch.setattr(_row_book, "CHUNK", 3)
    for many in (2, 3, 4, 6, 7):
        names = [chr(ord("a") + number) for number in range(many)]
        load(ledger, *names, batch=str(many))
        assert [item.name for item in ledger.rows(str(many))] == names


def test_a_thousand_rows_are_loaded_in_order(ledger: Ledger) -> None:
    """More than a chunk of them, with the same order again when they come reversed."""
    given = [
        Checked(digest=str(number), name=None, document='{"op": "text2img", "fields": {}}') for number in range(1203)
    ]
    assert ledger.load("b", URL, {}, iter(given)) == 0
    first = [item.id for item in ledger.rows("b")]
    assert len(set(first)) == 1203
    assert ledger.load("b", URL, {}, reversed(given)) == 0
    assert [item.id for item in ledger.rows("b")] == first[::-1]
    assert ledger.counts("b") == {"waiting": 1203}


# --- the right to send -------------------------------------------------------------------------


def test_a_row_is_claimed_once(ledger: Ledger) -> None:
    """The same claim again is answered as before; any other comes too late."""
    load(ledger, "a")
    (item,) = there(ledger)
    assert ledger.claim(item.id, "one", "w1") == "claimed"
    assert ledger.claim(item.id, "two", "w2") == "taken"
    assert ledger.claim(item.id, "one", "w1") == "claimed"
    found = ledger.item(item.id)
    assert (found.state, found.token, found.worker) == ("submitting", "one", "w1")


def test_of_many_threads_one_may_send(ledger: Ledger) -> None:
    """However close together they ask."""
    load(ledger, "a", "b")
    ids = [item.id for item in there(ledger)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: ledger.claim(ids[number % 2], str(number), "w"), range(16)))
    assert sorted(answers) == ["claimed"] * 2 + ["taken"] * 14


def test_no_more_than_the_limit_is_sent(ledger: Ledger) -> None:
    """A place is free again when the service is done, not when the picture is saved."""
    ledger.limit(2)
    load(ledger, "a", "b", "c", "d")
    a, b, c, d = (item.id for item in there(ledger))
    send(ledger, a)
    assert ledger.claim(b, "t", "w") == "claimed"
    assert ledger.claim(c, "t", "w") == "full"
    assert ledger.item(c).state == "waiting"
    ledger.answered(a, {})
    assert ledger.claim(c, "t", "w") == "claimed"
    assert ledger.claim(d, "t", "w") == "full"


def test_the_limit_is_that_of_the_account(ledger: Ledger) -> None:
    """All batches of the database have their places in one queue."""
    ledger.limit(1)
    load(ledger, "a")
    load(ledger, "a", batch="c")
    send(ledger, id_of(ledger, "a"))
    assert ledger.claim(id_of(ledger, "a", "c"), "t", "w") == "full"


def test_a_right_that_was_given_back_may_be_taken_again(ledger: Ledger) -> None:
    """By whoever comes first; only its holder can give it back."""
    load(ledger, "a")
    (item,) = there(ledger)
    ledger.claim(item.id, "one", "w")
    ledger.unclaim(item.id, "two")
    assert ledger.claim(item.id, "two", "w") == "taken"
    ledger.unclaim(item.id, "one")
    assert ledger.item(item.id).state == "waiting"
    assert ledger.claim(item.id, "two", "w") == "claimed"
    assert not ledger.accepted(item.id, "one", 7, {})


def test_what_was_accepted_is_not_given_back(ledger: Ledger) -> None:
    """It would be sent twice."""
    load(ledger, "a")
    (item,) = there(ledger)
    send(ledger, item.id)
    ledger.unclaim(item.id, "t")
    ledger.refused(item.id, "t")
    assert ledger.item(item.id).state == "running"


@pytest.mark.parametrize("job", [7, "7", "j-1", None])
def test_a_job_s_id_is_kept_as_it_came(job: int | str | None, ledger: Ledger) -> None:
    """Numbers and texts are different ids."""
    load(ledger, "a")
    (item,) = there(ledger)
    ledger.claim(item.id, "t", "w")
    assert ledger.accepted(item.id, "t", job, {"seed": 5})
    found = ledger.item(item.id)
    assert found.job_id == job
    assert type(found.job_id) is type(job)
    assert found.answer == {"seed": 5}


# --- unknown -----------------------------------------------------------------------------------


def test_an_unknown_row_is_not_sent_again(ledger: Ledger) -> None:
    """Neither now nor by the next run; it may have been paid for."""
    load(ledger, "a")
    (item,) = there(ledger)
    ledger.claim(item.id, "t", "w")
    assert ledger.unknown(item.id, SubmissionUnknown("no answer\n came"))
    ledger.unclaim(item.id, "t")
    ledger.revive("b")
    load(ledger, "a")
    assert ledger.retry("b", unknown=False, failed=True) == 0
    assert ledger.claim(item.id, "t", "w") == "taken"
    found = ledger.item(item.id)
    assert (found.state, found.error) == ("unknown", {"type": "SubmissionUnknown", "message": "no answer came"})


def test_a_row_that_was_cut_off_says_so(ledger: Ledger) -> None:
    """Without an error that somebody saw."""
    load(ledger, "a")
    (item,) = there(ledger)
    ledger.claim(item.id, "t", "w")
    ledger.unknown(item.id)
    error = ledger.item(item.id).error
    assert error is not None
    assert error["type"] == "SubmissionUnknown"
    assert "the process ended" in error["message"]


@pytest.mark.parametrize("state", ["waiting", "running", "done", "cancelled"])
def test_only_what_is_being_sent_becomes_unknown(state: str, ledger: Ledger) -> None:
    """Of everything else it is known."""
    load(ledger, "a")
    (item,) = there(ledger)
    if state in {"running", "done"}:
        send(ledger, item.id)
    if state == "done":
        ledger.done(item.id)
    if state == "cancelled":
        ledger.cancel("b")
    assert not ledger.unknown(item.id)
    assert ledger.item(item.id).state == state


def test_a_late_answer_is_taken(ledger: Ledger) -> None:
    """The row was given up, and its job is there after all: it is fetched, and keeps one place only."""
    ledger.limit(1)
    load(ledger, "a", "b")
    a, b = (item.id for item in there(ledger))
    ledger.claim(a, "t", "w")
    ledger.unknown(a)
    assert ledger.accepted(a, "t", 7, {})
    found = ledger.item(a)
    assert (found.state, found.job_id, found.error, found.settled_at, found.serial) == ("running", 7, None, None, None)
    assert ledger.claim(b, "t", "w") == "full"
    ledger.answered(a, {})
    assert ledger.claim(b, "t", "w") == "claimed"


def test_a_late_answer_of_an_earlier_attempt_is_told(ledger: Ledger) -> None:
    """The row has been sent again meanwhile: the job belongs to nobody, and the caller has to say so."""
    load(ledger, "a")
    (item,) = there(ledger)
    ledger.claim(item.id, "one", "w")
    ledger.unknown(item.id)
    ledger.retry("b", unknown=True, failed=False)
    assert not ledger.accepted(item.id, "one", 7, {})
    ledger.claim(item.id, "two", "w")
    assert not ledger.accepted(item.id, "one", 7, {})
    assert ledger.accepted(item.id, "two", 8, {})
    assert ledger.item(item.id).job_id == 8


def test_an_unknown_row_keeps_its_place_for_a_while(ledger: Ledger, wall: Clock) -> None:
    """Its job may be in the account's queue: half as long again as the longest of late took."""
    ledger.limit(1)
    load(ledger, "a", "b", "c", "d")
    a, b, c, d = (item.id for item in there(ledger))
    ledger.claim(a, "t", "w")
    ledger.unknown(a)
    wall.now += 19.9
    assert ledger.claim(b, "t", "w") == "full"
    wall.now += 0.2
    send(ledger, b)
    wall.now += 60
    ledger.answered(b, {})
    ledger.done(b)
    ledger.claim(c, "t", "w")
    ledger.unknown(c)
    wall.now += 89
    assert ledger.claim(d, "t", "w") == "full"
    wall.now += 2
    assert ledger.claim(d, "t", "w") == "claimed"


# --- the end of a row --------------------------------------------------------------------------


def test_a_row_s_way_is_written_down(ledger: Ledger, wall: Clock) -> None:
    """When it was claimed, accepted, answered and saved."""
    load(ledger, "a")
    (item,) = there(ledger)
    begun = wall.now
    ledger.claim(item.id, "t", "w")
    wall.now += 1
    ledger.accepted(item.id, "t", 7, {"seed": 1})
    wall.now += 2
    ledger.answered(item.id, {"seed": 2, "links": []})
    wall.now += 3
    ledger.done(item.id)
    found = ledger.item(item.id)
    assert (found.claimed_at, found.accepted_at, found.answered_at) == (begun, begun + 1, begun + 3)
    assert (found.settled_at, found.state, found.serial) == (begun + 6, "done", 1)
    assert found.answer == {"seed": 2, "links": []}


def test_a_failed_row_has_its_reason(ledger: Ledger) -> None:
    """On one line, with the job where there was one."""
    load(ledger, "a", "b")
    a, b = (item.id for item in there(ledger))
    ledger.failed(a, ValueError("two\n  lines"), token="t")
    ledger.claim(b, "t", "w")
    ledger.failed(b, GenerationFailed("it broke", job_id=7), token="t", job_id=7)
    first, second = there(ledger)
    assert (first.state, first.error, first.job_id) == ("failed", {"type": "ValueError", "message": "two lines"}, None)
    assert (second.state, second.job_id) == ("failed", 7)


def test_what_is_done_stays_done(ledger: Ledger) -> None:
    """No late error, run, retry or cancellation has it made again."""
    load(ledger, "a")
    (item,) = there(ledger)
    finish(ledger, item.id)
    ledger.failed(item.id, ValueError("late"))
    ledger.park(item.id, ValueError("late"))
    ledger.answered(item.id, {"seed": 99})
    ledger.unclaim(item.id, "t")
    ledger.revive("b")
    assert ledger.retry("b", unknown=True, failed=True) == 0
    assert ledger.cancel("b") == 0
    assert ledger.claim(item.id, "t", "w") == "taken"
    found = ledger.item(item.id)
    assert (found.state, found.error, found.parked, found.answer, found.attempt) == (
        "done",
        None,
        False,
        {"seed": 2},
        1,
    )


def test_rows_are_told_in_the_order_in_which_they_ended(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks again from where it stopped misses none and sees none twice."""
    monkeypatch.setattr(_row_book, "CHUNK", 2)
    load(ledger, *"abcde")
    ids = [item.id for item in there(ledger)]
    for place in (3, 0, 4):
        finish(ledger, ids[place])
    assert [item.name for item in ledger.settled("b", 0)] == ["d", "a", "e"]
    since = ledger.serial("b")
    assert list(ledger.settled("b", since)) == []
    ledger.failed(ids[1], ValueError("no"), token="t")
    ledger.claim(ids[2], "t", "w")
    ledger.unknown(ids[2])
    assert [(item.name, item.state) for item in ledger.settled("b", since)] == [("b", "failed"), ("c", "unknown")]
    ledger.accepted(ids[2], "t", 7, {})
    assert [item.name for item in ledger.settled("b", since)] == ["b"]
    ledger.done(ids[2])
    assert [item.name for item in ledger.settled("b", 0)] == ["d", "a", "e", "b", "c"]


# --- the next run ------------------------------------------------------------------------------


def test_a_parked_row_is_left_to_the_next_run(ledger: Ledger) -> None:
    """This one ends without it, and the next one takes up its job: it is not sent again."""
    load(ledger, "a", "b")
    a, b = (item.id for item in there(ledger))
    send(ledger, a)
    ledger.set_queued([a, b])
    finish(ledger, b)
    ledger.park(a, NotFoundError("not yet"))
    assert not ledger.is_open("b")
    assert ledger.counts("b") == {"parked": 1, "done": 1}
    assert (ledger.queued(), ledger.unqueued(9)) == ({}, [])
    ledger.go_on("b")
    assert ledger.is_open("b")
    assert ledger.unqueued(9) == [(a, f"{a}-1-2", True)]
    assert (ledger.item(a).state, ledger.item(a).job_id, ledger.item(a).attempt) == ("running", 7, 1)


def test_a_cancelled_batch_goes_on_with_the_next_run(ledger: Ledger) -> None:
    """Until then nothing of it is sent; what was accepted is not cancelled."""
    load(ledger, "a", "b", "c")
    a, b, c = (item.id for item in there(ledger))
    send(ledger, a)
    finish(ledger, b)
    assert ledger.cancel("b") == 1
    assert ledger.cancel("b") == 0
    assert ledger.claim(c, "t", "w") == "taken"
    assert ledger.counts("b") == {"running": 1, "done": 1, "cancelled": 1}
    ledger.revive("b")
    assert ledger.counts("b") == {"running": 1, "done": 1, "waiting": 1}
    assert ledger.claim(c, "t", "w") == "claimed"


def test_a_former_row_is_not_revived(ledger: Ledger) -> None:
    """It is not in the input; what was left of it with a job is fetched all the same."""
    load(ledger, "a", "b", "c")
    b, c = id_of(ledger, "b"), id_of(ledger, "c")
    send(ledger, c)
    ledger.park(c, ValueError("offline"))
    load(ledger, "a")
    ledger.revive("b")
    ledger.go_on("b")
    assert ledger.item(b).state == "cancelled"
    assert (ledger.item(c).state, ledger.item(c).parked) == ("running", False)


@pytest.mark.parametrize(("unknown", "failed", "names"), [(True, False, "a"), (False, True, "b"), (True, True, "ab")])
def test_rows_are_sent_again_on_purpose_alone(unknown: bool, failed: bool, names: str, ledger: Ledger) -> None:
    """Those that were asked for, as another attempt under another workflow."""
    load(ledger, "a", "b", "c")
    a, b, _ = (item.id for item in there(ledger))
    ledger.set_queued([a, b])
    ledger.claim(a, "t", "w")
    ledger.unknown(a)
    ledger.failed(b, ValueError("bad"), token="t")
    assert ledger.retry("b", unknown=unknown, failed=failed) == len(names)
    again = {item.name: item for item in there(ledger) if item.attempt == 2}
    assert "".join(sorted(filter(None, again))) == names
    queue = {id: name for id, name, _ in ledger.unqueued(9)}
    for item in again.values():
        assert (item.state, item.error, item.token, item.settled_at) == ("waiting", None, None, None)
        assert queue[item.id] == f"{item.id}-2-2"
    assert ledger.retry("b", unknown=unknown, failed=failed) == 0


def test_a_failed_row_whose_job_did_not_fail_is_asked_about(ledger: Ledger) -> None:
    """It was paid for: its job may be there after all."""
    load(ledger, "a", "b")
    a, b = (item.id for item in there(ledger))
    send(ledger, a, job=7)
    ledger.failed(a, NotFoundError("no such job"))
    send(ledger, b, job=8)
    ledger.failed(b, GenerationFailed("it broke", job_id=8))
    assert ledger.retry("b", unknown=False, failed=True) == 2
    first, second = there(ledger)
    assert (first.state, first.job_id, first.attempt, first.error) == ("running", 7, 1, None)
    assert (second.state, second.job_id, second.attempt, second.answer) == ("waiting", None, 2, {})
    assert ledger.claim(a, "t", "w") == "taken"


# --- the queue of workflows --------------------------------------------------------------------


def test_workflows_are_made_a_few_ahead(ledger: Ledger) -> None:
    """In the order of the rows; no row gets two."""
    load(ledger, *"abcde")
    ids = [item.id for item in there(ledger)]
    first = ledger.unqueued(2)
    assert first == [(id, f"{id}-1-1", False) for id in ids[:2]]
    ledger.set_queued([id for id, _, _ in first])
    assert ledger.unqueued(2) == []
    assert [id for id, _, _ in ledger.unqueued(3)] == ids[2:3]
    assert ledger.queued() == {id: f"{id}-1-1" for id in ids[:2]}
    send(ledger, ids[0])
    assert [id for id, _, _ in ledger.unqueued(2)] == ids[2:3]


def test_parked_rows_keep_no_others_from_their_turn(ledger: Ledger) -> None:
    """However many there are: they wait for the next run."""
    load(ledger, *"abc")
    a, b, c = (item.id for item in there(ledger))
    ledger.set_queued([a, b])
    for id in (a, b):
        ledger.park(id, ValueError("left"))
    assert ledger.unqueued(2) == [(c, f"{c}-1-1", False)]


def test_a_former_workflow_may_not_send(ledger: Ledger) -> None:
    """A row that was cancelled and wanted again has a new one, and the old one may still be about."""
    load(ledger, "a")
    (item,) = there(ledger)
    ledger.cancel("b")
    ledger.revive("b")
    (again,) = there(ledger)
    assert (item.workflow, again.workflow) == (f"{item.id}-1-1", f"{item.id}-1-2")
    assert ledger.claim(item.id, "one", "w", item.workflow) == "taken"
    assert ledger.claim(item.id, "two", "w", again.workflow) == "claimed"


def test_rows_that_were_begun_come_before_the_others(ledger: Ledger) -> None:
    """They may have been paid for."""
    load(ledger, *"abc")
    a, b, c = (item.id for item in there(ledger))
    send(ledger, c)
    assert ledger.unqueued(1) == [(c, f"{c}-1-1", True), (a, f"{a}-1-1", False)]
    ledger.claim(b, "t", "w")
    found = [(id, is_begun) for id, _, is_begun in ledger.unqueued(5)]
    assert sorted(found[:2]) == [(b, True), (c, True)]
    assert found[2:] == [(a, False)]


def test_a_workflow_that_is_gone_gets_a_successor(ledger: Ledger) -> None:
    """Once, however many notice it; settled and parked rows need none."""
    load(ledger, *"abcd")
    a, b, c, d = (item.id for item in there(ledger))
    ledger.set_queued([a, b, c, d])
    gone = ledger.queued()
    finish(ledger, b)
    ledger.park(c, ValueError("left"))
    ledger.cancel("b")
    send_again = ledger.requeue({id: gone[id] for id in (b, c, d)})
    assert send_again == 0
    ledger.revive("b")
    ledger.set_queued([a])
    assert ledger.requeue({a: gone[a]}) == 0
    now = ledger.queued()
    assert now == {a: f"{a}-1-2"}
    assert ledger.requeue(now) == 1
    assert ledger.requeue(now) == 0
    assert (a, f"{a}-1-3", False) in ledger.unqueued(9)


# --- the pace ----------------------------------------------------------------------------------


def test_the_pace_is_in_the_books(tmp_path: Path, wall: Clock) -> None:
    """A limit that nobody set is none; a refusal of one process slows all of them."""
    ledger = Ledger(sqlite_url(tmp_path / "ledger.sqlite"))
    other = Ledger(sqlite_url(tmp_path / "ledger.sqlite"))
    assert ledger.pace() is None
    assert ledger.limit(4).allowed == 4
    load(ledger, *"abcd")
    a, b, c, d = (item.id for item in there(ledger))
    send(ledger, a)
    send(ledger, b)
    assert ledger.claim(c, "t", "w") == "claimed"
    slow = ledger.refused(c, "t")
    assert (slow.allowed, slow.limit, slow.changed_at) == (2, 4, wall.now)
    assert ledger.item(c).state == "waiting"
    assert other.pace() == slow
    assert other.claim(d, "t", "w") == "full"
    assert other.recovered() is None
    wall.now += 5
    found = other.recovered()
    assert found is not None
    assert found.allowed == 3
    assert ledger.pace() == found
    assert ledger.limit(4) == found
    assert ledger.claim(d, "t", "w") == "claimed"
    ledger.close()
    other.close()


def test_a_refusal_of_the_only_one_leaves_one(ledger: Ledger) -> None:
    """A batch never stands still for good."""
    load(ledger, "a")
    (item,) = there(ledger)
    ledger.claim(item.id, "t", "w")
    assert ledger.refused(item.id, "t").allowed == 1
    assert ledger.claim(item.id, "t", "w") == "claimed"


def test_a_parked_job_takes_no_place(ledger: Ledger) -> None:
    """Nobody looks whether it is done, so it cannot hold the others up."""
    ledger.limit(1)
    load(ledger, "a", "b")
    a, b = (item.id for item in there(ledger))
    send(ledger, a)
    ledger.park(a, ValueError("offline"))
    assert ledger.claim(b, "t", "w") == "claimed"


# --- names of files ----------------------------------------------------------------------------


def candidates(name: str) -> Iterator[str]:
    return (f"{name}.png" if number == 1 else f"{name}-{number}.png" for number in count(1))


def test_a_file_s_name_is_given_out_once(ledger: Ledger) -> None:
    """Also where a file system does not tell large letters from small ones; the item keeps its names in order."""
    load(ledger, "a", "b")
    a, b = (item.id for item in there(ledger))
    assert ledger.reserve(a, "b", candidates("Fox")) == "Fox.png"
    assert ledger.reserve(b, "b", candidates("fox")) == "fox-2.png"
    assert ledger.reserve(a, "b", candidates("FOX")) == "FOX-3.png"
    assert ledger.item(a).files == ("Fox.png", "FOX-3.png")
    assert ledger.item(b).files == ("fox-2.png",)


def test_another_batch_has_its_own_names(ledger: Ledger) -> None:
    """It has its own folder."""
    load(ledger, "a")
    load(ledger, "a", batch="c")
    assert ledger.reserve(id_of(ledger, "a"), "b", candidates("x")) == "x.png"
    assert ledger.reserve(id_of(ledger, "a", "c"), "c", candidates("x")) == "x.png"


def test_names_outlive_a_new_input(ledger: Ledger) -> None:
    """Pictures of former rows stay where they are, and are not written over."""
    load(ledger, "a")
    ledger.reserve(id_of(ledger, "a"), "b", candidates("1"))
    finish(ledger, id_of(ledger, "a"))
    load(ledger, "x")
    assert ledger.reserve(id_of(ledger, "x"), "b", candidates("1")) == "1-2.png"


# --- workers -----------------------------------------------------------------------------------


def test_workers_come_and_go(ledger: Ledger, wall: Clock) -> None:
    """The one that joined first is told first."""
    ledger.joined("w2", "host")
    wall.now += 1
    ledger.joined("w1", "host")
    assert ledger.workers() == ["w2", "w1"]
    ledger.left("w2")
    assert ledger.workers() == ["w1"]
