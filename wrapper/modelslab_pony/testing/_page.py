"""The page at `/`: what an application just asked for, its jobs and their pictures, live."""

from __future__ import annotations

import io
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from PIL import Image
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from modelslab_pony.testing._jobs import SimulatedJob
from modelslab_pony.testing._render import picture
from modelslab_pony.testing._simulator import Simulator

CONTROL_PATH = "/_simulator"
"""Below it is what the service does not have; nothing there is logged, nor befallen by a fault."""
ROWS = 100
"""Jobs, and requests, that are listed."""
THUMBNAIL = 320
"""Pixels, the longer side."""


async def page(_: Request) -> Response:
    """Answer with the page."""
    return HTMLResponse(files("modelslab_pony.testing").joinpath("page.html").read_text("utf-8"))


def drawn(request: Request) -> Response:
    """Answer with a picture, or a small one; not awaited, so that Starlette draws it in a thread."""
    simulator: Simulator = request.app.state.simulator
    job, index = simulator.jobs.find(request.path_params["id"]), request.path_params["index"]
    if job is None or index >= job.samples or job.status(simulator.now()) != "success":
        return Response(status_code=404)
    if request.url.path.endswith(".png"):
        return Response(picture(job, index), media_type="image/png")
    return Response(request.app.state.thumbnail(job, index), media_type="image/jpeg")


def state(simulator: Simulator) -> dict[str, Any]:
    """Return what the page shows; the key is nowhere in it."""
    now = simulator.now()
    jobs = list(simulator.jobs.values())
    return {
        "account": {
            "balance": round(simulator.balance, 4),
            "queued": simulator.queued,
            "queue_limit": simulator.queue_limit,
            "dialect": simulator.dialect,
            "faults": str(simulator.faults),
        },
        "jobs": [_job(job, now) for job in reversed(jobs[-ROWS:])],
        "total": len(jobs),
        "requests": [
            {
                "ago": round(now - exchange.at, 1),
                "method": exchange.method,
                "path": urlsplit(exchange.url).path,
                "status_code": exchange.status_code,
                "said": exchange.said,
                "fault": exchange.fault,
            }
            for exchange in list(simulator.requests)[: -ROWS - 1 : -1]
        ],
        "webhooks": [
            {"job": str(webhook.job_id), "status_code": webhook.status_code, "error": webhook.error}
            for webhook in simulator.webhooks[-ROWS:]
        ],
    }


def _job(job: SimulatedJob, now: float) -> dict[str, Any]:
    status = job.status(now)
    took = job.ready_at - job.started_at
    width, height = job.size
    return {
        "id": str(job.id),
        "operation": job.operation,
        "prompt": job.prompt,
        "status": status,
        "progress": 1.0 if now >= job.ready_at or not took else max(0.0, (now - job.started_at) / took),
        "left": round(max(0.0, job.ready_at - now), 1),
        "ago": round(now - job.accepted_at, 1),
        "width": width,
        "height": height,
        "seed": str(job.seed),  # beyond what JavaScript counts exactly
        "nsfw": job.nsfw,
        "fields": {name: value for name, value in job.request.items() if name != "prompt"},
        "images": [f"{CONTROL_PATH}/thumbnails/{job.id}-{index}.jpg" for index in range(job.samples)]
        if status == "success"
        else [],
    }


def thumbnail(job: SimulatedJob, index: int) -> bytes:
    """Return a small JPEG of a picture."""
    with Image.open(io.BytesIO(picture(job, index))) as opened:
        opened.thumbnail((THUMBNAIL, THUMBNAIL))
        file = io.BytesIO()
        opened.convert("RGB").save(file, "JPEG", quality=85)
        return file.getvalue()
