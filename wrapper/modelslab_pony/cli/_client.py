"""Where every command gets its client."""

from __future__ import annotations

from typing import Any

from modelslab_pony.client import PonyClient


def connect(**options: Any) -> PonyClient:
    """Return a client for the key and the base URL of the environment."""
    return PonyClient(**options)
