"""What the places where a key could be are provoked with, and how each defence is switched off."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import field, frozen

from modelslab_pony import AsyncPonyClient, PonyClient, PonyError, _redact
from modelslab_pony._async_calls import AsyncCalls
from modelslab_pony._redact import Redactor
from modelslab_pony._settings import Settings
from modelslab_pony.testing._core import Core
from support.both import KEY
from support.echoing import FAST, World
from support.leaks import chain, exception_texts, walked

Texts = list[str | bytes]


@frozen
class Bench:
    """What a place is provoked with."""

    hosts: World
    folder: Path
    redactor: Redactor = field(factory=lambda: Redactor(KEY))

    def client(self, **options: Any) -> PonyClient:
        return PonyClient(KEY, base_url=self.hosts.url, **{**FAST, **options})

    def async_client(self, **options: Any) -> AsyncPonyClient:
        return AsyncPonyClient(KEY, base_url=self.hosts.url, **{**FAST, **options})

    def errors(self, call: Callable[[PonyClient], Any], **options: Any) -> list[BaseException]:
        with self.client(**options) as pony, pytest.raises(PonyError) as raised:
            call(pony)
        return chain(raised.value)


# --- switching off ---------------------------------------------------------------------------


def redactor_off(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("text", "body"):
        monkeypatch.setattr(Redactor, name, lambda _, given: given)


def filter_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_redact._FILTER, "filter", lambda _: True)


def shown_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Settings, "__repr__", lambda settings: f"Settings({settings.key!r})")
    monkeypatch.setattr(PonyClient, "__repr__", lambda pony: f"<PonyClient {pony._settings!r}>")


def frames_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, module in list(sys.modules.items()):
        if name.startswith("modelslab_pony.") and hasattr(module, "without_frames"):
            monkeypatch.setattr(module, "without_frames", lambda fault: fault)


def frames_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cancelled task is cancelled within httpx, and its frames are kept."""

    async def as_it_comes(_: AsyncCalls, call: Awaitable[Any], __: float) -> Any:
        return await call

    monkeypatch.setattr(AsyncCalls, "_in_time", as_it_comes)
    frames_kept(monkeypatch)


def key_in_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve = Settings.resolve.__func__  # type: ignore[attr-defined]  # of a class method

    def careless(cls: type[Settings], api_key: Any, base_url: Any) -> Settings:
        try:
            return resolve(cls, api_key, base_url)  # type: ignore[no-any-return]  # of a class method
        except PonyError as error:
            error.add_note(f"with {getattr(api_key, 'given', api_key)!r} and {base_url!r}")
            raise

    monkeypatch.setattr(Settings, "resolve", classmethod(careless))


def simulator_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    checked = Core._checked

    def keeping(core: Core, operation: str, content: bytes) -> Any:
        body = checked(core, operation, content)
        return {**body, "track_id": body["key"]} if isinstance(body, dict) else body

    monkeypatch.setattr(Core, "_checked", keeping)


# --- logs ------------------------------------------------------------------------------------


@contextlib.contextmanager
def logged() -> Iterator[Texts]:
    """Keep what all loggers say at DEBUG, as a file has it, and as a reporter that takes records apart."""
    texts: Texts = []

    class Keeping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            texts.append(self.format(record))
            texts.extend(walked({name: value for name, value in vars(record).items() if name != "exc_info"}))
            if record.exc_info and record.exc_info[1]:
                texts.extend(exception_texts(record.exc_info[1]))

    handler, root = Keeping(), logging.getLogger()
    names = ("httpx", "httpcore", "asyncio", "dbos", "sqlalchemy", "modelslab_pony")
    before = {name: logging.getLogger(name).level for name in names}
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    for name in names:
        logging.getLogger(name).setLevel(logging.DEBUG)
    try:
        yield texts
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        for name, known in before.items():
            logging.getLogger(name).setLevel(known)
