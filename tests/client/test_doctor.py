"""`pony doctor`: what it finds, that it asks for nothing that costs, and that it tells no secret."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import attrs
import pytest
from typer.testing import CliRunner, Result

from modelslab_pony import _connections, errors
from modelslab_pony.cli import _app, _checks, _doctor, _probe
from modelslab_pony.testing import Simulator
from modelslab_pony.testing.server import serving
from support.raw_server import RawServer, Talk
from support.tls import TlsServer, certificate

KEY = "sk-planted/0123456789"
LOGIN = "pass-word-0123"
BALANCE = {"status": "success", "data": {"balance": 12.34}}
Doctor = Callable[..., Result]


@pytest.fixture
def doctor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Doctor:
    """The command, with a key, in a folder of its own; whatever it prints is searched for secrets."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODELSLAB_API_KEY", KEY)

    def call(base_url: str = "", *options: str) -> Result:
        if base_url:
            monkeypatch.setenv("MODELSLAB_BASE_URL", base_url)
        result = CliRunner().invoke(_app.app, ["doctor", "--timeout", "5", *options])
        for secret in (KEY, KEY.replace("/", "\\/"), base64.b64encode(KEY.encode()).decode(), LOGIN, "12.34"):
            assert secret not in result.output
        assert "Traceback" not in result.output
        return result

    return call


def lines(result: Result) -> dict[str, str]:
    """Return what is said of each check, by its name: the outcome first."""
    found = {}
    for line in result.stdout.splitlines()[:-1]:
        outcome, rest = line.split(maxsplit=1)
        name, told = rest.split("  ", 1)
        found[name] = f"{outcome} {told.strip()}"
    return found


@pytest.fixture
def simulator() -> Simulator:
    return Simulator(eta=0, key=KEY)


@pytest.fixture
def url(simulator: Simulator) -> Iterator[str]:
    with serving(simulator) as base_url:
        yield base_url


# --- the whole of it -------------------------------------------------------------------------


def test_all_is_well(doctor: Doctor, url: str, simulator: Simulator) -> None:
    """Code 0, a line a check and one that sums them up; nothing was asked for that costs."""
    result = doctor(url)
    found = lines(result)
    assert result.exit_code == 0, result.output
    assert found["base url"] == f"ok {url} (from MODELSLAB_BASE_URL, this machine)"
    assert found["tls"] == "skipped the base URL is http"
    for name in ("python", "httpx", "attrs", "spec", "extra cli", "folder", "key", "dns", "tcp", "http", "clock"):
        assert found[name].startswith("ok "), name
    assert found["balance"] == "ok the key is taken"
    assert result.stdout.splitlines()[-1].endswith("ok, 0 failed, 1 skipped")
    assert list(simulator.submissions) == []
    assert not list(Path().iterdir())


def test_two_calls_are_all(doctor: Doctor) -> None:
    """One without the key, and one that reads the balance; each once, though it is refused."""
    with RawServer(lambda talk: talk.answer({"status": "error", "message": "busy"}, "500 X")) as server:
        assert doctor(server.url).exit_code == 27
        first, second = server.talks
    assert first.head.startswith("GET ")
    assert KEY not in first.head + first.body.decode()
    assert second.head.startswith("POST /wallet_balance ")


def test_json_says_the_same(doctor: Doctor, url: str) -> None:
    """One document, for success and failure."""
    document = json.loads(doctor(url, "--json").stdout)
    assert (document["status"], document["exit_code"]) == ("success", 0)
    assert {"name", "outcome", "told", "advice", "error"} == set(document["checks"][0])
    assert [check["name"] for check in document["checks"]] == list(lines(doctor(url)))


@pytest.mark.parametrize("has_key", [False, True])
def test_no_key_is_found(has_key: bool, doctor: Doctor, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And only then: the way is looked at all the same, the account is not asked."""
    if not has_key:
        monkeypatch.delenv("MODELSLAB_API_KEY")
    result = doctor(url)
    found = lines(result)
    assert result.exit_code == (0 if has_key else 10)
    assert found["key"].startswith("ok" if has_key else "failed no API key: set MODELSLAB_API_KEY")
    assert found["http"].startswith("ok")
    assert found["balance"] == ("ok the key is taken" if has_key else "skipped without a key")


def test_a_wrong_key_is_found(doctor: Doctor, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the service's word, with the code of that error."""
    monkeypatch.setenv("MODELSLAB_API_KEY", "sk-of-somebody-else")
    result = doctor(url)
    assert result.exit_code == 22
    assert lines(result)["balance"].startswith("failed AuthenticationError: ")
    assert "sk-of-somebody-else" not in result.output


@pytest.mark.parametrize("key", ["sk-planted 0123\x07", "sk-plänted-0123"])
def test_a_key_that_cannot_be_one_is_found(key: str, doctor: Doctor, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not shown."""
    monkeypatch.setenv("MODELSLAB_API_KEY", key)
    result = doctor(url)
    assert (result.exit_code, "holds characters that no key has" in lines(result)["key"]) == (10, True)
    assert "planted" not in result.output


# --- the way to the service ------------------------------------------------------------------


def test_a_port_that_nobody_listens_at(doctor: Doctor) -> None:
    """Code 12; what comes after it is skipped."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    result = doctor(f"http://127.0.0.1:{port}/api")
    found = lines(result)
    assert result.exit_code == 12
    assert found["dns"] == "ok 1 address(es)"
    assert found["tcp"].startswith("failed ConnectError: ")
    assert "->" in found["tcp"]
    assert found["http"] == "skipped after tcp, which failed"
    assert found["balance"] == "skipped the service cannot be reached"


def test_a_name_that_there_is_not(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is told from a port that is closed."""

    def lookup(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    result = doctor("https://nowhere.example/api")
    assert result.exit_code == 12
    assert lines(result)["dns"].startswith("failed gaierror: [Errno -2] Name or service not known")
    assert lines(result)["tcp"] == "skipped after dns, which failed"


def test_a_certificate_that_nobody_vouches_for(doctor: Doctor, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Fails at TLS, and nothing is sent."""
    with TlsServer(lambda talk: talk.answer(BALANCE), certificate(tmp_path_factory.mktemp("tls"))) as server:
        result = doctor(server.url)
        assert server.talks == []
    found = lines(result)
    assert result.exit_code == 12
    assert found["tcp"].startswith("ok connected to 127.0.0.1:")
    assert found["tls"].startswith("failed ConnectError: ")
    assert "SSL_CERT_FILE" in found["tls"]
    assert found["http"] == "skipped after tls, which failed"


def test_tls_is_the_clients_own(
    doctor: Doctor, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the client trusts, it trusts."""
    certified = certificate(tmp_path_factory.mktemp("tls"))
    trusting = ssl.create_default_context(cafile=certified)
    monkeypatch.setattr(_connections, "tls_context", lambda: trusting)
    with TlsServer(lambda talk: talk.answer(BALANCE), certified) as server:
        result = doctor(server.url)
    assert result.exit_code == 0, result.output
    assert lines(result)["tls"].startswith("ok TLSv1.")


@pytest.mark.parametrize(
    ("status", "code", "name"),
    [
        ("500 Oops", 27, "http"),
        ("502 Bad Gateway", 27, "http"),
        ("407 Who are you", 12, "http"),
        ("200 OK", 28, "balance"),
        ("404 Nothing", 28, "balance"),
    ],
)
def test_a_gateways_page_is_no_service(status: str, code: int, name: str, doctor: Doctor) -> None:
    """Under any status; the kind of page is told."""
    page = b"<html>who are you</html>"
    with RawServer(lambda talk: talk.answer(page, status, "content-type: text/html\r\n")) as server:
        result = doctor(server.url)
    assert result.exit_code == code, result.output
    assert f"HTTP {status[:3]} text/html" in lines(result)["http"]
    assert lines(result)[name].startswith("failed ")


def test_what_says_nothing_ends_in_time(doctor: Doctor) -> None:
    """After the time of one call, since the account is not asked then."""
    began = time.monotonic()
    with RawServer(lambda talk: talk.wait_until_left()) as server:
        result = doctor(server.url, "--timeout", "0.2")
    assert time.monotonic() - began < 5
    assert result.exit_code == 12
    assert lines(result)["http"].startswith("failed ReadTimeout")


def test_a_lookup_that_hangs_ends_in_time(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though nothing can break it off."""
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(30) and [])
    monkeypatch.setattr(_doctor, "GRACE", 0.0)
    result = doctor("https://slow.example/api", "--timeout", "0.1")
    over.set()
    assert lines(result)["dns"].startswith("failed no answer within 0.1 s")
    assert result.exit_code == 12


# --- secrets ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        f"https://me:{LOGIN}@gateway.example/api",
        f"https://gateway.example/api?token={LOGIN}",
        f"http://me:{LOGIN}@gateway.example",
        f"me:{LOGIN}@gateway.example",
        f"https://me:{LOGIN}@[gateway.example/api",
    ],
)
@pytest.mark.parametrize("has_key", [False, True])
def test_a_base_url_that_holds_a_secret(
    url: str, has_key: bool, doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Is refused as the client refuses it, and not shown (the fixture looks)."""
    if not has_key:
        monkeypatch.delenv("MODELSLAB_API_KEY")
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("it was looked up"))
    result = doctor(url)
    assert result.exit_code == 10
    assert lines(result)["base url"].startswith("failed the base URL ")
    assert lines(result)["http"] == "skipped without a base URL"


def test_a_base_url_that_holds_the_key(doctor: Doctor) -> None:
    """Likewise."""
    result = doctor(f"https://gateway.example/{KEY}/api")
    assert result.exit_code == 10
    assert lines(result)["base url"].startswith("failed the base URL holds the API key")


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "ALL_PROXY"])
@pytest.mark.parametrize("proxy", [f"http://me:{LOGIN}@127.0.0.1:{{port}}", f"me:{LOGIN}@127.0.0.1:{{port}}"])
def test_a_proxy_is_told_without_its_login(
    proxy: str, variable: str, doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call goes through it; what it says of the login is not passed on."""
    with RawServer(lambda talk: talk.answer(b"", f"407 Wrong {LOGIN}")) as server:
        monkeypatch.setenv(variable, proxy.format(port=server.port))
        result = doctor("https://service.example/api")
        assert [talk.head.split()[0] for talk in server.talks] == ["CONNECT"]
    found = lines(result)
    assert result.exit_code == 12
    assert found["proxy"] == f"ok calls go through http://127.0.0.1:{server.port}, with a login"
    assert found["dns"] == "skipped the proxy looks the name up"
    assert found["http"].startswith("failed ProxyError: 407")
    assert found["tls"] == "skipped it did not come to that"


@pytest.mark.parametrize(
    "proxy", [f"http://me:{LOGIN}/x9@127.0.0.1:1", f"http://me:{LOGIN}#x9@127.0.0.1:1", f"me:12345/{LOGIN}@127.0.0.1:1"]
)
def test_a_login_that_is_not_written_as_it_has_to_be(
    proxy: str, doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a slash in it, which a URL's reader takes for its end: the second half is not shown as a path or a port."""
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    result = doctor("https://service.example/api")
    assert result.exit_code != 0
    assert "12345" not in result.output
    assert "x9" not in result.output
    assert "https://service.example/api" in lines(result)["base url"]


@pytest.mark.parametrize("proxy", ["http://[bad", "http://host:port"])
def test_a_proxy_that_is_no_url_makes_no_secret_of_words(
    proxy: str, doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as "http"."""
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    assert lines(doctor("https://service.example/api"))["base url"].startswith("ok https://service.example/api")


def test_a_time_that_is_no_number_is_refused(doctor: Doctor) -> None:
    """As wrong usage."""
    assert doctor("https://service.example/api", "--timeout", "nan").exit_code == 2


def test_a_proxy_that_cannot_be_used(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is found before any call, with the code for that."""
    monkeypatch.setenv("HTTPS_PROXY", f"gopher://me:{LOGIN}@proxy.example")
    result = doctor("https://service.example/api")
    assert result.exit_code == 10, result.output
    assert lines(result)["proxy"].startswith("failed the proxy or certificate settings of the environment")


def echo(talk: Talk) -> None:
    said = f"no such key: {KEY} {json.dumps(KEY)} {base64.b64encode(KEY.encode()).decode()}"
    talk.answer({"status": "error", "message": said}, f"401 {KEY}", f"content-type: text/{KEY}\r\nx-key: {KEY}\r\n")


@pytest.mark.parametrize("option", [(), ("--json",)])
def test_a_key_that_is_echoed_is_not_passed_on(option: tuple[str, ...], doctor: Doctor) -> None:
    """In any spelling, in the status line, a header or the body (the fixture looks)."""
    with RawServer(echo) as server:
        result = doctor(server.url, *option)
    assert result.exit_code == 22
    assert "no such key: [api key]" in result.stdout


def test_a_key_too_short_to_be_looked_for_withholds_what_is_said(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No real key is as short."""
    monkeypatch.setenv("MODELSLAB_API_KEY", "qzx")
    with RawServer(lambda talk: talk.answer({"status": "error", "message": "key qzx?"}, "401 No")) as server:
        result = doctor(server.url)
    assert (result.exit_code, "qzx" in result.output) == (22, False)


def test_what_it_writes_cannot_move_the_cursor(doctor: Doctor) -> None:
    """The service's words are its own."""
    with RawServer(
        lambda talk: talk.answer({"status": "error", "message": "\x1b[2Jbad\r\nok  key"}, "400 X")
    ) as server:
        result = doctor(server.url)
    assert "\x1b" not in result.stdout
    assert result.exit_code == 21
    assert list(lines(result)).count("key") == 1


# --- what is decided without any call --------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "outcome", "told"),
    [
        (0, "ok", "within 300 s of"),
        (299, "ok", "within 300 s of"),
        (-299, "ok", "within 300 s of"),
        (301, "failed", "301 s ahead of"),
        (-301, "failed", "301 s behind"),
    ],
)
def test_a_clock_may_be_minutes_off(seconds: float, outcome: str, told: str) -> None:
    """But not more, either way: certificates and signed URLs would not hold."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    found = _checks.clock(format_datetime(now, usegmt=True), now.timestamp() + seconds)
    assert (found.outcome, found.told) == (outcome, f"{told} the other side's")


@pytest.mark.parametrize(
    "date",
    [
        "",
        "yesterday",
        "Thu, 01 Jan 9999999999 00:00:00 GMT",
        "Thu, 01 Jan 2026 00:00:00 +99999999999999999",
    ],
)
def test_without_a_date_there_is_nothing_to_compare(date: str) -> None:
    """Skipped, and no failure."""
    assert _checks.clock(date, 0.0).outcome == "skipped"


def test_an_extra_is_whole_or_missing() -> None:
    """Its libraries with their versions, or which one is missing and how to get it."""
    one, other = _checks.extras({"cli": {"typer": "1", "rich": "2"}, "batch": {"dbos": "3", "pillow": None}})
    assert (one.outcome, one.told) == ("ok", "typer 1, rich 2")
    assert (other.outcome, other.told) == ("skipped", "not installed: pillow")
    assert "modelslab-pony[batch]" in other.advice
    assert set(_probe.installed()) == {"aiohttp", "batch", "cli", "images", "testing", "webhooks"}


def test_the_first_failure_decides_the_code() -> None:
    """In the order of the report."""
    failures = [
        _checks.Check("a", "ok", ""),
        _checks.Check("b", "failed", "", error=errors.ServerError),
        _checks.Check("c", "failed", "", error=errors.ConfigurationError),
    ]
    assert _checks.code(failures) == 27
    assert _checks.lines(failures)[-1] == "1 ok, 2 failed, 0 skipped; exit code 27, for b"


def test_an_empty_wallet_is_told_and_is_no_failure() -> None:
    """A plan may pay; how much there is is not told."""
    nothing = _checks.Secrets.of(KEY, [])
    told = [_checks.account(sum_, nothing, KEY) for sum_ in (0.0, 99.0)]
    assert [check.outcome for check in told] == ["ok", "ok"]
    assert "wallet is empty" in told[0].told
    assert "99" not in told[1].told


def test_a_folder_without_room_is_found(doctor: Doctor, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the code of a request whose images cannot be saved."""
    monkeypatch.setattr(_probe, "unwritable", lambda: "Read-only file system")
    result = doctor(url)
    assert (result.exit_code, lines(result)["folder"][:6]) == (11, "failed")


def test_secrets_do_not_show_themselves() -> None:
    """Not in a traceback with locals either."""
    assert KEY not in repr(_checks.Secrets.of(KEY, [f"http://me:{LOGIN}@x"]))
    assert attrs.fields(_checks.Secrets).values.repr is False
