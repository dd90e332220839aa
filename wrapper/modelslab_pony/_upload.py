"""The order of events of an upload: an image of this machine is given to the service, which costs nothing."""

from __future__ import annotations

import base64
import contextlib

from modelslab_pony._account import uploaded
from modelslab_pony._asks import Context, ask
from modelslab_pony._steps import Flow
from modelslab_pony._wire import LocalImage
from modelslab_pony.errors import PonyError, UploadTimeout


def upload(context: Context, name: str, image: LocalImage, now: float, deadline: float) -> Flow[str]:
    """Give an image of this machine to the service; return its URL."""
    content = base64.b64encode(image.content).decode()
    fields = {"base64_string": f"data:{image.media_type};base64,{content}"}
    doing = f" [{_uploading(name)}]"
    return (yield from ask(context, "base64_to_url", fields, uploaded, now=now, doing=doing, deadline=deadline))


def too_late(name: str) -> UploadTimeout:
    """Return the error for an upload that took all of the caller's time."""
    return UploadTimeout(f"the time was over [{_uploading(name)}]")


def check_time(name: str, now: float, deadline: float) -> None:
    """Refuse to go on after an upload that took all of the caller's time."""
    if now > deadline:
        raise too_late(name)


def name_upload(fault: BaseException, name: str) -> None:
    """Say on what ends an upload (Ctrl-C, a cancelled task) that nothing was asked for; our errors say so already."""
    if not isinstance(fault, PonyError):
        with contextlib.suppress(Exception):
            fault.add_note(_uploading(name))


def _uploading(name: str) -> str:
    return f"uploading {name}; no image was asked for yet"
