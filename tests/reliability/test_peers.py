"""The stand-ins of other services, and what their own clients do under faults."""

from __future__ import annotations

from collections import Counter

import pytest
from attrs import evolve

from support.evidence import Row
from support.peers import DOWNLOAD, FETCH, NOTHING, OVERDUE, SUBMIT, Case, cases, measure, observe
from support.peers._faults import Colour, Peer

# All of them take a minute, in which this machine does little: some clients make ten attempts, with pauses between.
pytestmark = pytest.mark.timeout(400)
COLOURS: tuple[Colour, ...] = ("sync", "async")


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return measure()


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("peer", ["fal-client", "replicate"])
def test_a_healthy_service_is_paid_once_and_gives_a_result(peer: Peer, colour: Colour) -> None:
    """In every phase that is measured."""
    for seen in observe(Case(peer, colour, phase, NOTHING) for phase in ("submit", "fetch", "download")):
        assert (seen.row.posts, seen.row.accepted, seen.row.lost, seen.row.twice) == (1, 1, 0, 0)
        assert seen.row.saw.startswith("a result" if peer == "fal-client" else "the picture")
        assert (seen.counts.cancels, seen.counts.downloads) == (0, int(peer == "replicate"))


def test_a_stand_in_sees_where_the_key_goes() -> None:
    """To the output's host, which is another than the API's, and to one that a request was sent on to."""
    redirected = next(fault for fault in SUBMIT if fault.act == "redirect")
    healthy, sent_on = observe(
        [Case("replicate", "sync", "submit", NOTHING), Case("fal-client", "sync", "submit", redirected)]
    )
    assert healthy.counts.token_at_output
    assert healthy.row.saw == "the picture; the key went to the output's host"
    assert not sent_on.counts.token_elsewhere


def test_a_passing_fault_befalls_one_request_and_a_lasting_one_all() -> None:
    """As the service counts the requests about a job."""
    refusal = next(fault for fault in FETCH if fault.act == "429")
    passing = Case("replicate", "async", "fetch", refusal)
    once, always = observe([passing, evolve(passing, lasting=True)])
    # The refusal, and, since the job is done at the second look, its output.
    assert (once.row.saw.partition(";")[0], once.counts.looks) == ("the picture", 2)
    assert (always.row.saw, always.counts.looks) == ("ReplicateError 429, no id", 10)


def test_each_fault_has_a_row_for_each_client(rows: list[Row]) -> None:
    """Once; a client without a download of its own has one row that says so."""
    fetches = [f"{fault.name}, {long}" for fault in FETCH for long in ("passing", "lasting")]
    asked = [("submit", fault.name) for fault in SUBMIT] + [("fetch", name) for name in [*fetches, OVERDUE.name]]
    downloads = [("download", fault.name) for fault in DOWNLOAD]
    wanted = {"replicate 1.0.7": [*asked, *downloads], "fal-client 1.0.3": [*asked, ("download", "any")]}
    assert Counter((row.client, row.phase, row.fault) for row in rows) == Counter(
        (f"{name}, {colour}", *what) for name, found in wanted.items() for colour in COLOURS for what in found
    )


def test_the_counts_of_a_row_agree_with_each_other_and_with_the_fault(rows: list[Row]) -> None:
    """What the service took is billed, however it answered; nothing is lost that was not taken."""
    for row in rows:
        assert row.twice == max(0, row.accepted - 1), row
        assert row.accepted <= row.posts, row
        assert row.lost <= min(row.accepted, 1), row
        assert not (row.lost and row.saw.startswith(("a result", "the picture"))), row
    taken = {fault.name for fault in SUBMIT if fault.accepted}
    assert all(row.accepted for row in rows if row.phase == "submit" and row.fault in taken)
    assert all(row.accepted == 1 for row in rows if row.phase != "submit" and row.fault != "any")


def test_a_row_tells_nothing_that_differs_between_two_runs(rows: list[Row]) -> None:
    """What is over in a moment, measured again."""
    again = [case for case in cases() if case.phase == "submit" and case.fault.act != "trickle"]
    trickles = next(fault.name for fault in SUBMIT if fault.act == "trickle")
    assert [row for row in rows if row.phase == "submit" and row.fault != trickles] == measure(again)
