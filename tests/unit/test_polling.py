"""How often jobs are asked about, and how late their end is known: our real flow in virtual time."""

from __future__ import annotations

import json
import math

import pytest

from bench import polling
from bench._optimum import fewest_asks, frontier, least_late, lognormal, within
from modelslab_pony import _flow
from modelslab_pony._asks import Context
from modelslab_pony._classify import snapshot
from modelslab_pony._experience import Belief, Beliefs, Experience
from modelslab_pony._snapshot import Snapshot
from modelslab_pony._steps import Reply, Report, Result, Send, Sleep, Woke, resume
from modelslab_pony.errors import GenerationFailed

JOBS = 800
MEDIAN = 20.0
RIGHT = polling.RIGHT


def asked(name: str, median: float = MEDIAN, at_once: int = 1) -> polling.Row:
    return polling.row(name, polling.ours(median, polling.ETAS[name], JOBS, at_once))


@pytest.mark.parametrize("median", polling.MEDIANS)
@pytest.mark.parametrize("at_once", [1, 100])
def test_right_etas_cost_few_looks_and_little_time(median: float, at_once: int) -> None:
    """At most three looks a job; late by a twentieth of the duration, or half a second."""
    found = asked(RIGHT, median, at_once)
    assert found.asks <= 3
    assert found.of_mean <= 0.05 or found.late <= 0.5


@pytest.mark.parametrize("median", polling.MEDIANS)
@pytest.mark.parametrize("at_once", [1, 100])
@pytest.mark.parametrize("name", [name for name in polling.ETAS if name != RIGHT])
def test_wrong_and_missing_etas_are_found_out(name: str, at_once: int, median: float) -> None:
    """At most fifteen looks a job; late by a tenth of the duration, though the client knew nothing at first.

    Nor did the first hundred of those that are under way together: they learn from each other while they wait.
    """
    found = asked(name, median, at_once)
    assert found.asks <= 15
    assert found.of_mean <= 0.1


@pytest.mark.parametrize("name", polling.PEERS)
def test_right_etas_are_used_better_than_any_constant_could(name: str) -> None:
    """Fewer looks, and known earlier, than slow constants; a tenth of the looks of quick ones."""
    mine, other = asked(RIGHT), polling.row(name, polling.theirs(name, MEDIAN, JOBS))
    if name.startswith("0."):
        assert mine.asks <= 0.1 * other.asks
    else:
        assert mine.asks < other.asks
        assert mine.late < other.late or other.lost > 0


def test_no_schedule_is_better_than_the_best() -> None:
    """What was computed as the least is less than what was measured, and not by magnitudes."""
    for name, known in ((RIGHT, within(0.1)), ("missing", lognormal(polling.SIGMA))):
        found, best = asked(name), frontier(known)
        assert 0.5 < least_late(best, found.asks) / found.of_mean < 1
        assert 0.5 < fewest_asks(best, found.of_mean) / found.asks < 1


def test_a_fresh_client_believes_an_eta() -> None:
    """The first look comes a little before it; without one, soon."""
    assert 0.85 < Beliefs().outlook(60.0).first / 60 < 1
    assert Beliefs().outlook(None).first < 1


def test_etas_that_are_twice_too_long_are_found_out_by_looking() -> None:
    """After thirty jobs of 20 s whose etas said 40, the first look is near 20 s."""
    known = Experience()
    for _ in range(30):
        outlook = known.beliefs.outlook(40.0)
        last, at = 0.0, outlook.first
        while at < 20:
            last, at = at, at + outlook.step
        known.learn(40.0, last, at, known.beliefs.jobs)
    assert known.beliefs.outlook(40.0).first == pytest.approx(20, rel=0.15)


@pytest.mark.parametrize(("eta", "done"), [(1e-9, 1e9), (599.0, 1e-9), (None, 1e12), (0.0, 0.0)])
def test_one_absurd_job_does_no_lasting_harm(eta: float | None, done: float) -> None:
    """A job is looked at earlier or later for a while; after twenty usual ones it is forgotten."""
    before = Beliefs(jobs=1000)
    after = before.taught(eta, 0.0, done, 1000)
    assert 0.5 < after.outlook(60.0).first / before.outlook(60.0).first < 1.5
    for _ in range(20):
        after = after.taught(60.0, 58.0, 62.0, after.jobs)
    assert 0.9 < after.outlook(60.0).first / before.outlook(60.0).first < 1.1


def test_of_many_at_once_each_counts_as_one_of_all() -> None:
    """A thousand jobs that began when nothing was known teach as much as their mean, not as the last ten."""
    beliefs = Beliefs()
    for number in range(1000):
        done = 10.0 if number < 500 else 40.0
        beliefs = beliefs.taught(None, done, done, 0)
    assert math.exp(beliefs.duration.middle) == pytest.approx(20, rel=0.1)


def test_two_beliefs_count_by_how_sure_they_are() -> None:
    """The narrow one decides, and both together are surer than each."""
    both = Belief(1.0, 0.1).joined(Belief(3.0, 1.0))
    assert both.middle == pytest.approx(1.02, abs=0.01)
    assert both.spread < 0.1


@pytest.mark.parametrize("swing", [0.0, 3.0])
def test_nobody_is_ever_quite_sure_nor_quite_without_a_clue(swing: float) -> None:
    """However right or wrong a thousand etas were: the next one may be otherwise."""
    beliefs = Beliefs()
    for number in range(1000):
        done = 20.0 * math.exp(swing * (-1) ** number)
        beliefs = beliefs.taught(20.0, done, done, number)
    assert 0.03 <= beliefs.eta.spread <= 1.5
    assert 0.03 <= beliefs.duration.spread <= 1.5


def test_a_job_of_another_process_teaches_nothing() -> None:
    """When it began is not known here; and one that was waited for late was found late."""
    for accepted_at, now in ((None, 0.0), (0.0, 500.0)):
        context, seen = polling.patient(), list[polling.Seen]()
        for _ in polling.waited(context, 30.0, 30.0, now, seen, accepted_at=accepted_at):
            pass
        assert seen
        assert context.experience.beliefs == Beliefs()


def answered(context: Context, *bodies: bytes, waited: float = 0.0, took: float = 0.0) -> list[float]:
    """Give those answers to a job of an eta of 12 s; return when each was asked for.

    Each waits for its turn, and then takes so many seconds.
    """
    now, looks, answers = 0.0, list[float](), iter(bodies)
    job = Snapshot(status="processing", id=7, accepted_at=0.0, first_at=0.0, first_eta=12.0)
    flow = _flow.wait(context, job, now, math.inf)
    step = resume(flow, None)
    while not isinstance(step, Result):
        if isinstance(step, Send):
            looks.append(now)
            now += waited + took
            step = resume(flow, Reply(at=now, status_code=200, headers={}, body=next(answers), waited=waited))
        else:
            now += step.seconds if isinstance(step, Sleep) else 0.0
            step = resume(flow, Woke(at=now))
    return looks


def test_a_job_teaches_between_which_looks_it_got_done() -> None:
    """Not only when it was found; and of the first look, when it got its turn."""
    context = polling.patient()
    *_, last, done = answered(context, polling.PROCESSING, polling.PROCESSING, polling.SUCCESS)
    assert context.experience.beliefs == Beliefs().taught(12.0, last, done, 0)
    context = polling.patient()
    (done,) = answered(context, polling.SUCCESS, waited=5.0, took=3.0)
    assert context.experience.beliefs == Beliefs().taught(12.0, 0.0, done + 5, 0)


def test_what_failed_or_was_found_after_a_fault_teaches_nothing() -> None:
    """The one says nothing of how long an image takes, the other was found late."""
    context = polling.patient()
    with pytest.raises(GenerationFailed):
        answered(context, b'{"status": "failed", "id": 7, "message": "Failed, Try Again"}')
    answered(context, b"<html>", polling.SUCCESS)
    assert context.experience.beliefs == Beliefs()


def test_a_clock_that_was_set_back_makes_no_wait_longer() -> None:
    """A job that was accepted in the future was accepted now."""
    job = Snapshot(status="processing", id=7, accepted_at=50.0, first_at=50.0, first_eta=12.0)
    flow, now = _flow.wait(polling.patient(), job, 0.0, math.inf), 0.0
    step = resume(flow, None)
    while isinstance(step, Sleep):
        now += step.seconds
        step = resume(flow, Woke(at=now))
    assert now == pytest.approx(Beliefs().outlook(12.0).first)


def test_a_wait_up_to_the_deadline_is_one_sleep() -> None:
    """Nothing that others teach could bring that look forward."""
    context = polling.patient()
    context.experience.beliefs = Beliefs(eta=Belief(math.log(2.0), 0.06))
    job = Snapshot(status="processing", id=7, accepted_at=0.0, first_at=0.0, first_eta=4.0)
    flow = _flow.wait(context, job, 0.0, 5.0)
    step = resume(flow, None)
    assert isinstance(step, Sleep)
    assert step.seconds == 5.0
    assert isinstance(resume(flow, Woke(at=5.0)), Send)


def test_what_was_learnt_is_unlearnt_as_soon() -> None:
    """Each job counts as one of those that began since it did, not of all that ever taught."""
    context = polling.patient()
    for duration in (*[20.0] * 200, *[40.0] * 30):
        for _ in polling.waited(context, duration, None, 0.0, [], accepted_at=0.0):
            pass
    assert context.experience.beliefs.outlook(None).first > 30


def test_a_wait_that_is_thought_over_keeps_its_jitter() -> None:
    """Or jobs that began together would be looked at together."""
    first = Beliefs().outlook(12.0).first
    for chance, swing in ((0.0, 0.95), (1.0, 1.05)):
        chances = iter((chance, *[0.5] * 20))
        assert answered(polling.patient(chances.__next__), polling.SUCCESS) == [pytest.approx(first * swing)]


def test_a_later_answer_keeps_when_the_job_was_accepted() -> None:
    """So that a job that was refreshed is not waited for anew."""
    accepted = Snapshot(status="processing", id=7, accepted_at=3.0)
    assert Snapshot(status="processing", id=7, accepted_at=9.0).after(accepted).accepted_at == 3.0


def test_an_eta_that_was_first_said_later_counts_from_then() -> None:
    """And one that an answer leaves out is not forgotten."""
    silent, told = processing(100.0, None), processing(112.0, 8.0)
    assert told.after(silent).first_eta == 20.0
    assert processing(115.0, None).after(told.after(silent)).first_eta == 20.0


def processing(at: float, eta: float | None) -> Snapshot:
    body = b'{"status": "processing", "id": 7, "eta": %s}' % json.dumps(eta).encode()
    return snapshot(Reply(at=at, status_code=200, headers={}, body=body))


@pytest.mark.parametrize("later", [8.0, 20.0], ids=["counted down", "repeated"])
@pytest.mark.parametrize("is_known", [True, False], ids=["our job", "a job taken up by its id"])
def test_an_eta_counts_from_when_it_was_first_said(later: float, is_known: bool) -> None:
    """A later answer may count its eta from then or from now: a job that was refreshed is looked at in time."""
    taken_up = Snapshot(status="processing", id=7)
    first = processing(100.0, 20.0) if is_known else processing(100.0, 20.0).after(taken_up)
    refreshed = processing(112.0, later).after(first)
    context, now = polling.patient(), 112.0
    flow = _flow.wait(context, refreshed, now, math.inf)
    step = resume(flow, None)
    while not isinstance(step, Send):
        now += step.seconds if isinstance(step, Sleep) else 0.0
        step = resume(flow, Woke(at=now))
    assert now == pytest.approx(100 + Beliefs().outlook(20.0).first)
    assert isinstance(resume(flow, Reply(at=now, status_code=200, headers={}, body=polling.SUCCESS)), Report)
    taught = Beliefs().taught(20.0, 0.0, now - 100, 0)
    assert context.experience.beliefs == (taught if is_known else Beliefs())
