"""When to ask again, and when to try again."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, strategies as st

from modelslab_pony import PollPolicy, RetryPolicy
from modelslab_pony._experience import Beliefs, Outlook
from modelslab_pony._schedule import ETA_BELIEVED, believed, poll_delay, retry_delay
from modelslab_pony._settings import DEFAULT_IN_FLIGHT, DEFAULT_WAIT

STEADY = PollPolicy(min_delay=1, max_delay=15, growth=2, jitter=0, lead=0.5)
MIDDLE = 0.5


def waits(
    count: int, outlook: Outlook, remaining: float = math.inf, policy: PollPolicy = STEADY, chance: float = MIDDLE
) -> list[float]:
    return [poll_delay(policy, asked, outlook, 0.0, remaining, chance) for asked in range(count)]


def test_the_first_look_is_taken_when_the_job_should_be_done() -> None:
    """`lead` earlier; then the waits grow from the step, which is not below the shortest wait."""
    assert waits(6, Outlook(first=12.0, step=0.8)) == [11.5, 1, 2, 4, 8, 15]
    assert waits(4, Outlook(first=12.0, step=3.0)) == [11.5, 3, 6, 12]


def test_what_has_passed_since_the_job_was_accepted_is_not_waited_for_again() -> None:
    """A job that is waited for later is looked at when it was to be, or at once."""
    outlook = Outlook(first=12.0, step=1.0)
    assert [poll_delay(STEADY, 0, outlook, elapsed, math.inf, MIDDLE) for elapsed in (0, 4, 11.5, 60)] == [
        11.5,
        7.5,
        0,
        0,
    ]


@pytest.mark.parametrize("eta", [30.0, 1e9, math.inf])
def test_an_eta_past_the_deadline_is_not_slept_through(eta: float) -> None:
    """It says "not soon", and may be wrong: the job is asked about as if there were none."""
    assert believed(eta, 20.0) is None


def test_an_absurd_eta_is_not_believed_without_a_deadline_either() -> None:
    """Nobody sleeps for ten days on one number."""
    assert believed(ETA_BELIEVED + 1, math.inf) is None
    assert believed(ETA_BELIEVED - 1, math.inf) == ETA_BELIEVED - 1
    assert believed(None, math.inf) is None


def test_a_wait_ends_at_the_deadline() -> None:
    """The last wait is cut to what is left."""
    assert [poll_delay(STEADY, 5, Outlook(1.0, 1.0), 9.0, left, MIDDLE) for left in (3.0, 0.0)] == [3.0, 0.0]


@given(
    asked=st.integers(0, 10**6),
    eta=st.none() | st.floats(0, allow_infinity=True),
    remaining=st.floats(0, allow_infinity=True),
    chance=st.floats(0, 1, exclude_max=True),
    taught=st.lists(st.tuples(st.none() | st.floats(0, 1e12), st.floats(0, 1e12), st.floats(0, 1e12)), max_size=30),
)
def test_a_wait_is_never_negative_never_past_the_deadline_and_never_a_busy_loop(
    asked: int,
    eta: float | None,
    remaining: float,
    chance: float,
    taught: list[tuple[float | None, float, float]],
) -> None:
    """For every count, eta, deadline and experience, the wait lies between the bounds of the policy."""
    policy, beliefs = PollPolicy(), Beliefs()
    for stated, last, done in taught:
        beliefs = beliefs.taught(stated, min(last, done), done, 0)
    outlook = beliefs.outlook(believed(eta, remaining))
    delay = poll_delay(policy, asked, outlook, 0.0, remaining, chance)
    low = min(remaining, policy.min_delay * (1 - policy.jitter))
    high = max(policy.max_delay, outlook.first) * (1 + policy.jitter)
    assert low <= delay <= min(remaining, high) * (1 + 1e-9)


@pytest.mark.parametrize(
    ("tried", "retry_after", "expected"),
    [
        (1, None, 1),
        (2, None, 2),
        (3, None, 4),
        (4, None, None),
        (1, 30, 30),
        (1, 60, 60),
        (1, 61, None),
        (1, 1e9, None),
    ],
)
def test_tries_back_off_and_honour_a_stated_wait(tried: int, retry_after: float | None, expected: float | None) -> None:
    """A stated wait is kept up to `max_delay`; past it, and past the last try, there is no other."""
    policy = RetryPolicy(attempts=4, min_delay=1, max_delay=60)
    assert retry_delay(policy, tried, retry_after) == expected


def test_a_stated_wait_of_nothing_is_still_a_wait() -> None:
    """`retry_after: 0` makes no busy loop."""
    assert retry_delay(RetryPolicy(min_delay=1), 1, 0.0) == 1


def test_one_attempt_means_never_again() -> None:
    """Not even for a stated wait."""
    assert retry_delay(RetryPolicy(attempts=1), 1, 5.0) is None


@pytest.mark.parametrize(
    "bad",
    [{"min_delay": 0}, {"max_delay": -1}, {"growth": 0.5}, {"jitter": 1}, {"lead": math.nan}, {"max_delay": math.inf}],
)
def test_a_policy_that_cannot_work_is_refused(bad: dict[str, float]) -> None:
    """A zero or endless delay is found when the policy is made."""
    with pytest.raises(ValueError, match=next(iter(bad))):
        PollPolicy(**bad)


def test_attempts_count_from_one() -> None:
    """Zero tries would never send anything."""
    with pytest.raises(ValueError, match="attempts"):
        RetryPolicy(attempts=0)


def test_jitter_goes_both_ways_by_its_fraction() -> None:
    """A tenth shorter at the least, a tenth longer at the most."""
    policy = PollPolicy(min_delay=10, max_delay=10, jitter=0.1)
    found = [waits(2, Outlook(first=10.0, step=10.0), policy=policy, chance=chance) for chance in (0.0, 0.5, 1.0)]
    assert found == [[9, 9], [10, 10], [11, 11]]


def test_a_retry_policy_without_delay_works() -> None:
    """For those who bring a queue of their own."""
    assert retry_delay(RetryPolicy(min_delay=0), 1, None) == 0


def test_a_short_stated_wait_is_not_stretched_by_the_backoff() -> None:
    """The service knows when it will take the next request."""
    assert retry_delay(RetryPolicy(attempts=9, min_delay=1), 4, 2.0) == 2


def test_the_shortest_wait_is_not_above_the_longest() -> None:
    """A policy that contradicts itself is refused."""
    with pytest.raises(ValueError, match=r"min_delay \(20\) must not be above max_delay \(5\)"):
        PollPolicy(min_delay=20, max_delay=5)


def test_the_defaults_are_the_documented_ones() -> None:
    """A change to one is a change for every caller."""
    assert PollPolicy() == PollPolicy(min_delay=0.5, max_delay=15, growth=1.1, jitter=0.05, lead=0)
    assert RetryPolicy() == RetryPolicy(attempts=3, min_delay=1, max_delay=60)
    assert (DEFAULT_WAIT, DEFAULT_IN_FLIGHT) == (600, 16)
