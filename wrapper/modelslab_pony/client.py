"""The blocking client: sends, sleeps and saves what the flows ask for."""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

import httpx
from attrs import evolve

from modelslab_pony import _account, _connections, _flow, _http, _pictures, _upload, recipes
from modelslab_pony._asks import Context, ask
from modelslab_pony._calls import Calls
from modelslab_pony._download import download
from modelslab_pony._files import MAX_IMAGE_BYTES
from modelslab_pony._job import BaseJob
from modelslab_pony._settings import (
    DEFAULT_IN_FLIGHT,
    DEFAULT_WAIT,
    Secret,
    Settings,
    checked_callback,
    checked_id,
    checked_in_flight,
    checked_model,
    checked_policy,
    checked_wait,
    seconds,
)
from modelslab_pony._snapshot import Balance, Link, ModelStatus, Snapshot
from modelslab_pony._steps import Event, Flow, Report, Result, Save, Saved, Send, Sleep, Step, Woke, resume
from modelslab_pony._uploads import Uploads
from modelslab_pony._wire import LocalImage, Prepared, prepare
from modelslab_pony.errors import BadRequestError, GenerationFailed, JobId
from modelslab_pony.policies import PollPolicy, RetryPolicy
from modelslab_pony.requests import (
    ImageSource,
    ImageToImage,
    ImageToImageOptions,
    Inpaint,
    InpaintOptions,
    Request,
    TextToImage,
    TextToImageOptions,
)
from modelslab_pony.results import Generation, Image, JobStatus

T = TypeVar("T")
OnUpdate = Callable[[JobStatus], object]
OnReport = Callable[[Snapshot], object]


class PonyClient:
    """Makes images with ModelsLab's Pony models. One client may be used by several threads.

    Args:
        api_key: The account's key. Default: the environment's `MODELSLAB_API_KEY`.
        base_url: Where calls go; https, or http on this machine. Default: the environment's
            `MODELSLAB_BASE_URL`, else the service.
        http_client: The caller's own httpx client, which is then not closed.
        poll: How a running job is asked about.
        retry: How often a call is tried again.
        timeout: Limits one HTTP call, in seconds: each of its phases (to connect, to send, each read)
            and all of it, however slowly an answer trickles in. Default: 120, and 10 to connect, so 130 in
            all, 300 for a download. An `httpx.Timeout` limits a call to its `connect` and `read` together.
            Without a `timeout`, so does that of an `http_client`, save that a download has 300 at least;
            httpx's own is 5, which a request for an image may well take: then it is a `SubmissionUnknown`.
        max_in_flight: At most so many calls are under way at once; at least 1, default 16.
        strict: Checks requests against the effective spec before they are sent; switch it off for
            community models with other bounds.

    Raises:
        ConfigurationError: Without a key, or for an argument, a base URL, a proxy or certificates of the
            environment that cannot be used; from each call of a client that was closed.
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
        key, place = Secret(api_key), Secret(base_url)
        del api_key, base_url  # a traceback with locals would show them
        self._settings = Settings.resolve(key, place)
        most = checked_in_flight(max_in_flight)
        self._uploads = Uploads(threading.Lock)
        self._strict = strict
        self._owned = http_client is None
        given = _http.checked_client(http_client, httpx.Client, "PonyClient")
        limits = _http.limits(timeout, given)
        self._context = Context(
            poll=checked_policy(poll, PollPolicy, "poll"),
            retry=checked_policy(retry, RetryPolicy, "retry"),
            random=random.random,
            answer=limits.answer,
            download=limits.download,
        )
        self._httpx = given or _connections.own_client(self._settings, most)
        self._calls = Calls(self._httpx, self._settings, limits, most, self._time)
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

    def img2img(
        self,
        prompt: str,
        init_image: ImageSource,
        *,
        wait_timeout: float | None = DEFAULT_WAIT,
        on_update: OnUpdate | None = None,
        **options: Unpack[ImageToImageOptions],
    ) -> Generation:
        """Make images from an image and a prompt: build an `ImageToImage`, submit it, wait for it.

        `init_image` is an http(s) URL, a path, the bytes of a file, or a PIL image. What is of this
        machine is uploaded first, the same bytes once; the service keeps it for 24 hours. Other
        keywords are those of `ImageToImage`. Returns, raises and waits as `generate` does.
        """
        request = ImageToImage(prompt, init_image, **options)
        return self.generate(request, wait_timeout=wait_timeout, on_update=on_update)

    def inpaint(
        self,
        prompt: str | None = None,
        *,
        init_image: ImageSource,
        mask_image: ImageSource,
        wait_timeout: float | None = DEFAULT_WAIT,
        on_update: OnUpdate | None = None,
        **options: Unpack[InpaintOptions],
    ) -> Generation:
        """Paint the masked part of an image anew: build an `Inpaint`, submit it, wait for it.

        Both images are given as in `img2img`; other keywords are those of `Inpaint`. Returns, raises
        and waits as `generate` does.
        """
        request = Inpaint(prompt, init_image=init_image, mask_image=mask_image, **options)
        return self.generate(request, wait_timeout=wait_timeout, on_update=on_update)

    def generate(
        self,
        request: Request,
        *,
        wait_timeout: float | None = DEFAULT_WAIT,
        on_update: OnUpdate | None = None,
    ) -> Generation:
        """Submit a request and wait for its images, `wait_timeout` seconds in all (600; None: no limit).

        `on_update` is called with each `JobStatus`, in the caller's thread. Raises what `submit` and `Job.wait`
        raise, and `UploadTimeout` if the time was over before an image was asked for.
        """
        begun, limit = self._now(), seconds("wait_timeout", wait_timeout)
        checked_callback(on_update, awaited=False)
        prepared, sent = self._ready(request, begun + limit)
        flow = _flow.generate(self._context, request, sent, begun, limit)

        def report(snapshot: Snapshot) -> None:
            if on_update is not None:
                on_update(JobStatus.of(snapshot, self, prepared))

        return Generation.of(self._run(flow, report, prepared=prepared), self, prepared)

    def submit(self, request: Request) -> Job:
        """Send a request; return as soon as the service has answered.

        Images of this machine are uploaded first. Raises `InvalidRequestError` (nothing was sent),
        `TransportError` (nothing was accepted: no connection, or no answer to the upload),
        `SubmissionUnknown` (it may have been accepted, and is not sent again), `GenerationFailed`
        (it was accepted, and the service gave it up), or the `APIError` that the service answered.
        """
        prepared, sent = self._ready(request, math.inf)
        flow = _flow.submit(self._context, request, sent)
        return Job(self, self._run(flow, prepared=prepared), prepared)

    def job(self, job_id: JobId | None) -> Job:
        """Return a job by its id, also one of another process. Asks nothing yet.

        Raises `InvalidRequestError` for what cannot be an id: neither an integer nor a text. So does None,
        which type checkers let pass, since `job.id` and `error.job_id` may be it.
        """
        return Job(self, Snapshot(status="processing", id=checked_id(job_id)))

    def fetch(self, job_id: JobId | None) -> JobStatus:
        """Ask where a job stands.

        Raises `NotFoundError` for an id that the service does not know, `TransportError`, or another
        `APIError`; `InvalidRequestError` as `job` does. A job that failed is no error here: see `JobStatus.status`.
        """
        return self.job(job_id).refresh()

    def balance(self) -> Balance:
        """Ask how much money the account has left, in `Balance.currency`. Raises `TransportError` or an `APIError`."""
        return self._run(ask(self._context, "wallet_balance", {}, _account.balance, now=self._now()))

    def queued(self) -> int:
        """Ask how many requests of the account wait or are worked on.

        The service takes at most 30 such calls a minute (vendor docs, check requests page). Raises
        `TransportError` or an `APIError`.
        """
        return self._run(ask(self._context, "request_count", {}, _account.queued, now=self._now()))

    def reload_model(self, model_id: str) -> ModelStatus:
        """Have a model loaded that the service put away; it does so after 7 days without use.

        Loading takes about 2 minutes (vendor docs, model reload page); call it again to see whether it
        is done. Raises `NotFoundError` for an unknown model, `TransportError`, or another `APIError`;
        `InvalidRequestError` for what is no text.
        """
        fields = {"model_id": checked_model(model_id)}
        return self._run(ask(self._context, "model_reload", fields, _account.model, now=self._now()))

    # --- life ----------------------------------------------------------------------------

    def close(self) -> None:
        """Close the connections, unless they are those of the caller's own `http_client`.

        A client that has closed them answers every call with a `ConfigurationError`; it may be closed again.
        """
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

    def _store(self, image: Image, path: Path, *, overwrite: bool, metadata: bool) -> Path:
        """See `Image.save`."""
        finish = recipes.writer(image.recipe, self._settings.redactor) if metadata else None
        save = Save(url=image.url, path=path, overwrite=overwrite, max_bytes=MAX_IMAGE_BYTES, finish=finish)
        return self._download(image, save).path or path

    def _download(self, image: Image, save: Save) -> Saved:
        link = Link(url=image.url, proxy_url=image.proxy_url)
        flow = download(self._context, link, image.job_id, save, self._now())
        return self._run(flow, job=image.job_id)

    def _time(self) -> float:
        return self._now()

    # --- before a request is sent ---------------------------------------------------------

    def _ready(self, request: Request, deadline: float) -> tuple[Prepared, Mapping[str, Any]]:
        """Check a request and upload its images; return it with the fields that are sent."""
        prepared = prepare(request, _pictures.load(_pictures.local(request)), strict=self._strict)
        urls = {name: self._uploaded(name, image, deadline) for name, image in prepared.local.items()}
        if not urls:
            return prepared, prepared.fields
        # No job holds on to its images' bytes.
        return evolve(prepared, local={}, uploads=tuple(urls.values())), {**prepared.fields, **urls}

    def _uploaded(self, name: str, image: LocalImage, deadline: float) -> str:
        """Return the URL of an image of this machine; the same bytes go up once."""
        lock = self._uploads.lock(image)
        if not lock.acquire(timeout=_http.within(deadline - self._now()) or -1):
            raise _upload.too_late(name)
        try:
            url = self._uploads.url(image, self._now())
            if url is None:
                url = self._run(_upload.upload(self._context, name, image, self._now(), deadline))
                self._uploads.keep(image, url, self._now())
                _upload.check_time(name, self._now(), deadline)
        except BaseException as fault:
            _upload.name_upload(fault, name)
            raise
        finally:
            lock.release()
        return url

    # --- the shell -----------------------------------------------------------------------

    def _run(
        self,
        flow: Flow[T],
        on_report: OnReport | None = None,
        *,
        job: JobId | None = None,
        prepared: Prepared | None = None,
    ) -> T:
        state: Step | Result[T] | None = None
        try:
            state = resume(flow, None)
            while not isinstance(state, Result):
                if isinstance(state, Report):
                    job = state.snapshot.id
                state = resume(flow, self._act(state, on_report))
        except BaseException as fault:
            _flow.name_job(fault, job)
            _flow.name_submission(fault, state)
            if prepared is not None and isinstance(fault, BadRequestError | GenerationFailed):
                self._uploads.forget(prepared.uploads)
            raise
        finally:
            flow.close()
        return state.value

    def _act(self, step: Step, on_report: OnReport | None) -> Event:
        if isinstance(step, Send):
            return self._calls.send(step)
        if isinstance(step, Save):
            return self._calls.save(step)
        if isinstance(step, Sleep):
            self._sleep(step.seconds)
        elif on_report is not None:
            on_report(step.snapshot)
        return Woke(at=self._now())


class Job(BaseJob):
    """A generation that the service has accepted. `PonyClient.submit` and `PonyClient.job` return one."""

    def __init__(self, client: PonyClient, snapshot: Snapshot, prepared: Prepared | None = None) -> None:
        self._client = client
        self._snapshot = snapshot
        self._prepared = prepared

    def refresh(self) -> JobStatus:
        """Ask where it stands; a job that is done is not asked about. Raises as `PonyClient.fetch`."""
        client = self._client
        if self._snapshot.status == "processing":
            self._snapshot = client._run(_flow.fetch(client._context, self._snapshot, client._now()), job=self.id)
            if self._snapshot.status == "failed" and self._prepared is not None:
                client._uploads.forget(self._prepared.uploads)
        return JobStatus.of(self._snapshot, client, self._prepared)

    def wait(self, timeout: float | None = DEFAULT_WAIT, on_update: OnUpdate | None = None) -> Generation:
        """Wait for the images, at most `timeout` seconds (600; None: no limit).

        `on_update` is called with each `JobStatus`, in the caller's thread. A job that succeeded already is not
        asked about. Raises `JobTimeout` (the job goes on: wait again), `GenerationFailed`, or the
        `APIError` or `TransportError` that outlasted the `RetryPolicy`; each names the job.
        `InvalidRequestError` for what is no time, or no function that can be called.
        """
        client = self._client
        limit = checked_wait(self.id, timeout, on_update, awaited=False)
        flow = _flow.wait(client._context, self._snapshot, client._now(), limit)

        def report(snapshot: Snapshot) -> None:
            self._snapshot = snapshot
            if on_update is not None:
                on_update(JobStatus.of(snapshot, client, self._prepared))

        done = client._run(flow, report, job=self.id, prepared=self._prepared)
        return Generation.of(done, client, self._prepared)
