"""What can be asked for: one frozen class an operation, checked before anything is sent.

A request never holds the API key. Its fields, defaults and bounds are those of the effective
spec (a test compares them), except that the spec's "yes"/"no" fields are `bool` here.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, ClassVar, TypedDict, TypeVar

from attrs import Attribute, AttrsInstance, field, fields, frozen

from modelslab_pony import samplers
from modelslab_pony._rules import Rule, shown
from modelslab_pony.errors import InvalidRequestError

DEFAULT_MODEL = "pony-realism"
_RULE = "rule"
T = TypeVar("T", bound=AttrsInstance)


def _field(default: Any, kind: str, **bounds: Any) -> Any:
    # By keyword only: the spec's order of fields is no promise to callers.
    return field(default=default, kw_only=True, metadata={_RULE: Rule(kind=kind, **bounds)})


def _names_unknown_keywords(cls: type[T]) -> type[T]:
    """Make a request class refuse an unknown keyword as any other mistake, with the near one."""
    original = cls.__init__
    known = {attribute.name for attribute in fields(cls)}

    @functools.wraps(original)
    def init(self: T, *values: Any, **options: Any) -> None:
        unknown = {name: [_unknown(name, known)] for name in options if name not in known}
        if unknown:
            raise _refused(unknown)
        original(self, *values, **options)

    setattr(cls, "__init__", init)  # noqa: B010 - plain assignment is no longer the type that attrs made
    return cls


@_names_unknown_keywords
@frozen
class TextToImage:
    """Images from a prompt.

    Bounds are checked when the request is sent, by a client with `strict=True`. An unknown keyword
    raises `InvalidRequestError` at once.
    """

    operation: ClassVar[str] = "text2img"

    prompt: str = field(metadata={_RULE: Rule(kind="text", min_length=1)})
    """What the image shows; not empty."""
    model_id: str = _field(DEFAULT_MODEL, "text", min_length=1)
    """A Pony model, or a community model served by the same URL."""
    negative_prompt: str | None = _field(None, "text", optional=True)
    """What the image must not show."""
    width: int = _field(1024, "integer", minimum=1024, maximum=2048, multiple_of=8)
    """Pixels, 1024 to 2048, divisible by 8."""
    height: int = _field(1024, "integer", minimum=1024, maximum=2048, multiple_of=8)
    """Pixels, 1024 to 2048, divisible by 8."""
    samples: int = _field(1, "integer", minimum=1, maximum=4)
    """How many images, 1 to 4; each one is paid for."""
    num_inference_steps: int = _field(30, "integer", minimum=20, maximum=50)
    """Denoising steps, 20 to 50."""
    guidance_scale: float = _field(7.5, "number", minimum=1, maximum=20)
    """How closely the prompt is followed, 1 to 20."""
    safety_checker: bool = _field(True, "flag")
    """Whether images are checked for explicit content."""
    seed: int | None = _field(None, "integer", optional=True)
    """The same seed gives the same image; None for a random one."""
    scheduler: str = _field("DPMSolverMultistepScheduler", "text", min_length=1)
    """The service's name of a scheduler; `sampler` takes the names that people know."""
    use_karras_sigmas: bool = _field(True, "flag")
    algorithm_type: str | None = _field("sde-dpmsolver++", "text", optional=True)
    """None for a scheduler without one."""
    clip_skip: int = _field(2, "integer", minimum=1, maximum=4)
    """How many CLIP layers are skipped, 1 to 4."""
    webhook: str | None = _field(None, "url", optional=True)
    """An http(s) URL that the service posts to when the job is done."""
    track_id: str | None = _field(None, "text", optional=True)
    """Comes back in the webhook. The service finds no job by it and does not keep it unique."""
    sampler: str | None = field(default=None, kw_only=True)
    """A name of `samplers.SAMPLERS`; sets scheduler, algorithm_type and use_karras_sigmas."""
    extra: Mapping[str, Any] = field(factory=dict, kw_only=True)
    """Fields that the spec does not know, sent as they are."""


Request = TextToImage
"""Every kind of request."""


class TextToImageOptions(TypedDict, total=False):
    """The keywords of `text2img`: the fields of `TextToImage` beside the prompt."""

    model_id: str
    negative_prompt: str | None
    width: int
    height: int
    samples: int
    num_inference_steps: int
    guidance_scale: float
    safety_checker: bool
    seed: int | None
    scheduler: str
    use_karras_sigmas: bool
    algorithm_type: str | None
    clip_skip: int
    webhook: str | None
    track_id: str | None
    sampler: str | None
    extra: Mapping[str, Any]


def wire(request: Request, *, strict: bool) -> dict[str, Any]:
    """Return the fields as the service takes them, without the key; None is left out.

    Raises `InvalidRequestError` for what cannot be sent at all, and, if `strict`, for everything
    that the effective spec does not allow, all fields at once.
    """
    if not isinstance(request, Request):
        raise _refused({"request": [f"must be a TextToImage, not {shown(request)}"]})
    errors = _problems(request) if strict else _missing(request)
    given = {attribute.name: getattr(request, attribute.name) for attribute in _spec_fields(request)}
    if request.sampler is not None:
        errors.update(_sampler_problems(request))
        name: Any = request.sampler
        sampler = samplers.find(name) if isinstance(name, str) else None
        if sampler:
            given["scheduler"] = sampler.scheduler
            given["algorithm_type"] = sampler.algorithm_type
            given["use_karras_sigmas"] = sampler.use_karras_sigmas
    errors.update(_extra_problems(request))
    if not errors:
        given = {name: _yes_no(value) for name, value in given.items() if value is not None} | dict(request.extra)
        errors = {name: ["cannot be sent as JSON"] for name, value in given.items() if not _is_json(value)}
    if errors:
        raise _refused(errors)
    return given


def _spec_fields(request: Request) -> list[Attribute[Any]]:
    return [attribute for attribute in fields(type(request)) if _RULE in attribute.metadata]


def _problems(request: Request) -> dict[str, list[str]]:
    found = {
        attribute.name: attribute.metadata[_RULE].problem(getattr(request, attribute.name))
        for attribute in _spec_fields(request)
    }
    return {name: [problem] for name, problem in found.items() if problem}


def _missing(request: Request) -> dict[str, list[str]]:
    required = [attribute.name for attribute in _spec_fields(request) if not attribute.metadata[_RULE].optional]
    return {name: ["must be given"] for name in required if getattr(request, name) is None}


def _sampler_problems(request: Request) -> dict[str, list[str]]:
    if not isinstance(request.sampler, str) or samplers.find(request.sampler) is None:
        names = samplers.suggestions(request.sampler) if isinstance(request.sampler, str) else []
        near = " or ".join(map(repr, names))
        hint = f"did you mean {near}?" if near else "see modelslab_pony.samplers.SAMPLERS"
        return {"sampler": [f"{shown(request.sampler)} is not known; {hint}"]}
    defaults = {attribute.name: attribute.default for attribute in fields(type(request))}
    return {
        name: [f"is set by sampler={request.sampler!r}; give one or the other"]
        for name in ("scheduler", "algorithm_type", "use_karras_sigmas")
        if getattr(request, name) != defaults[name]
    }


def _extra_problems(request: Request) -> dict[str, list[str]]:
    if not isinstance(request.extra, Mapping):
        return {"extra": [f"must be a mapping of field names to values, not {type(request.extra).__name__}"]}
    own = {attribute.name for attribute in _spec_fields(request)}
    names: list[Any] = list(request.extra)
    errors = {}
    for name in names:
        if name == "key":
            errors["extra.key"] = ["the API key belongs to the client: PonyClient(api_key=...)"]
        elif not isinstance(name, str):
            errors["extra"] = [f"must have texts for names, not {shown(name)}"]
        elif name in own:
            errors[f"extra.{name}"] = ["is a field of its own; give it as a keyword"]
    return errors


def _unknown(name: str, known: set[str]) -> str:
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"send it with extra={{{name!r}: ...}} if the service knows it"
    return f"is not a field of this request; {hint}"


def _yes_no(value: Any) -> Any:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else value


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _refused(errors: Mapping[str, list[str]]) -> InvalidRequestError:
    said = "; ".join(f"{name} {problem}" for name, problems in errors.items() for problem in problems)
    return InvalidRequestError(f"{said}{'' if said.endswith('?') else '.'} Nothing was sent.", errors=errors)
