"""What a job gives: where it stands, and in the end its images.

The classes come in two colours, `Generation` with `Image` and `AsyncGeneration` with
`AsyncImage`, which differ in that `read`, `save` and `to_pil` are awaited. What the colours share is never made by
itself, so attrs writes its methods only for them: a class takes as long as a module to import.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from attrs import field, frozen

from modelslab_pony import _notebook, _pillow
from modelslab_pony._formats import image_suffix
from modelslab_pony._rules import shown
from modelslab_pony._snapshot import Snapshot, Status
from modelslab_pony._wire import Prepared
from modelslab_pony.errors import DownloadError, InvalidRequestError, JobId, PonyError
from modelslab_pony.recipes import Recipe, recipe_of, recipe_of_meta
from modelslab_pony.requests import Request

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage

StrPath = str | PathLike[str]
"""A path, as a text or an object that stands for one."""

ImageT_co = TypeVar("ImageT_co", covariant=True)
GenerationT_co = TypeVar("GenerationT_co", covariant=True)


def _no_recipe() -> None:
    """Stand for what is not known."""


@frozen(kw_only=True, init=False, eq=False, repr=False)
class _Image:
    url: str
    """Where the service put it. Output URLs may expire (24 h on neighbouring products, vendor docs)."""
    proxy_url: str | None = None
    """The same file on the service's CDN, taken when `url` fails (vendor docs); None where there is none."""
    job_id: JobId | None = None
    """The job that made it; None where the service gave no id."""
    index: int = 0
    """Its place among the job's images, from 0."""
    _make_recipe: Callable[[], Recipe | None] = field(default=_no_recipe, repr=False, eq=False)

    @property
    def recipe(self) -> Recipe | None:
        """How it was made, as far as that is known, else None; `save` writes it into the file."""
        try:
            return self._make_recipe()
        except Exception:  # noqa: BLE001 - the picture is made and paid for, whatever becomes of what stands beside it
            return None

    def _caption(self) -> str:
        recipe = self.recipe
        said = (recipe.parameters or "").split("\nSteps: ")[0] if recipe else ""
        seed = f"seed {recipe.seed}" if recipe and recipe.seed is not None else ""
        job = f"job {self.job_id}" if self.job_id is not None else ""
        return " · ".join(filter(None, (said[:300], seed, job)))


class Loader(Protocol):
    """What an `Image` needs of its client."""

    def _load(self, image: Image) -> bytes: ...
    def _store(self, image: Image, path: Path, *, overwrite: bool, metadata: bool) -> Path: ...


class AsyncLoader(Protocol):
    """What an `AsyncImage` needs of its client."""

    def _load(self, image: AsyncImage) -> Awaitable[bytes]: ...
    def _store(self, image: AsyncImage, path: Path, *, overwrite: bool, metadata: bool) -> Awaitable[Path]: ...


@frozen(kw_only=True)
class Image(_Image):
    """One image of a generation."""

    _loader: Loader = field(repr=False, eq=False)
    _kept: list[bytes] = field(factory=list, init=False, repr=False, eq=False)

    def read(self) -> bytes:
        """Download the file into memory.

        Returns the bytes of a PNG, JPEG, WebP or GIF, told by its first bytes and not by its
        content type, which the CDN gets wrong (as was seen). Tried again as the `RetryPolicy` says. Raises
        `DownloadError`, also for what is larger than 256 MiB or cut short.
        """
        return self._loader._load(self)

    def save(self, path: StrPath, *, overwrite: bool = False, metadata: bool = True) -> Path:
        """Download the file to `path`; it is there whole or not at all.

        `path` is a file, or a folder in which the file is named after its URL, with a number if that
        name is taken: one that exists, or a text that ends with a slash. Missing folders are made. A
        file that exists is kept, and the call refused, unless `overwrite`. With `metadata`, PNG, JPEG
        and WebP files hold their `recipe`; the picture itself stays as it came. Returns the path of
        the file. Raises `DownloadError`, and `InvalidRequestError` for what is no path.
        """
        return self._loader._store(self, _path(path, self), overwrite=overwrite, metadata=metadata)

    def to_pil(self) -> PilImage:
        """Download the picture as an image of Pillow, which the extra `images` brings.

        Raises `DownloadError`, also for what Pillow cannot read, and `MissingExtraError` without Pillow.
        """
        _pillow.check()
        return _opened(self, self.read())

    def _repr_png_(self) -> bytes | None:
        """Show itself in a notebook, if it is a PNG that can be had."""
        content = self._shown()
        return content if isinstance(content, bytes) and image_suffix(content) == ".png" else None

    def _repr_html_(self) -> str:
        """Show itself in a notebook: small where Pillow is there, and with its prompt and seed."""
        content = self._shown()
        if isinstance(content, str):
            return _notebook.figure("", self.url, self._caption(), content)
        preview = _pillow.thumbnail(content, _notebook.MOST_PIXELS) or content
        return _notebook.figure(_notebook.inline(preview), self.url, self._caption())

    def _shown(self) -> bytes | str:
        """Return the file, kept for as long as the notebook shows it, or why it is not to be had."""
        if not self._kept:
            try:
                self._kept.append(self.read())
            except PonyError as error:
                return str(error)
        return self._kept[0]


@frozen(kw_only=True)
class AsyncImage(_Image):
    """Same as `Image`, awaited."""

    _loader: AsyncLoader = field(repr=False, eq=False)

    async def read(self) -> bytes:
        """Same as `Image.read`, awaited."""
        return await self._loader._load(self)

    async def save(self, path: StrPath, *, overwrite: bool = False, metadata: bool = True) -> Path:
        """Same as `Image.save`, awaited."""
        return await self._loader._store(self, _path(path, self), overwrite=overwrite, metadata=metadata)

    async def to_pil(self) -> PilImage:
        """Same as `Image.to_pil`, awaited."""
        _pillow.check()
        return _opened(self, await self.read())

    def _repr_html_(self) -> str:
        """Show itself in a notebook, which loads it from the service: nothing can be awaited here."""
        return _notebook.figure(self.url, self.url, self._caption())


@frozen(kw_only=True, init=False, eq=False, repr=False)
class _Generation(Generic[ImageT_co]):
    id: JobId | None
    """The service's id of the job; None only for a success that came without one."""
    images: tuple[ImageT_co, ...]
    """At least one, in the service's order."""
    seed: int | None
    """The seed that was really used, where the service tells it (in `meta`), else None."""
    meta: Mapping[str, Any] = field(repr=False)
    """The service's record of the request, under its own names (`W`, `H`, `steps`, `n_samples`); may be empty."""
    generation_time: float | None
    """Seconds of work, as the service measured it; None where it did not say."""
    nsfw_content_detected: bool | None
    """Whether the service found explicit content; None where it did not say."""
    raw: Mapping[str, Any] = field(repr=False)
    """The answer; what is beyond measure in it (depth, digits) is left out."""
    request: Request | None = field(default=None, repr=False)
    """The request that began it, if this client sent it; else None."""


@frozen(kw_only=True)
class Generation(_Generation[Image]):
    """The images of a job that succeeded."""

    @classmethod
    def of(cls, snapshot: Snapshot, loader: Loader, prepared: Prepared | None) -> Generation:
        """Tie a success to the client that can load its images."""
        images = tuple([Image(**place, loader=loader) for place in _places(snapshot, prepared)])
        return cls(**_facts(snapshot, prepared), images=images)

    def _repr_png_(self) -> bytes | None:
        """Show itself in a notebook, if it is one PNG."""
        return self.images[0]._repr_png_() if len(self.images) == 1 else None

    def _repr_html_(self) -> str:
        """Show its pictures in a notebook, side by side."""
        return _notebook.row(image._repr_html_() for image in self.images)


@frozen(kw_only=True)
class AsyncGeneration(_Generation[AsyncImage]):
    """Same as `Generation`, with images that are awaited."""

    @classmethod
    def of(cls, snapshot: Snapshot, loader: AsyncLoader, prepared: Prepared | None) -> AsyncGeneration:
        """Tie a success to the client that can load its images."""
        images = tuple([AsyncImage(**place, loader=loader) for place in _places(snapshot, prepared)])
        return cls(**_facts(snapshot, prepared), images=images)

    def _repr_html_(self) -> str:
        """Show its pictures in a notebook, side by side."""
        return _notebook.row(image._repr_html_() for image in self.images)


@frozen(kw_only=True, init=False, eq=False, repr=False)
class _JobStatus(Generic[GenerationT_co]):
    id: JobId | None
    """The service's id of the job; None only for a success that came without one."""
    status: Status
    """`processing`, `success` or `failed`; the first also stands for every status that nobody documented."""
    eta: float | None
    """Seconds until the service expects to be done, as it said when it was asked; None where it did not."""
    message: str
    """The service's own words; may be empty."""
    generation: GenerationT_co | None
    """The result, once `status` is `success`; else None."""
    raw: Mapping[str, Any] = field(repr=False)
    """The answer; what is beyond measure in it (depth, digits) is left out."""

    @property
    def done(self) -> bool:
        """Whether nothing more will happen: the job succeeded or failed."""
        return self.status != "processing"


@frozen(kw_only=True)
class JobStatus(_JobStatus[Generation]):
    """Where a job stands."""

    @classmethod
    def of(cls, snapshot: Snapshot, loader: Loader, prepared: Prepared | None) -> JobStatus:
        """Tie what an answer said to the client that can load its images."""
        generation = Generation.of(snapshot, loader, prepared) if snapshot.links else None
        return cls(**_standing(snapshot), generation=generation)


@frozen(kw_only=True)
class AsyncJobStatus(_JobStatus[AsyncGeneration]):
    """Same as `JobStatus`, with images that are awaited."""

    @classmethod
    def of(cls, snapshot: Snapshot, loader: AsyncLoader, prepared: Prepared | None) -> AsyncJobStatus:
        """Tie what an answer said to the client that can load its images."""
        generation = AsyncGeneration.of(snapshot, loader, prepared) if snapshot.links else None
        return cls(**_standing(snapshot), generation=generation)


def _path(given: Any, image: _Image) -> Path:
    try:
        path = Path(given)
    except TypeError:
        message = f"must be a path, not {shown(given)}"
        refused = InvalidRequestError(f"path {message}", errors={"path": [message]})
        refused.job_id = image.job_id
        raise refused from None
    if os.fspath(given).endswith(("/", os.sep)):  # which a `Path` forgets
        try:
            path.mkdir(parents=True, exist_ok=True)
        except (OSError, ValueError) as fault:
            said = f"cannot make the folder {given!r}: {fault}"
            raise DownloadError(said, url=image.url, job_id=image.job_id, is_local=True) from None
    return path


def _opened(image: Image | AsyncImage, content: bytes) -> PilImage:
    try:
        return _pillow.opened(content)
    except _pillow.PictureError as fault:
        raise DownloadError(f"{fault} ({image.url})", url=image.url, job_id=image.job_id) from None


def _places(snapshot: Snapshot, prepared: Prepared | None) -> list[dict[str, Any]]:
    return [
        {
            "url": link.url,
            "proxy_url": link.proxy_url,
            "job_id": snapshot.id,
            "index": index,
            "make_recipe": partial(_recipe, snapshot, prepared, index),  # few are asked for it
        }
        for index, link in enumerate(snapshot.links)
    ]


def _recipe(snapshot: Snapshot, prepared: Prepared | None, index: int) -> Recipe | None:
    return recipe_of(prepared, snapshot, index) if prepared else recipe_of_meta(snapshot, index)


def _standing(snapshot: Snapshot) -> dict[str, Any]:
    return {name: getattr(snapshot, name) for name in ("id", "status", "eta", "message", "raw")}


def _facts(snapshot: Snapshot, prepared: Prepared | None) -> dict[str, Any]:
    return {
        "id": snapshot.id,
        "seed": snapshot.seed,
        "meta": snapshot.meta,
        "generation_time": snapshot.generation_time,
        "nsfw_content_detected": snapshot.nsfw_content_detected,
        "raw": snapshot.raw,
        "request": prepared.request if prepared else None,
    }
