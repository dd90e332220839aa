"""The key in what processes print, write and leave behind when they fail: the command, pytest, a program that crashes.

The key comes from the environment. Where a twin is told to, it is shown by force, and the same search finds it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from support.both import KEY
from support.echoing import World, echo, world
from support.hosts import Asked, Said
from support.leaks import file_texts, found

PONY = ("-m", "modelslab_pony.cli")
SHOWN = """\
from modelslab_pony._redact import Redactor, _FILTER
Redactor.text = Redactor.body = lambda self, given: given
_FILTER.filter = lambda record: True
"""
"""What a process runs first that is to have no defence."""


@pytest.fixture
def hosts() -> Iterator[World]:
    with world() as made:
        yield made


def run(
    hosts: World, folder: Path, *arguments: str, off: bool = False, change: Mapping[str, str] = MappingProxyType({})
) -> tuple[int, list[str | bytes]]:
    """Run Python in a folder, where it also has its temporary files; return its code, and all that it left."""
    (folder / "tmp").mkdir(exist_ok=True)
    (folder / "site").mkdir(exist_ok=True)
    (folder / "site" / "sitecustomize.py").write_text(SHOWN if off else "", "utf-8")
    path = os.pathsep.join(map(str, (folder / "site", *filter(None, sys.path))))
    environment = {
        **os.environ,
        "MODELSLAB_API_KEY": KEY,
        "MODELSLAB_BASE_URL": hosts.url,
        "TMPDIR": str(folder / "tmp"),
        "HOME": str(folder),
        "PYTHONPATH": path,
        "PYTHONFAULTHANDLER": "1",
        "COLUMNS": "500",
        **change,
    }
    command = [sys.executable, *arguments]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, check=False, timeout=100)
    (folder / "site" / "sitecustomize.py").unlink()
    return done.returncode, [done.stdout, done.stderr, *file_texts(folder)]


# --- the command -----------------------------------------------------------------------------

WAYS = {
    "a success": (["text2img", "a lighthouse"], 0, None),
    "a success as JSON": (["text2img", "a lighthouse", "--json"], 0, None),
    "a job of another process": (["fetch", "7", "--json"], 0, None),
    "balance": (["balance", "--json"], 0, None),
    "reload": (["reload", "m"], 0, None),
    "wrong usage": (["text2img"], 2, None),
    "a field that is wrong": (["text2img", "x", "--width", "7"], 11, None),
    "the key as a field": (["text2img", "x", "--extra", "key=y"], 11, None),
    "no connection": (["text2img", "x"], 12, "closed"),
    "no answer": (["text2img", "x", "--json"], 13, Said(200, b"", (("content-length", "x"),))),
    "a refusal": (["text2img", "x", "--json"], 21, echo({"status": "error", "errors": {"key": [KEY]}}, 400)),
    "a wrong key": (["text2img", "x"], 22, echo({"status": "error", "message": f"Invalid API key: {KEY}"}, 401)),
    "no money": (["text2img", "x"], 23, echo({"status": "error"}, 402)),
    "not in the plan": (["balance"], 24, echo({"status": "error"}, 403)),
    "no such model": (["reload", "m"], 25, echo({"status": "error"}, 404)),
    "a gateway's page": (["balance"], 27, Said(502, f"<h1>{KEY}</h1>".encode(), reason=KEY)),
    "an odd answer": (["balance", "--json"], 28, echo({"status": "success", "data": KEY})),
    "a failed job": (["text2img", "x"], 30, echo({"status": "failed", "output": ""})),
    "no time": (["text2img", "x", "--timeout", "0", "--json"], 31, echo({"status": "processing", "id": 7})),
    "no picture": (["fetch", "7", "--json"], 32, "no picture"),
    "no folder": (["text2img", "x", "-o", "/proc/none"], 11, None),
    "a batch with a refusal": (["batch", "rows.txt", "-o", "out"], 40, echo({"status": "error"}, 400)),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_command_shows_no_key(way: str, hosts: World, tmp_path: Path) -> None:
    """However it ends: on its screen, in what it writes, in temporary files; in Python's developer mode."""
    arguments, code, said = WAYS[way]
    change = _prepared(hosts, said)
    (tmp_path / "rows.txt").write_text("a lighthouse\n", "utf-8")
    ended, texts = run(hosts, tmp_path, "-X", "dev", *PONY, *arguments, change=change)
    assert ended == code, texts[:2]
    assert found(KEY, *texts) == []
    assert found(KEY[:9], *map(str, hosts.base.asked)) or said == "closed" or code in {2, 11}


def _prepared(hosts: World, said: Said | str | None) -> dict[str, str]:
    if said == "closed":
        return {"MODELSLAB_BASE_URL": "http://127.0.0.1:9"}
    if said == "no picture":
        hosts.cdn.answer = lambda _: Said(404, KEY.encode(), reason=KEY)
    elif isinstance(said, Said):
        hosts.base.answer = lambda _: said
    return {}


@pytest.mark.parametrize("way", ["a success as JSON", "a refusal", "a wrong key", "a failed job"])
def test_a_command_without_its_defence_would_show_it(way: str, hosts: World, tmp_path: Path) -> None:
    """The search looks where it would be."""
    arguments, _, said = WAYS[way]
    change = _prepared(hosts, said)
    _, texts = run(hosts, tmp_path, *PONY, *arguments, off=True, change=change)
    assert found(KEY, *texts)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGABRT])
def test_a_command_that_is_ended_shows_no_key(number: signal.Signals, hosts: World, tmp_path: Path) -> None:
    """By Ctrl-C, by a supervisor, or by a crash, with what faulthandler then prints."""

    def slow(_: Asked) -> Said:
        time.sleep(0.5)
        return echo({"status": "error"}, 500)

    hosts.base.answer = slow
    environment = {
        **os.environ,
        "MODELSLAB_API_KEY": KEY,
        "MODELSLAB_BASE_URL": hosts.url,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "PYTHONFAULTHANDLER": "1",
    }
    command = [sys.executable, "-X", "dev", *PONY, "text2img", "a lighthouse"]
    with subprocess.Popen(
        command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        deadline = time.monotonic() + 30
        while not hosts.base.asked:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(number)
        texts = process.communicate(timeout=30)
    assert process.returncode != 0
    assert (b"Fatal Python error" in texts[1]) == (number == signal.SIGABRT)
    assert found(KEY, *texts, *file_texts(tmp_path)) == []


# --- pytest, rich, an excepthook -------------------------------------------------------------------

TESTS = """\
import asyncio
import httpx
import pytest
from modelslab_pony import AsyncPonyClient, PonyClient, TextToImage


class Breaking(httpx.BaseTransport):
    def handle_request(self, request):
        raise LookupError("mine")


def call(pony):
    return pony.submit(TextToImage("a lighthouse"))


def test_refused():
    with PonyClient() as pony:
        call(pony)


def test_awaited():
    async def run():
        async with AsyncPonyClient() as pony:
            await pony.submit(TextToImage("a lighthouse"))
    asyncio.run(run())


def test_not_set_up():
    PonyClient(max_in_flight=0)


def test_no_json():
    PonyClient(strict=False).submit(TextToImage("x", extra={"a": {1, 2}}))


def test_log(caplog):
    caplog.set_level(0)
    with PonyClient() as pony:
        call(pony)
"""
LENT = """

def test_a_fault_of_ones_own():
    with httpx.Client(transport=Breaking()) as http:
        call(PonyClient(http_client=http))
"""
PROGRAM = """\
import sys
{hook}
from modelslab_pony import PonyClient, TextToImage
pony = PonyClient()
try:
    1 / 0
except ZeroDivisionError:
    pony.submit(TextToImage("a lighthouse"))
"""
HOOKS = {
    "plain": "",
    "rich": "from rich.traceback import install; install(show_locals=True, width=400, locals_max_string=None)",
    "traceback with locals": (
        "import traceback; sys.excepthook = lambda kind, error, trace: print(\n"
        "    *traceback.TracebackException(kind, error, trace, capture_locals=True).format(), file=sys.stderr)"
    ),
}


@pytest.mark.parametrize("off", [False, True], ids=["on", "off"])
@pytest.mark.parametrize("style", ["auto", "long", "native"])
def test_pytest_shows_no_key(style: str, off: bool, hosts: World, tmp_path: Path) -> None:
    """With the locals of every frame, and the log of everything; it would without the defence."""
    hosts.base.answer = lambda _: echo({"status": "error", "message": f"Invalid API key: {KEY}"}, 401)
    (tmp_path / "test_application.py").write_text(TESTS, "utf-8")
    options = ["--showlocals", f"--tb={style}", "-vv", "-o", "log_level=DEBUG", "-p", "no:cacheprovider"]
    code, texts = run(hosts, tmp_path, "-m", "pytest", *options, "test_application.py", off=off)
    assert code == 1, texts[:2]
    assert b"5 failed" in bytes(texts[0])  # type: ignore[arg-type]  # what a process printed is bytes
    assert bool(found(KEY, *texts)) is off


def test_pytest_shows_no_key_after_a_fault_of_ones_own(hosts: World, tmp_path: Path) -> None:
    """A transport, or a hook, of the application's own that fails with the request at hand."""
    (tmp_path / "test_application.py").write_text(TESTS + LENT, "utf-8")
    code, texts = run(hosts, tmp_path, "-m", "pytest", "--showlocals", "-vv", "-k", "ones_own", "test_application.py")
    assert code == 1
    assert found(KEY, *texts) == []


@pytest.mark.parametrize("off", [False, True], ids=["on", "off"])
@pytest.mark.parametrize("hook", HOOKS)
def test_a_program_that_crashes_shows_no_key(hook: str, off: bool, hosts: World, tmp_path: Path) -> None:
    """Whatever prints its last words."""
    hosts.base.answer = lambda _: echo({"status": "error", "message": f"Invalid API key: {KEY}"}, 401)
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.format(hook=HOOKS[hook]), "utf-8")
    code, texts = run(hosts, tmp_path, "-X", "dev", str(program), off=off)
    assert code == 1
    assert b"AuthenticationError" in bytes(texts[1])  # type: ignore[arg-type]  # what a process printed is bytes
    assert bool(found(KEY, *texts)) is off


def test_asyncios_debug_mode_shows_no_key(hosts: World, tmp_path: Path) -> None:
    """In a process of its own: tasks and callbacks are shown with what they run."""
    program = (
        "import asyncio, logging\nlogging.basicConfig(level=logging.DEBUG)\n"
        "from modelslab_pony import AsyncPonyClient\n"
        "async def main():\n    asyncio.get_running_loop().slow_callback_duration = 1e-9\n"
        "    async with AsyncPonyClient() as pony:\n"
        "        task = asyncio.create_task(pony.text2img('a lighthouse'))\n"
        "        await asyncio.wait([task], timeout=0.01)\n        task.cancel()\n"
        "        await asyncio.wait([task])\n        await pony.balance()\nasyncio.run(main())\n"
    )
    code, texts = run(hosts, tmp_path, "-c", program, change={"PYTHONASYNCIODEBUG": "1"})
    assert code == 0, texts[:2]
    assert b"Executing <" in bytes(texts[1])  # type: ignore[arg-type]  # what a process printed is bytes
    assert found(KEY, *texts) == []
