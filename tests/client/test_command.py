"""The `pony` command, against a simulator without a network."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from modelslab_pony import PonyClient
from modelslab_pony.cli import _app, _client, _terminal
from modelslab_pony.testing import Simulator, VirtualClock
from support.both import KEY

Run = Callable[..., Result]


def run_alone(*arguments: str) -> Result:
    return CliRunner().invoke(_app.app, arguments, env={"COLUMNS": "500"})


def test_an_image_is_made_and_its_path_printed(run: Run) -> None:
    """Paths on standard output, progress on standard error, `processing` seen before `success`."""
    result = run("text2img", "a lighthouse at dusk", "-o", "out/")
    assert result.exit_code == 0
    (path,) = result.stdout.split()
    with Image.open(path) as picture:
        assert picture.size == (1024, 1024)
    assert result.stderr.index("processing, eta 3 s") < result.stderr.index("success")


def test_options_reach_the_request(run: Run, simulator: Simulator) -> None:
    """Each under the field's own name."""
    options = {
        "negative-prompt": "rain",
        "model-id": "other",
        "width": 1152,
        "height": 1088,
        "samples": 2,
        "num-inference-steps": 21,
        "guidance-scale": 3.5,
        "seed": 7,
        "clip-skip": 3,
        "track-id": "order-17",
        "webhook": "https://hook.example/x",
    }
    flags = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    assert run("text2img", "x", *flags, "--no-safety-checker", "--sampler", "Euler a").exit_code == 0
    (job,) = simulator.jobs.values()
    for name, value in options.items():
        assert job.request[name.replace("-", "_")] == value
    assert job.request["safety_checker"] == "no"
    assert job.request["scheduler"] == "EulerAncestralDiscreteScheduler"


def test_json_is_one_document(run: Run) -> None:
    """With everything a script needs, and nothing else on either stream."""
    result = run("text2img", "x", "--seed", "7", "--samples", "2", "--json", "-o", "out")
    answer = json.loads(result.stdout)
    assert (answer["status"], answer["seed"], len(answer["images"])) == ("success", 7, 2)
    assert all(Path(image["path"]).is_file() for image in answer["images"])
    assert result.stderr == ""


def test_a_timeout_prints_the_command_that_resumes_it(run: Run) -> None:
    """And that command gets the images."""
    result = run("text2img", "x", "--timeout", "1", "-o", "my out")
    assert result.exit_code == 31
    resume = "pony fetch 70010001 -o 'my out'"
    assert resume in result.stderr
    fetched = run("fetch", "70010001", "-o", "my out")
    assert (fetched.exit_code, fetched.stdout.strip()) == (0, "my out/70010001-0.png")


def test_nothing_is_overwritten(run: Run) -> None:
    """The same job fetched twice gives two files."""
    run("text2img", "x", "-o", "out")
    assert run("fetch", "70010001", "-o", "out").stdout.strip() == "out/70010001-0-2.png"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["text2img", ""], 11, "prompt must not be empty"),
        (["text2img", "x", "--width", "1023"], 11, "not 1023"),
        (["text2img", "x", "--sampler", "Oiler"], 11, "did you mean 'Euler'"),
        (["text2img", "x", "-o", "file/out"], 11, "cannot be written to"),
        (["fetch", "7"], 25, "Request not found"),
        (["fetch", ""], 11, "id must be"),
        (["fetch", "\udcff"], 11, "id must be"),
        (["text2img", "x", "--timeout", "nan"], 11, "timeout must be"),
    ],
)
def test_an_error_is_one_line_and_a_code(
    arguments: list[str], code: int, said: str, run: Run, simulator: Simulator
) -> None:
    """On standard error; standard output stays empty and no job is begun."""
    Path("file").write_bytes(b"")
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert len(result.stderr.strip().splitlines()) == 1
    assert said in result.stderr
    assert not simulator.jobs


def test_a_failed_generation_has_its_own_code(run: Run, simulator: Simulator) -> None:
    """There is nothing to resume."""
    simulator.outcome = "failed"
    result = run("text2img", "x")
    assert result.exit_code == 30
    assert "pony fetch" not in result.stderr


def test_an_error_in_json_has_type_code_and_fields(run: Run) -> None:
    """The same facts as the line on standard error."""
    answer = json.loads(run("text2img", "x", "--width", "8", "--json").stdout)
    assert answer["status"] == "error"
    assert (answer["error"]["type"], answer["error"]["exit_code"]) == ("InvalidRequestError", 11)
    assert answer["error"]["errors"] == {"width": ["must be from 1024 to 2048, not 8"]}
    late = json.loads(run("text2img", "x", "--timeout", "0", "--json").stdout)
    assert (late["error"]["job_id"], late["resume"]) == (70010001, "pony fetch 70010001 -o .")


def test_ctrl_c_says_what_becomes_of_the_job(run: Run, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit code is the shell's own for it."""

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(clock, "sleep", interrupt)
    result = run("text2img", "x")
    assert result.exit_code == 130
    assert "Interrupted: job 70010001 goes on" in result.stderr
    assert "pony fetch 70010001" in result.stderr


def test_ctrl_c_while_submitting_says_what_is_not_known(
    run: Run, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no id yet."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(simulator, "answer", interrupt)
    result = run("text2img", "x", "--json")
    answer = json.loads(result.stdout)
    assert (result.exit_code, answer["resume"], answer["error"]["job_id"]) == (130, None, None)
    assert "may have been accepted" in answer["error"]["message"]


def test_without_strict_the_service_decides(run: Run) -> None:
    """A width of 8 is sent, and refused there."""
    assert run("text2img", "x", "--no-strict", "--width", "8").exit_code == 21


def test_an_integer_id_stays_one(run: Run) -> None:
    """As the service gave it."""
    run("text2img", "x")
    assert json.loads(run("fetch", "70010001", "--json", "-o", "b").stdout)["id"] == 70010001


def test_a_refusal_in_json_has_its_facts(monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP status and stated wait."""
    answer = {"status": "error", "message": "Rate limit exceeded", "retry_after": 90}
    transport = httpx.MockTransport(lambda _: httpx.Response(429, json=answer))
    monkeypatch.setattr(_client, "connect", lambda **_: PonyClient(KEY, http_client=httpx.Client(transport=transport)))
    error = json.loads(run_alone("text2img", "x", "--json").stdout)["error"]
    assert (error["type"], error["status_code"], error["retry_after"]) == ("RateLimitError", 429, 90)


def test_a_crash_report_shows_no_locals() -> None:
    """They would hold the key."""
    assert _app.app.pretty_exceptions_show_locals is False


def test_a_port_that_is_taken_is_said() -> None:
    """In one line."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = run_alone("simulator", "--port", str(taken.getsockname()[1]))
    assert result.exit_code == 1
    assert "try --port 0" in result.stderr


def test_without_a_key_the_command_says_where_it_looks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With the real client."""
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(_app.app, ["text2img", "x"])
    assert result.exit_code == 10
    assert "MODELSLAB_API_KEY" in result.stderr


def test_the_services_words_cannot_move_the_cursor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Control characters in a message are not sent to the terminal."""
    answer: Any = {"status": "error", "message": "bad\x1b[2J\r\nline two"}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=answer))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_client, "connect", lambda **_: PonyClient(KEY, http_client=httpx.Client(transport=transport)))
    result = CliRunner().invoke(_app.app, ["text2img", "x"], env={"COLUMNS": "500"})
    assert result.exit_code == 20
    assert "\x1b[2J" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_version_and_help(run: Run) -> None:
    """The commands are listed; the version is the package's."""
    assert run("--version").stdout.startswith("pony 0.")
    for command in ("text2img", "fetch", "simulator"):
        assert command in run("--help").stdout


def test_a_live_line_does_not_mix_with_the_paths(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With standard error a terminal and standard output a pipe, the pipe gets the path alone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_client, "connect", simulator.client)
    monkeypatch.setattr(_terminal, "is_live", lambda _: True)
    result = CliRunner().invoke(_app.app, ["text2img", "x"], env={"COLUMNS": "500", "FORCE_COLOR": "1"})
    assert result.stdout == "70010001-0.png\n"
    assert "\x1b[" in result.stderr
    assert "70010001-0.png" not in result.stderr


def test_what_was_saved_before_a_failure_is_shown(
    run: Run, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second image cannot be had; the first one's path is printed all the same."""
    answer = simulator.answer

    def lose(method: str, url: str, body: bytes) -> Any:
        return answer(method, url.replace("-1.png", "-9.png"), body)

    monkeypatch.setattr(simulator, "answer", lose)
    result = run("text2img", "x", "--samples", "2")
    assert (result.exit_code, result.stdout) == (32, "70010001-0.png\n")
    assert "pony fetch 70010001" in result.stderr


@contextlib.contextmanager
def handled(number: int, handler: signal.Handlers) -> Iterator[None]:
    """Have a signal handled so, however the tests themselves were started."""
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_says_what_becomes_of_the_job(
    number: int, code: int, run: Run, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`docker stop`, a cancelled CI run, a closed terminal: the id is not lost."""
    monkeypatch.setattr(clock, "sleep", lambda _: os.kill(os.getpid(), number))
    with handled(number, signal.SIG_DFL):
        answer = json.loads(run("text2img", "x", "--json").stdout)
        assert signal.getsignal(number) is signal.SIG_DFL
    assert (answer["error"]["exit_code"], answer["error"]["job_id"]) == (code, 70010001)
    assert answer["resume"] == "pony fetch 70010001 -o ."


def test_nohup_is_obeyed(run: Run, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal that whoever started the command has it ignore does not stop it."""
    sleep = clock.sleep

    def hang_up(seconds: float) -> None:
        os.kill(os.getpid(), signal.SIGHUP)
        sleep(seconds)

    monkeypatch.setattr(clock, "sleep", hang_up)
    with handled(signal.SIGHUP, signal.SIG_IGN):
        result = run("text2img", "x")
    assert (result.exit_code, result.stdout) == (0, "70010001-0.png\n")
