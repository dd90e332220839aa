"""How a picture was made: kept inside its file, and read back.

Two texts stand in a file: `parameters`, which Automatic1111 and many tools after it read, and a
JSON document from which the very request comes back. Neither holds the API key, nor a URL that
may hold a token: such fields are left out, and named.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path, PurePath
from typing import Any

from attrs import evolve, field, frozen

from modelslab_pony._embed import Texts, embed, extract
from modelslab_pony._parameters import parameters
from modelslab_pony._redact import Redactor
from modelslab_pony._shapes import job_id
from modelslab_pony._snapshot import Snapshot
from modelslab_pony._wire import Prepared
from modelslab_pony.errors import JobId
from modelslab_pony.requests import KINDS, Request, refused, spec_fields

_FORMAT = 1
# The service records a request under names of its own (captured replies).
_META_NAMES = {"W": "width", "H": "height", "n_samples": "samples"}


@frozen(kw_only=True)
class Recipe:
    """How a picture was made."""

    parameters: str | None
    """The text of Automatic1111: prompt, negative prompt, and a line with the settings; None where there is none."""
    operation: str | None = None
    """text2img, img2img or inpaint; None where the file holds no request."""
    options: Mapping[str, Any] = field(factory=dict)
    """The request's fields as they were given, those left out excepted."""
    omitted: tuple[str, ...] = ()
    """Fields that no file can hold (an image given as bytes), or that may hold a token."""
    digests: Mapping[str, str] = field(factory=dict)
    """SHA-256 of the files that were images of the caller's machine, by field."""
    seed: int | None = None
    """The seed that was really used, where the service told it; else None."""
    job_id: JobId | None = None
    """The service's id of the job; None where the file does not tell."""
    index: int = 0
    """The picture's place among those of its request, from 0."""

    def request(self, **changes: Any) -> Request:
        """Return the request, with other values for some of its fields.

        A file may name any path of this machine, and an image there is uploaded when the request is sent:
        compare its SHA-256 with `digests` before you send what a stranger's file asks for, as `pony again`
        does. Raises `InvalidRequestError` where the file holds none, or lacks a field that it needs.
        """
        if self.operation is None:
            raise refused({"request": ["is not in this file: it was fetched by its id, or made by another tool"]})
        kind = KINDS[self.operation]
        given = {**self.options, **changes}
        needed = [name for name in self.omitted if name not in given and not _is_optional(kind, name)]
        if needed:
            raise refused({name: ["was not kept in the file; give it again"] for name in needed})
        return kind(**given)

    def document(self) -> str | None:
        """Return the JSON text that `read_recipe` finds in a file; None where there is no request to be told."""
        if self.operation is None:
            return None
        names = ("operation", "omitted", "digests", "seed", "job_id", "index")
        content = {"format": _FORMAT, **{name: getattr(self, name) for name in names}}
        content["request"] = {name: _written(value) for name, value in self.options.items()}
        text = json.dumps(content, ensure_ascii=False)
        # A path need not be text; then all that is not ASCII is written by number.
        return text if _is_utf8(text) else json.dumps(content)


def recipe_of(prepared: Prepared, snapshot: Snapshot, index: int) -> Recipe:
    """Return the recipe of one picture of a request."""
    request = prepared.request
    kept, omitted = prepared.kept()
    seed = request.seed if snapshot.seed is None else snapshot.seed
    return Recipe(
        parameters=parameters(prepared.fields, seed, request.sampler),
        operation=request.operation,
        options=kept,
        omitted=omitted,
        digests=prepared.digests,
        seed=seed,
        job_id=snapshot.id,
        index=index,
    )


def recipe_of_meta(snapshot: Snapshot, index: int) -> Recipe | None:
    """Return what the service's own record tells of a picture whose request is not known here."""
    known = {rule.name or name for kind in KINDS.values() for name, (_, rule) in spec_fields(kind).items()}
    record = {_META_NAMES.get(name, name): value for name, value in snapshot.meta.items()}
    given = {name: value for name, value in record.items() if name in known and isinstance(value, str | int | float)}
    if not isinstance(given.get("prompt"), str):
        return None
    return Recipe(parameters=parameters(given, snapshot.seed), seed=snapshot.seed, job_id=snapshot.id, index=index)


def writer(recipe: Recipe | None, redactor: Redactor) -> Callable[[bytes], bytes] | None:
    """Return what puts a recipe into a picture file, without the API key; None where there is none."""
    if recipe is None:
        return None
    given = (recipe.parameters, recipe.document())
    texts = Texts(*(redactor.text(text) if text is not None else None for text in given))
    return partial(embed, texts=texts)


def parse(content: bytes) -> Recipe | None:
    """Return the recipe inside a picture file, or None; also that of another tool, as far as it has `parameters`."""
    texts = extract(content)
    found = _parsed(texts.document) if texts.document else None
    if found is not None:
        return evolve(found, parameters=texts.parameters)
    return Recipe(parameters=texts.parameters) if texts.parameters else None


# --- the request, as a document --------------------------------------------------------------


def _written(value: Any) -> Any:
    return {"path": str(value)} if isinstance(value, PurePath) else value


def _parsed(text: str) -> Recipe | None:
    try:
        content = json.loads(text, parse_constant=_no_number)
        operation, given = content["operation"], content["request"]
        if content["format"] != _FORMAT or operation not in KINDS or not isinstance(given, dict):
            return None
        if not isinstance(given.get("extra", {}), dict):
            return None
        images = [name for name, (_, rule) in spec_fields(KINDS[operation]).items() if rule.kind == "image"]
        options = {
            name: Path(value["path"]) if name in images and isinstance(value, dict) else value
            for name, value in given.items()
        }
        return Recipe(
            parameters=None,
            operation=operation,
            options=options,
            omitted=tuple(map(str, content.get("omitted", ()))),
            digests={str(name): str(digest) for name, digest in content.get("digests", {}).items()},
            seed=_integer(content.get("seed")),
            job_id=job_id(content.get("job_id")),
            index=_integer(content.get("index")) or 0,
        )
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def _no_number(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _integer(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _is_optional(kind: type[Request], name: str) -> bool:
    rule = spec_fields(kind).get(name)
    return rule is None or rule[1].optional
