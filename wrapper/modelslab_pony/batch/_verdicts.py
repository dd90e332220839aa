"""What an error means for an item of a batch, and when to look again. Pure.

Once a job is accepted, only the service's own word that it failed ends it: whatever goes wrong
while asking or downloading is tried again, in this run or in the next.
"""

from __future__ import annotations

import math
from typing import Literal

from attrs import frozen

from modelslab_pony import errors
from modelslab_pony._schedule import believed
from modelslab_pony.errors import PonyError

SOONEST, LATEST, GROWTH = 0.5, 15.0, 1.5
"""Seconds between two looks, and how they grow. The first is taken when the job should be done: every one before costs
a call, every second after a place."""
JUST_AFTER = 0.05
"""Seconds behind the eta, which some answers round."""
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
"""Seconds between tries after a fault; it doubles."""
LONGEST_STATED = 3600.0
"""Seconds. A longer wait that an answer states is cut to this."""
PATIENCE = 900.0
"""Seconds of one fault after the other, for one item, before it is left to the next run."""
WAIT = 3600.0
"""Seconds that a job may go on processing before it is left to the next run."""
TIMES_NOT_FOUND = 4
"""Looks in a row at which the service may not know a job, before it is believed: it may be a new one."""
UPLOADS = 8
"""Tries to upload an image that the service fails at, before its row is left to the next run."""
REFUSED_IN_A_ROW = 20
"""Rows in a row that the service refuses with the same words, after which no more are sent."""
ODD_IN_A_ROW = 10
"""Submissions in a row whose fate is unknown, after which no more are sent: something is wrong with the service."""

Fate = Literal["accepted", "unknown", "refused", "again", "failed", "halt"]


@frozen(kw_only=True)
class Verdict:
    """What becomes of an item."""

    fate: Fate
    """- accepted: there is a job after all. unknown: there may be one.
    - refused: the queue is full. again: nothing was sent, for a passing reason.
    - failed: the service will not have it. halt: it would have none of the others either."""
    wait: float = 0.0


def of_submission(error: PonyError, tried: int, *, claimed: bool) -> Verdict:
    """Return what an error of a submission means; `tried` counts the tries, this one included.

    Before the item was `claimed` no POST had left: it was an upload that went wrong.
    """
    if isinstance(error, errors.SubmissionUnknown):
        return Verdict(fate="unknown")
    if error.job_id is not None and not isinstance(error, errors.GenerationFailed):
        return Verdict(fate="accepted")
    if isinstance(error, errors.RateLimitError):
        stated = error.retry_after
        return Verdict(fate="refused", wait=pause(tried) if stated is None else min(max(stated, 0.1), LONGEST_STATED))
    if isinstance(error, errors.AuthenticationError | errors.InsufficientCreditsError) or _is_ours(error):
        return Verdict(fate="halt")
    is_passing = not claimed and isinstance(error, errors.ServerError | errors.UnexpectedResponseError)
    if is_passing or isinstance(error, errors.TransportError):
        return Verdict(fate="again", wait=pause(tried))
    return Verdict(fate="failed")


def of_look(error: PonyError, faults: int, missed: int) -> Verdict:
    """Return what an error means that came while a job was asked about, for the `faults`-th time in a row.

    `missed` counts how often in a row the service did not know the job.
    """
    if isinstance(error, errors.GenerationFailed):
        return Verdict(fate="failed")
    if isinstance(error, errors.AuthenticationError | errors.ConfigurationError):
        return Verdict(fate="halt")
    if isinstance(error, errors.NotFoundError) and missed >= TIMES_NOT_FOUND:
        return Verdict(fate="failed")
    if isinstance(error, errors.RateLimitError) and error.retry_after is not None:
        return Verdict(fate="again", wait=max(min(error.retry_after, LONGEST_STATED), pause(faults)))
    return Verdict(fate="again", wait=pause(faults))


def of_download(error: PonyError, faults: int) -> Verdict:
    """Return what an error of a download means, for the `faults`-th time in a row."""
    return Verdict(fate="halt") if _is_ours(error) else Verdict(fate="again", wait=pause(faults))


def _is_ours(error: PonyError) -> bool:
    """Tell whether it is this machine that has to be put right: its settings, or a disk that is full."""
    return isinstance(error, errors.ConfigurationError) or (isinstance(error, errors.DownloadError) and error.is_local)


def pause(times: int) -> float:
    """Return the seconds to wait after the `times`-th fault in a row."""
    return min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(max(times - 1, 0), 10))


def next_look(asked: int, eta: float | None) -> float:
    """Return the seconds to the next look at a job that was asked about `asked` times."""
    stated = believed(eta, math.inf) if asked == 0 else None
    grown = min(LATEST, SOONEST * GROWTH ** min(max(asked - 1, 0), 20))
    return max(SOONEST, grown if stated is None else stated) + JUST_AFTER
