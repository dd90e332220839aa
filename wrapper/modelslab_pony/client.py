"""The blocking client: sends, sleeps and saves what the flows ask for."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar, Unpack

import httpx

from modelslab_pony import _disk, _flow, _http
from modelslab_pony._files import MAX_IMAGE_BYTES
from modelslab_pony._job import BaseJob
from modelslab_pony._settings import (
    DEFAULT_IN_FLIGHT,
    DEFAULT_WAIT,
    Settings,
    checked_callback,
    checked_id,
    checked_in_flight,
    checked_policy,
    closed,
    seconds,
)
from modelslab_pony._steps import Event, Flow, Report, Result, Save, Saved, Send, Sleep, Step, Woke, resume
from modelslab_pony.errors import JobId
from modelslab_pony.policies import PollPolicy, RetryPolicy
from modelslab_pony.requests import Request, TextToImage, TextToImageOptions, wire
from modelslab_pony.results import Generation, Image, JobStatus, Link, Snapshot

T = TypeVar("T")
OnUpdate = Callable[[JobStatus], object]
OnReport = Callable[[Snapshot], object]


class PonyClient:
    """Makes images with ModelsLab's Pony models.

    `api_key` and `base_url` default to the environment's `MODELSLAB_API_KEY` and
    `MODELSLAB_BASE_URL`. `http_client` is the caller's own httpx client, and is then not closed.
    `timeout` limits each phase of one HTTP call, in seconds: to connect, to send, each read
    (default: 120, and 10 to connect; with an `http_client`, whatever that one has). At most
    `max_in_flight` calls are under way at once.
    `strict` checks requests against the effective spec before they are sent; switch it off for
    community models with other bounds. One client may be used by several threads.

    Raises `ConfigurationError` without a key, or for a base URL that cannot be used.
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        http_client: httpx.Client | None = None,
        poll: PollPolicy = PollPolicy(),
        retry: RetryPolicy = RetryPolicy(),
        timeout: float | httpx.Timeout | None = None,
        max_in_flight: int = DEFAULT_IN_FLIGHT,
        strict: bool = True,
    ) -> None:
        self._settings = Settings.resolve(api_key, base_url)
        self._gate = threading.BoundedSemaphore(checked_in_flight(max_in_flight))
        self._strict = strict
        self._owned = http_client is None
        self._timeout = _http.timeouts(timeout, owned=self._owned)
        self._context = _flow.Context(
            poll=checked_policy(poll, PollPolicy, "poll"),
            retry=checked_policy(retry, RetryPolicy, "retry"),
            random=random.random,
        )
        own = _http.checked_client(http_client, httpx.Client, "PonyClient")
        self._httpx = own or _http.own_client(httpx.Client, self._settings, max_in_flight)
        # Tests put a virtual clock here.
        self._now: Callable[[], float] = time.monotonic
        self._sleep: Callable[[float], object] = time.sleep

    # --- what it does --------------------------------------------------------------------

    def text2img(
        self,
        prompt: str,
        *,
        wait_timeout: float | None = DEFAULT_WAIT,
        on_update: OnUpdate | None = None,
        **options: Unpack[TextToImageOptions],
    ) -> Generation:
        """Make images from a prompt: build a `TextToImage`, submit it, wait for it.

        Keywords are those of `TextToImage`. Returns, raises and waits as `generate` does.
        """
        return self.generate(TextToImage(prompt, **options), wait_timeout=wait_timeout, on_update=on_update)

    def generate(
        self,
        request: Request,
        *,
        wait_timeout: float | None = DEFAULT_WAIT,
        on_update: OnUpdate | None = None,
    ) -> Generation:
        """Submit a request and wait for its images, `wait_timeout` seconds in all (None: no limit).

        `on_update` is called with each `JobStatus`. Raises what `submit` and `Job.wait` raise.
        """
        fields = wire(request, strict=self._strict)
        checked_callback(on_update, awaited=False)
        flow = _flow.generate(self._context, request, fields, self._now(), seconds("wait_timeout", wait_timeout))

        def report(snapshot: Snapshot) -> None:
            if on_update is not None:
                on_update(JobStatus.of(snapshot, self))

        return Generation.of(self._run(flow, report), self)

    def submit(self, request: Request) -> Job:
        """Send a request; return as soon as the service has answered.

        Raises `InvalidRequestError` (nothing was sent), `TransportError` (no connection, nothing
        was sent), `SubmissionUnknown` (it may have been accepted, and is not sent again),
        `GenerationFailed`, or the `APIError` that the service answered.
        """
        fields = wire(request, strict=self._strict)
        return Job(self, self._run(_flow.submit(self._context, request, fields)), request)

    def job(self, job_id: JobId) -> Job:
        """Return a job by its id, also one of another process. Asks nothing yet."""
        return Job(self, Snapshot(status="processing", id=checked_id(job_id)))

    def fetch(self, job_id: JobId) -> JobStatus:
        """Ask where a job stands.

        Raises `NotFoundError` for an id that the service does not know, `TransportError`, or
        another `APIError`. A job that failed is no error here: see `JobStatus.status`.
        """
        return self.job(job_id).refresh()

    # --- life ----------------------------------------------------------------------------

    def close(self) -> None:
        """Close the connections, unless they are those of the caller's own `http_client`."""
        if self._owned:
            self._httpx.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<PonyClient {self._settings.base_url}>"

    # --- for Job and Image ---------------------------------------------------------------

    def _load(self, image: Image) -> bytes:
        """See `Image.read`."""
        return self._download(image, Save(url=image.url, max_bytes=MAX_IMAGE_BYTES)).content

    def _store(self, image: Image, path: Path, *, overwrite: bool) -> Path:
        """See `Image.save`."""
        save = Save(url=image.url, path=path, overwrite=overwrite, max_bytes=MAX_IMAGE_BYTES)
        return self._download(image, save).path or path

    def _download(self, image: Image, save: Save) -> Saved:
        link = Link(url=image.url, proxy_url=image.proxy_url)
        return self._run(_flow.download(self._context, link, image.job_id, save), job=image.job_id)

    # --- the shell -----------------------------------------------------------------------

    def _run(self, flow: Flow[T], on_report: OnReport | None = None, job: JobId | None = None) -> T:
        try:
            state = resume(flow, None)
            while not isinstance(state, Result):
                if isinstance(state, Report):
                    job = state.snapshot.id
                state = resume(flow, self._act(state, on_report))
        except BaseException as fault:
            _flow.name_job(fault, job)
            raise
        finally:
            flow.close()
        return state.value

    def _act(self, step: Step, on_report: OnReport | None) -> Event:
        if isinstance(step, Send):
            return self._send(step)
        if isinstance(step, Save):
            return self._save(step)
        if isinstance(step, Sleep):
            self._sleep(step.seconds)
        elif on_report is not None:
            on_report(step.snapshot)
        return Woke(at=self._now())

    def _check_open(self) -> None:
        if self._httpx.is_closed:
            raise closed()

    def _send(self, step: Send) -> Event:
        arguments = _http.request(step, self._settings)
        response = None
        body = bytearray()
        with self._gate:
            self._check_open()
            try:
                call = self._httpx.build_request(**arguments, **self._timeout)
                response = self._httpx.send(call, stream=True, follow_redirects=False)
                try:
                    for chunk in response.iter_bytes():
                        body += chunk
                        if len(body) > _http.MAX_ANSWER_BYTES:
                            break
                finally:
                    response.close()
            except _http.SEND_FAULTS as fault:
                return _http.broken(self._now(), fault, response, body, self._settings)
        return _http.reply(self._now(), response, body, self._settings)

    def _save(self, step: Save) -> Event:
        sink = None
        with self._gate:
            self._check_open()
            try:
                sink = _disk.open_sink(step)
                with self._httpx.stream("GET", step.url, follow_redirects=True, **self._timeout) as response:
                    arrival = _http.arrival(response, step.max_bytes)
                    for chunk in response.iter_bytes():
                        arrival.add(chunk)
                        sink.write(chunk)
                path, content = sink.commit(arrival.end())
            except _http.SAVE_FAULTS as fault:
                return _http.unsaved(self._now(), fault, self._settings)
            finally:
                if sink is not None:
                    sink.discard()
        return Saved(at=self._now(), path=path, content=content)


class Job(BaseJob):
    """A generation that the service has accepted."""

    def __init__(self, client: PonyClient, snapshot: Snapshot, request: Request | None = None) -> None:
        self._client = client
        self._snapshot = snapshot
        self._request = request

    def refresh(self) -> JobStatus:
        """Ask where it stands; a job that is done is not asked about. Raises as `PonyClient.fetch`."""
        client = self._client
        if self._snapshot.status == "processing":
            self._snapshot = client._run(_flow.fetch(client._context, self._snapshot), job=self.id)
        return JobStatus.of(self._snapshot, client)

    def wait(self, timeout: float | None = DEFAULT_WAIT, on_update: OnUpdate | None = None) -> Generation:
        """Wait for the images, at most `timeout` seconds (None: no limit).

        `on_update` is called with each `JobStatus`. A job that succeeded already is not asked
        about. Raises `JobTimeout` (the job goes on: wait again), `GenerationFailed`, or the
        `APIError` or `TransportError` that outlasted the `RetryPolicy`; each names the job.
        """
        client = self._client
        checked_callback(on_update, awaited=False)
        flow = _flow.wait(client._context, self._snapshot, client._now(), seconds("timeout", timeout))

        def report(snapshot: Snapshot) -> None:
            self._snapshot = snapshot
            if on_update is not None:
                on_update(JobStatus.of(snapshot, client))

        return Generation.of(client._run(flow, report, job=self.id), client)
