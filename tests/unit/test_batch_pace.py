"""How fast a batch sends, and what an error means for one of its rows."""

from __future__ import annotations

import itertools

import pytest
from attrs import evolve
from hypothesis import given, strategies as st

from modelslab_pony import errors
from modelslab_pony.batch import _pace, _verdicts
from modelslab_pony.batch._pace import FIRST_INTERVAL, LONGEST_INTERVAL, Pace
from modelslab_pony.errors import PonyError

NOW = 1_800_000_000.0
FULL = Pace(limit=10, allowed=10, changed_at=NOW - 1000)


def limited_by(seconds: float | None) -> errors.RateLimitError:
    error = errors.RateLimitError("too many requests")
    error.retry_after = seconds
    return error


# --- pace --------------------------------------------------------------------------------------


def test_an_account_begins_at_its_limit() -> None:
    """Nobody is slow before a refusal."""
    assert _pace.limited(None, 5, NOW) == Pace(limit=5, allowed=5, changed_at=NOW, interval=FIRST_INTERVAL)


def test_the_same_limit_again_changes_nothing() -> None:
    """What was learnt is kept; another limit begins anew, above or below."""
    slow = evolve(FULL, allowed=3, interval=40.0)
    assert _pace.limited(slow, 10, NOW) is slow
    assert _pace.limited(slow, 15, NOW) == Pace(limit=15, allowed=15, changed_at=NOW)
    assert _pace.limited(slow, 2, NOW) == Pace(limit=2, allowed=2, changed_at=NOW)


@pytest.mark.parametrize(("under_way", "allowed"), [(4, 4), (9, 9), (10, 10), (12, 10), (1, 1), (0, 1)])
def test_a_refusal_allows_what_was_accepted(under_way: int, allowed: int) -> None:
    """The others under way are what the queue takes; never more than before, never nothing."""
    assert _pace.refused(FULL, under_way, NOW) == evolve(FULL, allowed=allowed, changed_at=NOW)


def test_a_quiet_time_lets_one_more_through() -> None:
    """One for each interval, and none beyond the limit."""
    slow = evolve(FULL, allowed=8, changed_at=NOW, interval=5.0)
    assert _pace.recovered(slow, NOW + 4.9) is None
    nine = _pace.recovered(slow, NOW + 5)
    assert nine == evolve(slow, allowed=9, changed_at=NOW + 5)
    assert _pace.recovered(nine, NOW + 6) is None
    ten = _pace.recovered(nine, NOW + 10)
    assert ten == evolve(slow, allowed=10, changed_at=NOW + 10, interval=FIRST_INTERVAL)
    assert _pace.recovered(ten, NOW + 9999) is None


def test_a_trial_that_was_one_too_many_makes_the_next_wait_longer() -> None:
    """Twice as long each time, up to two minutes."""
    pace, now, waits = evolve(FULL, allowed=5, changed_at=NOW), NOW, []
    for _ in range(7):
        now += pace.interval
        trial = _pace.recovered(pace, now)
        assert trial is not None
        pace = _pace.refused(trial, trial.allowed - 1, now + 1)
        assert pace.allowed == 5
        now += 1
        waits.append(pace.interval)
    assert waits == [4, 8, 16, 32, 64, LONGEST_INTERVAL, LONGEST_INTERVAL]


@pytest.mark.parametrize(("under_way", "after"), [(5, 6.0), (2, 1.0)])
def test_a_refusal_that_was_no_trial_leaves_the_wait(under_way: int, after: float) -> None:
    """One long after the last change, or one that tells of a far shorter queue, says nothing of the trial."""
    pace = Pace(limit=10, allowed=6, changed_at=NOW, interval=5.0)
    assert _pace.refused(pace, under_way, NOW + after).interval == 5.0


def test_back_at_the_limit_the_wait_is_short_again() -> None:
    """Whatever slowed the queue is over."""
    pace = Pace(limit=6, allowed=5, changed_at=NOW, interval=80.0)
    assert _pace.recovered(pace, NOW + 79) is None
    assert _pace.recovered(pace, NOW + 80) == Pace(limit=6, allowed=6, changed_at=NOW + 80, interval=FIRST_INTERVAL)


@given(st.integers(1, 20), st.lists(st.tuples(st.booleans(), st.integers(0, 30), st.floats(0, 1000))))
def test_the_pace_stays_within_its_bounds(limit: int, events: list[tuple[bool, int, float]]) -> None:
    """After any refusals and recoveries: from 1 to the limit, and a wait that ends."""
    pace, now = _pace.limited(None, limit, NOW), NOW
    for is_refusal, under_way, seconds in events:
        now += seconds
        pace = _pace.refused(pace, under_way, now) if is_refusal else _pace.recovered(pace, now) or pace
        assert 1 <= pace.allowed <= pace.limit == limit
        assert FIRST_INTERVAL <= pace.interval <= LONGEST_INTERVAL


def test_an_unknown_row_keeps_its_place_for_a_while() -> None:
    """Half as long again as the longest job of late; a typical time before one was seen."""
    assert _pace.held_until(NOW, None) == NOW + 20
    assert _pace.held_until(NOW, 8.0) == NOW + 12


# --- verdicts ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "fate"),
    [
        (errors.SubmissionUnknown("no answer came"), "unknown"),
        (errors.UnknownServerError("HTTP 502"), "unknown"),
        (errors.UnknownResponseError("no JSON"), "unknown"),
        (errors.UnexpectedResponseError("no images", job_id=7), "accepted"),
        (errors.TransportError("lost", job_id=7), "accepted"),
        (errors.AuthenticationError("no key", job_id=7), "accepted"),
        (errors.RateLimitError("slow", job_id="seven"), "accepted"),
        (errors.JobTimeout("too late", job_id=0), "accepted"),
        (errors.GenerationFailed("it broke", job_id=7), "failed"),
        (errors.GenerationFailed("it broke"), "failed"),
        (errors.RateLimitError("slow"), "refused"),
        (errors.AuthenticationError("no key"), "halt"),
        (errors.InsufficientCreditsError("no money"), "halt"),
        (errors.ConfigurationError("closed"), "halt"),
        (errors.TransportError("offline"), "again"),
        (errors.UploadTimeout("late"), "again"),
        (errors.BadRequestError("bad prompt"), "failed"),
        (errors.NotFoundError("no such model"), "failed"),
        (errors.PermissionDeniedError("not in the plan"), "failed"),
        (errors.InvalidRequestError("the image has changed"), "failed"),
    ],
)
def test_an_error_of_a_submission_has_one_meaning(error: PonyError, fate: str) -> None:
    """What may have been accepted is never sent again; what has a job is fetched."""
    assert _verdicts.of_submission(error, 1, claimed=True).fate == fate


@pytest.mark.parametrize(
    ("stated", "tried", "wait"),
    [(None, 1, 1), (None, 3, 4), (7.0, 3, 7), (0.0, 1, 0.1), (-5.0, 1, 0.1), (1e9, 1, 3600)],
)
def test_a_refusal_waits_as_long_as_it_states(stated: float | None, tried: int, wait: float) -> None:
    """Within reason; without a statement the wait grows with the tries."""
    assert _verdicts.of_submission(limited_by(stated), tried, claimed=True).wait == wait


@pytest.mark.parametrize("tried", [1, 4])
def test_without_a_connection_the_wait_grows(tried: int) -> None:
    """Nothing was sent, so it is tried again."""
    assert _verdicts.of_submission(errors.TransportError("offline"), tried, claimed=True).wait == 2 ** (tried - 1)


@pytest.mark.parametrize(
    "error",
    [
        errors.TransportError("offline"),
        errors.ServerError("HTTP 503"),
        errors.UnexpectedResponseError("no JSON"),
        errors.InsufficientCreditsError("no money"),
        errors.PermissionDeniedError("not now"),
        errors.BadRequestError("what?"),
        errors.RateLimitError("slow"),
    ],
)
@pytest.mark.parametrize("faults", [1, 5, 1000])
def test_an_accepted_job_outlives_every_fault_of_a_look(error: PonyError, faults: int) -> None:
    """It was paid for: only the service's own word ends it."""
    verdict = _verdicts.of_look(error, faults, 0)
    assert verdict.fate == "again"
    assert verdict.wait == _verdicts.pause(faults)


def test_the_service_s_own_word_ends_a_job() -> None:
    """Also that it does not know it, said again and again: a new job may take a moment to be known."""
    unknown = errors.NotFoundError("no such job")
    assert _verdicts.of_look(errors.GenerationFailed("it broke", job_id=7), 1, 0).fate == "failed"
    assert [_verdicts.of_look(unknown, 9, missed).fate for missed in (1, 2, 3, 4)] == ["again"] * 3 + ["failed"]


@pytest.mark.parametrize("error", [errors.AuthenticationError("no key"), errors.ConfigurationError("closed")])
def test_what_concerns_every_row_stops_the_looks(error: PonyError) -> None:
    """The jobs are taken up by the next run."""
    assert _verdicts.of_look(error, 1, 0).fate == "halt"


@pytest.mark.parametrize(("stated", "faults", "wait"), [(30.0, 1, 30), (0.0, 1, 1), (1.0, 3, 4), (1e9, 1, 3600)])
def test_a_look_waits_at_least_as_long_as_the_service_states(stated: float, faults: int, wait: float) -> None:
    """And no shorter than the faults in a row ask for."""
    assert _verdicts.of_look(limited_by(stated), faults, 0) == _verdicts.Verdict(fate="again", wait=wait)


def test_no_room_is_no_fault_of_the_row() -> None:
    """Nothing was sent; the row waits until there is."""
    assert _verdicts.of_submission(errors.DownloadError("full", is_local=True), 1, claimed=False).fate == "halt"


def test_only_this_machine_s_own_fault_stops_downloads() -> None:
    """A full disk takes no other image either; a link that is not there yet may come."""
    assert _verdicts.of_download(errors.DownloadError("full", is_local=True), 1).fate == "halt"
    assert _verdicts.of_download(errors.DownloadError("HTTP 404"), 3) == _verdicts.Verdict(fate="again", wait=4)
    assert _verdicts.of_download(errors.TransportError("offline"), 900) == _verdicts.Verdict(fate="again", wait=60)


def test_pauses_double_up_to_a_minute() -> None:
    """However many there were."""
    assert [_verdicts.pause(times) for times in range(9)] == [1, 1, 2, 4, 8, 16, 32, 60, 60]
    assert _verdicts.pause(10**9) == 60


@pytest.mark.parametrize(("eta", "wait"), [(12.0, 12.05), (0.0, 0.55), (None, 0.55), (1e9, 0.55)])
def test_the_first_look_comes_when_the_job_should_be_done(eta: float | None, wait: float) -> None:
    """Just after it; an eta beyond belief is none."""
    assert _verdicts.next_look(0, eta) == pytest.approx(wait)


def test_later_looks_come_ever_less_often() -> None:
    """An eta is believed once."""
    waits = [_verdicts.next_look(asked, 300.0) for asked in range(1, 20)]
    assert waits[:3] == pytest.approx([0.55, 0.8, 1.175])
    assert all(one <= other for one, other in itertools.pairwise(waits))
    assert waits[-1] == pytest.approx(15.05)
