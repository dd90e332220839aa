"""Downloads of a batch: names that are given out once, files that are whole or absent, small copies beside them."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import threading
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

from attrs import evolve

from modelslab_pony import _pictures, _pillow
from modelslab_pony._disk import write_whole
from modelslab_pony._snapshot import Link, Snapshot
from modelslab_pony._wire import Prepared, prepare
from modelslab_pony.async_client import AsyncPonyClient
from modelslab_pony.batch import _names
from modelslab_pony.batch._ledger import Ledger
from modelslab_pony.batch._row_book import Item
from modelslab_pony.batch._rows import request_of
from modelslab_pony.batch._store import place_of
from modelslab_pony.batch._surely import Surely
from modelslab_pony.errors import DownloadError, InvalidRequestError
from modelslab_pony.results import AsyncGeneration

THUMBNAIL = 320
"""Pixels, the longer side."""
LEAST_ROOM = 16 * 2**20
"""Bytes. With less left on the disk nothing is sent: what is paid for has to be written down, and saved."""
_one_at_a_time = threading.Lock()
"""An image that is decoded takes up to 16 MB."""


def check_room(output: Path) -> None:
    """Raise `DownloadError` where a disk is as good as full."""
    with contextlib.suppress(OSError):  # a folder that is gone is another matter
        free = shutil.disk_usage(output).free
        if free < LEAST_ROOM:
            raise DownloadError(
                f"{free / 2**20:.1f} MiB are left for {output}, and no less than {LEAST_ROOM // 2**20} are needed: "
                f"make room, and run it again",
                is_local=True,
            )


async def save_images(
    item: Item, settings: Mapping[str, Any], client: AsyncPonyClient, ledger: Ledger, output: Path, surely: Surely
) -> int:
    """Download every image of an item; return how many. One that is there already is written anew, in its place."""
    prepared = await asyncio.to_thread(_prepared, item)
    snapshot = snapshot_of(item, "success")
    generation = AsyncGeneration.of(snapshot, client, prepared)
    for image in generation.images:
        file = item.files[image.index] if image.index < len(item.files) else None
        if file is None:
            values = _values(item, snapshot, image.index)
            name = partial(_reserve, ledger, output, item, settings["template"], values, image.url, image.index)
            file = await surely(name)
        path = output / file
        await image.save(path, overwrite=True, metadata=bool(settings["metadata"]))
        await asyncio.to_thread(_shrink, path, thumbnail_of(output, file))
    return len(generation.images)


def _reserve(
    ledger: Ledger, output: Path, item: Item, template: str, values: Mapping[str, Any], url: str, index: int
) -> str:
    files = ledger.item(item.id).files
    if index < len(files):  # it was kept, and the word of that was lost on its way
        return files[index]
    number = 0

    def free() -> Any:
        nonlocal number
        while True:
            number += 1
            name = _names.file_name(template, values, url, number)
            if not (output / name).exists():
                yield name

    # Not the path, which another machine may have another of; a folder's own ledger goes wherever it goes.
    folder = place_of(output) if ledger.is_shared else ""
    return ledger.reserve(item.id, folder, free())


def _values(item: Item, snapshot: Snapshot, index: int) -> dict[str, Any]:
    fields = item.document["fields"]
    row = item.position or item.id
    seed = fields.get("seed") if snapshot.seed is None else snapshot.seed
    return {
        "index": row,
        "seed": "random" if seed is None else seed,
        "name": item.name or str(row),
        "job_id": str(item.job_id),
        "op": item.document["op"],
        "model": str(fields.get("model_id", "pony-realism")),
        "image": index,
    }


def thumbnail_of(output: Path, file: str) -> Path:
    """Return where the small copy of an image is."""
    return output / _names.OWN_FOLDER / f"{file}.jpg"


def _prepared(item: Item) -> Prepared | None:
    """Return the request for the picture's recipe; None where its images are gone: what was paid for is saved.

    The recipe tells the images that were sent, whatever their files hold by now.
    """
    with contextlib.suppress(InvalidRequestError):
        request = request_of(item.document)
        prepared = prepare(request, _pictures.load(_pictures.local(request)), strict=False)
        return evolve(prepared, digests=item.document["digests"])
    return None


def _shrink(path: Path, small: Path) -> None:
    with _one_at_a_time, contextlib.suppress(OSError):
        content = _pillow.thumbnail(path.read_bytes(), THUMBNAIL)
        if content is not None:
            small.parent.mkdir(parents=True, exist_ok=True)
            write_whole(small, content)


def known(snapshot: Snapshot) -> dict[str, Any]:
    """Return what an answer tells, as JSON has it."""
    return {
        "links": [{"url": link.url, "proxy_url": link.proxy_url} for link in snapshot.links],
        "seed": snapshot.seed,
        "meta": dict(snapshot.meta),
        "generation_time": snapshot.generation_time,
        "nsfw_content_detected": snapshot.nsfw_content_detected,
    }


def snapshot_of(item: Item, status: Literal["processing", "success"]) -> Snapshot:
    answer = item.answer
    return Snapshot(
        status=status,
        id=item.job_id,
        links=tuple(Link(**link) for link in answer.get("links", ())) if status == "success" else (),
        seed=answer.get("seed"),
        meta=answer.get("meta") or {},
        generation_time=answer.get("generation_time"),
        nsfw_content_detected=answer.get("nsfw_content_detected"),
    )
