"""What a job gives: where it stands, and in the end its images.

The classes come in two colours, `Generation` with `Image` and `AsyncGeneration` with
`AsyncImage`, which differ in that `read` and `save` are awaited.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, TypeVar

from attrs import evolve, field, frozen

from modelslab_pony._rules import shown
from modelslab_pony.errors import InvalidRequestError, JobId

Status = Literal["processing", "success", "failed"]
StrPath = str | PathLike[str]

ImageT_co = TypeVar("ImageT_co", covariant=True)
GenerationT_co = TypeVar("GenerationT_co", covariant=True)


@frozen(kw_only=True)
class Link:
    """Where one image is: the output URL, and the same file on the service's CDN."""

    url: str
    proxy_url: str | None = None


@frozen(kw_only=True)
class Snapshot:
    """What one answer says of a job; unlike a `JobStatus` it can load nothing."""

    status: Status
    id: JobId | None
    eta: float | None = None
    message: str = ""
    links: tuple[Link, ...] = ()
    seed: int | None = None
    meta: Mapping[str, Any] = field(factory=dict)
    generation_time: float | None = None
    nsfw_content_detected: bool | None = None
    raw: Mapping[str, Any] = field(factory=dict, repr=False)

    def after(self, earlier: Snapshot) -> Snapshot:
        """Fill what this answer leaves out from an earlier one: a fetched success says little."""
        return evolve(
            self,
            id=earlier.id,  # the one that was asked for; some answers leave it out or empty it
            seed=earlier.seed if self.seed is None else self.seed,
            meta=self.meta or earlier.meta,
            generation_time=earlier.generation_time if self.generation_time is None else self.generation_time,
        )


@frozen(kw_only=True)
class _Image:
    url: str
    """Where the service put it. Output URLs may expire (24 h on neighbouring products, vendor docs)."""
    proxy_url: str | None = None
    """The same file on the service's CDN, taken when `url` fails."""
    job_id: JobId | None = None
    index: int = 0
    """Its place among the job's images, from 0."""


class Loader(Protocol):
    """What an `Image` needs of its client."""

    def _load(self, image: Image) -> bytes: ...
    def _store(self, image: Image, path: Path, *, overwrite: bool) -> Path: ...


class AsyncLoader(Protocol):
    """What an `AsyncImage` needs of its client."""

    def _load(self, image: AsyncImage) -> Awaitable[bytes]: ...
    def _store(self, image: AsyncImage, path: Path, *, overwrite: bool) -> Awaitable[Path]: ...


@frozen(kw_only=True)
class Image(_Image):
    """One image of a generation."""

    _loader: Loader = field(repr=False, eq=False)

    def read(self) -> bytes:
        """Download the file into memory.

        Returns the bytes of a PNG, JPEG, WebP or GIF, told by its first bytes and not by its
        content type, which the CDN gets wrong. Raises `DownloadError`.
        """
        return self._loader._load(self)

    def save(self, path: StrPath, *, overwrite: bool = False) -> Path:
        """Download the file to `path`; it is there whole or not at all.

        `path` is a file, or an existing folder in which the file is named after its URL, with a
        number if that name is taken. Missing parent folders are made. A file that exists is kept,
        and the call refused, unless `overwrite`. Returns the path of the file. Raises
        `DownloadError`, and `InvalidRequestError` for what is no path.
        """
        return self._loader._store(self, _path(path), overwrite=overwrite)


@frozen(kw_only=True)
class AsyncImage(_Image):
    """Same as `Image`, awaited."""

    _loader: AsyncLoader = field(repr=False, eq=False)

    async def read(self) -> bytes:
        """Same as `Image.read`, awaited."""
        return await self._loader._load(self)

    async def save(self, path: StrPath, *, overwrite: bool = False) -> Path:
        """Same as `Image.save`, awaited."""
        return await self._loader._store(self, _path(path), overwrite=overwrite)


@frozen(kw_only=True)
class _Generation(Generic[ImageT_co]):
    id: JobId | None
    images: tuple[ImageT_co, ...]
    """At least one."""
    seed: int | None
    """The seed that was really used, where the service tells it (in `meta`)."""
    meta: Mapping[str, Any] = field(repr=False)
    """The service's record of the request, under its own names (`W`, `H`, `steps`, `n_samples`)."""
    generation_time: float | None
    """Seconds of work, as the service measured it."""
    nsfw_content_detected: bool | None
    raw: Mapping[str, Any] = field(repr=False)
    """The answer as it came."""


@frozen(kw_only=True)
class Generation(_Generation[Image]):
    """The images of a job that succeeded."""

    @classmethod
    def of(cls, snapshot: Snapshot, loader: Loader) -> Generation:
        """Tie a success to the client that can load its images."""
        images = tuple(Image(**place, loader=loader) for place in _places(snapshot))
        return cls(**_facts(snapshot), images=images)


@frozen(kw_only=True)
class AsyncGeneration(_Generation[AsyncImage]):
    """Same as `Generation`, with images that are awaited."""

    @classmethod
    def of(cls, snapshot: Snapshot, loader: AsyncLoader) -> AsyncGeneration:
        """Tie a success to the client that can load its images."""
        images = tuple(AsyncImage(**place, loader=loader) for place in _places(snapshot))
        return cls(**_facts(snapshot), images=images)


@frozen(kw_only=True)
class _JobStatus(Generic[GenerationT_co]):
    id: JobId | None
    status: Status
    """`processing` also stands for every status that nobody documented."""
    eta: float | None
    """Seconds until the service expects to be done, as it said when it was asked."""
    message: str
    """The service's own words; may be empty."""
    generation: GenerationT_co | None
    """The result, once `status` is `success`."""
    raw: Mapping[str, Any] = field(repr=False)
    """The answer as it came."""

    @property
    def done(self) -> bool:
        """Whether nothing more will happen: the job succeeded or failed."""
        return self.status != "processing"


@frozen(kw_only=True)
class JobStatus(_JobStatus[Generation]):
    """Where a job stands."""

    @classmethod
    def of(cls, snapshot: Snapshot, loader: Loader) -> JobStatus:
        """Tie what an answer said to the client that can load its images."""
        generation = Generation.of(snapshot, loader) if snapshot.links else None
        return cls(**_standing(snapshot), generation=generation)


@frozen(kw_only=True)
class AsyncJobStatus(_JobStatus[AsyncGeneration]):
    """Same as `JobStatus`, with images that are awaited."""

    @classmethod
    def of(cls, snapshot: Snapshot, loader: AsyncLoader) -> AsyncJobStatus:
        """Tie what an answer said to the client that can load its images."""
        generation = AsyncGeneration.of(snapshot, loader) if snapshot.links else None
        return cls(**_standing(snapshot), generation=generation)


def _path(given: Any) -> Path:
    try:
        return Path(given)
    except TypeError:
        message = f"must be a path, not {shown(given)}"
        raise InvalidRequestError(f"path {message}", errors={"path": [message]}) from None


def _places(snapshot: Snapshot) -> list[dict[str, Any]]:
    return [
        {"url": link.url, "proxy_url": link.proxy_url, "job_id": snapshot.id, "index": index}
        for index, link in enumerate(snapshot.links)
    ]


def _standing(snapshot: Snapshot) -> dict[str, Any]:
    return {name: getattr(snapshot, name) for name in ("id", "status", "eta", "message", "raw")}


def _facts(snapshot: Snapshot) -> dict[str, Any]:
    names = ("id", "seed", "meta", "generation_time", "nsfw_content_detected", "raw")
    return {name: getattr(snapshot, name) for name in names}
