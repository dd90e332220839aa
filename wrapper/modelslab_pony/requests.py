"""What can be asked for: one frozen class an operation, checked before anything is sent.

A request never holds the API key. Its fields, defaults and bounds are those of the effective
spec (a test compares them), except that the spec's "yes"/"no" fields are `bool` here, that
`steps` of inpainting is `num_inference_steps` as everywhere else, and that `model_id` has a default.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from os import PathLike
from typing import Any, ClassVar, Protocol, TypedDict, TypeVar

from attrs import NOTHING, Attribute, AttrsInstance, field, fields, frozen

from modelslab_pony._rules import Rule
from modelslab_pony.errors import InvalidRequestError

DEFAULT_MODEL = "pony-realism"
"""The model of a request that names none; the vendor's newer examples name this one."""
RULE = "rule"
"""Where a field's metadata has its `Rule`."""
T = TypeVar("T", bound=AttrsInstance)


class PilImage(Protocol):
    """An image of Pillow, which is not needed to name it."""

    def convert(self, mode: str) -> PilImage:
        """Return it in another mode."""
        ...

    def save(self, fp: Any, format: str | None = None, **params: Any) -> None:
        """Write it."""
        ...


ImageSource = str | PathLike[str] | bytes | PilImage
"""An http(s) URL, or an image of this machine: a path, the bytes of a file, or a PIL image.

PNG, JPEG, WebP and GIF, at most 5 MB; what is of this machine is uploaded first (vendor docs, base64
to URL page).
"""


def _rule(kind: str, **bounds: Any) -> dict[str, Rule]:
    return {RULE: Rule(kind=kind, **bounds)}


def _field(default: Any, kind: str, *, shown: Callable[[Any], str] | None = None, **bounds: Any) -> Any:
    # By keyword only: the spec's order of fields is no promise to callers.
    return field(default=default, kw_only=True, repr=shown or True, metadata=_rule(kind, **bounds))


def _own(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Copy what the caller may change later, or what cannot be pickled; anything else is refused later."""
    anything: Any = given  # a type is no promise of callers
    kept: Mapping[str, Any] = dict(anything) if isinstance(anything, Mapping) else anything
    return kept


def _without_path(url: object) -> str:
    """Show a webhook without the part that lets somebody in."""
    host = re.match(r"https?://[^/?#@]*(?=[/?#]|$)", url, re.IGNORECASE) if isinstance(url, str) else None
    return f"'{host[0]}/…'" if host else repr(url) if url is None else "'…'"


def _short(value: object) -> str:
    """Show an image without its bytes."""
    return f"<{len(value)} bytes>" if isinstance(value, bytes) else repr(value)


def _names_unknown_keywords(cls: type[T]) -> type[T]:
    """Make a request class refuse an unknown or missing keyword as any other mistake, with the near one."""
    original = cls.__init__
    names = [attribute.name for attribute in fields(cls)]
    known = set(names)
    required = {attribute.name for attribute in fields(cls) if attribute.default is NOTHING}
    placed = [attribute.name for attribute in fields(cls) if not attribute.kw_only]

    @functools.wraps(original)
    def init(self: T, /, *values: Any, **options: Any) -> None:
        given = {*options, *placed[: len(values)]}
        if not required <= given <= known:
            errors = {name: [_unknown(name, known)] for name in options if name not in known}
            raise refused(errors | {name: ["must be given"] for name in names if name in required - given})
        original(self, *values, **options)

    setattr(cls, "__init__", init)  # noqa: B010 - plain assignment is no longer the type that attrs made
    return cls


@frozen(kw_only=True, init=False, eq=False, repr=False)
class _Request:
    """What every generation can be told. None is made by itself, so it needs no methods of attrs."""

    operation: ClassVar[str]
    """The operationId of the spec."""

    model_id: str = _field(DEFAULT_MODEL, "text", min_length=1)
    """A Pony model, or a community model served by the same URL; default `pony-realism`. The service knows which."""
    negative_prompt: str | None = _field(None, "text", optional=True)
    """What the image must not show; None, the default, leaves it out."""
    samples: int = _field(1, "integer", minimum=1, maximum=4)
    """How many images, 1 to 4, default 1; each one is paid for."""
    guidance_scale: float = _field(7.5, "number", minimum=1, maximum=20)
    """How closely the prompt is followed, 1 to 20, default 7.5."""
    safety_checker: bool = _field(True, "flag")
    """Whether images are checked for explicit content, default True; sent as `yes` or `no`."""
    seed: int | None = _field(None, "integer", optional=True)
    """The same seed gives the same image; None, the default, for a random one, which the result tells."""
    scheduler: str = _field("DPMSolverMultistepScheduler", "text", min_length=1)
    """The service's name of a scheduler, default `DPMSolverMultistepScheduler`; `sampler` takes the names that people
    know."""
    use_karras_sigmas: bool | None = _field(None, "flag", spec_default=True, optional=True)
    """Whether noise levels are those of Karras et al. None, the default: yes (as in the spec) for the schedulers that
    honour it, no for the others (vendor docs, Pony scheduler page)."""
    algorithm_type: str | None = _field("sde-dpmsolver++", "text", optional=True)
    """Which algorithm a DPM solver uses, default `sde-dpmsolver++`; None leaves it out, for a scheduler without one."""
    clip_skip: int = _field(2, "integer", minimum=1, maximum=4)
    """How many CLIP layers are skipped, 1 to 4, default 2."""
    webhook: str | None = _field(None, "url", optional=True, shown=_without_path)
    """An http(s) URL that the service posts to when the job is done; None, the default, for none. `repr` shows its host
    alone."""
    track_id: str | None = _field(None, "text", optional=True)
    """Comes back in the webhook; None, the default, for none. The service finds no job by it and does not keep it
    unique."""
    sampler: str | None = field(default=None, kw_only=True)
    """A name of `samplers.SAMPLERS`, in any case; sets scheduler, algorithm_type and, unless that is given,
    use_karras_sigmas; refused beside what contradicts it. None, the default: those three as they are."""
    extra: Mapping[str, Any] = field(factory=dict, kw_only=True, converter=_own)
    """Fields that the spec does not know, by name, sent as they are; neither `key` nor a field of this class."""


@_names_unknown_keywords
@frozen
class TextToImage(_Request):
    """Images from a prompt.

    Fields, defaults and bounds are the shipped spec's, except (`openapi.overlay.yaml`) that sizes divisible
    by 8 stand only in its prose, and at least 1 image nowhere. They are checked when the request is sent, by a
    client with `strict=True`. An unknown or missing keyword raises `InvalidRequestError` at once.
    """

    operation: ClassVar[str] = "text2img"
    """The operationId of the spec."""

    prompt: str = field(metadata=_rule("text", min_length=1))
    """What the image shows; not empty."""
    width: int = field(default=1024, kw_only=True, metadata=_rule("integer", minimum=1024, maximum=2048, multiple_of=8))
    """Pixels, 1024 to 2048, divisible by 8, default 1024."""
    height: int = field(
        default=1024, kw_only=True, metadata=_rule("integer", minimum=1024, maximum=2048, multiple_of=8)
    )
    """Pixels, 1024 to 2048, divisible by 8, default 1024."""
    num_inference_steps: int = field(default=30, kw_only=True, metadata=_rule("integer", minimum=20, maximum=50))
    """Denoising steps, 20 to 50, default 30."""


@_names_unknown_keywords
@frozen
class ImageToImage(_Request):
    """Images from an image and a prompt.

    Fields, defaults and bounds are those of the vendor's Pony image-to-image page (`openapi.overlay.yaml`). They
    are checked when the request is sent, by a client with `strict=True`; an image of this machine is read then,
    too. An unknown or missing keyword raises `InvalidRequestError` at once.
    """

    operation: ClassVar[str] = "img2img"
    """The operationId of the effective spec."""

    prompt: str = field(metadata=_rule("text", min_length=1))
    """What the image shows; not empty."""
    init_image: ImageSource = field(metadata=_rule("image"), repr=_short)
    """The image to begin with: an http(s) URL, a path, the bytes of a file, or a PIL image; at most 5 MB."""
    strength: float = field(default=0.7, kw_only=True, metadata=_rule("number", minimum=0, maximum=1))
    """How much of the first image is given up, 0 to 1, default 0.7."""
    width: int | None = field(
        default=None,
        kw_only=True,
        metadata=_rule("integer", minimum=1024, maximum=2048, multiple_of=8, spec_default=2048, optional=True),
    )
    """Pixels, 1024 to 2048, divisible by 8. None: nearest to a local init_image's, else 2048."""
    height: int | None = field(
        default=None,
        kw_only=True,
        metadata=_rule("integer", minimum=1024, maximum=2048, multiple_of=8, spec_default=2048, optional=True),
    )
    """Pixels, 1024 to 2048, divisible by 8. None: nearest to a local init_image's, else 2048."""
    num_inference_steps: int = field(default=30, kw_only=True, metadata=_rule("integer", minimum=20, maximum=50))
    """Denoising steps, 20 to 50, default 30."""


@_names_unknown_keywords
@frozen
class Inpaint(_Request):
    """Images in which a masked part is painted anew.

    Fields, defaults and bounds are those of the vendor's Pony inpaint page (`openapi.overlay.yaml`); that there is
    at least 1 step is inferred. They are checked when the request is sent, by a client with `strict=True`; images
    of this machine are read then, too. An unknown or missing keyword raises `InvalidRequestError` at once.
    """

    operation: ClassVar[str] = "inpaint"
    """The operationId of the effective spec."""

    prompt: str | None = field(default=None, metadata=_rule("text", optional=True))
    """What the masked part shows; None, the default, leaves it to the service."""
    init_image: ImageSource = field(metadata=_rule("image"), repr=_short, kw_only=True)
    """The image to paint in: an http(s) URL, a path, the bytes of a file, or a PIL image; at most 5 MB."""
    mask_image: ImageSource = field(metadata=_rule("image"), repr=_short, kw_only=True)
    """The mask, in any form that init_image takes; it marks the part to be painted anew."""
    strength: float = field(default=0.7, kw_only=True, metadata=_rule("number", minimum=0, maximum=1))
    """How much of what was there is given up, 0 to 1, default 0.7."""
    width: int | None = field(
        default=None,
        kw_only=True,
        metadata=_rule("integer", minimum=512, maximum=1024, multiple_of=8, spec_default=512, optional=True),
    )
    """Pixels, 512 to 1024, divisible by 8. None: nearest to a local init_image's, else 512."""
    height: int | None = field(
        default=None,
        kw_only=True,
        metadata=_rule("integer", minimum=512, maximum=1024, multiple_of=8, spec_default=512, optional=True),
    )
    """Pixels, 512 to 1024, divisible by 8. None: nearest to a local init_image's, else 512."""
    num_inference_steps: int = field(default=21, kw_only=True, metadata=_rule("integer", minimum=1, name="steps"))
    """Denoising steps, at least 1, default 21; sent as `steps`."""


Request = TextToImage | ImageToImage | Inpaint
"""Every kind of request."""
KINDS: Mapping[str, type[Request]] = {kind.operation: kind for kind in (TextToImage, ImageToImage, Inpaint)}
"""Request classes by operationId."""


class _Options(TypedDict, total=False):
    model_id: str
    """A Pony model, or a community model; default `pony-realism`."""
    negative_prompt: str | None
    """What the image must not show."""
    samples: int
    """How many images, 1 to 4, default 1; each one is paid for."""
    num_inference_steps: int
    """Denoising steps, 20 to 50, default 30; of `Inpaint` at least 1, default 21."""
    guidance_scale: float
    """How closely the prompt is followed, 1 to 20, default 7.5."""
    safety_checker: bool
    """Whether images are checked for explicit content, default True."""
    seed: int | None
    """The same seed gives the same image; None for a random one."""
    scheduler: str
    """The service's name of a scheduler; rather give a `sampler`."""
    use_karras_sigmas: bool | None
    """Whether noise levels are those of Karras et al.; None: yes for the schedulers that honour it."""
    algorithm_type: str | None
    """Which algorithm a DPM solver uses, default `sde-dpmsolver++`; None leaves it out."""
    clip_skip: int
    """How many CLIP layers are skipped, 1 to 4, default 2."""
    webhook: str | None
    """An http(s) URL that the service posts to when the job is done."""
    track_id: str | None
    """Comes back in the webhook."""
    sampler: str | None
    """A name as people know it ("DPM++ 2M Karras"), one of `samplers.SAMPLERS`."""
    extra: Mapping[str, Any]
    """Fields that the spec does not know, sent as they are."""


class TextToImageOptions(_Options, total=False):
    """The keywords of `text2img`: the fields of `TextToImage` beside the prompt."""

    width: int
    """Pixels, 1024 to 2048, divisible by 8, default 1024."""
    height: int
    """Pixels, 1024 to 2048, divisible by 8, default 1024."""


class ImageToImageOptions(_Options, total=False):
    """The keywords of `img2img`: the fields of `ImageToImage` beside the prompt and the image."""

    width: int | None
    """Pixels, divisible by 8, 1024 to 2048; of `Inpaint` 512 to 1024. None: as near as can be to a local init_image."""
    height: int | None
    """Pixels, divisible by 8, 1024 to 2048; of `Inpaint` 512 to 1024. None: as near as can be to a local init_image."""
    strength: float
    """How much of what was there is given up, 0 to 1, default 0.7."""


class InpaintOptions(ImageToImageOptions, total=False):
    """The keywords of `inpaint`: the fields of `Inpaint` beside the prompt and the images."""


_SPEC_FIELDS: Mapping[type[Request], Mapping[str, tuple[Attribute[Any], Rule]]] = {
    kind: {item.name: (item, item.metadata[RULE]) for item in fields(kind) if RULE in item.metadata}
    for kind in KINDS.values()
}


def spec_fields(kind: type[Request]) -> Mapping[str, tuple[Attribute[Any], Rule]]:
    """Return the fields that the spec has too, each with its rule, by our names."""
    return _SPEC_FIELDS[kind]


def refused(errors: Mapping[str, list[str]]) -> InvalidRequestError:
    """Return the error for a request that is not sent, with what is wrong of every field."""
    said = "; ".join(f"{name} {problem}" for name, problems in errors.items() for problem in problems)
    return InvalidRequestError(f"{said}{'' if said.endswith('?') else '.'} Nothing was sent.", errors=errors)


def is_request(value: object) -> bool:
    """Tell whether a value is a request of any kind."""
    return isinstance(value, Request)


def _unknown(name: str, known: set[str]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - needed only for this

    near = get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"send it with extra={{{name!r}: ...}} if the service knows it"
    return f"is not a field of this request; {hint}"
