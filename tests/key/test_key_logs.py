"""The key stays out of what httpx and httpcore log, also when a service repeats it where only they look."""

from __future__ import annotations

import gc
import logging
import pickle
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpcore
import httpx
import pytest

from modelslab_pony import PonyClient, _redact
from modelslab_pony._redact import LOGGERS, WITHHELD, KeyFilter, Redactor, keep_out_of_logs
from support.both import KEY
from support.echoing import FAST, SPELLINGS, world
from support.leaks import found, walked


@pytest.fixture
def redactor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Redactor]:
    """One that is kept out of logs by a filter of its own."""
    before = _redact._FILTER
    mine = KeyFilter()
    monkeypatch.setattr(_redact, "_FILTER", mine)
    for name in LOGGERS:
        logging.getLogger(name).removeFilter(before)
    made = Redactor(KEY)
    keep_out_of_logs(made)
    yield made
    for name in LOGGERS:
        logging.getLogger(name).removeFilter(mine)
        logging.getLogger(name).addFilter(before)


def texts(caplog: pytest.LogCaptureFixture) -> list[str | bytes]:
    """Return what was logged, formatted and taken apart."""
    known = [text for record in caplog.records for text in walked(vars(record))]
    return [*known, caplog.text, *(pickle.dumps(vars(record)) for record in caplog.records if not record.exc_info)]


@pytest.mark.usefixtures("redactor")
@pytest.mark.parametrize("is_on", [True, False])
def test_what_a_service_repeats_in_its_first_line_and_headers_is_logged_without_it(
    is_on: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """httpx logs the reason phrase, at INFO; httpcore each header, at DEBUG. Without the filter both show it."""
    caplog.set_level(logging.DEBUG)
    if not is_on:
        for name in LOGGERS:
            logging.getLogger(name).removeFilter(_redact._FILTER)
    with world() as hosts, PonyClient(KEY, base_url=hosts.url, **FAST) as pony:
        if not is_on:
            for name in LOGGERS:
                logging.getLogger(name).removeFilter(_redact._FILTER)
        pony.balance()
    seen = {record.name for record in caplog.records if found(KEY, record.getMessage())}
    assert seen == (set() if is_on else {"httpx", "httpcore.http11"})
    assert bool(found(KEY, *texts(caplog))) is not is_on
    assert {"httpx", "httpcore.http11", "httpcore.connection"} <= {record.name for record in caplog.records}


def test_a_client_does_so_by_itself(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody has to ask for it."""
    caplog.set_level(logging.DEBUG)
    with world() as hosts, PonyClient("sk-another/9876543210", base_url=hosts.url, **FAST):
        logging.getLogger("httpcore.http11").debug("said sk-another/9876543210")
    assert caplog.messages == ["said [api key]"]


def test_every_logger_of_what_carries_a_call_is_known() -> None:
    """httpx's and httpcore's, read from their source, and those of HTTP/2, which need not be installed."""
    sources = [path for library in (httpx, httpcore) for path in Path(library.__path__[0]).rglob("*.py")]
    named = {name for path in sources for name in re.findall(r'getLogger\("([^"]+)"\)', path.read_text("utf-8"))}
    assert {"httpx", "httpcore.http11", "httpcore.http2"} <= named
    assert named | {"hpack.hpack", "hpack.table", "modelslab_pony"} <= set(LOGGERS)


@pytest.mark.usefixtures("redactor")
@pytest.mark.parametrize("name", LOGGERS)
def test_each_logger_is_watched(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """A filter does not see what is logged below it."""
    caplog.set_level(logging.DEBUG)
    for spelling in SPELLINGS.values():
        logging.getLogger(name).debug("%s", spelling)
    assert len(caplog.records) == len(SPELLINGS)
    assert found(KEY, *texts(caplog)) == []


def test_each_logger_of_ours_is_among_them() -> None:
    """A filter on `modelslab_pony` does not see what is logged below it."""
    package = Path(_redact.__file__).parent
    named = {
        name
        for path in package.rglob("*.py")
        for name in re.findall(r'getLogger\("(modelslab_pony[\w.]*)"', path.read_text("utf-8"))
    }
    assert named
    assert named <= set(LOGGERS)


@pytest.mark.usefixtures("redactor")
def test_every_part_of_a_record_is_cleaned(caplog: pytest.LogCaptureFixture) -> None:
    """Words, arguments, also those that are not shown, extras, tracebacks, stacks; the rest stays."""
    caplog.set_level(logging.DEBUG)
    log = logging.getLogger("httpx")
    log.debug("plain %s and %d", "words", 7)
    log.debug(f"key {KEY}")  # noqa: G004 - as httpcore does
    log.debug("key %s of %r", KEY, KEY.encode())
    log.debug("cut %.3s", KEY)
    log.debug("by name %(k)s", {"k": KEY})
    log.debug({"key": KEY})
    log.debug("extra", extra={"header": KEY})
    log.debug("percent 100%", extra={"n": 5})
    log.error("fault", exc_info=ValueError(KEY))
    assert found(KEY, *texts(caplog)) == []
    assert caplog.records[0].args == ("words", 7)
    assert caplog.messages[:4] == ["plain words and 7", "key [api key]", "key [api key] of b'[api key]'", "cut sk-"]
    assert "ValueError: [api key]" in caplog.text


@pytest.mark.usefixtures("redactor")
def test_an_exception_that_holds_no_key_is_handed_on(caplog: pytest.LogCaptureFixture) -> None:
    """A crash reporter wants it whole."""
    error = ValueError("other")
    logging.getLogger("httpx").error("fault", exc_info=error)
    exc_info = caplog.records[0].exc_info
    assert exc_info is not None
    assert exc_info[1] is error


class Odd:
    def __repr__(self) -> str:
        raise RuntimeError(KEY)


@pytest.mark.usefixtures("redactor")
@pytest.mark.parametrize(("said", "arguments"), [("%s", (Odd(),)), ("%d", (KEY,)), ("no place", (KEY,))])
def test_a_record_that_cannot_be_read_is_withheld(
    said: str, arguments: tuple[Any, ...], caplog: pytest.LogCaptureFixture, capsys: Any
) -> None:
    """Nothing is raised, and logging itself does not print its arguments to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    log = logging.getLogger("httpx")
    log.addHandler(handler)
    try:
        log.error(said, *arguments)
        log.error(said, *arguments, exc_info=LookupError(KEY), stack_info=True)
    finally:
        log.removeHandler(handler)
    assert caplog.messages == [WITHHELD] * 2
    assert capsys.readouterr().err == f"{WITHHELD}\n" * 2


def test_it_is_done_once_and_forgotten_with_the_client(redactor: Redactor) -> None:
    """One filter however many clients; a client that is gone leaves nothing behind."""
    for _ in range(100):
        keep_out_of_logs(Redactor(f"{KEY}!"))
        keep_out_of_logs(redactor)
    gc.collect()
    assert all(logging.getLogger(name).filters.count(_redact._FILTER) == 1 for name in LOGGERS)
    assert [known() for known in _redact._FILTER._known.values()] == [redactor]


def test_threads_may_make_clients_while_others_log(redactor: Redactor, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is missed."""
    caplog.set_level(logging.DEBUG)
    kept: list[Redactor] = [redactor]

    def make() -> None:
        for number in range(300):
            kept.append(Redactor(f"sk-{number}-0123456789"))
            keep_out_of_logs(kept[-1])

    threads = [threading.Thread(target=make) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(50):
        logging.getLogger("httpx").debug(KEY)
    for thread in threads:
        thread.join()
    assert found(KEY, caplog.text) == []
    assert {known() for known in _redact._FILTER._known.values()} == set(kept)


@pytest.mark.usefixtures("redactor")
def test_what_is_not_logged_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The filter is not even asked."""

    def asked(_: object) -> bool:
        raise AssertionError

    monkeypatch.setattr(_redact._FILTER, "filter", asked)
    monkeypatch.setattr(logging.getLogger("httpcore.http11"), "level", logging.WARNING)
    logging.getLogger("httpcore.http11").debug(KEY)
