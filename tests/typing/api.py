"""Never run: what a type checker has to make of the public face."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, assert_type

from PIL.Image import Image as PilImage
from starlette.applications import Starlette
from starlette.routing import Mount

from modelslab_pony import (
    AsyncGeneration,
    AsyncImage,
    AsyncJob,
    AsyncJobStatus,
    AsyncPonyClient,
    BadRequestError,
    Balance,
    Generation,
    Image,
    ImageToImage,
    Inpaint,
    InvalidWebhookError,
    Job,
    JobStatus,
    PollPolicy,
    PonyClient,
    PonyError,
    RateLimitError,
    Recipe,
    RetryPolicy,
    SubmissionUnknown,
    TextToImage,
    read_recipe,
)
from modelslab_pony.batch import AsyncBatch, Batch, BatchEvent, BatchResult, BatchStatus, Worker
from modelslab_pony.testing import SimulatedJob, Simulator, Submission, faults
from modelslab_pony.webhooks import Receiver, WebhookEvent, new_token, parse


def blocking() -> None:
    with PonyClient(poll=PollPolicy(min_delay=2), retry=RetryPolicy(attempts=1), timeout=30.0) as pony:
        assert_type(pony, PonyClient)
        generation = pony.text2img("a lighthouse", width=1152, sampler="Euler a", seed=None, extra={"zeta": "x"})
        assert_type(generation, Generation)
        assert_type(generation.images, tuple[Image, ...])
        assert_type(generation.seed, int | None)
        assert_type(generation.meta, Mapping[str, Any])
        assert_type(generation.images[0].save("a.png", overwrite=True), Path)
        assert_type(generation.images[0].read(), bytes)
        job = pony.submit(TextToImage("a lighthouse", samples=4))
        assert_type(job, Job)
        assert_type(job.id, int | str | None)
        assert_type(job.status, Literal["processing", "success", "failed"])
        assert_type(job.wait(timeout=None, on_update=print), Generation)
        status = pony.fetch(7)
        assert_type(status, JobStatus)
        assert_type(status.generation, Generation | None)
        assert_type(generation.request, TextToImage | ImageToImage | Inpaint | None)
        assert_type(pony.img2img("a lighthouse", Path("a.png"), strength=0.5, width=None), Generation)
        assert_type(pony.img2img("a lighthouse", generation.images[0].to_pil()), Generation)
        assert_type(pony.inpaint(init_image=b"png", mask_image="https://x.example/m.png", sampler="DDIM"), Generation)
        assert_type(generation.images[0].to_pil(), PilImage)
        assert_type(generation.images[0].recipe, Recipe | None)
        assert_type(pony.balance().balance, float)
        assert_type(pony.queued(), int)
        assert_type(pony.reload_model("pony-realism").status, Literal["success", "processing"])
        assert_type(read_recipe("a.png"), Recipe | None)
        pony.inpaint("x", init_image=b"png")  # type: ignore[call-arg]  # the mask is missing
        pony.text2img("x", widht=5)  # type: ignore[call-arg]  # a typing slip is seen before it runs
        pony.text2img("x", width="5")  # type: ignore[arg-type]  # and a wrong type


async def awaited() -> None:
    async with AsyncPonyClient("key") as pony:
        assert_type(await pony.text2img("a lighthouse"), AsyncGeneration)
        job = await pony.submit(TextToImage("a lighthouse"))
        assert_type(job, AsyncJob)
        generation = await job.wait()
        assert_type(generation.images, tuple[AsyncImage, ...])
        assert_type(await generation.images[0].save("a.png"), Path)
        assert_type(await pony.job("abc").refresh(), AsyncJobStatus)
        assert_type(await pony.img2img("a lighthouse", "a.png"), AsyncGeneration)
        assert_type(await pony.inpaint("x", init_image="a.png", mask_image=b"png"), AsyncGeneration)
        assert_type(await generation.images[0].to_pil(), PilImage)
        assert_type(await pony.balance(), Balance)


def tested(pony_simulator: Simulator) -> None:
    pony_simulator.faults.add(faults.HTML(502), on="fetch", times=None)
    pony_simulator.eta = 0
    pony_simulator.outcome = "broken"  # type: ignore[assignment]  # neither success nor failed
    Simulator(dialect="latin")  # type: ignore[arg-type]  # neither spec nor observed
    assert_type(pony_simulator.client(), PonyClient)
    assert_type(pony_simulator.async_client(), AsyncPonyClient)
    assert_type(pony_simulator.submissions, list[Submission])
    assert_type(pony_simulator.job("70010001"), SimulatedJob)
    assert_type(pony_simulator.job(70010001).samples, int)


def misspelt() -> None:
    from modelslab_pony import PonyCleint  # type: ignore[attr-defined]  # a misspelt name is seen before it runs
    from modelslab_pony.testing import Simulater  # type: ignore[attr-defined]  # here, too

    assert PonyCleint is not Simulater


def caught(error: PonyError) -> None:
    assert_type(error.job_id, int | str | None)
    if isinstance(error, RateLimitError):
        assert_type(error.retry_after, float | None)
    if isinstance(error, BadRequestError):
        assert_type(list(error.errors), list[str])
    if isinstance(error, SubmissionUnknown):
        assert_type(error.request, TextToImage | ImageToImage | Inpaint | None)


def batches(path: Path) -> None:
    rows: list[TextToImage | Mapping[str, Any]] = [TextToImage("a lighthouse"), {"prompt": "a harbour"}]
    batch = Batch(path, rows, limit=15, template="{name}.png")
    assert_type(batch.run(lambda event: assert_type(event, BatchEvent)), BatchStatus)
    for result in batch:
        assert_type(result, BatchResult)
        assert_type(result.job_id, int | str | None)
    assert_type(batch.results("unknown", "failed"), list[BatchResult])
    assert_type(batch.status().done, int)
    assert_type(batch.cancel(), int)
    assert_type(batch.retry(unknown=True), int)
    Worker(path, database="postgresql://me@host/name").run(until_done=True)


async def batches_awaited(path: Path) -> None:
    batch = AsyncBatch(path, "prompts.jsonl")
    assert_type(await batch.run(), BatchStatus)
    async for result in batch:
        assert_type(result, BatchResult)
    assert_type(await batch.results(), list[BatchResult])


def hooked(pony: AsyncPonyClient, error: InvalidWebhookError) -> None:
    async def awaited(status: AsyncJobStatus) -> None:
        assert_type(status.generation, AsyncGeneration | None)

    receiver = Receiver(pony, awaited, token=assert_type(new_token(), str), timeout=10, remember=100)
    Receiver(pony, lambda status: assert_type(status, AsyncJobStatus), token="x")
    Receiver(pony, print, "x")  # type: ignore[call-arg]  # the token is named
    Receiver(PonyClient(), print, token="x")  # type: ignore[arg-type]  # one that is awaited
    assert_type(receiver.url("https://app.example/hooks"), str)
    event = parse(b"{}")
    assert_type(event, WebhookEvent)
    assert_type(event.job_id, int | str)
    assert_type(event.track_id, str | None)
    assert_type(error.body, str)
    Starlette(routes=[Mount("/hooks", receiver)])
