"""What both shells need of httpx, and httpx's words turned into ours."""

from __future__ import annotations

import json
from typing import Any

import httpx

from modelslab_pony import _raw
from modelslab_pony._files import Arrival, NotAnImageError, check_status
from modelslab_pony._settings import Settings
from modelslab_pony._steps import Lost, Reply, Send, Unsaved
from modelslab_pony._version import __version__

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
SEND_FAULTS = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError)
SAVE_FAULTS = (*SEND_FAULTS, NotAnImageError, ValueError)


def options(max_in_flight: int) -> dict[str, Any]:
    """Return how our own httpx client is set up. The gate decides what is in flight, not the pool."""
    return {
        "limits": httpx.Limits(max_connections=max_in_flight, max_keepalive_connections=max_in_flight),
        "headers": {"User-Agent": f"modelslab-pony/{__version__}"},
    }


def timeouts(timeout: float | httpx.Timeout | None, *, owned: bool) -> dict[str, Any]:
    """Return the `timeout` argument of each call; a caller's own client keeps its own."""
    if timeout is None:
        return {"timeout": DEFAULT_TIMEOUT} if owned else {}
    return {"timeout": timeout}


def request(step: Send, settings: Settings) -> dict[str, Any]:
    """Return a call's arguments for `build_request`. Only here is the key put into it."""
    call = _raw.encode(step.operation, step.fields, settings.key)
    return {
        "method": call["method"].upper(),
        "url": settings.base_url + call["url"],
        "content": json.dumps(call["json"], ensure_ascii=False, allow_nan=False).encode(),
        "headers": call["headers"],
    }


def reply(at: float, response: httpx.Response, body: bytes, settings: Settings) -> Reply:
    """Return the answer, without the key should the service have repeated it."""
    if len(settings.key) >= SHORTEST_KEY:
        body = body.replace(settings.key.encode(), REDACTED)
    return Reply(at=at, status_code=response.status_code, headers=response.headers, body=body)


def lost(at: float, fault: Exception) -> Lost:
    """Return what a fault of the transport means. The fault itself is dropped: it holds the request."""
    return Lost(at=at, reason=_reason(fault), sent=not isinstance(fault, _NOT_SENT))


def unsaved(at: float, fault: Exception) -> Unsaved:
    """Return what a fault of a download means."""
    if isinstance(fault, NotAnImageError):
        return Unsaved(at=at, reason=str(fault), again=fault.again)
    if isinstance(fault, OSError | ValueError):
        return Unsaved(at=at, reason=f"cannot write the file: {fault}", again=False, local=True)
    again = not isinstance(fault, httpx.InvalidURL | httpx.UnsupportedProtocol)
    return Unsaved(at=at, reason=_reason(fault), again=again)


def arrival(response: httpx.Response, max_bytes: int) -> Arrival:
    """Return the judge of a download's bytes; a compressed one announces no useful length."""
    check_status(response.status_code)
    encoded = response.headers.get("content-encoding", "identity") != "identity"
    return Arrival(max_bytes, None if encoded else response.headers.get("content-length"))


def _reason(fault: Exception) -> str:
    said = " ".join(str(fault).split())
    return f"{type(fault).__name__}: {said}" if said else type(fault).__name__
