"""Never run: what type checkers, and so editors, have to make of the public face.

mypy and pyright read it, both strict. A line that is wrong on purpose names what each of the two has to say of it:
were it silent, the comment would be an error.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, assert_type

import httpx
from PIL.Image import Image as PilImage
from starlette.applications import Starlette
from starlette.routing import Mount

from modelslab_pony import (
    APIError,
    AsyncGeneration,
    AsyncImage,
    AsyncJob,
    AsyncJobStatus,
    AsyncPonyClient,
    AuthenticationError,
    BadRequestError,
    Balance,
    ConfigurationError,
    DownloadError,
    Generation,
    GenerationFailed,
    Image,
    ImageToImage,
    Inpaint,
    InsufficientCreditsError,
    InvalidRequestError,
    InvalidWebhookError,
    Job,
    JobStatus,
    JobTimeout,
    MissingExtraError,
    ModelStatus,
    NotFoundError,
    PermissionDeniedError,
    PollPolicy,
    PonyClient,
    PonyError,
    RateLimitError,
    Recipe,
    RetryPolicy,
    ServerError,
    SubmissionUnknown,
    TextToImage,
    TransportError,
    UnexpectedResponseError,
    UnknownResponseError,
    UnknownServerError,
    UploadTimeout,
    __version__,
    read_recipe,
)
from modelslab_pony.batch import AsyncBatch, Batch, BatchError, BatchEvent, BatchResult, BatchStatus, Worker
from modelslab_pony.samplers import SAMPLERS, Sampler, find
from modelslab_pony.testing import (
    Answer,
    Call,
    Exchange,
    Faults,
    SimulatedJob,
    Simulator,
    Submission,
    VirtualClock,
    Webhook,
    faults,
)
from modelslab_pony.webhooks import MAX_BODY, Receiver, WebhookEvent, new_token, parse

Id = int | str | None
AnyRequest = TextToImage | ImageToImage | Inpaint
State = Literal["processing", "success", "failed"]

VERSION: str = __version__


# --- clients -----------------------------------------------------------------------------------


def made() -> None:
    poll = PollPolicy(min_delay=2, max_delay=15.0, growth=1.1, jitter=0, lead=0)
    retry = RetryPolicy(attempts=1, min_delay=1, max_delay=60)
    assert_type(poll.min_delay, float)
    assert_type(retry.attempts, int)
    PonyClient()
    PonyClient("key", base_url="https://host.example/api", poll=poll, retry=retry, timeout=30.0, max_in_flight=4)
    PonyClient(http_client=httpx.Client(), timeout=httpx.Timeout(30), strict=False).close()
    AsyncPonyClient(http_client=httpx.AsyncClient(), timeout=30)
    AsyncPonyClient(http_client="aiohttp")
    AsyncPonyClient(http_client="requests")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # no such
    PonyClient(http_client="aiohttp")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # when awaited
    PonyClient(timeout="30")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # seconds are a number
    poll.lead = 1  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]  # policies are values


def blocking() -> None:
    with PonyClient() as pony:
        assert_type(pony, PonyClient)
        generation = pony.text2img("a lighthouse", width=1152, sampler="Euler a", seed=None, extra={"zeta": "x"})
        assert_type(generation, Generation)
        assert_type(pony.text2img("a lighthouse", wait_timeout=None, on_update=told), Generation)
        assert_type(pony.img2img("a lighthouse", Path("a.png"), strength=0.5, width=None), Generation)
        assert_type(pony.img2img("a lighthouse", generation.images[0].to_pil()), Generation)
        assert_type(pony.inpaint(init_image=b"png", mask_image="https://x.example/m.png", sampler="DDIM"), Generation)
        assert_type(pony.generate(TextToImage("a lighthouse"), wait_timeout=60), Generation)
        job = pony.submit(TextToImage("a lighthouse", samples=4))
        assert_type(job, Job)
        assert_type(job.id, Id)
        assert_type(job.status, State)
        assert_type(job.eta, float | None)
        assert_type(job.request, AnyRequest | None)
        assert_type(job.refresh(), JobStatus)
        assert_type(job.wait(timeout=None, on_update=print), Generation)
        assert_type(pony.job(job.id), Job)
        assert_type(pony.fetch("abc"), JobStatus)
        pony.job(1.5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # a float is no id
        pony.inpaint("x", init_image=b"png")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # no mask
        pony.text2img("x", widht=5)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # a slip of the hand
        pony.text2img("x", width="5")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # a wrong type
        pony.text2img("x", strength=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # of img2img


async def awaited() -> None:
    async with AsyncPonyClient("key") as pony:
        assert_type(pony, AsyncPonyClient)
        generation = await pony.text2img("a lighthouse", on_update=told_async)
        assert_type(generation, AsyncGeneration)
        assert_type(await pony.img2img("a lighthouse", "a.png"), AsyncGeneration)
        assert_type(await pony.inpaint("x", init_image="a.png", mask_image=b"png"), AsyncGeneration)
        assert_type(await pony.generate(Inpaint(init_image=b"png", mask_image=b"png")), AsyncGeneration)
        job = await pony.submit(TextToImage("a lighthouse"))
        assert_type(job, AsyncJob)
        assert_type(job.id, Id)
        assert_type(await job.wait(), AsyncGeneration)
        assert_type(await job.wait(60, on_update=told_async), AsyncGeneration)
        assert_type(await pony.job("abc").refresh(), AsyncJobStatus)
        assert_type(await pony.fetch(job.id), AsyncJobStatus)
        assert_type(generation.images, tuple[AsyncImage, ...])
        assert_type(await generation.images[0].read(), bytes)
        assert_type(await generation.images[0].save("a.png"), Path)
        assert_type(await generation.images[0].to_pil(), PilImage)
        assert_type(await pony.balance(), Balance)
        assert_type(await pony.queued(), int)
        assert_type(await pony.reload_model("pony-realism"), ModelStatus)
        await pony.close()


def told(status: JobStatus) -> None:
    assert_type(status.id, Id)
    assert_type(status.status, State)
    assert_type(status.eta, float | None)
    assert_type(status.message, str)
    assert_type(status.done, bool)
    assert_type(status.generation, Generation | None)
    assert_type(status.raw, Mapping[str, Any])


async def told_async(status: AsyncJobStatus) -> None:
    assert_type(status.generation, AsyncGeneration | None)


# --- what they give ----------------------------------------------------------------------------


def results(generation: Generation, image: Image) -> None:
    assert_type(generation.id, Id)
    assert_type(generation.images, tuple[Image, ...])
    assert_type(generation.seed, int | None)
    assert_type(generation.meta, Mapping[str, Any])
    assert_type(generation.generation_time, float | None)
    assert_type(generation.nsfw_content_detected, bool | None)
    assert_type(generation.raw, Mapping[str, Any])
    assert_type(generation.request, AnyRequest | None)
    assert_type(image.url, str)
    assert_type(image.proxy_url, str | None)
    assert_type(image.job_id, Id)
    assert_type(image.index, int)
    assert_type(image.read(), bytes)
    assert_type(image.save("a.png", overwrite=True, metadata=False), Path)
    assert_type(image.to_pil(), PilImage)
    assert_type(image.recipe, Recipe | None)
    generation.seed = 7  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]  # results are values


def account(pony: PonyClient) -> None:
    balance = pony.balance()
    assert_type(balance, Balance)
    assert_type(balance.balance, float)
    assert_type(balance.currency, str)
    assert_type(pony.queued(), int)
    model = pony.reload_model("pony-realism")
    assert_type(model, ModelStatus)
    assert_type(model.status, Literal["success", "processing"])
    assert_type(model.message, str)


def requests() -> None:
    request = TextToImage("a lighthouse", model_id="pony-realism", use_karras_sigmas=None, webhook=None, track_id="x")
    assert_type(request.prompt, str)
    assert_type(request.width, int)
    assert_type(request.seed, int | None)
    assert_type(request.sampler, str | None)
    assert_type(request.extra, Mapping[str, Any])
    assert_type(ImageToImage("a lighthouse", b"png").width, int | None)
    assert_type(Inpaint(init_image=b"png", mask_image=b"png").prompt, str | None)
    assert_type(SAMPLERS["Euler a"], Sampler)
    assert_type(find("euler A"), Sampler | None)
    TextToImage()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # the prompt is missing
    TextToImage("x", "y")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # the rest is named
    request.seed = 7  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]  # requests are values


def recipes(path: Path) -> None:
    recipe = read_recipe(path)
    assert_type(recipe, Recipe | None)
    if recipe is not None:
        assert_type(recipe.parameters, str | None)
        assert_type(recipe.operation, str | None)
        assert_type(recipe.options, Mapping[str, Any])
        assert_type(recipe.seed, int | None)
        assert_type(recipe.job_id, Id)
        assert_type(recipe.request(seed=8), AnyRequest)


# --- errors ------------------------------------------------------------------------------------


def caught(error: PonyError) -> None:
    assert_type(error.job_id, Id)
    match error:
        case InvalidRequestError() | BadRequestError():
            assert_type(error.errors, Mapping[str, Sequence[str]])
        case UnknownServerError() | UnknownResponseError():
            assert_type(error.request, AnyRequest | None)
            assert_type(error.status_code, int | None)
        case SubmissionUnknown():
            assert_type(error.track_id, str | None)
        case RateLimitError():
            assert_type(error.retry_after, float | None)
        case APIError():
            assert_type(error.status_code, int | None)
            assert_type(error.message, str)
            assert_type(error.body, Any)
        case DownloadError():
            assert_type(error.url, str)
            assert_type(error.is_local, bool)
        case InvalidWebhookError():
            assert_type(error.body, str)
        case _:
            raise error


def resumed(pony: PonyClient) -> None:
    try:
        pony.text2img("a lighthouse")
    except (JobTimeout, DownloadError) as error:
        assert_type(pony.job(error.job_id).wait(), Generation)
    except TransportError as error:
        assert_type(error.job_id, Id)


# Each is what it is caught as.
API_ERRORS: list[type[APIError]] = [
    *(AuthenticationError, BadRequestError, InsufficientCreditsError, NotFoundError, PermissionDeniedError),
    *(RateLimitError, ServerError, UnexpectedResponseError, UnknownResponseError, UnknownServerError),
]
UNKNOWN: list[type[SubmissionUnknown]] = [UnknownResponseError, UnknownServerError]
TIMEOUTS: list[type[TimeoutError]] = [JobTimeout, UploadTimeout]
OURS: list[type[PonyError]] = [ConfigurationError, GenerationFailed, InvalidWebhookError, *UNKNOWN, *API_ERRORS]
IMPORTS: list[type[ImportError]] = [MissingExtraError]
VALUES: list[type[ValueError]] = [InvalidRequestError, InvalidWebhookError]


# --- batches -----------------------------------------------------------------------------------


def batches(path: Path) -> None:
    rows: list[TextToImage | Mapping[str, Any]] = [TextToImage("a lighthouse"), {"prompt": "a harbour"}]
    Batch(path, [{"prompt": "a lighthouse", "seed": 7}, {"prompt": "a harbour"}])
    Batch(path, (TextToImage(f"a lighthouse in month {month}") for month in range(12)), connect=AsyncPonyClient)
    Batch(path, "prompts.txt", format="lines", defaults={"seed": 7}, database="postgresql://me@host/name")
    batch = Batch(path, rows, limit=15, template="{name}.png")
    assert_type(batch.run(happened), BatchStatus)
    for result in batch:
        assert_type(result, BatchResult)
    assert_type(batch.results("unknown", "failed"), list[BatchResult])
    assert_type(batch.former(), list[BatchResult])
    assert_type(batch.cancel(), int)
    assert_type(batch.retry(unknown=True), int)
    assert_type(batch.output, Path)
    batch.stop()
    batch.write_report()
    batch.results("lost")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # no such status
    Batch(path, 7)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # no rows
    worker = Worker(path, database="postgresql://me@host/name", limit=10)
    worker.run(happened, until_done=True)
    Worker(path)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # a worker has a database


async def batches_awaited(path: Path) -> None:
    batch = AsyncBatch(path, "prompts.jsonl", limit=5)
    assert_type(await batch.run(happened), BatchStatus)
    async for result in batch:
        assert_type(result, BatchResult)
    assert_type(await batch.results("unknown"), list[BatchResult])
    assert_type(await batch.status(), BatchStatus)
    assert_type(await batch.cancel(), int)
    assert_type(await batch.retry(failed=True), int)
    AsyncBatch(path, limti=5)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # a slip of the hand


def happened(event: BatchEvent) -> None:
    assert_type(event.kind, str)
    assert_type(event.facts, Mapping[str, Any])
    assert_type(event.at, float)


def came_of_it(result: BatchResult, status: BatchStatus) -> None:
    assert_type(result.index, int)
    assert_type(result.status, Literal["waiting", "running", "done", "failed", "unknown", "cancelled"])
    assert_type(result.job_id, Id)
    assert_type(result.images, Sequence[Path])
    assert_type(result.error, BatchError | None)
    if result.error:
        assert_type(result.error.type, str)
        assert_type(result.error.message, str)
    assert_type(status.total, int)
    assert_type(status.limit, int | None)
    assert_type(status.is_complete, bool)


# --- webhooks ----------------------------------------------------------------------------------


def hooked(pony: AsyncPonyClient) -> None:
    receiver = Receiver(pony, told_async, token=assert_type(new_token(), str), timeout=10, remember=100)
    Receiver(pony, lambda status: assert_type(status, AsyncJobStatus), token="x", max_body=MAX_BODY)
    Receiver(pony, print, "x")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # the token is named
    Receiver(PonyClient(), print, token="x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # awaited
    assert_type(receiver.url("https://app.example/hooks"), str)
    Starlette(routes=[Mount("/hooks", receiver)])
    event = parse(b"{}")
    assert_type(event, WebhookEvent)
    assert_type(event.job_id, int | str)
    assert_type(event.status, str)
    assert_type(event.track_id, str | None)
    assert_type(event.claimed_end, Literal["success", "failed"] | None)
    assert_type(event.raw, Mapping[str, Any])


# --- tests of applications ---------------------------------------------------------------------


def simulated(pony_simulator: Simulator) -> None:
    assert_type(pony_simulator.eta, float)
    assert_type(pony_simulator.queue_limit, int | None)
    pony_simulator.eta = 0
    pony_simulator.change(outcome="failed", balance=3)
    assert_type(pony_simulator.client(), PonyClient)
    assert_type(pony_simulator.client(poll=PollPolicy(min_delay=1), strict=False), PonyClient)
    assert_type(pony_simulator.async_client(max_in_flight=4), AsyncPonyClient)
    assert_type(pony_simulator.asgi(), Starlette)
    assert_type(pony_simulator.takeover(), contextlib.AbstractContextManager[Simulator])
    httpx.Client(transport=pony_simulator.transport())
    httpx.AsyncClient(transport=pony_simulator.transport())
    assert_type(pony_simulator.submissions, list[Submission])
    assert_type(pony_simulator.submissions[0].request, Mapping[str, Any])
    assert_type(pony_simulator.submissions[0].accepted, bool)
    assert_type(pony_simulator.job("70010001"), SimulatedJob)
    assert_type(pony_simulator.job(70010001).samples, int)
    assert_type(pony_simulator.job(None).status(0), Literal["queued", "processing", "success", "failed"])
    assert_type(pony_simulator.webhooks, list[Webhook])
    assert_type(pony_simulator.webhooks[0].status_code, int | None)
    assert_type(pony_simulator.requests, deque[Exchange])
    assert_type(pony_simulator.requests[0].status_code, int)
    assert_type(pony_simulator.answer("POST", "https://host.example/"), Answer)
    pony_simulator.outcome = "broken"  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]  # no end
    Simulator(dialect="latin")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # no such dialect
    pony_simulator.client(poll=2)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # no policy


def clocked(log: list[tuple[Call, Answer]]) -> None:
    clock = VirtualClock(start=100)
    clock.sleep(5)
    assert_type(clock.now(), float)
    assert_type(clock.sleeps, list[float])
    Simulator(eta=0, clock=clock, log=lambda call, answer: log.append((call, answer)), models={"pony-realism"})


def broken(pony_simulator: Simulator) -> None:
    to_come = pony_simulator.faults
    assert_type(to_come, Faults)
    to_come.add(faults.HTML(502), on="fetch", times=None)
    to_come.add(faults.Drop("after"), on=lambda call: assert_type(call, Call).method == "POST")
    to_come.script(faults.Refuse(), None, faults.RateLimited(5), faults.Late(2), on="submission")
    to_come.script(faults.CutShort(0.5), faults.Oversized(), faults.WrongLength(), faults.ContentType(), on="image")
    to_come.script(faults.Trickle(), faults.Redirect(), faults.Reply(200, {"status": "odd"}))
    to_come.script(faults.WebhookTwice(), faults.WebhookLate(60), faults.WebhookNever(), on="webhook")
    to_come.assert_used()
    given: list[type[faults.Fault]] = [faults.HTML, faults.WebhookFault]
    assert given
    faults.Drop("later")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # no such moment
    to_come.add("html")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # no fault


# --- misspelt names ----------------------------------------------------------------------------


def misspelt() -> None:
    from modelslab_pony import PonyCleint  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType]  # a slip
    from modelslab_pony.testing import Simulater  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType]  # a slip

    assert PonyCleint is not Simulater
