"""The wheel where nothing else is: what each extra brings, and what its absence says."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

import modelslab_pony
from support.packages import Environment

pytest_plugins = ["support.packaged"]
Installed = Callable[..., Environment]
PYTEST = f"pytest=={version('pytest')}"

# --- what runs in the environments: nothing of these tests is there -------------------------------


def _names() -> None:
    import modelslab_pony

    for name in modelslab_pony.__all__:
        assert getattr(modelslab_pony, name)


def _saved() -> None:
    from modelslab_pony import PonyClient

    with PonyClient() as pony:
        path = pony.text2img("a lighthouse", seed=7).images[0].save("lighthouse.png")
    assert path.read_bytes().startswith(b"\x89PNG")


def _opened() -> None:
    from modelslab_pony import PonyClient

    with PonyClient() as pony:
        assert pony.text2img("a lighthouse").images[0].to_pil().size == (1024, 1024)


def _through_aiohttp() -> None:
    import asyncio

    from modelslab_pony import AsyncPonyClient

    async def main() -> None:
        async with AsyncPonyClient(http_client="aiohttp") as pony:
            assert (await pony.text2img("a lighthouse")).id

    asyncio.run(main())


def _batch() -> None:
    from modelslab_pony.batch import Batch

    status = Batch("out", [{"prompt": "a lighthouse"}, {"prompt": "a harbour"}]).run()
    assert status.is_complete, status


def _received() -> None:
    import asyncio

    import httpx

    from modelslab_pony import AsyncPonyClient, TextToImage
    from modelslab_pony.webhooks import Receiver, new_token

    async def main() -> None:
        told: asyncio.Queue[object] = asyncio.Queue()
        async with AsyncPonyClient() as pony:
            receiver = Receiver(pony, told.put, token=new_token())
            job = await pony.submit(TextToImage("a lighthouse"))
            async with httpx.AsyncClient(transport=httpx.ASGITransport(receiver)) as vendor:
                posted = {"id": job.id, "status": "success"}
                answer = await vendor.post(receiver.url("https://app.example"), json=posted)
            assert answer.status_code == 200, answer.text
            assert told.qsize() == 1

    asyncio.run(main())


def _simulated() -> None:
    from modelslab_pony.testing import Simulator, VirtualClock, faults

    simulator = Simulator(clock=VirtualClock())
    simulator.faults.add(faults.HTML(502), on="fetch")
    with simulator.client() as pony:
        assert pony.text2img("a lighthouse").images[0].read().startswith(b"\x89PNG")


# --- what they are told where an extra is missing --------------------------------------------------


def _no_pillow() -> None:
    from modelslab_pony import PonyClient

    with PonyClient() as pony:
        pony.text2img("a lighthouse").images[0].to_pil()


def _no_aiohttp() -> None:
    from modelslab_pony import AsyncPonyClient

    AsyncPonyClient(http_client="aiohttp")


def _no_dbos() -> None:
    import modelslab_pony.batch  # noqa: F401 - the import is what is refused


def _no_simulator() -> None:
    from modelslab_pony.testing import Simulator  # noqa: F401 - the import is what is refused


def _no_starlette() -> None:
    from modelslab_pony import AsyncPonyClient
    from modelslab_pony.webhooks import Receiver, new_token

    Receiver(AsyncPonyClient(), print, token=new_token())


def code(function: Callable[[], None]) -> str:
    """Return a program that does what a function here does."""
    return f"{inspect.getsource(function)}\n{function.__name__}()"


# --- the core --------------------------------------------------------------------------------------


def test_the_core_is_httpx_and_attrs_and_their_own_needs(installed: Installed) -> None:
    """Nothing else is pulled in, and what is there fits together."""
    core = installed()
    theirs = {"anyio", "certifi", "h11", "httpcore", "idna", "typing-extensions", "typing_extensions"}
    assert set(core.packages()) - theirs == {"modelslab-pony", "attrs", "httpx"}
    assert core.packages()["modelslab-pony"] == modelslab_pony.__version__
    assert "No broken requirements found" in core.check()


def test_the_core_imports_without_a_warning_and_makes_an_image(installed: Installed, tmp_path: Path) -> None:
    """Every public name resolves; a picture is on the disk."""
    core = installed()
    core.script(code(_names), at=tmp_path, strict=True)
    core.script(code(_saved), at=tmp_path, strict=True)


@pytest.mark.parametrize(
    ("function", "extra"),
    [
        (_no_pillow, "images"),
        (_no_aiohttp, "aiohttp"),
        (_no_dbos, "batch"),
        (_no_simulator, "testing"),
        (_no_starlette, "webhooks"),
    ],
)
def test_what_is_missing_is_told_with_the_command_that_brings_it(
    function: Callable[[], None], extra: str, installed: Installed, tmp_path: Path
) -> None:
    """The last line of the traceback has it."""
    said = installed().script(code(function), at=tmp_path, status=1)
    assert f"pip install 'modelslab-pony[{extra}]'" in said.strip().splitlines()[-1], said


def test_the_command_without_its_extra_says_what_to_install(installed: Installed, tmp_path: Path) -> None:
    """One line, the exit code of a missing extra, no traceback."""
    (said,) = installed().run("pony", at=tmp_path, status=14).splitlines()
    assert "pip install 'modelslab-pony[cli]'" in said


def test_the_plugin_lets_pytest_run_without_the_extra(installed: Installed, tmp_path: Path) -> None:
    """Who has the client alone, and pytest, has tests that run; a fixture says what is missing."""
    (tmp_path / "test_own.py").write_text(
        "def test_own():\n    pass\n\ndef test_simulated(pony_client):\n    pass\n", "utf-8"
    )
    said = installed("", PYTEST).run("pytest", "-W", "error", "-p", "no:cacheprovider", at=tmp_path, status=1)
    assert "1 passed, 1 error" in said
    assert "pip install 'modelslab-pony[testing]'" in said


# --- each extra, alone ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("extra", "function"),
    [("images", _opened), ("aiohttp", _through_aiohttp), ("batch", _batch), ("webhooks", _received)],
)
def test_an_extra_is_all_that_its_part_needs(
    extra: str, function: Callable[[], None], installed: Installed, tmp_path: Path
) -> None:
    """A picture opens, a call goes through aiohttp, a batch runs, a webhook is received."""
    there = installed(extra)
    assert "No broken requirements found" in there.check()
    there.script(code(function), at=tmp_path)


def test_the_extra_cli_is_all_that_the_command_needs(installed: Installed, tmp_path: Path) -> None:
    """It tells its version, its help and the samplers, and makes an image."""
    there = installed("cli")
    assert there.run("pony", "--version", at=tmp_path).split()[-1] == modelslab_pony.__version__
    assert "text2img" in there.run("pony", "--help", at=tmp_path)
    assert "Euler a" in there.run("pony", "samplers", at=tmp_path)
    there.run("pony", "text2img", "a lighthouse", "-o", "out", at=tmp_path)
    assert [path.suffix for path in (tmp_path / "out").iterdir()] == [".png"]


@pytest.mark.parametrize(
    ("command", "extra"), [(("simulator",), "testing"), (("batch", "prompts.txt", "-o", "out"), "batch")]
)
def test_a_command_that_needs_more_says_what(
    command: tuple[str, ...], extra: str, installed: Installed, tmp_path: Path
) -> None:
    """It ends as `MissingExtraError` does, without a traceback."""
    (tmp_path / "prompts.txt").write_text("a lighthouse\n", "utf-8")
    said = installed("cli").run("pony", *command, at=tmp_path, status=14)
    assert f"pip install 'modelslab-pony[{extra}]'" in " ".join(said.split())
    assert "Traceback" not in said


def test_the_extra_testing_is_all_that_the_fixtures_need(installed: Installed, tmp_path: Path) -> None:
    """The simulator makes an image, and pytest finds the fixtures by itself."""
    there = installed("testing", PYTEST)
    there.script(code(_simulated), at=tmp_path)
    (tmp_path / "test_own.py").write_text(
        "def test_own(pony_client, pony_simulator):\n"
        "    pony_client.text2img('a lighthouse', seed=7)\n"
        "    assert [sent.request['seed'] for sent in pony_simulator.submissions] == [7]\n",
        "utf-8",
    )
    assert "1 passed" in there.run("pytest", "-W", "error", "-p", "no:cacheprovider", at=tmp_path)
