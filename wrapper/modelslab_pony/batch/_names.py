"""What the files of a batch are called: a template, filled in and made harmless."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePath, PurePosixPath
from string import Formatter
from typing import Any
from urllib.parse import urlsplit

from modelslab_pony._files import numbered
from modelslab_pony.errors import ConfigurationError

DEFAULT_TEMPLATE = "{index:05d}-{seed}.png"
FIELDS: Mapping[str, Any] = {
    "index": 1,
    "seed": 7,
    "name": "name",
    "job_id": "70010001",
    "op": "text2img",
    "model": "pony-realism",
    "image": 0,
}
"""What a template may have, each with an example: the row's number from 1; the seed; the row's own name, or
its number; the job; the operation; the model; and the image's place among those of its request, from 0."""
_WIDTH = re.compile(r"(0?\d{1,2}d?)?")
_TAKEN = ("thumbnails", "index.html", "results.jsonl")
OWN_FOLDER = "thumbnails"
"""Small copies of the images are in it."""
LONGEST_PART = 150
"""Bytes of a folder or a file name; file systems take 255 bytes."""
_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif")
_HARMFUL = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]+')
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def check_template(template: str) -> str:
    """Return a template. Raises `ConfigurationError` for one that cannot name a file below the output folder."""
    if not isinstance(template, str):
        raise _refused(template, "it must be a text")
    try:
        parts = [(name, spec, turned) for _, name, spec, turned in Formatter().parse(template) if name is not None]
    except (ValueError, TypeError, AttributeError) as fault:
        raise _refused(template, str(fault)) from None
    for name, spec, turned in parts:
        if name not in FIELDS:
            raise _refused(template, f"{{{name}}} is not known; there are {', '.join(FIELDS)}")
        if turned or not _WIDTH.fullmatch(spec or ""):
            raise _refused(template, f"{{{name}:{spec}}} is no width, such as {{{name}:05d}}")
    try:
        path = PurePosixPath(template.format_map(FIELDS))
    except (ValueError, TypeError, LookupError) as fault:
        raise _refused(template, str(fault)) from None
    if path.is_absolute() or ".." in path.parts or not path.name or "\\" in template or "\0" in template:
        raise _refused(template, "it must name a file below the output folder")
    if any(part.startswith(".") for part in path.parts) or path.parts[0].casefold() in _TAKEN:
        raise _refused(template, f"names that begin with a dot, and {', '.join(_TAKEN)}, belong to the batch itself")
    if path.suffix.lower() not in _SUFFIXES:
        raise _refused(template, f"it must end in one of {', '.join(_SUFFIXES)}")
    return template


def file_name(template: str, values: Mapping[str, Any], url: str, number: int) -> str:
    """Return the name of an image, relative to the output folder, with the suffix that its URL has.

    `number` counts the tries, from 1: where a name is taken, the next one beside it is returned.
    """
    safe = {name: _harmless(value) if isinstance(value, str) else value for name, value in values.items()}
    try:
        said = template.format_map(safe)
    except (ValueError, TypeError):  # a format for numbers, and a seed that nobody told
        plain = "".join(
            literal + ("" if name is None else str(safe[name])) for literal, name, _, _ in Formatter().parse(template)
        )
        said = plain
    parts = [_shortened(_below(part)) for part in said.split("/") if part not in {"", "."}]
    if len(parts) > 1 and parts[0].casefold() in _TAKEN:
        parts[0] = f"_{parts[0]}"
    path = PurePosixPath(*parts)
    suffix = PurePosixPath(_path_of(url)).suffix.lower()
    wanted = path.with_suffix(suffix) if suffix in _SUFFIXES else path
    return str(numbered(wanted, number))  # type: ignore[arg-type]  # a pure path has all that is asked for


def _below(part: str) -> str:
    """Return a part of a path that leads no way up, and hides nothing."""
    return f"_{part.lstrip('.')}" if part.startswith(".") else part


def _harmless(text: str) -> str:
    """Return a text that is one part of a path on any system."""
    clean = _HARMFUL.sub("_", text).strip(" .") or "_"
    return f"_{clean}" if _RESERVED.fullmatch(clean) else clean


def _shortened(part: str) -> str:
    suffix = PurePath(part).suffix if PurePath(part).suffix.lower() in _SUFFIXES else ""
    stem = part.removesuffix(suffix).encode("utf-8", "replace")[:LONGEST_PART].decode("utf-8", "ignore")
    return f"{stem}{suffix}"


def _path_of(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


def _refused(template: str, why: str) -> ConfigurationError:
    return ConfigurationError(f"the template {template!r} cannot be used: {why}")
