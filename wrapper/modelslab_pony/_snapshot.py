"""What one answer says, of a job, of the account or of a model: plain values that can load nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from attrs import evolve, field, frozen

from modelslab_pony.errors import JobId

Status = Literal["processing", "success", "failed"]


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
    accepted_at: float | None = field(default=None, repr=False, eq=False)
    """When its request was accepted, by this client's clock; None for a job of another process."""
    first_at: float | None = field(default=None, repr=False, eq=False)
    """When the service first answered for it, by the same clock; None while it did not."""
    first_eta: float | None = field(default=None, repr=False, eq=False)
    """The first eta that was said, counted from then. Later ones may count from then or from now: nobody says which."""

    def after(self, earlier: Snapshot) -> Snapshot:
        """Fill what this answer leaves out from an earlier one: a fetched success says little."""
        first_at = self.first_at if earlier.first_at is None else earlier.first_at
        first_eta = earlier.first_eta
        if first_eta is None and self.first_eta is not None:
            first_eta = self.first_eta + (self.first_at or 0.0) - (first_at or 0.0)
        return evolve(
            self,
            id=earlier.id,  # the one that was asked for; some answers leave it out or empty it
            accepted_at=earlier.accepted_at,
            first_at=first_at,
            first_eta=first_eta,
            seed=earlier.seed if self.seed is None else self.seed,
            meta=self.meta or earlier.meta,
            generation_time=earlier.generation_time if self.generation_time is None else self.generation_time,
        )


@frozen(kw_only=True)
class Balance:
    """What money the account has left."""

    balance: float
    """In units of `currency`, as the service counts it; below zero for a debt."""
    currency: str
    """USD, as far as was seen; empty where the service does not say."""
    raw: Mapping[str, Any] = field(repr=False)
    """The answer; what is beyond measure in it (depth, digits) is left out."""


@frozen(kw_only=True)
class ModelStatus:
    """Whether a model can be used at once."""

    status: Literal["success", "processing"]
    """`success` once it is there, `processing` while it is being loaded, which takes about 2 minutes (vendor docs)."""
    message: str
    """The service's own words; may be empty."""
    raw: Mapping[str, Any] = field(repr=False)
    """The answer; what is beyond measure in it (depth, digits) is left out."""
