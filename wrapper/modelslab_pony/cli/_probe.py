"""What `pony doctor` finds out: looks at this machine, and makes the calls. What it means, `_checks` decides."""

from __future__ import annotations

import concurrent.futures
import contextlib
import hashlib
import importlib.metadata
import os
import platform
import re
import socket
import sqlite3
import threading
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from modelslab_pony import _connections, errors
from modelslab_pony._addresses import asked_host
from modelslab_pony._disk import DiskError, check_writable
from modelslab_pony._http import SEND_FAULTS
from modelslab_pony._settings import DEFAULT_BASE_URL, Secret, Settings
from modelslab_pony._version import __version__
from modelslab_pony.cli import _client
from modelslab_pony.cli._checks import Check, Secrets, Trail, split
from modelslab_pony.cli._look import document_text
from modelslab_pony.policies import RetryPolicy
from modelslab_pony.testing._spec import effective_spec

PACKAGE = "modelslab-pony"
_PLACEHOLDER = "no-key-at-all"
"""Stands for the key where only the base URL is looked at; it is never sent."""


# --- this machine ----------------------------------------------------------------------------


def versions() -> list[Check]:
    """Return what runs here."""
    python = f"{platform.python_version()} ({platform.python_implementation()})"
    found = [Check("python", "ok", python), Check("platform", "ok", platform.platform())]
    found.append(Check(PACKAGE, "ok", __version__))
    return [
        *found,
        *(Check(name, "ok", _version(name) or "of unknown version") for name in ("httpx", "attrs")),
        Check("sqlite", "ok", sqlite3.sqlite_version),
        _spec(),
    ]


def _spec() -> Check:
    try:
        spec = effective_spec()
    except (OSError, ValueError) as fault:
        advice = f"pip install --force-reinstall {PACKAGE}"
        return Check("spec", "failed", str(fault), advice, errors.ConfigurationError)
    digest = hashlib.sha256(document_text(spec).encode()).hexdigest()
    return Check("spec", "ok", f"{spec['info']['version']}, SHA-256 {digest}")


def installed() -> Mapping[str, Mapping[str, str | None]]:
    """Return the version of each library of each extra; nothing if the package itself was not installed."""
    found: dict[str, dict[str, str | None]] = {}
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        for line in importlib.metadata.requires(PACKAGE) or ():
            extra = re.search(r"extra == ['\"]([\w-]+)['\"]", line)
            name = re.match(r"[\w.-]+", line)
            if extra and name:
                found.setdefault(extra[1], {})[name[0]] = _version(name[0])
    return found


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def unwritable() -> str:
    """Return why no file can be made here; empty if one can."""
    try:
        check_writable(Path())
    except DiskError as fault:
        return str(fault)
    return ""


# --- what the environment says -----------------------------------------------------------------


def api_key() -> str:
    """Return the key, as it is used."""
    return os.environ.get("MODELSLAB_API_KEY", "").strip()


def secrets() -> Secrets:
    """Return what may not be told."""
    urls = [os.environ.get("MODELSLAB_BASE_URL", ""), *urllib.request.getproxies().values()]
    return Secrets.of(os.environ.get("MODELSLAB_API_KEY", ""), urls)


def key_problem() -> str:
    """Return what is wrong with the key, as the client sees it."""
    try:
        Settings.resolve(Secret(None), Secret(DEFAULT_BASE_URL))
    except errors.ConfigurationError as error:
        return str(error)
    return ""


def settings(*, with_key: bool) -> Settings | str:
    """Return where calls go, as the client sees it, or what is wrong with that."""
    try:
        return Settings.resolve(Secret(None if with_key else _PLACEHOLDER), Secret(None))
    except errors.ConfigurationError as error:
        return str(error)


def proxy(place: Settings) -> str:
    """Return the proxy that calls go through; empty for none."""
    host = asked_host(place.base_url)
    if place.is_local or urllib.request.proxy_bypass(host):
        return ""
    proxies, parts = urllib.request.getproxies(), split(place.base_url)
    return proxies.get(parts.scheme if parts else "https") or proxies.get("all") or ""


# --- calls -------------------------------------------------------------------------------------


def reach(place: Settings, trail: Trail, seconds: float, *, is_proxied: bool) -> None:
    """Ask the base URL's host for anything, without a key, over the client's own connections; note how far it came."""
    plain = Settings(base_url=place.base_url, key="")
    parts = split(place.base_url)
    try:
        if parts is not None and not is_proxied:
            port = parts.port or (443 if parts.scheme == "https" else 80)
            trail.addresses = len(socket.getaddrinfo(asked_host(place.base_url), port, type=socket.SOCK_STREAM))
        trail.stage = "tcp"
        with contextlib.closing(_connections.own_client(plain, 1)) as client:
            extensions = {"trace": _tracer(trail)}
            request = client.build_request("GET", plain.base_url, timeout=seconds, extensions=extensions)
            answer = client.send(request, stream=True, follow_redirects=False)
            trail.status = answer.status_code
            trail.content_type = answer.headers.get("content-type", "").partition(";")[0]
            trail.date = answer.headers.get("date", "")
            answer.close()
    except (errors.PonyError, *SEND_FAULTS) as fault:
        trail.fault = f"{type(fault).__name__}: {' '.join(str(fault).split())}"


def _tracer(trail: Trail) -> Callable[[str, Mapping[str, Any]], None]:
    """Return what httpx tells of a call's steps (httpx docs, extensions: "trace")."""

    def note(event: str, info: Mapping[str, Any]) -> None:
        stream = info.get("return_value")
        if event.endswith("connect_tcp.complete"):
            trail.peer = "{}:{}".format(*stream.get_extra_info("server_addr")[:2]) if stream else ""
            trail.stage = "http"
        elif event.endswith("start_tls.started"):
            trail.stage = "tls"
        elif event.endswith("start_tls.complete"):
            tls = stream.get_extra_info("ssl_object") if stream else None
            trail.tls = (tls.version() if tls else "") or "TLS"
            trail.stage = "http"

    return note


def balance(seconds: float) -> float | errors.PonyError:
    """Ask for the balance, once: it is read alone, and nothing is made or paid."""
    try:
        with _client.connect(timeout=seconds, retry=RetryPolicy(attempts=1)) as client:
            return client.balance().balance
    except errors.PonyError as error:
        return error


def within(seconds: float, act: Callable[[], object]) -> bool:
    """Do something in a thread of its own; tell whether it ended in time: a lookup of a name cannot be broken off."""
    with contextlib.suppress(concurrent.futures.TimeoutError):
        ended: concurrent.futures.Future[object] = concurrent.futures.Future()
        threading.Thread(target=_tell, args=(act, ended), daemon=True).start()
        ended.result(seconds)
        return True
    return False


def _tell(act: Callable[[], object], ended: concurrent.futures.Future[object]) -> None:
    try:
        ended.set_result(act())
    except BaseException as fault:  # noqa: BLE001 - it is raised where it is waited for
        ended.set_exception(fault)
