"""The page of a batch: index.html beside its images, which opens from the disk and needs no network."""

from __future__ import annotations

import functools
import html
import json
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from attrs import fields_dict

from modelslab_pony import samplers
from modelslab_pony.batch._outcome import PAGE, BatchResult, BatchStatus, replaced
from modelslab_pony.batch._saving import thumbnail_of
from modelslab_pony.requests import KINDS

_TITLE, _FACTS, _ROWS = "<!-- title -->", "<!-- facts -->", "<!-- rows -->"


def write(
    output: Path, results: Iterable[BatchResult], status: BatchStatus, axes: Mapping[str, Any] | None = None
) -> None:
    """Write the page: whole or not at all, one row after the other. With `axes`, results stand in a grid."""
    head, middle, tail = _template()
    title = output.absolute().name or "batch"
    facts = {"title": title, "status": status.document(), "axes": axes or None}
    with replaced(output / PAGE) as file:
        file.write(head.replace(_TITLE, html.escape(title)))
        file.write(_embedded(facts))
        file.write(middle)
        for number, result in enumerate(results):
            file.write(",\n" if number else "\n")
            file.write(_embedded(_row(output, result)))
        file.write(tail)


@functools.cache
def _template() -> tuple[str, str, str]:
    text = files("modelslab_pony.batch").joinpath("gallery.html").read_text("utf-8")
    head, rest = text.split(_FACTS)
    middle, tail = rest.split(_ROWS)
    return head, middle, tail


def _embedded(value: Any) -> str:
    """Return JSON that may stand in a script element: no text in it ends the element or begins a comment."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _row(output: Path, result: BatchResult) -> dict[str, Any]:
    request = dict(result.request)
    return {
        "index": result.index,
        "name": result.name,
        "status": result.status,
        "op": result.op,
        "prompt": str(request.get("prompt") or ""),
        # As text: JavaScript counts exactly to 2**53.
        "seed": None if result.seed is None else str(result.seed),
        "sampler": request.get("sampler") or _sampler(result),
        "job": None if result.job_id is None else str(result.job_id),
        "took": result.generation_time if result.generation_time is not None else result.seconds,
        "at": result.settled_at,
        "images": [_image(output, path) for path in result.images],
        "request": {name: value if isinstance(value, str) else json.dumps(value) for name, value in request.items()},
        "omitted": list(result.omitted),
        "command": result.command(),
        "error": None if result.error is None else f"{result.error.type}: {result.error.message}",
    }


def _sampler(result: BatchResult) -> str:
    """Return the name that people know of what was used without one."""
    fields = fields_dict(KINDS[result.op])
    scheduler, algorithm, karras = (
        result.request.get(name, fields[name].default) for name in ("scheduler", "algorithm_type", "use_karras_sigmas")
    )
    return samplers.name_of(str(scheduler), algorithm, karras=karras is not False)


def _image(output: Path, path: Path) -> dict[str, str]:
    file = path.relative_to(output).as_posix()
    small = thumbnail_of(output, file)
    shown = small.relative_to(output).as_posix() if small.is_file() else file
    return {"file": _link(file), "small": _link(shown), "name": PurePosixPath(file).name}


def _link(file: str) -> str:
    """Return a path as a relative URL; a name may hold whatever a URL gives a meaning to."""
    return "./" + quote(file.encode("utf-8", "surrogateescape"))
