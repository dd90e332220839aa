"""Where every command gets its client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelslab_pony.client import PonyClient


def connect(**options: Any) -> PonyClient:
    """Return a client for the key and the base URL of the environment."""
    from modelslab_pony.client import PonyClient  # noqa: PLC0415 - with httpx it takes longer than all else

    return PonyClient(**options)
