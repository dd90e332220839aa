"""What both shells need of httpx, and httpx's words turned into ours."""

from __future__ import annotations

import json
from typing import Any, TypeVar

import httpx

from modelslab_pony import _raw
from modelslab_pony._disk import DiskError
from modelslab_pony._files import Arrival, NotAnImageError, check_status
from modelslab_pony._settings import Settings, is_number
from modelslab_pony._steps import Lost, Reply, Send, Unsaved
from modelslab_pony._version import __version__
from modelslab_pony.errors import ConfigurationError

C = TypeVar("C", httpx.Client, httpx.AsyncClient)

DEFAULT_TIMEOUT = httpx.Timeout(120.0, connect=10.0)
"""Seconds. Generous for reading: a generation POST that times out is one nobody can account for."""
MAX_ANSWER_BYTES = 32 * 1024 * 1024
"""An answer is a few kilobytes of JSON; what lies beyond this is not read."""
REDACTED = b"[api key]"
SHORTEST_KEY = 8
"""Characters. A shorter key (no real one is) would mangle words that happen to contain it."""

# With these the request never reached the other side: no connection, or none was to be had.
_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)
# httpx lets some faults of others through: ValueError of idna for a redirect's host, RuntimeError
# of a client that was closed meanwhile, OSError of a caller's own transport.
SEND_FAULTS = (httpx.HTTPError, httpx.InvalidURL, RuntimeError, ValueError, OSError)
SAVE_FAULTS = (*SEND_FAULTS, NotAnImageError, DiskError)


def options(max_in_flight: int) -> dict[str, Any]:
    """Return how our own httpx client is set up. The gate decides what is in flight, not the pool."""
    return {
        "limits": httpx.Limits(max_connections=max_in_flight, max_keepalive_connections=max_in_flight),
        "headers": {"User-Agent": f"modelslab-pony/{__version__}"},
    }


def timeouts(timeout: float | httpx.Timeout | None, *, owned: bool) -> dict[str, Any]:
    """Return the `timeout` argument of each call; a caller's own client keeps its own.

    Raises `ConfigurationError`: a bad one would only be found while the paid call is under way.
    """
    if timeout is None:
        return {"timeout": DEFAULT_TIMEOUT} if owned else {}
    phases = timeout.as_dict().values() if isinstance(timeout, httpx.Timeout) else [timeout]
    if all(phase is None or (is_number(phase) and phase > 0) for phase in phases):
        return {"timeout": timeout}
    raise ConfigurationError(f"timeout must be a number of seconds above 0 or an httpx.Timeout, not {timeout!r}")


def checked_client(given: object, kind: type[C], name: str) -> C | None:
    """Return the caller's own client. Raises `ConfigurationError` for one of the other colour."""
    if given is None or isinstance(given, kind):
        return given
    raise ConfigurationError(f"http_client must be an httpx.{kind.__name__} for {name}, not {type(given).__name__}")


def request(step: Send, settings: Settings) -> dict[str, Any]:
    """Return a call's arguments for `build_request`. Only here is the key put into it."""
    call = _raw.encode(step.operation, step.fields, settings.key)
    return {
        "method": call["method"].upper(),
        "url": settings.base_url + call["url"],
        "content": json.dumps(call["json"], allow_nan=False).encode(),
        "headers": call["headers"],
    }


def reply(at: float, response: httpx.Response, body: bytes, settings: Settings) -> Reply:
    """Return the answer, without the key should the service have repeated it."""
    if len(settings.key) >= SHORTEST_KEY:
        quoted = json.dumps(settings.key)[1:-1]
        for spelling in (settings.key, quoted, quoted.replace("/", r"\/")):
            body = body.replace(spelling.encode(), REDACTED)
    return Reply(at=at, status_code=response.status_code, headers=response.headers, body=body)


def lost(at: float, fault: Exception) -> Lost:
    """Return what a fault of the transport means. The fault itself is dropped: it holds the request."""
    return Lost(at=at, reason=_reason(fault), sent=not isinstance(fault, _NOT_SENT))


def unsaved(at: float, fault: Exception) -> Unsaved:
    """Return what a fault of a download means."""
    if isinstance(fault, NotAnImageError):
        return Unsaved(at=at, reason=str(fault), again=fault.again)
    if isinstance(fault, DiskError):
        return Unsaved(at=at, reason=str(fault), again=False, local=True)
    return Unsaved(at=at, reason=_reason(fault), again=isinstance(fault, httpx.TransportError | OSError))


def arrival(response: httpx.Response, max_bytes: int) -> Arrival:
    """Return the judge of a download's bytes; a compressed one announces no useful length."""
    check_status(response.status_code)
    headers = response.headers
    encoded = headers.get("content-encoding", "identity") != "identity"
    # Without either, HTTP/1 ends a body by closing the connection, as does a fault on the way.
    has_end = "content-length" in headers or "transfer-encoding" in headers or response.http_version == "HTTP/2"
    return Arrival(max_bytes, None if encoded else headers.get("content-length"), has_end=has_end)


def _reason(fault: Exception) -> str:
    said = " ".join(str(fault).split())
    return f"{type(fault).__name__}: {said}" if said else type(fault).__name__
