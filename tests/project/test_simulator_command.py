"""The two commands that `make demo` joins, as processes of their own over real HTTP."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from modelslab_pony.testing._script import _WORDS, GROUPS, PICTURES
from support.wire import post

ENVIRONMENT = {**os.environ, "PYTHONUNBUFFERED": "1"}
STARTED = re.compile(r"listening on (http://\S+)")
PONY = str(Path(sys.executable).with_name("pony"))


@pytest.mark.parametrize(("outcome", "code"), [("success", 0), ("failed", 30)])
def test_the_simulator_command_serves_what_it_is_told(outcome: str, code: int, tmp_path: Path) -> None:
    """On a free port that it names; jobs end as asked, and `pony text2img` says so."""
    command = [PONY, "simulator", "--port", "0", "--eta", "0", "--outcome", outcome]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
        try:
            assert process.stdout is not None
            url = next(found[1] for line in process.stdout if (found := STARTED.search(line)))
            made = subprocess.run(
                [PONY, "text2img", "a lighthouse", "-o", str(tmp_path)],
                env={**ENVIRONMENT, "MODELSLAB_BASE_URL": url, "MODELSLAB_API_KEY": "any-key-0123"},
                check=False,
                capture_output=True,
                text=True,
            )
        finally:
            process.terminate()
    assert made.returncode == code, made.stderr
    assert [str(path) for path in tmp_path.iterdir()] == made.stdout.split()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--fault", "fire"], "--fault 'fire' must be NAME[:VALUE][@ON][*TIMES], with a NAME of"),
        (["--fault", "html", "--fault", "html:502@nowhere"], "--fault 'html:502@nowhere': on must be one of text2img"),
        (["--dialect", "latin"], "--dialect"),
        (["--eta", "nan"], "eta must be a number"),
    ],
)
def test_what_it_cannot_be_told_is_wrong_usage(options: list[str], said: str) -> None:
    """In a sentence, before it listens."""
    done = subprocess.run([PONY, "simulator", "--port", "0", *options], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())
    assert done.stdout == ""


def test_its_help_names_every_fault() -> None:
    """And every place that one may be on."""
    shown = subprocess.run([PONY, "simulator", "--help"], capture_output=True, text=True, check=True).stdout
    words = " ".join(shown.split())
    for name in [*_WORDS, *GROUPS, *PICTURES]:
        assert re.search(rf"\b{name}\b", words), name


def test_it_is_told_all_that_a_simulator_may_be() -> None:
    """Key, models, queue, money, retention, dialect, faults; its log and its first lines name no key."""
    command = [
        PONY,
        "simulator",
        "--port",
        "0",
        "--eta",
        "0",
        "--key",
        "sk-planted-0123",
        "--model",
        "a",
        "--model",
        "b",
    ]
    command += ["--queue-limit", "10", "--workers", "2", "--balance", "0.015", "--retention", "7", "--image-life", "60"]
    command += ["--dialect", "observed", "--fault", "late:0.01@text2img*always", "--webhook-host", "app"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
        try:
            assert process.stdout is not None
            url = next(found[1] for line in process.stdout if (found := STARTED.search(line)))
            answers = [
                post(f"{url}/text2img", {"key": key, "model_id": model, "prompt": "p"}).json()
                for key, model in [("x", "a"), ("sk-planted-0123", "c"), *[("sk-planted-0123", "a")] * 2]
            ]
            state = httpx.get(url.partition("/api/")[0] + "/_simulator/state", trust_env=False).json()
        finally:
            process.terminate()
        log = process.stdout.read()
    said = [answer.get("message", answer["status"]) for answer in answers]
    assert said[:3] == ["Invalid Api Key", "Model not found: c", "success"]
    assert said[3].startswith("Insufficient credits")
    assert (state["account"]["queue_limit"], state["account"]["dialect"]) == (10, "observed")
    assert state["account"]["faults"] == "Late(seconds=0.01), always on text2img"
    assert "sk-planted" not in log
    assert "MODELSLAB_API_KEY=... pony" in log
