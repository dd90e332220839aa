"""The lower bounds of pyproject.toml are true: with all of them at once, everything works."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from prism_image import ROOT
from support.packages import Environment

pytest_plugins = ["support.packaged"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
BOUNDS = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
LOWEST = sorted({re.sub(r">=([\d.]+).*", r"==\1", need) for needs in BOUNDS for need in needs})
ALL = ",".join(sorted(PROJECT["optional-dependencies"]))

EVERYTHING = """
import asyncio, os
from modelslab_pony import AsyncPonyClient, PonyClient, read_recipe
from modelslab_pony.batch import Batch
from modelslab_pony.testing import Simulator, VirtualClock
from modelslab_pony.webhooks import Receiver, new_token

with Simulator(clock=VirtualClock()).client() as pony:
    image = pony.text2img("a lighthouse", seed=7).images[0]
    assert image.to_pil().size == (1024, 1024)
    assert read_recipe(image.save("lighthouse.png")).seed == 7

async def main():
    async with AsyncPonyClient(http_client="aiohttp") as pony:
        Receiver(pony, print, token=new_token())
        await pony.img2img("a harbour", "lighthouse.png")

asyncio.run(main())
assert Batch("batch", [{"prompt": "a lighthouse"}]).run().is_complete
"""


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="the lowest versions have wheels for the lowest Python")
def test_the_lowest_versions_of_all_that_is_needed_work(installed: Callable[..., Environment], tmp_path: Path) -> None:
    """Core and extras: an image is made, saved, opened, through httpx and aiohttp; a batch and the command run."""
    assert len(LOWEST) == 13
    there = installed(ALL, *LOWEST)
    found = there.packages()
    assert {name: found[name] for name in ("attrs", "httpx")} == {"attrs": "24.2.0", "httpx": "0.28.0"}
    assert "No broken requirements found" in there.check()
    there.script(EVERYTHING, at=tmp_path)
    there.run("pony", "text2img", "a lighthouse", "-o", "out", at=tmp_path)
    assert "Euler a" in there.run("pony", "samplers", at=tmp_path)
