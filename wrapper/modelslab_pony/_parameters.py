"""The text that Automatic1111 keeps in its pictures, and that many tools read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from modelslab_pony import samplers
from modelslab_pony._private import without_private_urls
from modelslab_pony._version import __version__


def parameters(sent: Mapping[str, Any], seed: int | None, sampler: str | None = None) -> str:
    """Return the text for the fields of a request as they were sent.

    The prompt, the negative prompt behind its name, and one line of settings: `name: value` and a
    comma; a value with a comma, a colon, a quote or a line break stands there as a JSON text. `sampler` is
    the name that was asked for, where it says more than the fields.
    """
    settings = {
        "Steps": sent.get("num_inference_steps", sent.get("steps")),
        "Sampler": _sampler(sent, sampler),
        "CFG scale": sent.get("guidance_scale"),
        "Seed": seed,
        "Size": f"{sent['width']}x{sent['height']}" if "width" in sent and "height" in sent else None,
        "Model": sent.get("model_id"),
        "Denoising strength": sent.get("strength"),
        "Clip skip": sent.get("clip_skip"),
        "Version": f"modelslab-pony {__version__}",
    }
    lines = [without_private_urls(str(sent.get("prompt") or ""))]
    if sent.get("negative_prompt"):
        lines.append(f"Negative prompt: {without_private_urls(str(sent['negative_prompt']))}")
    lines.append(", ".join(f"{name}: {_quoted(value)}" for name, value in settings.items() if value is not None))
    return "\n".join(lines)


def _sampler(sent: Mapping[str, Any], asked: str | None) -> str | None:
    """Return a name for the three fields; several may stand for the same ones."""
    scheduler = sent.get("scheduler")
    if not isinstance(scheduler, str):
        return None
    karras = sent.get("use_karras_sigmas") == "yes"
    found = samplers.name_of(scheduler, sent.get("algorithm_type"), karras=karras)
    name = samplers.canonical(asked) if asked else None
    return name if name and samplers.SAMPLERS[name] == samplers.SAMPLERS.get(found) else found


def _quoted(value: Any) -> str:
    whole = isinstance(value, float) and value.is_integer()
    text = str(int(value)) if whole else without_private_urls(str(value))
    return json.dumps(text, ensure_ascii=False) if re.search(r"[,:\n\"]", text) else text
