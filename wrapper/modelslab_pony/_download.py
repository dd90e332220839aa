"""The order of events of a download: from the image's URL, else from the CDN's copy of it."""

from __future__ import annotations

from collections.abc import Generator

from attrs import evolve

from modelslab_pony._asks import Context, is_enough, mismatch, sleep, time_left
from modelslab_pony._schedule import retry_delay
from modelslab_pony._snapshot import Link
from modelslab_pony._steps import Event, Flow, Save, Saved, Step, Unsaved
from modelslab_pony.errors import DownloadError, JobId


def download(context: Context, link: Link, job: JobId | None, save: Save, now: float) -> Flow[Saved]:
    """Download an image from its URL, else from the CDN's copy of it.

    Both are tried again; all together may take twice what one download may.
    """
    tried, spent = 0, 0.0
    while True:
        failures: list[Unsaved] = []
        for url in filter(None, (link.url, link.proxy_url)):
            event = yield from _save(evolve(save, url=url, within=time_left(spent, context.download)))
            if isinstance(event, Saved):
                return event
            failures.append(event)
            spent, now = spent + event.at - now - event.waited, event.at
            if event.local:
                raise _download_error(url, job, event.reason, is_local=True)
        tried += 1
        enough = is_enough(time_left(spent, context.download), context.download)
        may_help = enough and any(failure.again for failure in failures)
        delay = retry_delay(context.retry, tried, None) if may_help else None
        if delay is None:
            raise _download_error(link.url, job, "; then from the CDN: ".join(failure.reason for failure in failures))
        now = yield from sleep(delay)


def _save(step: Save) -> Generator[Step, Event, Saved | Unsaved]:
    event = yield step
    if isinstance(event, Saved | Unsaved):
        return event
    raise mismatch(event)


def _download_error(url: str, job: JobId | None, reason: str, *, is_local: bool = False) -> DownloadError:
    again = "" if job is None else f"; the image is made and paid for: client.job({job!r}).wait() gives its URL again"
    return DownloadError(f"{reason} ({url}){again}", url=url, job_id=job, is_local=is_local)
