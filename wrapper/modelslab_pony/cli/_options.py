"""The options of the generation commands, read off the request classes: a new field has its option at once."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from attrs import NOTHING, fields

from modelslab_pony._rules import Rule
from modelslab_pony.cli import _complete
from modelslab_pony.requests import DEFAULT_MODEL, RULE, Request, refused

WAIT = 600.0
"""Seconds: `_settings.DEFAULT_WAIT`, which comes with httpx."""


def folder(help: str, **shown: Any) -> Any:
    """Return the option for the folder that a command writes to or looks into."""
    return typer.Option("--output", "-o", metavar="FOLDER", help=help, autocompletion=_complete.files, **shown)


OutputOption = Annotated[Path, folder("Folder for the images; made if missing.", show_default="the current one")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document, for an error too.")]
TimeoutOption = Annotated[
    float, typer.Option(min=0, metavar="SECONDS", help="How long to wait; the job goes on after that.")
]
BareOption = Annotated[bool, typer.Option("--no-metadata", help="Do not write into the files how they were made.")]
StrictOption = Annotated[bool, typer.Option(help="Check the request before it is sent.")]

_TYPES: dict[str, Any] = {"text": str, "url": str, "image": str, "integer": int, "number": float, "flag": bool}
_METAVARS = {"text": "TEXT", "url": "URL", "image": "FILE", "integer": "N", "number": "X", "flag": None}
_SECTIONS = {
    "The picture": (
        *("negative_prompt", "init_image", "mask_image", "strength", "width", "height", "samples", "seed"),
        "safety_checker",
    ),
    "How it is drawn": (
        *("model_id", "sampler", "num_inference_steps", "guidance_scale", "clip_skip"),
        *("scheduler", "algorithm_type", "use_karras_sigmas"),
    ),
    "When it is done": ("webhook", "track_id"),
}
"""Where the help has each field, and in which order; what the spec gains stands below `_OTHERS`."""
_OTHERS = "Other fields"
_NAMED = {"sampler": "NAME", "scheduler": "NAME", "algorithm_type": "NAME", "model_id": "ID", "track_id": "ID"}
_VALUES: dict[str, Callable[[str], list[str]]] = {
    "sampler": _complete.samplers,
    "scheduler": _complete.schedulers,
    "algorithm_type": _complete.algorithm_types,
    "model_id": _complete.models,
    "init_image": _complete.files,
    "mask_image": _complete.files,
}
_HELP = {
    "prompt": "What the image shows; - reads it from standard input.",
    "negative_prompt": "What it must not show.",
    "model_id": f"Default: {DEFAULT_MODEL}.",
    "init_image": "The image to begin with: a file or a URL.",
    "mask_image": "The mask, a file or a URL: which part to paint anew.",
    "samples": "How many images; each is paid for.",
    "width": "Pixels.",
    "height": "Pixels.",
    "strength": "How much of the first image is given up.",
    "seed": "The same seed gives the same image.",
    "num_inference_steps": "Steps.",
    "guidance_scale": "How closely the prompt is followed.",
    "clip_skip": "CLIP layers that are skipped.",
    "sampler": 'As in "DPM++ 2M Karras"; see `pony samplers`.',
    "scheduler": "The service's name of one, instead of a sampler.",
    "algorithm_type": "The algorithm of a DPM solver, instead of a sampler.",
    "use_karras_sigmas": "Default: where the scheduler honours it.",
    "safety_checker": "Check for explicit content. Default: yes.",
    "track_id": "Your own name for it, told to webhooks.",
    "webhook": "URL to post to when it is done.",
}
_COMMON: dict[str, tuple[Any, Any]] = {
    "extra": (
        Annotated[
            list[str] | None,
            typer.Option(
                metavar="NAME=VALUE", help="A field that the spec does not know. Repeatable.", rich_help_panel=_OTHERS
            ),
        ],
        None,
    ),
    "output": (OutputOption, Path()),
    "timeout": (TimeoutOption, WAIT),
    "strict": (StrictOption, True),
    "no_metadata": (BareOption, False),
    "as_json": (JsonOption, False),
}


def with_options_of(kind: type[Request], run: Callable[..., None]) -> Callable[..., None]:
    """Return `run` as Typer takes it: with an argument or an option for each field of a request."""

    def command(**given: Any) -> None:
        common = {name: given.pop(name) for name in _COMMON}
        run(kind, given, **common)

    found = {name: _parameter(name, rule, default) for name, (rule, default) in _described(kind).items()}
    found |= _COMMON
    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, (annotation, default) in found.items()
    ]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # inspect reads it, typeshed lacks it
    command.__annotations__ = {name: annotation for name, (annotation, _) in found.items()}
    return command


def extra_of(texts: list[str] | None) -> dict[str, Any]:
    """Return NAME=VALUE pairs as fields; a value that is JSON is taken as such. Raises `InvalidRequestError`."""
    extra = {}
    for text in texts or []:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise refused({"extra": [f"must be NAME=VALUE, not {text!r}"]})
        try:
            extra[name] = json.loads(value)
        except ValueError:
            extra[name] = value
        except RecursionError:
            raise refused({f"extra.{name}": ["is nested too deeply"]}) from None
    return extra


def _described(kind: type[Request]) -> dict[str, tuple[Rule, Any]]:
    """Return rule and default by field, in the order of the help."""
    text = Rule(kind="text", optional=True)
    found = {item.name: (item.metadata.get(RULE, text), item.default) for item in fields(kind) if item.name != "extra"}
    first = [name for names in (("prompt",), *_SECTIONS.values()) for name in names if name in found]
    return {name: found[name] for name in (*first, *found)}


def _parameter(name: str, rule: Rule, default: Any) -> tuple[Any, Any]:
    """Return annotation and default of an option; what is not given is left to the request's own default."""
    shown = rule.spec_default if default is None else default
    is_number = rule.kind in {"integer", "number"} and shown is not NOTHING and shown is not None
    if name in {"width", "height"} and rule.spec_default is not None:
        shown = f"that of a local init image, else {shown}"
    said = [
        _HELP.get(name, ""),
        f"{rule.allowed()}." if rule.allowed() else "",
        f"Default: {shown}." if is_number else "",
    ]
    text = " ".join(filter(None, said))
    place: Any
    if name == "prompt":
        place = typer.Argument(metavar="PROMPT", help=text, show_default=False)
    else:
        option = f"--{name.replace('_', '-')}"  # Typer takes a metavar that is alike for the option's name
        place = typer.Option(
            f"{option}/{option.replace('--', '--no-')}" if rule.kind == "flag" else option,
            metavar=_NAMED.get(name, _METAVARS[rule.kind]),
            help=text,
            show_default=False,
            rich_help_panel=next((title for title, names in _SECTIONS.items() if name in names), _OTHERS),
            autocompletion=_VALUES.get(name),
        )
    if default is NOTHING:
        return Annotated[_TYPES[rule.kind], place], inspect.Parameter.empty
    return Annotated[_TYPES[rule.kind] | None, place], None
