"""The command in a shell: its help, the tab key, colours, pipes."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner, Result

from modelslab_pony import errors
from modelslab_pony._settings import DEFAULT_WAIT
from modelslab_pony.cli import _app, _complete, _help, _options, _stdin, _terminal
from modelslab_pony.testing import Simulator
from modelslab_pony.testing.server import serving
from prism_image import ROOT

Run = Callable[..., Result]
PONY = [sys.executable, "-m", "modelslab_pony.cli"]
ROOT_COMMAND: Any = get_command(_app.app)
GROUPS: Mapping[tuple[str, ...], Any] = {(): ROOT_COMMAND, ("batch",): ROOT_COMMAND.commands["batch"]}
COMMANDS = [
    *((name,) for name in ROOT_COMMAND.commands),
    *(("batch", name) for name in ROOT_COMMAND.commands["batch"].commands),
]


def shown(*words: str) -> str:
    return CliRunner().invoke(_app.app, [*words, "--help"], env={"COLUMNS": "80"}).stdout


def process(*words: str, **options: Any) -> subprocess.CompletedProcess[Any]:
    return subprocess.run([*PONY, *words], check=False, capture_output=True, **options)


# --- help ------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", GROUPS, ids=" ".join)
def test_a_group_is_a_table_of_contents(words: tuple[str, ...]) -> None:
    """Each command on one line of 80 columns, its purpose whole, below a heading."""
    text = shown(*words)
    assert "..." not in text.replace("[ARGS]...", "")
    for name, command in GROUPS[words].commands.items():
        (line,) = re.findall(rf"^  {name} +(.+)$", text, re.MULTILINE)
        assert line == _help.first_sentence(command.help), name
        assert line.endswith(".")
        assert f"\n{command.rich_help_panel}:\n" in text
    assert max(map(len, text.splitlines())) <= 80


def test_the_help_tells_of_the_environment_and_exit_codes() -> None:
    """At its end; every code is in the help that it names."""
    text = shown()
    for name in ("MODELSLAB_API_KEY", "MODELSLAB_BASE_URL", "PONY_DATABASE", "NO_COLOR", "Exit codes:"):
        assert name in text[text.index("Options:") :]
    assert "pony doctor --help" in text
    assert re.search(r"^ +22  AuthenticationError$", shown("doctor"), re.MULTILINE)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_commands_help_is_worded_in_one_way(words: tuple[str, ...]) -> None:
    """One default an option, no brackets or names of types of Typer's, in 80 columns."""
    text = shown(*words)
    assert not re.search(r"\[default|\[required|<(?:str|int|float|path)|\bTEXT:|INTEGER|\[x[<>]", text)
    assert not re.search(r"Default:[^.]*\. Default:", " ".join(text.split()))
    assert max(map(len, text.splitlines())) <= 80


def test_options_of_a_picture_stand_in_sections() -> None:
    """What is asked for before how it is drawn; the prompt is a plain word."""
    text = shown("text2img")
    assert "text2img [OPTIONS] PROMPT\n" in text
    assert "inpaint [OPTIONS] [PROMPT]\n" in shown("inpaint")
    places = [
        text.index(f"\n{heading}:\n") for heading in ("Arguments", *_options._SECTIONS, "Other fields", "Options")
    ]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("A.  [default: 600.0; x>=0]", "A. Default: 600. At least 0."),
        (r"A.  \[default: (the one); 0<=x<=9]", "A. Default: the one. From 0 to 9."),
        ("A.  [env var: X; required]", "A. Environment: X. Required."),
        ("[x<=3]", "At most 3."),
        ("A [b].", "A [b]."),
    ],
)
def test_what_typer_adds_becomes_a_sentence(given: str, said: str) -> None:
    """In the spelling of each version; what is no addition stays."""
    assert _help.as_sentences(given) == said


def test_the_wait_is_the_clients() -> None:
    """Written twice, so that the tab key need not import httpx."""
    assert _options.WAIT == DEFAULT_WAIT


# --- the tab key -----------------------------------------------------------------------------


def completed(line: list[str], **environment: str) -> list[str]:
    asked = {"_PONY_COMPLETE": "complete_bash", "COMP_WORDS": "\n".join(line), "COMP_CWORD": str(len(line) - 1)}
    done = process(env={**os.environ, **asked, **environment}, text=True)
    assert done.stderr == ""
    return str(done.stdout).split("\n")[:-1]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        (["ba"], ["balance", "batch"]),
        (["batch", "re"], ["retry"]),
        (["batch", "rows.txt", "--li"], ["--limit"]),
        (["text2img", "--sampler", "Eul"], ["Euler", r"Euler\ a"]),
        (["text2img", "--sampler", "Euler\\ "], [r"Euler\ a"]),
        (["text2img", "--sampler", '"Euler '], ["Euler a"]),
        (["text2img", "--sampler", "=", "Eul"], ["Euler", r"Euler\ a"]),
        (["text2img", "--scheduler", "LC"], ["LCMScheduler"]),
        (["text2img", "--algorithm-type", ""], ["sde-dpmsolver++", "no"]),
        (["text2img", "--model-id", "p"], ["pony-realism"]),
        (["batch", "compare", "--samplers", "Euler,Eul"], [r"Euler,Euler\ a"]),
        (["text2img", "-o", "ou"], [""]),
    ],
    ids=str,
)
def test_bash_is_offered_what_fits(line: list[str], offered: list[str]) -> None:
    """Values with spaces quoted as the line wants it; nothing for a path, so that bash offers its files."""
    assert completed(["pony", *line]) == offered


def test_the_tab_key_asks_nobody_and_imports_little() -> None:
    """Neither httpx nor Rich's console; a key and an address that cannot be used are not looked at."""
    program = (
        "import sys, atexit; from modelslab_pony.cli import main\n"
        "atexit.register(lambda: print(*sorted({n.split('.')[0] for n in sys.modules}), file=sys.stderr))\nmain()"
    )
    asked = {"_PONY_COMPLETE": "complete_bash", "COMP_WORDS": "pony\ntext2img\n--sampler\nLC", "COMP_CWORD": "3"}
    odd = {"MODELSLAB_API_KEY": "\udcff", "MODELSLAB_BASE_URL": "http://nowhere.invalid"}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env={**os.environ, **asked, **odd}, capture_output=True, text=True, check=False)
    assert done.stdout == "LCM\n"
    assert {"attrs", "modelslab_pony", "typer"} <= set(done.stderr.split())
    assert not {"httpx", "httpcore", "anyio", "rich", "ssl", "sqlalchemy", "PIL"} & set(done.stderr.split())


@pytest.mark.skipif(shutil.which("bash") is None, reason="that is the program")
def test_a_real_bash_takes_the_script(tmp_path: Path) -> None:
    """`--show-completion` prints it; after it, bash has the candidates as they go into the line."""
    environment = {**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    script = process("--show-completion", "bash", env=environment, text=True)
    (tmp_path / "pony").write_text(f'#!/bin/sh\nexec {shlex.join(PONY)} "$@"\n', "utf-8")
    (tmp_path / "pony").chmod(0o755)
    story = f"{script.stdout}\nCOMP_WORDS=(pony text2img --sampler 'DPM2\\ a') COMP_CWORD=3\n_pony_completion pony\n"
    told = f'{story}printf "%s\\n" "${{COMPREPLY[@]}}"; complete -p pony'
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "--norc", "-c", told], env={**os.environ, "PATH": path}, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[:2] == [r"DPM2\ a", r"DPM2\ a\ Karras"]
    assert "_pony_completion" in done.stdout


def test_a_word_that_ends_with_an_escaped_space_goes_on() -> None:
    """zsh and fish hand over the line as it is typed, and Typer takes any space at its end for a new word."""
    environment = {"_TYPER_COMPLETE_ARGS": "pony text2img --sampler DPM2\\ "}
    _complete.prepare(environment)
    assert environment["_TYPER_COMPLETE_ARGS"] == "pony text2img --sampler 'DPM2 '"


# --- colours ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "is_terminal", "expected"),
    [
        ({"TERM": "xterm"}, True, ("auto", False)),
        ({"TERM": "xterm"}, False, (None, False)),
        ({"TERM": "dumb"}, True, (None, False)),
        ({"NO_COLOR": "1"}, True, (None, False)),
        ({"NO_COLOR": ""}, True, ("auto", False)),
        ({"FORCE_COLOR": "1"}, False, ("auto", True)),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, False, ("standard", True)),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, (None, False)),
        ({"FORCE_COLOR": ""}, False, (None, False)),
    ],
)
def test_who_gets_colours(environment: dict[str, str], is_terminal: bool, expected: object) -> None:
    """Terminals that know them, and whoever forces them, unless they are unwanted; an empty word says nothing."""
    assert _terminal.colours(environment, is_terminal=is_terminal) == expected


@pytest.mark.parametrize(("variables", "has_codes"), [({}, False), ({"FORCE_COLOR": "1"}, True)])
def test_an_error_in_a_pipe(variables: dict[str, str], has_codes: bool) -> None:
    """On standard error alone; neither colour nor bold, unless it is forced."""
    result = CliRunner().invoke(
        _app.app, ["show", "nothing.png"], env={"NO_COLOR": None, "FORCE_COLOR": None, **variables}
    )
    assert (result.exit_code, result.stdout) == (11, "")
    assert ("\x1b[" in result.stderr) == has_codes


def test_a_forced_colour_makes_no_terminal_of_a_log(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain lines, and nothing that moves the cursor."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    result = run("text2img", "x")
    assert "processing, eta 3 s" in result.stderr
    assert not re.search(r"\x1b\[\??\d*[A-HJKlh]", result.stderr)


# --- pipes -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    """One whose service is a simulator."""
    with serving(Simulator(eta=0)) as url:
        yield {
            **os.environ,
            "MODELSLAB_BASE_URL": url,
            "MODELSLAB_API_KEY": "sk-planted-0123",
            "PYTHONWARNINGS": "error",
        }


def unread(words: list[str], environment: dict[str, str], folder: Path, *, errors_too: bool) -> tuple[int, str]:
    """Run a command whose standard output nobody reads, and perhaps its errors, too."""
    reading, writing = os.pipe()
    os.close(reading)
    with (folder / "errors").open("wb") as file:
        stream = writing if errors_too else file
        done = subprocess.run([*PONY, *words], stdout=writing, stderr=stream, env=environment, cwd=folder, check=False)
    os.close(writing)
    return done.returncode, (folder / "errors").read_text("utf-8")


@pytest.mark.parametrize("words", ["samplers", "spec", "--help", "batch --help", "--version", "balance", "doctor"])
def test_a_reader_that_left_ends_a_command_quietly(words: str, environment: dict[str, str], tmp_path: Path) -> None:
    """With the code that shells have for it, and not a word."""
    assert unread(words.split(), environment, tmp_path, errors_too=False) == (141, "")


@pytest.mark.parametrize("errors_too", [False, True])
def test_no_image_is_lost_with_the_reader(errors_too: bool, environment: dict[str, str], tmp_path: Path) -> None:
    """It is saved before its path is printed, also where progress has no reader; an error's code comes first."""
    code, _ = unread(["text2img", "x", "-o", "out"], environment, tmp_path, errors_too=errors_too)
    assert code == 141
    assert [path.suffix for path in (tmp_path / "out").iterdir()] == [".png"]
    assert unread(["show", "nothing.png"], environment, tmp_path, errors_too=errors_too)[0] == 11


@pytest.mark.skipif(os.name == "nt", reason="a terminal of our own is Unix's")
@pytest.mark.parametrize("term", ["dumb", "xterm"])
def test_no_image_is_lost_with_the_window(term: str, tmp_path: Path) -> None:
    """A terminal that goes away while a job is under way, as after `disown`, breaks nothing off."""
    import pty

    simulator = Simulator(eta=1)
    with serving(simulator) as url:
        ours, theirs = pty.openpty()
        environment = {**os.environ, "MODELSLAB_BASE_URL": url, "MODELSLAB_API_KEY": "sk-planted-0123", "TERM": term}
        command = [*PONY, "text2img", "x", "-o", "out"]
        with subprocess.Popen(
            command, stdout=theirs, stderr=theirs, env=environment, cwd=tmp_path, start_new_session=True
        ) as running:
            os.close(theirs)
            os.read(ours, 1)  # it has begun to say something
            os.close(ours)
            code = running.wait(60)
    assert code == 141
    assert [path.suffix for path in (tmp_path / "out").iterdir()] == [".png"]
    assert len(simulator.submissions) == 1


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_batch_goes_on_without_its_reader(more: list[str], environment: dict[str, str], tmp_path: Path) -> None:
    """To its last image."""
    (tmp_path / "rows").write_text("a\nb\nc\n", "utf-8")
    code, said = unread(["batch", "rows", "-o", "out", *more], environment, tmp_path, errors_too=False)
    assert (code, "Traceback" in said) == (141, False)
    assert len(list((tmp_path / "out").glob("*.png"))) == 3


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full is Linux's")
def test_a_full_disk_behind_standard_output_is_said(environment: dict[str, str], tmp_path: Path) -> None:
    """In one line; the image is there."""
    with Path("/dev/full").open("wb") as full:
        command = [*PONY, "text2img", "x", "-o", "out"]
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, env=environment, cwd=tmp_path, text=True, check=False
        )
    assert done.returncode == 141
    assert "pony: standard output cannot be written: No space left on device" in done.stderr
    assert len(list((tmp_path / "out").iterdir())) == 1


def test_paths_are_for_xargs(environment: dict[str, str], tmp_path: Path) -> None:
    """One a line, with a prompt from a pipe; nothing else on standard output."""
    words = ["text2img", "-", "--samples", "2", "-o", "out"]
    done = process(*words, input=b"\xef\xbb\xbf  a lighthouse\nat dusk\n", env=environment, cwd=tmp_path)
    lines = done.stdout.decode().splitlines()
    assert sorted(map(Path, lines)) == sorted(path.relative_to(tmp_path) for path in (tmp_path / "out").iterdir())
    assert len(lines) == 2


# --- standard input --------------------------------------------------------------------------


@pytest.mark.parametrize("words", [["text2img", "-"], ["again", "first.png", "--prompt", "-"]], ids=" ".join)
def test_a_prompt_from_standard_input_is_sent(words: list[str], run: Run, simulator: Simulator) -> None:
    """Without the white space around it."""
    made = run("text2img", "x", "--seed", "7").stdout.strip()
    Path(made).rename("first.png")
    result = CliRunner().invoke(_app.app, words, input="\n a harbour \n")
    assert result.exit_code == 0, result.stderr
    assert simulator.submissions[-1].request["prompt"] == "a harbour"


BAD = [
    (b"", "prompt must not be empty, and nothing came on standard input"),
    (b" \n\t", "prompt must not be empty"),
    (b"a \xff b", "prompt on standard input is no UTF-8 text: invalid start byte at byte 2"),
    ("a lighthouse".encode("utf-16-le"), "prompt on standard input holds NUL bytes"),
    (b"x" * (_stdin.MOST_BYTES + 1), "prompt on standard input has more than 1,000,000 bytes"),
]


@pytest.mark.parametrize(("content", "said"), BAD, ids=["empty", "blank", "bytes", "utf-16", "endless"])
@pytest.mark.parametrize("command", ["text2img", "inpaint"])
def test_what_is_no_prompt_is_refused(content: bytes, said: str, command: str, run: Run, simulator: Simulator) -> None:
    """By its name, as any other mistake, before anything is sent; also where a prompt may be left out."""
    assert run("samplers").exit_code == 0
    images = ["--init-image", "https://x.example/a.png", "--mask-image", "https://x.example/b.png"]
    words = [command, "-", "--json", *(images if command == "inpaint" else [])]
    result = CliRunner().invoke(_app.app, words, input=content)
    error = json.loads(result.stdout)["error"]
    assert (result.exit_code, error["type"], list(error["errors"])) == (11, "InvalidRequestError", ["prompt"])
    assert said in error["message"]
    assert not simulator.submissions


def test_a_closed_standard_input_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """`<&-` leaves none."""
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(errors.InvalidRequestError, match="which is closed"):
        _stdin.given("-")


def test_a_batch_takes_its_rows_from_a_pipe(environment: dict[str, str], tmp_path: Path) -> None:
    """In any format, and goes on without them; nothing of the input stays behind."""
    rows = b'{"prompt": "a", "name": "one"}\n{"prompt": "b", "name": "two"}\n'
    words = ["batch", "-", "--format", "jsonl", "--template", "{name}.png", "-o", "out"]
    done = process(*words, input=rows, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "out").glob("*.png")) == ["one.png", "two.png"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


# --- spec ------------------------------------------------------------------------------------


def test_spec_prints_the_file_that_the_package_carries() -> None:
    """Byte for byte, and without what the extra `testing` brings."""
    hidden = "import sys; sys.modules |= dict.fromkeys(('starlette', 'PIL', 'jsonschema', 'uvicorn'))\n"
    program = f"{hidden}sys.argv[1:] = ['spec']\nfrom modelslab_pony.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout == (ROOT / "generated" / "openapi.json").read_bytes()
