"""From a request to what is sent: checked as a whole, in the service's words, without the key."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from math import isfinite
from typing import Any

from attrs import NOTHING, field, fields, frozen

from modelslab_pony import samplers
from modelslab_pony._formats import image_size
from modelslab_pony._private import may_be_kept
from modelslab_pony._rules import HUGE, Rule, shown
from modelslab_pony.requests import Request, is_request, refused, spec_fields

Errors = dict[str, list[str]]


@frozen
class LocalImage:
    """An image of this machine, which has to be uploaded before a request can name it."""

    content: bytes = field(repr=False)
    media_type: str
    digest: str = field(init=False, repr=False)
    """What tells it from every other."""

    @digest.default
    def _digest(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height in pixels, where the file tells them."""
        return image_size(self.content)


@frozen(kw_only=True)
class Prepared:
    """A request that may be sent, once its local images have URLs."""

    request: Request
    fields: Mapping[str, Any] = field(repr=False)
    """As the service takes them, without the key and without the local images."""
    local: Mapping[str, LocalImage]
    """Images to be uploaded first, by field."""
    digests: Mapping[str, str]
    """What tells the local images from every other, by field."""
    uploads: tuple[str, ...] = ()
    """Where the local images are, once they are uploaded."""

    def kept(self) -> tuple[dict[str, Any], tuple[str, ...]]:
        """Return what of the request may stand in a file, by its own names, and the names of the rest."""
        request = self.request
        own = {item.name: getattr(request, item.name) for item in fields(type(request)) if item.name != "extra"}
        kept = {name: value for name, value in own.items() if may_be_kept(name, value)}
        # As they were sent: a caller may have gone on with what was given.
        extra = {name: self.fields[name] for name in request.extra if may_be_kept(name, self.fields[name])}
        omitted = [name for name in own if name not in kept]
        omitted += [f"extra.{name}" for name in request.extra if name not in extra]
        return {**kept, "extra": extra}, tuple(omitted)


def prepare(request: Request, images: Mapping[str, LocalImage | str], *, strict: bool) -> Prepared:
    """Return a request as the service takes it; None is left out.

    `images` has what was found of the fields that name an image of this machine: the image, or what
    is wrong with it. Raises `InvalidRequestError` for what cannot be sent at all, and, if `strict`,
    for everything that the effective spec does not allow, all fields at once.
    """
    if not is_request(request):
        raise refused({"request": [f"must be a TextToImage, an ImageToImage or an Inpaint, not {shown(request)}"]})
    known = spec_fields(type(request))
    local = {name: image for name, image in images.items() if isinstance(image, LocalImage)}
    errors = _problems(request, images) if strict else _missing(request, images)
    errors |= _sampler_problems(request) | _extra_problems(request, known)
    given: dict[str, Any] = {}
    for name, value in () if errors else (_given(request, local) | dict(request.extra)).items():
        try:
            given[name] = _as_json(value)
        except ValueError:
            errors[f"extra.{name}" if name in request.extra else name] = ["cannot be sent as JSON"]
    if errors:
        raise refused(errors)
    digests = {name: image.digest for name, image in local.items()}
    return Prepared(request=request, fields=given, local=local, digests=digests)


def _given(request: Request, local: Mapping[str, LocalImage]) -> dict[str, Any]:
    """Return each field under the spec's name, with what is only decided now."""
    known = spec_fields(type(request))
    given = {name: getattr(request, name) for name in known if name not in local}
    sampler = samplers.find(request.sampler) if request.sampler is not None else None
    if sampler:
        given |= {"scheduler": sampler.scheduler, "algorithm_type": sampler.algorithm_type}
    if given["use_karras_sigmas"] is None:
        honoured = samplers.honours_karras(given["scheduler"])
        given["use_karras_sigmas"] = sampler.use_karras_sigmas if sampler else honoured
    size = local["init_image"].size if "init_image" in local else None
    for place, name in enumerate(("width", "height")):
        if given[name] is None:
            rule = known[name][1]
            given[name] = _fitted(size[place], rule) if size else rule.spec_default
    return {
        known[name][1].name or name: "yes" if value is True else "no" if value is False else value
        for name, value in given.items()
        if value is not None
    }


def _fitted(pixels: int, rule: Rule) -> int:
    """Return the nearest size that the service can make."""
    step = rule.multiple_of or 1
    nearest = (pixels + step // 2) // step * step
    return int(min(max(nearest, rule.minimum or nearest), rule.maximum or nearest))


# --- what is wrong, by field -----------------------------------------------------------------


def _problems(request: Request, images: Mapping[str, LocalImage | str]) -> Errors:
    errors = {}
    for name, (item, rule) in spec_fields(type(request)).items():
        value = getattr(request, name)
        if value is not item.default:  # most are
            problem = images[name] if name in images else rule.problem(value)
            if isinstance(problem, str):
                errors[name] = [problem]
    return errors


def _missing(request: Request, images: Mapping[str, LocalImage | str]) -> Errors:
    """Without strict, only what leaves nothing to send: a required field, an image that is none."""
    errors = {}
    extra: Any = request.extra  # judged by itself
    takes_base64 = isinstance(extra, Mapping) and "base64" in extra
    for name, (item, _) in spec_fields(type(request)).items():
        value, image = getattr(request, name), images.get(name)
        if value is None and (item.default is NOTHING or name == "model_id"):
            errors[name] = ["must be given"]
        elif isinstance(image, str) and not (isinstance(value, str) and (takes_base64 or _is_base64(value))):
            errors[name] = [image]
    return errors


def _sampler_problems(request: Request) -> Errors:
    asked: Any = request.sampler
    if asked is None:
        return {}
    name = samplers.canonical(asked) if isinstance(asked, str) else None
    if name is None:
        names = samplers.suggestions(asked) if isinstance(asked, str) else []
        near = " or ".join(map(repr, names))
        hint = f"did you mean {near}?" if near else "see modelslab_pony.samplers.SAMPLERS or `pony samplers`"
        if isinstance(asked, str) and asked.endswith("Scheduler"):
            hint = "a scheduler's name belongs into scheduler="
        return {"sampler": [f"{shown(asked)} is not known; {hint}"]}
    defaults = {attribute.name: attribute.default for attribute in fields(type(request))}
    sets = {"scheduler": samplers.SAMPLERS[name].scheduler, "algorithm_type": samplers.SAMPLERS[name].algorithm_type}
    given = {field: getattr(request, field) for field in sets}
    contradicted = [
        field
        for field, value in given.items()
        if not isinstance(value, str | None) or value not in (defaults[field], sets[field])
    ]
    if request.use_karras_sigmas is False and name.endswith("Karras"):
        contradicted.append("use_karras_sigmas")
    return {field: [f"is set by sampler={asked!r}; give one or the other"] for field in contradicted}


def _extra_problems(request: Request, known: Mapping[str, Any]) -> Errors:
    if not isinstance(request.extra, Mapping):
        return {"extra": [f"must be a mapping of field names to values, not {type(request.extra).__name__}"]}
    names: list[Any] = list(request.extra)
    if not names:
        return {}
    own = {rule.name or name: name for name, (_, rule) in known.items()}
    errors = {}
    for name in names:
        if name == "key":
            errors["extra.key"] = ["is not for a request: the API key belongs to the client, PonyClient(api_key=...)"]
        elif not isinstance(name, str):
            errors["extra"] = [f"must have texts for names, not {shown(name)}"]
        elif name in own:
            errors[f"extra.{name}"] = [f"is a field of its own; give it as the keyword {own[name]}"]
    return errors


def _is_base64(text: str) -> bool:
    """Tell an image in base64, which community models take, from a path that names nothing."""
    return bool(re.fullmatch(r"data:[\s\S]+|[A-Za-z0-9+/=\s]{64,}", text))


def _as_json(value: Any) -> Any:
    """Return a copy as JSON has it: a caller may go on with what was given. Raises `ValueError` for what it has not."""
    if value is None or type(value) is bool or (type(value) is str and value.isascii()):
        return value  # most are, and need no copy
    if (type(value) is int and abs(value) < HUGE) or (type(value) is float and isfinite(value)):
        return value
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()
        return json.loads(text)
    except (TypeError, RecursionError) as fault:
        raise ValueError(str(fault)) from None
