"""A FastAPI application that makes images, told of their end by webhooks and, where none comes, by asking.

    POST /images {"prompt": "a lighthouse"}   202 {"job_id": "70010001"}
    GET /images/70010001                      202 while it is made, then the picture; 502 if the service gave it up

With a key:     pip install fastapi uvicorn 'modelslab-pony[webhooks]'
                export MODELSLAB_API_KEY=... PUBLIC_URL=https://your.host HOOK_TOKEN=...   # keep one: new_token()
                uvicorn --app-dir examples fastapi_app:app --port 8020 --no-access-log     # which would show the token
Without cost:   pony simulator --port 8010     # in another terminal
                export MODELSLAB_BASE_URL=http://127.0.0.1:8010/api/v6/images MODELSLAB_API_KEY=any

Put your own login before POST /images: each call costs money. Of a job there is a file with its id when it is accepted,
and its picture when it is done, so several processes, or a later one, can share the folder. Both are named after the
id, or, where the service gives one that is no name for a file, after its checksum: the caller's "job_id".
"""

import asyncio
import hashlib
import logging
import os
import re
import uuid
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
    DownloadError,
    GenerationFailed,
    InvalidRequestError,
    PonyError,
    SubmissionUnknown,
    TextToImage,
)
from modelslab_pony.webhooks import Receiver, new_token

FOLDER = Path(os.environ.get("PICTURES", "pictures"))
PUBLIC_URL = os.environ.get("PUBLIC_URL", "http://127.0.0.1:8020")
TOKEN = os.environ.get("HOOK_TOKEN") or new_token()
NAME = r"^[A-Za-z0-9_-]{1,100}$"
_log = logging.getLogger("uvicorn.error")


def name_of(job_id: int | str | None) -> str:
    """Return what a job is called here. Its id is the service's, and no path is made of it unchecked."""
    text = str(job_id)
    return text if re.fullmatch(NAME, text) else hashlib.sha256(text.encode()).hexdigest()


def accepted(job_id: int | str) -> str:
    """Write down a job that is paid for; return its name."""
    _log.info("job %s is accepted", job_id)
    name = name_of(job_id)
    (FOLDER / f"{name}.job").write_text(str(job_id), "utf-8")
    return name


async def keep(status: AsyncJobStatus, name: str) -> None:
    """Save the picture of a job that is done. A job that is new here may be a `SubmissionUnknown`: it is kept, too."""
    if status.generation is not None:
        await status.generation.images[0].save(FOLDER / f"{name}.png", overwrite=True)


async def keep_all(ended: asyncio.Queue[AsyncJobStatus]) -> None:
    """Save what webhooks tell, one after the other. What cannot be saved now is asked for by GET."""
    while True:
        status = await ended.get()
        try:
            await keep(status, name_of(status.id))
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
    said = "not now"
    if isinstance(error, SubmissionUnknown):
        said = "it may have been accepted"
    elif isinstance(error, GenerationFailed):
        said = "the service gave it up"
    elif error.job_id is not None or isinstance(error, DownloadError):
        said = "it is paid for"
    return JSONResponse({"error": said, "job_id": None if error.job_id is None else name_of(error.job_id)}, 502)


@app.post("/images", status_code=202)
async def submit(prompt: Annotated[str, Body(embed=True, max_length=1000)], request: Request) -> dict[str, str]:
    """Have an image made; answer with its job."""
    pony: AsyncPonyClient = request.app.state.pony
    try:
        job = await pony.submit(TextToImage(prompt, webhook=request.app.state.webhook))
    except PonyError as error:
        if error.job_id is not None:  # accepted, whatever came after it
            accepted(error.job_id)
        raise
    if job.id is not None:
        return {"job_id": accepted(job.id)}
    name = uuid.uuid4().hex  # a success that came without an id: it can never be asked about
    await keep(await job.refresh(), name)
    return {"job_id": name}


@app.get("/images/{name}")
async def show(name: Annotated[str, fastapi.Path(pattern=NAME)], request: Request) -> Response:
    """Answer with the picture, or with how the job stands."""
    picture, note = FOLDER / f"{name}.png", FOLDER / f"{name}.job"
    if not picture.exists():
        if not note.exists():  # the account has jobs that are none of a caller's business
            raise HTTPException(404)
        pony: AsyncPonyClient = request.app.state.pony
        status = await pony.fetch(note.read_text("utf-8") or name)
        if status.generation is None:
            code = 502 if status.done else 202
            return JSONResponse({"job_id": name, "status": status.status, "eta": status.eta}, code)
        await keep(status, name)  # its webhook is late, or will never come
    return FileResponse(picture)
