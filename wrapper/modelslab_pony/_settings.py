"""What a client is told, checked: where calls go, with which key, within which limits."""

from __future__ import annotations

import ipaddress
import math
import os
from typing import Any
from urllib.parse import urlsplit

from attrs import field, frozen

from modelslab_pony.errors import ConfigurationError, InvalidRequestError, JobId

DEFAULT_BASE_URL = "https://modelslab.com/api/v6/images"
DEFAULT_WAIT = 600.0
"""Seconds that a job is waited for."""
DEFAULT_IN_FLIGHT = 16
"""Calls under way at once."""


@frozen(kw_only=True)
class Settings:
    """Where calls go, and with which key."""

    base_url: str
    key: str = field(repr=False)

    @classmethod
    def resolve(cls, api_key: str | None, base_url: str | None) -> Settings:
        """Take the arguments, else the environment, else the default; refuse what cannot work."""
        key = (api_key if api_key is not None else os.environ.get("MODELSLAB_API_KEY", "")).strip()
        if not key:
            message = (
                "no API key: set MODELSLAB_API_KEY or pass api_key=...; "
                "the dashboard of your ModelsLab account shows it"
            )
            raise ConfigurationError(message)
        return cls(base_url=_base_url(base_url or os.environ.get("MODELSLAB_BASE_URL") or DEFAULT_BASE_URL), key=key)


def _base_url(given: str) -> str:
    url = given.strip().rstrip("/")
    try:
        parts = urlsplit(url)
        host = parts.hostname
        parts.port  # noqa: B018 - a bad port raises here and not at the first call
    except ValueError:
        host = None
    if not host or parts.scheme not in {"http", "https"} or parts.query or parts.fragment or parts.username:
        message = f"the base URL {given!r} cannot be used: it has to look like {DEFAULT_BASE_URL}"
        raise ConfigurationError(message)
    if parts.scheme == "http" and not _is_this_machine(host):
        message = (
            f"the base URL {given!r} would send the API key unencrypted: use https (http is for this machine only)"
        )
        raise ConfigurationError(message)
    return url


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def seconds(name: str, value: Any) -> float:
    """Return a time limit, inf for None. Raises `InvalidRequestError` for what is none."""
    if value is None:
        return math.inf
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        message = f"must be a number of seconds, 0 or more, or None for no limit, not {value!r}"
        raise InvalidRequestError(f"{name} {message}", errors={name: [message]})
    return float(value)


def checked_id(value: Any) -> JobId:
    """Return a job id. Raises `InvalidRequestError` for what is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip():
        return value.strip()
    message = f"must be the id of a job, an integer or a text, not {value!r}"
    raise InvalidRequestError(f"id {message}", errors={"id": [message]})


def checked_in_flight(value: Any) -> int:
    """Return how many calls may be under way at once. Raises `ConfigurationError`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        message = f"max_in_flight must be an integer of at least 1, not {value!r}"
        raise ConfigurationError(message)
    return value


def closed() -> ConfigurationError:
    """Return the error for a call on a client that was closed."""
    return ConfigurationError("this client is closed: make a new one, or stay inside its `with` block")
