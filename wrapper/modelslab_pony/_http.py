"""What both shells need of httpx, and httpx's words turned into ours."""

from __future__ import annotations

import json
import threading
from typing import Any, TypeVar

import httpx

from modelslab_pony import _raw
from modelslab_pony._classify import is_whole_object
from modelslab_pony._disk import DiskError
from modelslab_pony._files import Arrival, NotAnImageError, check_status
from modelslab_pony._rules import shown
from modelslab_pony._settings import Settings, is_number
from modelslab_pony._steps import Lost, Reply, Send, Unsaved
from modelslab_pony._version import __version__
from modelslab_pony.errors import ConfigurationError, InvalidRequestError

C = TypeVar("C", httpx.Client, httpx.AsyncClient)

DEFAULT_TIMEOUT = httpx.Timeout(120.0, connect=10.0)
"""Seconds. Generous for reading: a generation POST that times out is one nobody can account for."""
MAX_ANSWER_BYTES = 32 * 1024 * 1024
"""An answer is a few kilobytes of JSON; what lies beyond this is not read."""

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


def own_client(kind: type[C], settings: Settings, max_in_flight: int) -> C:
    """Return an httpx client of ours. The gate decides what is in flight, not the pool.

    Raises `ConfigurationError` where the environment's proxies or certificates cannot be used.
    """
    options: dict[str, Any] = {
        # A proxy has no part in what stays on this machine, and would be sent the key in the clear.
        "trust_env": not settings.is_local,
        "limits": httpx.Limits(max_connections=max_in_flight, max_keepalive_connections=max_in_flight),
        "headers": {"User-Agent": f"modelslab-pony/{__version__}"},
    }
    try:
        return kind(**options)
    except (ImportError, OSError, ValueError, httpx.InvalidURL) as fault:
        raise ConfigurationError(
            f"the proxy or certificate settings of the environment cannot be used ({_reason(fault)}): "
            "see HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE, SSL_CERT_DIR"
        ) from None


def timeouts(timeout: float | httpx.Timeout | None, *, owned: bool) -> dict[str, Any]:
    """Return the `timeout` argument of each call; a caller's own client keeps its own.

    Raises `ConfigurationError`: a bad one would only be found while the paid call is under way.
    """
    if timeout is None:
        return {"timeout": DEFAULT_TIMEOUT} if owned else {}
    phases = timeout.as_dict().values() if isinstance(timeout, httpx.Timeout) else [timeout]
    if all(phase is None or (is_number(phase) and phase > 0) for phase in phases):
        return {"timeout": timeout}
    raise ConfigurationError(f"timeout must be a number of seconds above 0 or an httpx.Timeout, not {shown(timeout)}")


def within(seconds: float) -> float | None:
    """Return how long to wait for a lock: at least a moment, so that a free one is taken; None for no limit."""
    return None if seconds > threading.TIMEOUT_MAX else max(seconds, 0.001)


def checked_client(given: object, kind: type[C], name: str) -> C | None:
    """Return the caller's own client. Raises `ConfigurationError` for one of the other colour."""
    if given is None or isinstance(given, kind):
        return given
    raise ConfigurationError(f"http_client must be an httpx.{kind.__name__} for {name}, not {type(given).__name__}")


def request(step: Send, settings: Settings) -> dict[str, Any]:
    """Return a call's arguments for `build_request`. Only here is the key put into it."""
    call = _raw.encode(step.operation, step.fields, settings.key)
    try:
        content = json.dumps(call["json"], allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError):
        content = b""
    if not content:
        raise InvalidRequestError("the request cannot be written as JSON. Nothing was sent.")
    url = settings.url(call["server"], call["url"])
    return {"method": call["method"].upper(), "url": url, "content": content, "headers": call["headers"]}


def reply(at: float, response: httpx.Response, body: bytes | bytearray, settings: Settings) -> Reply:
    """Return the answer, without the key should the service have repeated it."""
    clean = settings.redactor.body(bytes(body))
    return Reply(at=at, status_code=response.status_code, headers=response.headers, body=clean)


def broken(
    at: float, fault: Exception, response: httpx.Response | None, body: bytes | bytearray, settings: Settings
) -> Reply | Lost:
    """Return what a fault of the transport means.

    A JSON object says itself where it ends: one that came whole is an answer, whatever became of the
    connection after it. Otherwise the fault's words are kept; the fault itself holds the request.
    """
    if response is not None and is_whole_object(bytes(body)):
        return reply(at, response, body, settings)
    return Lost(at=at, reason=settings.redactor.text(_reason(fault)), sent=not isinstance(fault, _NOT_SENT))


def unsaved(at: float, fault: Exception, settings: Settings) -> Unsaved:
    """Return what a fault of a download means."""
    if isinstance(fault, NotAnImageError):
        return Unsaved(at=at, reason=str(fault), again=fault.again)
    if isinstance(fault, DiskError):
        return Unsaved(at=at, reason=str(fault), again=False, local=True)
    reason = settings.redactor.text(_reason(fault))
    return Unsaved(at=at, reason=reason, again=isinstance(fault, httpx.TransportError | OSError))


def arrival(response: httpx.Response, max_bytes: int) -> Arrival:
    """Return the judge of a download's bytes; a compressed one announces no useful length."""
    check_status(response.status_code)
    headers = response.headers
    encoded = headers.get("content-encoding", "identity") != "identity"
    return Arrival(max_bytes, None if encoded else headers.get("content-length"))


def _reason(fault: Exception) -> str:
    said = " ".join(str(fault).split())
    return f"{type(fault).__name__}: {said}" if said else type(fault).__name__
