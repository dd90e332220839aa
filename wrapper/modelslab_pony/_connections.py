"""Our own connections: opened on first need, with one TLS context for all clients of a process.

An httpx client reads the certificates of the authorities as it is made, which takes as long as half of httpx's
import, and again for each client. And what stands between a client's `send` and its connections (redirects, cookies,
logins, none of which a call of the API may have) costs a third of the call. So ours brings a transport of its own,
which `direct` calls of the API take at once. Where the environment names proxies, httpx is left to see to them.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import ssl
import urllib.request  # which httpx itself asks for proxies
from collections.abc import Iterator
from functools import partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from modelslab_pony._encodings import ACCEPTED
from modelslab_pony._pool import AsyncPool, Pool
from modelslab_pony._settings import Settings
from modelslab_pony._version import __version__
from modelslab_pony.errors import ConfigurationError, MissingExtraError

if TYPE_CHECKING:
    from modelslab_pony import _aiohttp

USER_AGENT = f"modelslab-pony/{__version__}"
OWN_HEADERS = {"Accept": "*/*", "Accept-Encoding": ACCEPTED, "Connection": "keep-alive", "User-Agent": USER_AGENT}
KEPT_ALIVE = 5.0
"""Seconds that an idle connection is kept; a server that keeps it for less would cost a paid request its answer."""


@functools.cache
def tls_context() -> ssl.SSLContext:
    """Return the one TLS context, which trusts the authorities that httpx trusts."""
    return httpx.create_ssl_context(trust_env=False)


@functools.cache
def plain_context() -> ssl.SSLContext:
    """Return what connections without TLS are made with: it trusts nobody."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class Transport(httpx.HTTPTransport):
    """The connections of a `PonyClient`."""

    def __init__(self, most_idle: int, context: ssl.SSLContext | None) -> None:
        super().__init__(verify=plain_context(), trust_env=False)
        self._pool: Any = Pool(most_idle, KEPT_ALIVE, partial(_given, context))


class AsyncTransport(httpx.AsyncHTTPTransport):
    """The connections of an `AsyncPonyClient`."""

    def __init__(self, most_idle: int, context: ssl.SSLContext | None) -> None:
        super().__init__(verify=plain_context(), trust_env=False)
        self._pool: Any = AsyncPool(most_idle, KEPT_ALIVE, partial(_given, context))


def _given(context: ssl.SSLContext | None) -> ssl.SSLContext:
    return context or tls_context()


# --- clients that have them ------------------------------------------------------------------


_WAYS = [(kind, name) for kind in (httpx.Client, httpx.AsyncClient) for name in ("send", "_send_single_request")]
"""Where tracers and recorders put themselves into httpx's way; the second is vcrpy's, before its version 8."""
_HTTPX = f"{Path(httpx.__file__).parent}{os.sep}"
_LOG = logging.getLogger("httpx")


def _is_watched() -> bool:
    """Tell whether somebody has put himself into httpx's way, or reads its log of calls."""
    return not all(_is_httpxs(kind, name) for kind, name in _WAYS) or _LOG.isEnabledFor(logging.INFO)


def _is_httpxs(kind: type, name: str) -> bool:
    """Tell whether a method is httpx's own. What stands in its place may have come before this module did."""
    code = getattr(getattr(kind, name, None), "__code__", None)  # which no wrapper copies
    return code is not None and code.co_filename.startswith(_HTTPX)


class OwnClient(httpx.Client):
    """An httpx client of ours."""

    direct: httpx.BaseTransport | None = None

    def shortcut(self) -> httpx.BaseTransport | None:
        """Return where a call of the API may be sent at once, if nobody watches who would miss it."""
        return None if _is_watched() else self.direct


class OwnAsyncClient(httpx.AsyncClient):
    """Same as `OwnClient`, awaited."""

    direct: httpx.AsyncBaseTransport | None = None
    aiohttp: _aiohttp.Transport | None = None
    """What calls of the API go through if that is aiohttp; `direct` is the same."""

    def shortcut(self) -> httpx.AsyncBaseTransport | None:
        """Return where a call of the API may be sent at once, if nobody watches who would miss it."""
        return None if _is_watched() else self.direct


def own_client(settings: Settings, max_in_flight: int) -> OwnClient:
    """Return a blocking httpx client of ours.

    Raises `ConfigurationError` where the environment's proxies or certificates cannot be used.
    """
    with _environment():
        limits, context = _limits(max_in_flight), _named_context(settings)
        if _has_proxy(settings):
            return OwnClient(**_options(settings), limits=limits, verify=context or tls_context())
        transport = Transport(max_in_flight, context)
        client = OwnClient(**_options(settings), transport=transport)
        client.direct = transport
        return client


def own_async_client(settings: Settings, max_in_flight: int, *, aiohttp: bool) -> OwnAsyncClient:
    """Return one to be awaited, whose calls of the API go through aiohttp if so wished. Raises as `own_client`."""
    with _environment():
        context, options = _named_context(settings), _options(settings)
        transport = None if _has_proxy(settings) else AsyncTransport(max_in_flight, context)
        options |= {"limits": _limits(max_in_flight), "verify": context or tls_context()} if transport is None else {}
        if not aiohttp:
            client = OwnAsyncClient(**options, transport=transport)
            client.direct = transport
            return client
        base = httpx.URL(settings.base_url)
        if transport is None and not urllib.request.proxy_bypass(base.host):
            raise ConfigurationError(
                "http_client='aiohttp' takes no proxy, and the environment names one: "
                "leave it out, or except the service with NO_PROXY"
            )
        direct = _through_aiohttp(max_in_flight, context)
        mounts = {f"{base.scheme}://{base.netloc.decode()}": direct}
        client = OwnAsyncClient(**options, transport=transport, mounts=mounts)
        client.direct = client.aiohttp = direct
        return client


def _through_aiohttp(max_in_flight: int, context: ssl.SSLContext | None) -> _aiohttp.Transport:
    try:
        import httpx_aiohttp  # noqa: F401, PLC0415 - an extra

        from modelslab_pony import _aiohttp  # noqa: PLC0415 - which is made of it
    except ModuleNotFoundError:
        raise MissingExtraError("httpx-aiohttp is missing: pip install 'modelslab-pony[aiohttp]'") from None
    return _aiohttp.Transport(max_in_flight, KEPT_ALIVE, OWN_HEADERS, partial(_given, context))


def _limits(max_in_flight: int) -> httpx.Limits:
    # The gate decides what is in flight, not the pool.
    return httpx.Limits(max_connections=None, max_keepalive_connections=max_in_flight, keepalive_expiry=KEPT_ALIVE)


def _options(settings: Settings) -> dict[str, Any]:
    return {
        # A proxy has no part in what stays on this machine, and would be sent the key in the clear.
        "trust_env": not settings.is_local,
        "headers": OWN_HEADERS,
        # None is kept or sent: an answer may put the key into one.
        "cookies": CookieJar(policy=DefaultCookiePolicy(allowed_domains=())),
    }


def _named_context(settings: Settings) -> ssl.SSLContext | None:
    """Return a context with the certificates that the environment names, if it does: a mistake there is found now."""
    is_named = not settings.is_local and (os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR"))
    return httpx.create_ssl_context() if is_named else None


def _has_proxy(settings: Settings) -> bool:
    """Tell whether the environment has a proxy for anything that a client may ask for."""
    return not settings.is_local and any(urllib.request.getproxies().get(name) for name in ("http", "https", "all"))


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    try:
        yield
    except ConfigurationError:
        raise
    except (ImportError, OSError, ValueError, httpx.InvalidURL) as fault:
        said = " ".join(str(fault).split())
        raise ConfigurationError(
            f"the proxy or certificate settings of the environment cannot be used ({type(fault).__name__}: {said}): "
            "see HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE, SSL_CERT_DIR"
        ) from None
