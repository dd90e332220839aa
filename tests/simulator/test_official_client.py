"""The vendor's own Python client against `pony simulator`, with nothing changed but its base URL."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PONY = str(Path(sys.executable).with_name("pony"))
PROGRAM = """
import json, sys
from modelslab_py.core.apis.community import Community
from modelslab_py.core.client import Client
from modelslab_py.schemas.community import Text2Image

client = Client(api_key="any-key-0123", fetch_timeout=1)
client.base_url = sys.argv[1]
api = Community(client=client)
made = api.text_to_image(Text2Image(prompt="a lighthouse", model_id="pony-realism", width=1024, height=1024, seed=7))
print(json.dumps([made, api.fetch(str(made["id"]))]))
"""


@pytest.mark.parametrize("dialect", ["spec", "observed"])
def test_it_submits_and_fetches(dialect: str) -> None:
    """It polls by its own rules until the job is done, and gets the URL of a picture."""
    command = [PONY, "simulator", "--port", "0", "--eta", "0.5", "--dialect", dialect]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as simulator:
        try:
            assert simulator.stdout is not None
            lines = iter(simulator.stdout.readline, "")
            root = next(found[1] for line in lines if (found := re.search(r"listening on (\S+/api/)v6/images", line)))
            done = subprocess.run(
                [sys.executable, "-W", "ignore", "-c", PROGRAM, root],
                capture_output=True,
                text=True,
                check=False,
                env=environment,
            )
        finally:
            simulator.terminate()
    assert done.returncode == 0, done.stderr
    made, fetched = json.loads(done.stdout)
    assert (made["status"], fetched["status"]) == ("processing", "success")
    output: list[Any] = fetched["output"]
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/images/70010001-0\.png", output[0])
