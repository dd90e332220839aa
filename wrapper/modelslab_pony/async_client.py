"""The asynchronous client: sends, sleeps and saves what the flows ask for."""

from __future__ import annotations

import asyncio
import inspect
import math
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeVar, Unpack

import httpx
from attrs import evolve

from modelslab_pony import _account, _connections, _flow, _http, _pictures, _upload, recipes
from modelslab_pony._asks import Context, ask
from modelslab_pony._async_calls import AsyncCalls, BeforeSend
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
from modelslab_pony.results import AsyncGeneration, AsyncImage, AsyncJobStatus

T = TypeVar("T")
OnUpdate = Callable[[AsyncJobStatus], object]
OnReport = Callable[[Snapshot], Awaitable[None]]


class AsyncPonyClient:
    """Same as `PonyClient`, awaited. It takes the same arguments but for one.

    `http_client` is the caller's own `httpx.AsyncClient`, or "aiohttp": then calls of the API go through
    aiohttp (extra `aiohttp`), which costs half as much where thousands of jobs are under way. Downloads
    do not. A single read is then limited by `timeout` as a whole, if the two are within a tenth of each
    other, as they are by default. One client belongs to one event loop.

    Raises `ConfigurationError` as `PonyClient` does, and with "aiohttp" where the environment names a proxy
    for the service; `MissingExtraError` without that extra.
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        http_client: httpx.AsyncClient | Literal["aiohttp"] | None = None,
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
        self._uploads = Uploads(asyncio.Lock)
        self._strict = strict
        aiohttp = http_client == "aiohttp"
        given = None if aiohttp else _http.checked_client(http_client, httpx.AsyncClient, "AsyncPonyClient")
        limits = _http.limits(timeout, given)
        self._context = Context(
            poll=checked_policy(poll, PollPolicy, "poll"),
            retry=checked_policy(retry, RetryPolicy, "retry"),
            random=random.random,
            answer=limits.answer,
            download=limits.download,
        )
        self._owned = given is None
        self._httpx = given or _connections.own_async_client(self._settings, most, aiohttp=aiohttp)
        self._calls = AsyncCalls(self._httpx, self._settings, limits, most, self._time)
        # Tests put a virtual clock here.
        self._now: Callable[[], float] = time.monotonic
        self._sleep: Callable[[float], Awaitable[object]] = asyncio.sleep

    # --- what it does --------------------------------------------------------------------

    async def text2img(
        self,
        prompt: str,
        *,
        wait_timeout: float | None = DEFAULT_WAIT,
        on_update: OnUpdate | None = None,
        **options: Unpack[TextToImageOptions],
    ) -> AsyncGeneration:
        """Same as `PonyClient.text2img`, awaited."""
        return await self.generate(TextToImage(prompt, **options), wait_timeout=wait_timeout, on_update=on_update)

    async def img2img(
        self,
        prompt: str,
        init_image: ImageSource,
        *,
        wait_timeout: float | None = DEFAULT_WAIT,
        on_update: OnUpdate | None = None,
        **options: Unpack[ImageToImageOptions],
    ) -> AsyncGeneration:
        """Same as `PonyClient.img2img`, awaited."""
        request = ImageToImage(prompt, init_image, **options)
        return await self.generate(request, wait_timeout=wait_timeout, on_update=on_update)

    async def inpaint(
        self,
        prompt: str | None = None,
        *,
        init_image: ImageSource,
        mask_image: ImageSource,
        wait_timeout: float | None = DEFAULT_WAIT,
        on_update: OnUpdate | None = None,
        **options: Unpack[InpaintOptions],
    ) -> AsyncGeneration:
        """Same as `PonyClient.inpaint`, awaited."""
        request = Inpaint(prompt, init_image=init_image, mask_image=mask_image, **options)
        return await self.generate(request, wait_timeout=wait_timeout, on_update=on_update)

    async def generate(
        self,
        request: Request,
        *,
        wait_timeout: float | None = DEFAULT_WAIT,
        on_update: OnUpdate | None = None,
    ) -> AsyncGeneration:
        """Same as `PonyClient.generate`, awaited; so is `on_update`, if it is a coroutine function."""
        begun, limit = self._now(), seconds("wait_timeout", wait_timeout)
        checked_callback(on_update, awaited=True)
        prepared, sent = await self._ready(request, begun + limit)
        flow = _flow.generate(self._context, request, sent, begun, limit)

        async def report(snapshot: Snapshot) -> None:
            if on_update is not None:
                await _told(on_update(AsyncJobStatus.of(snapshot, self, prepared)))

        return AsyncGeneration.of(await self._run(flow, report, prepared=prepared), self, prepared)

    async def submit(self, request: Request) -> AsyncJob:
        """Same as `PonyClient.submit`, awaited."""
        return await self._submitted(request)

    def job(self, job_id: JobId | None) -> AsyncJob:
        """Same as `PonyClient.job`."""
        return AsyncJob(self, Snapshot(status="processing", id=checked_id(job_id)))

    async def fetch(self, job_id: JobId | None) -> AsyncJobStatus:
        """Same as `PonyClient.fetch`, awaited."""
        return await self.job(job_id).refresh()

    async def balance(self) -> Balance:
        """Same as `PonyClient.balance`, awaited."""
        return await self._run(ask(self._context, "wallet_balance", {}, _account.balance, now=self._now()))

    async def queued(self) -> int:
        """Same as `PonyClient.queued`, awaited."""
        return await self._run(ask(self._context, "request_count", {}, _account.queued, now=self._now()))

    async def reload_model(self, model_id: str) -> ModelStatus:
        """Same as `PonyClient.reload_model`, awaited."""
        fields = {"model_id": checked_model(model_id)}
        return await self._run(ask(self._context, "model_reload", fields, _account.model, now=self._now()))

    # --- life ----------------------------------------------------------------------------

    async def close(self) -> None:
        """Same as `PonyClient.close`, awaited."""
        if self._owned:
            await self._httpx.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<AsyncPonyClient {self._settings.base_url}>"

    # --- for Job and Image ---------------------------------------------------------------

    async def _load(self, image: AsyncImage) -> bytes:
        """See `AsyncImage.read`."""
        return (await self._download(image, Save(url=image.url, max_bytes=MAX_IMAGE_BYTES))).content

    async def _store(self, image: AsyncImage, path: Path, *, overwrite: bool, metadata: bool) -> Path:
        """See `AsyncImage.save`."""
        finish = recipes.writer(image.recipe, self._settings.redactor) if metadata else None
        save = Save(url=image.url, path=path, overwrite=overwrite, max_bytes=MAX_IMAGE_BYTES, finish=finish)
        return (await self._download(image, save)).path or path

    async def _download(self, image: AsyncImage, save: Save) -> Saved:
        link = Link(url=image.url, proxy_url=image.proxy_url)
        flow = download(self._context, link, image.job_id, save, self._now())
        return await self._run(flow, job=image.job_id)

    def _time(self) -> float:
        return self._now()

    # --- before a request is sent ---------------------------------------------------------

    async def _ready(self, request: Request, deadline: float) -> tuple[Prepared, Mapping[str, Any]]:
        """Check a request and upload its images; return it with the fields that are sent."""
        local = _pictures.local(request)
        images = await asyncio.to_thread(_pictures.load, local) if local else {}
        prepared = prepare(request, images, strict=self._strict)
        urls = {name: await self._uploaded(name, image, deadline) for name, image in prepared.local.items()}
        if not urls:
            return prepared, prepared.fields
        # No job holds on to its images' bytes.
        return evolve(prepared, local={}, uploads=tuple(urls.values())), {**prepared.fields, **urls}

    async def _submitted(self, request: Request, before_send: BeforeSend | None = None) -> AsyncJob:
        """See `submit`. Whoever keeps books on what may be paid is told right before a POST leaves."""
        prepared, sent = await self._ready(request, math.inf)
        flow = _flow.submit(self._context, request, sent)
        return AsyncJob(self, await self._run(flow, prepared=prepared, before_send=before_send), prepared)

    async def _uploaded(self, name: str, image: LocalImage, deadline: float) -> str:
        """Return the URL of an image of this machine; the same bytes go up once."""
        lock = self._uploads.lock(image)
        try:
            async with asyncio.timeout(_http.within(deadline - self._now())):
                await lock.acquire()
        except TimeoutError:
            raise _upload.too_late(name) from None
        try:
            url = self._uploads.url(image, self._now())
            if url is None:
                url = await self._run(_upload.upload(self._context, name, image, self._now(), deadline))
                self._uploads.keep(image, url, self._now())
                _upload.check_time(name, self._now(), deadline)
        except BaseException as fault:
            _upload.name_upload(fault, name)
            raise
        finally:
            lock.release()
        return url

    # --- the shell -----------------------------------------------------------------------

    async def _run(
        self,
        flow: Flow[T],
        on_report: OnReport | None = None,
        *,
        job: JobId | None = None,
        prepared: Prepared | None = None,
        before_send: BeforeSend | None = None,
    ) -> T:
        state: Step | Result[T] | None = None
        try:
            state = resume(flow, None)
            while not isinstance(state, Result):
                if isinstance(state, Report):
                    job = state.snapshot.id
                state = resume(flow, await self._act(state, on_report, before_send))
        except BaseException as fault:
            _flow.name_job(fault, job)
            _flow.name_submission(fault, state)
            if prepared is not None and isinstance(fault, BadRequestError | GenerationFailed):
                self._uploads.forget(prepared.uploads)
            raise
        finally:
            flow.close()
        return state.value

    async def _act(self, step: Step, on_report: OnReport | None, before_send: BeforeSend | None = None) -> Event:
        if isinstance(step, Send):
            return await self._calls.send(step, before_send)
        if isinstance(step, Save):
            return await self._calls.save(step)
        if isinstance(step, Sleep):
            await self._sleep(step.seconds)
        elif on_report is not None:
            await on_report(step.snapshot)
        return Woke(at=self._now())


class AsyncJob(BaseJob):
    """Same as `Job`, awaited. `AsyncPonyClient.submit` and `AsyncPonyClient.job` return one."""

    def __init__(self, client: AsyncPonyClient, snapshot: Snapshot, prepared: Prepared | None = None) -> None:
        self._client = client
        self._snapshot = snapshot
        self._prepared = prepared

    async def refresh(self) -> AsyncJobStatus:
        """Same as `Job.refresh`, awaited."""
        client = self._client
        if self._snapshot.status == "processing":
            self._snapshot = await client._run(_flow.fetch(client._context, self._snapshot, client._now()), job=self.id)
            if self._snapshot.status == "failed" and self._prepared is not None:
                client._uploads.forget(self._prepared.uploads)
        return AsyncJobStatus.of(self._snapshot, client, self._prepared)

    async def wait(
        self,
        timeout: float | None = DEFAULT_WAIT,  # noqa: ASYNC109 - as in Job.wait; the flow keeps it
        on_update: OnUpdate | None = None,
    ) -> AsyncGeneration:
        """Same as `Job.wait`, awaited; so is `on_update`, if it is a coroutine function."""
        client = self._client
        limit = checked_wait(self.id, timeout, on_update, awaited=True)
        flow = _flow.wait(client._context, self._snapshot, client._now(), limit)

        async def report(snapshot: Snapshot) -> None:
            self._snapshot = snapshot
            if on_update is not None:
                await _told(on_update(AsyncJobStatus.of(snapshot, client, self._prepared)))

        done = await client._run(flow, report, job=self.id, prepared=self._prepared)
        return AsyncGeneration.of(done, client, self._prepared)


async def _told(answer: object) -> None:
    """Await a callback that is a coroutine function, so that both kinds can be given."""
    if inspect.isawaitable(answer):
        await answer
