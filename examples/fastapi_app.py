"""A FastAPI application that makes images, told of their end by webhooks and, where none comes, by asking.

    POST /images {"prompt": "a lighthouse"}   202 {"job_id": "70010001"}
    GET /images/70010001                      202 while it is made, then the picture; 502 if the service gave it up

With a key:     pip install fastapi uvicorn 'modelslab-pony[webhooks]'
                export MODELSLAB_API_KEY=... PUBLIC_URL=https://your.host HOOK_TOKEN=...   # keep one: new_token()
                uvicorn --app-dir examples fastapi_app:app --port 8020 --no-access-log     # which would show the token
Without cost:   pony simulator --port 8010     # in another terminal
                export MODELSLAB_BASE_URL=http://127.0.0.1:8010/api/v6/images MODELSLAB_API_KEY=any

Put your own login before POST /images: each call costs money. Of a job there is an empty file when it is accepted,
and its picture when it is done, so several processes, or a later one, can share the folder.
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Annotated

import fastapi
from fastapi import Body, FastAPI, HTTPException, Request, Response
from fastapi.responses import FileResponse, JSONResponse

from modelslab_pony import (
    AsyncJobStatus,
    AsyncPonyClient,
    InvalidRequestError,
    PonyError,
    SubmissionUnknown,
    TextToImage,
)
from modelslab_pony.webhooks import Receiver, new_token

FOLDER = Path(os.environ.get("PICTURES", "pictures"))
PUBLIC_URL = os.environ.get("PUBLIC_URL", "http://127.0.0.1:8020")
TOKEN = os.environ.get("HOOK_TOKEN") or new_token()
_log = logging.getLogger("uvicorn.error")


async def keep(status: AsyncJobStatus) -> None:
    """Save the picture of a job that is done. A job that is new here may be a `SubmissionUnknown`: it is kept, too."""
    if status.generation is not None:
        await status.generation.images[0].save(FOLDER / f"{status.id}.png", overwrite=True)


async def keep_all(ended: asyncio.Queue[AsyncJobStatus]) -> None:
    """Save what webhooks tell, one after the other. What cannot be saved now is asked for by GET."""
    while True:
        status = await ended.get()
        try:
            await keep(status)
        except PonyError as error:
            _log.warning("job %s is not saved yet: %s", status.id, type(error).__name__)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open the client and the door for webhooks; close them in the end."""
    ended: asyncio.Queue[AsyncJobStatus] = asyncio.Queue()
    async with AsyncPonyClient() as pony:  # the key is in the environment, and nowhere else
        receiver = Receiver(pony, ended.put, token=TOKEN)
        app.state.pony, app.state.webhook = pony, receiver.url(f"{PUBLIC_URL}/hooks")
        app.mount("/hooks", receiver)
        saving = asyncio.create_task(keep_all(ended))
        yield
        saving.cancel()
        with suppress(asyncio.CancelledError):
            await saving


FOLDER.mkdir(parents=True, exist_ok=True)
app = FastAPI(lifespan=lifespan)


@app.exception_handler(PonyError)
async def refused(_: Request, error: PonyError) -> Response:
    """Tell a caller what his request has become, without the words of the service."""
    if isinstance(error, InvalidRequestError):
        return JSONResponse({"errors": dict(error.errors)}, 422)
    _log.error("%s: %s", type(error).__name__, error)
    said = "it may have been accepted" if isinstance(error, SubmissionUnknown) else "not now"
    return JSONResponse({"error": said, "job_id": error.job_id}, 502)


@app.post("/images", status_code=202)
async def submit(prompt: Annotated[str, Body(embed=True, max_length=1000)], request: Request) -> dict[str, str]:
    """Have an image made; answer with its job."""
    pony: AsyncPonyClient = request.app.state.pony
    job = await pony.submit(TextToImage(prompt, webhook=request.app.state.webhook))
    (FOLDER / f"{job.id}.job").touch()
    return {"job_id": str(job.id)}


@app.get("/images/{job_id}")
async def show(job_id: Annotated[str, fastapi.Path(pattern=r"^[\w-]+$")], request: Request) -> Response:
    """Answer with the picture, or with how the job stands."""
    picture = FOLDER / f"{job_id}.png"
    if not picture.exists():
        if not (FOLDER / f"{job_id}.job").exists():  # the account has jobs that are none of a caller's business
            raise HTTPException(404)
        pony: AsyncPonyClient = request.app.state.pony
        status = await pony.fetch(job_id)
        if status.generation is None:
            code = 502 if status.done else 202
            return JSONResponse({"job_id": job_id, "status": status.status, "eta": status.eta}, code)
        await keep(status)  # its webhook is late, or will never come
    return FileResponse(picture)
