"""The key goes nowhere unencrypted, and none of our options makes that otherwise."""

from __future__ import annotations

import ast
import inspect
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer.main

import modelslab_pony
from modelslab_pony import AsyncPonyClient, ConfigurationError, PonyClient, TextToImage, TransportError
from modelslab_pony._pool import AsyncPool, Pool
from modelslab_pony.batch import AsyncBatch, Batch, Worker
from modelslab_pony.cli._app import app
from modelslab_pony.testing import Simulator
from support.both import KEY
from support.echoing import FAST

PACKAGE = Path(modelslab_pony.__file__).parent
ENVIRONMENT = {"MODELSLAB_API_KEY", "MODELSLAB_BASE_URL", "PONY_DATABASE"}
SUSPECT = re.compile(r"verif|insecure|tls|ssl|cert|trust|check_host|http1|http2|unsafe(?!_words)|plain", re.IGNORECASE)

REFUSED = [
    "http://modelslab.com/api/v6/images",
    "HTTP://modelslab.com",
    "http://10.0.0.1",
    "http://192.168.1.1:8080",
    "http://0.0.0.0:80",
    "http://[::]",
    "http://[fe80::1]",
    "http://169.254.169.254",
    "http://127.evil.example",
    "http://127.0.0.1.evil.example",
    "http://localhost.evil.example",
    "http://evil.localhost",
    "http://localhost.",
    "http://2130706433",
    "http://0x7f000001",
    "http://127.1",
    "http://①27.0.0.1",
    "http://localhost\\@evil.example",
    "http://localhost@evil.example",
    "http://evil.example#@localhost",
    "http://evil.example\\.localhost",
    "http:/localhost",
    "http:localhost",
    "//localhost",
    "ws://localhost",
]
TAKEN = ["http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1", "http://127.255.0.3:1", "https://a.example"]


def sources() -> Iterator[Callable[[str], object]]:
    yield lambda url: PonyClient(KEY, base_url=url).close()
    yield lambda url: AsyncPonyClient(KEY, base_url=url)


@pytest.mark.parametrize("url", REFUSED)
def test_http_is_for_this_machine(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """From each place that a base URL comes from, and before anything is sent."""
    for make in sources():
        with pytest.raises(ConfigurationError):
            make(url)
    monkeypatch.setenv("MODELSLAB_BASE_URL", url)
    with pytest.raises(ConfigurationError):
        PonyClient(KEY)


@pytest.mark.parametrize("url", TAKEN)
def test_what_is_taken_goes_where_it_says(url: str) -> None:
    """httpx reads the same host in it as the check did."""
    with PonyClient(KEY, base_url=url) as pony:
        assert httpx.URL(pony._settings.url(None, "/x")).host in {
            "127.0.0.1",
            "localhost",
            "::1",
            "127.255.0.3",
            "a.example",
        }


def test_a_batch_and_a_worker_refuse_it_too(tmp_path: Path) -> None:
    """As soon as they have a client."""
    with pytest.raises(ConfigurationError, match="unencrypted"):
        Batch(tmp_path, [TextToImage("x")], api_key=KEY, base_url="http://10.0.0.1").run()


# --- certificates ----------------------------------------------------------------------------


def contexts(client: Any) -> list[ssl.SSLContext]:
    """Return what each connection of an httpx client is secured with; proxies have their own."""
    inner = client._httpx
    transports = [inner._transport, *(proxy for proxy in inner._mounts.values() if proxy is not None)]
    pools = [transport._pool for transport in transports]
    return [pool._context() if isinstance(pool, Pool | AsyncPool) else pool._ssl_context for pool in pools]


def is_strict(context: ssl.SSLContext) -> bool:
    return (
        context.verify_mode is ssl.CERT_REQUIRED
        and context.check_hostname
        and context.minimum_version >= ssl.TLSVersion.TLSv1_2
    )


TRIED = (
    "MODELSLAB_VERIFY",
    "MODELSLAB_VERIFY_SSL",
    "MODELSLAB_SSL_VERIFY",
    "MODELSLAB_INSECURE",
    "MODELSLAB_TRUST_ENV",
    "PYTHONHTTPSVERIFY",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "NODE_TLS_REJECT_UNAUTHORIZED",
    "GIT_SSL_NO_VERIFY",
)


@pytest.mark.parametrize("kind", [PonyClient, AsyncPonyClient])
@pytest.mark.parametrize("proxy", [None, "http://proxy.example:3128"])
def test_certificates_are_always_checked(kind: Any, proxy: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the environment says; also through a proxy."""
    for name in TRIED:
        monkeypatch.setenv(name, "0")
    if proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
    found = contexts(kind(KEY))
    assert len(found) == (2 if proxy else 1)
    assert all(map(is_strict, found))


def test_a_client_that_did_not_check_would_be_noticed() -> None:
    """The look at the context sees it."""
    with httpx.Client(verify=False) as http:  # noqa: S501 - that it is wrong is the point
        assert not any(map(is_strict, contexts(PonyClient(KEY, http_client=http))))


@pytest.mark.parametrize("strict", [True, False])
def test_a_server_without_a_certificate_for_its_name_hears_no_key(strict: bool) -> None:
    """The handshake fails, whatever our own options are; nothing was sent, and that is what is told."""
    heard = bytearray()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with server.accept()[0] as connection:
                heard.extend(connection.recv(65536))

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"https://127.0.0.1:{server.getsockname()[1]}"
        options: dict[str, Any] = {"base_url": url, "strict": strict, "timeout": 5, **FAST}
        with PonyClient(KEY, **options) as pony, pytest.raises(TransportError, match="no connection was made"):
            pony.submit(TextToImage("x"))
        thread.join()
    assert heard[:1] == b"\x16"  # a TLS handshake
    assert KEY.encode() not in heard


def test_no_argument_of_ours_is_about_certificates() -> None:
    """A caller who wants something else lends an httpx client, and says so there."""
    for kind in (PonyClient, AsyncPonyClient, Batch, AsyncBatch, Worker, Simulator):
        assert not [name for name in inspect.signature(kind).parameters if SUSPECT.search(name)], kind
    assert SUSPECT.search("verify_tls")


def options_of(command: Any) -> Iterator[str]:
    for parameter in command.params:
        yield from (*parameter.opts, *parameter.secondary_opts)
        yield from [parameter.envvar] if isinstance(parameter.envvar, str) else parameter.envvar or ()
    for other in getattr(command, "commands", {}).values():
        yield from options_of(other)


def test_no_option_of_the_command_is() -> None:
    """Nor does any take the key, which a list of processes would show; the simulator's own one excepted."""
    command: Any = typer.main.get_command(app)
    known = list(options_of(command))
    assert "--timeout" in known
    assert not [name for name in known if SUSPECT.search(name)]
    takes_key = [
        name
        for name, found in command.commands.items()
        if any(re.search("key", option) for option in options_of(found))
    ]
    assert takes_key == ["simulator"]


def test_the_environment_has_three_names_of_ours() -> None:
    """Where to, with which key, and where batches are kept."""
    known = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                known |= set(re.findall(r"\b(?:MODELSLAB|PONY)_[A-Z_]+\b", node.value))
    assert known == ENVIRONMENT


def test_nothing_of_ours_switches_checks_off() -> None:
    """No `verify=` anywhere but with the system's certificates, no context without checks."""
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        words = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        assert not words & {"_create_unverified_context", "CERT_NONE", "CERT_OPTIONAL", "check_hostname", "verify_mode"}
        verified = [node.value for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg == "verify"]
        assert not [value for value in verified if isinstance(value, ast.Constant)], path
