"""Examples that are more than a program: a web application, a notebook, projects with tests; and the files of all."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import nbformat
import pytest

from modelslab_pony import PonyClient, TextToImage
from modelslab_pony.testing import Simulator, faults
from modelslab_pony.testing.server import serving
from prism_image import ROOT
from support import prism
from support.examples import (
    BIN,
    EXAMPLES,
    KEY,
    LIMIT,
    begun,
    environment,
    files,
    run,
    running,
    runs,
    size,
    until,
)

# --- a web application -------------------------------------------------------------------------------------------


@contextmanager
def simulator_process() -> Iterator[str]:
    """`pony simulator`, in a process of its own; give its base URL."""
    command: list[str | Path] = [BIN / "pony", "simulator", "--port", "0", "--eta", "0.3"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={"PYTHONUNBUFFERED": "1"}) as process:
        try:
            assert process.stdout is not None
            yield next(found[1] for line in process.stdout if (found := re.search(r"listening on (\S+)", line)))
        finally:
            process.terminate()


@contextmanager
def web_application(folder: Path, url: str) -> Iterator[httpx.Client]:
    """The example under uvicorn, in another."""
    port = prism.free_port()
    command: list[str | Path] = [
        sys.executable,
        "-W",
        "error",
        "-m",
        "uvicorn",
        "--app-dir",
        EXAMPLES,
        "fastapi_app:app",
    ]
    settings = environment(folder, url, PUBLIC_URL=f"http://{prism.HOST}:{port}")
    with (folder / "log").open("w+b") as log:
        process = subprocess.Popen(
            [*command, "--port", str(port), "--no-access-log"], cwd=folder, env=settings, stdout=log, stderr=log
        )

        def said() -> str:
            return (folder / "log").read_text("utf-8")

        try:
            prism.wait_for(port, lambda: process.poll() is None, said)
            with httpx.Client(base_url=f"http://{prism.HOST}:{port}", trust_env=False, timeout=LIMIT) as browser:
                yield browser
        finally:
            prism.stop(process)
    assert "Traceback" not in said()
    assert KEY not in said()


@runs("fastapi_app.py")
def test_the_web_application_makes_images(tmp_path: Path) -> None:
    """Told by a webhook, and asking where none comes; over real sockets, in three processes."""
    with simulator_process() as url, web_application(tmp_path, url) as browser:
        control = httpx.URL(url).join("/_simulator/")

        def submitted(prompt: str) -> str:
            answer = browser.post("/images", json={"prompt": prompt})
            assert answer.status_code == 202, answer.text
            job_id: str = answer.json()["job_id"]
            return job_id

        told = submitted("a lighthouse")
        until((tmp_path / "pictures" / f"{told}.png").exists)  # nobody asked: the webhook did it

        httpx.post(control.join("faults"), json={"faults": ["webhook-never"]}, trust_env=False)
        untold = submitted("a harbour")
        until(lambda: browser.get(f"/images/{untold}").status_code == 200)

        for job_id in (told, untold):
            answer = browser.get(f"/images/{job_id}")
            assert answer.headers["content-type"] == "image/png"
            (tmp_path / "got.png").write_bytes(answer.content)
            assert size(tmp_path / "got.png") == (1024, 1024)

        httpx.patch(control.join("options"), json={"outcome": "failed"}, trust_env=False)
        failed = submitted("fog")
        until(lambda: browser.get(f"/images/{failed}").status_code != 202)
        assert browser.get(f"/images/{failed}").json()["status"] == "failed"
        state = httpx.get(control.join("state"), trust_env=False).json()
        assert state["total"] == 3


def test_the_web_application_refuses(tmp_path: Path) -> None:
    """What is wrong, what the account cannot pay, what is none of a caller's business; in words that tell nothing."""
    with simulator_process() as url, web_application(tmp_path, url) as browser:
        with PonyClient(KEY, base_url=url) as other:
            foreign = other.submit(TextToImage("somebody else's")).id
        assert browser.post("/images", json={"prompt": ""}).json() == {"errors": {"prompt": ["must not be empty"]}}
        assert browser.post("/images", json={}).status_code == 422
        for place in (f"/images/{foreign}", "/images/0", "/hooks/guess", "/images/..%2Flog"):
            assert browser.get(place).status_code == 404, place
        options = {"balance": 0}
        httpx.patch(httpx.URL(url).join("/_simulator/options"), json=options, trust_env=False)
        answer = browser.post("/images", json={"prompt": "a lighthouse"})
        assert (answer.status_code, answer.json()) == (502, {"error": "not now", "job_id": None})


def test_the_web_application_keeps_a_picture_that_has_no_id(tmp_path: Path) -> None:
    """A success without an id is at hand only once: it is saved at once, and shown by a name of its own."""
    simulator = Simulator(eta=0)
    with serving(simulator) as url, web_application(tmp_path, url) as browser:
        with PonyClient(KEY, base_url=url) as other:
            place = other.text2img("a lighthouse").images[0].url
        made = {"status": "success", "output": [place]}
        simulator.faults.script(faults.Reply(200, made, accepted=True), on="text2img")
        answer = browser.post("/images", json={"prompt": "a lighthouse"})
        assert answer.status_code == 202, answer.text
        assert browser.get(f"/images/{answer.json()['job_id']}").headers["content-type"] == "image/png"

        lost = {"status": "success", "output": [f"{url}/no-picture.png"]}
        simulator.faults.script(faults.Reply(200, lost, accepted=True), on="text2img")
        answer = browser.post("/images", json={"prompt": "a lighthouse"})
        assert (answer.status_code, answer.json()["error"]) == (502, "it is paid for")

        simulator.faults.script(faults.Reply(200, {"status": "failed"}), on="text2img")
        assert browser.post("/images", json={"prompt": "fog"}).json()["error"] == "the service gave it up"
    assert f"{url}/no-picture.png" in (tmp_path / "log").read_text("utf-8")


@pytest.mark.parametrize("given", [70010001, "a/../b c", "..", "é" * 200], ids=["usual", "path", "dots", "long"])
@pytest.mark.parametrize("status", ["error", "processing"])
def test_the_web_application_remembers_every_id(status: str, given: int | str, tmp_path: Path) -> None:
    """Also one that came with an error, or could be no name of a file: it is logged, and asked about afterwards."""
    simulator = Simulator(eta=0)
    with serving(simulator) as url, web_application(tmp_path, url) as browser:
        with PonyClient(KEY, base_url=url) as other:
            place = other.text2img("a lighthouse").images[0].url
        simulator.faults.script(faults.Reply(200, {"status": status, "id": given}), on="text2img")
        answer = browser.post("/images", json={"prompt": "a lighthouse"})
        assert answer.status_code == (202 if status == "processing" else 502), answer.text
        simulator.faults.script(
            faults.Reply(200, {"status": "processing", "id": given}),
            faults.Reply(200, {"status": "success", "id": given, "output": [place]}),
            on=lambda call: call.operation == "fetch" and json.loads(call.body)["request_id"] == str(given),
        )
        shown = [browser.get(f"/images/{answer.json()['job_id']}") for _ in range(2)]
        assert [one.status_code for one in shown] == [202, 200]
        assert shown[0].json()["job_id"] == answer.json()["job_id"]
    assert f"job {given} " in (tmp_path / "log").read_text("utf-8")
    assert {path.name for path in tmp_path.iterdir()} == {"log", "pictures"}
    assert sorted(path.suffix for path in (tmp_path / "pictures").iterdir()) == [".job", ".png"]


# --- a notebook --------------------------------------------------------------------------------------------------

EXECUTE = """
import sys
import nbformat
from nbclient import NotebookClient

notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, timeout=60, resources={"metadata": {"path": "."}}).execute()
nbformat.write(notebook, "done.ipynb")
"""
# ipykernel itself uses what it announces to change, when it shuts down.
WARNINGS = "error,ignore::PendingDeprecationWarning"


@runs("notebook.ipynb")
def test_the_notebook_shows_pictures(tmp_path: Path) -> None:
    """All its cells run, with this interpreter for a kernel; two show PNGs; the recipe is read back."""
    simulator = Simulator(eta=0.1)
    with serving(simulator) as url:
        done = run(tmp_path, url, "-c", EXECUTE, EXAMPLES / "notebook.ipynb", PYTHONWARNINGS=WARNINGS)
    assert done.returncode == 0, done.stderr
    cells = nbformat.read(tmp_path / "done.ipynb", as_version=4).cells  # type: ignore[no-untyped-call]  # it has no types
    outputs = {cell.id: output for cell in cells for output in cell.get("outputs", [])}
    assert [name for name, output in outputs.items() if "image/png" in output.get("data", {})] == ["one-image", "show"]
    assert outputs["save"]["text"].startswith("a lighthouse at dusk\nSteps: 30, Sampler: DPM++ 2M Karras")
    assert outputs["again"]["text"] == "a lighthouse at dusk DPM++ 2M Karras 8\n"
    asked = {(sent.request["scheduler"], sent.request["seed"]) for sent in simulator.submissions[1:]}
    assert len(asked) == len(simulator.jobs) - 1 == 4


def test_the_notebook_is_kept_without_outputs() -> None:
    """Valid, with ids; what it shows is made when it is run."""
    notebook = nbformat.read(EXAMPLES / "notebook.ipynb", as_version=nbformat.NO_CONVERT)  # type: ignore[no-untyped-call]  # it has no types
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert [cell for cell in notebook.cells if cell.get("outputs") or cell.get("execution_count")] == []


# --- projects of their own -----------------------------------------------------------------------------------------


NOWHERE = "http://127.0.0.1:9/api/v6/images"
"""Set as the examples say, and nobody is there: tests of a project need no simulator beside them."""


def copied(name: str, folder: Path) -> Path:
    """Copy an example somewhere else, as it was committed."""
    place = folder / name
    left = shutil.ignore_patterns("__pycache__", "node_modules", ".*_cache")
    shutil.copytree(EXAMPLES / name, place, ignore=left)
    return place


@runs("testing_an_application/postcards.py", "testing_an_application/test_postcards.py")
@runs("testing_an_application/pyproject.toml")
def test_an_application_is_tested(tmp_path: Path) -> None:
    """Its own tests pass, with each dialect; and it makes pictures over real sockets."""
    place = copied("testing_an_application", tmp_path)
    tested = run(place, NOWHERE, "-m", "pytest", "-q")
    assert (tested.returncode, "20 passed" in tested.stdout) == (0, True), tested.stdout
    with serving(Simulator(eta=0.1)) as url:
        done = run(place, url, "postcards.py", "Bergen", "Lisbon")
    assert (done.returncode, done.stdout) == (0, "Bergen.png\nLisbon.png\n"), done.stderr
    assert [size(place / name) for name in done.stdout.split()] == [(1536, 1024)] * 2


@runs("contract_tests_in_ci/covers.py", "contract_tests_in_ci/tests/test_contract.py")
@runs("contract_tests_in_ci/tests/conftest.py", "contract_tests_in_ci/tests/__init__.py")
@runs("contract_tests_in_ci/pyproject.toml")
@pytest.mark.usefixtures("_nothing_runs_on")
def test_an_application_is_held_to_the_spec(tmp_path: Path) -> None:
    """Its contract tests pass, through the Prism that is locked here; and it makes pictures without Prism."""
    place = copied("contract_tests_in_ci", tmp_path)
    (place / "node_modules").symlink_to(ROOT / "node_modules", target_is_directory=True)
    tested = run(place, NOWHERE, "-m", "pytest", "-q")
    assert (tested.returncode, "5 passed" in tested.stdout) == (0, True), tested.stdout
    with serving(Simulator(eta=0.1)) as url:
        done = run(place, url, "covers.py", "The Old Lighthouse")
    assert (done.returncode, done.stdout.split()) == (0, ["paperback.png", "square.png", "poster.png"]), done.stderr
    assert [size(place / name) for name in done.stdout.split()] == [(1024, 1536), (1024, 1024), (1536, 2048)]


@pytest.fixture
def _nothing_runs_on(tmp_path: Path) -> Iterator[None]:
    """No process that a project began outlives its tests."""
    yield
    assert running(f"{tmp_path}{os.sep}") == []


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="processes are looked up in /proc")
def test_a_process_that_runs_on_would_be_seen(tmp_path: Path) -> None:
    """By its command line, for as long as it lives."""
    with begun(tmp_path, NOWHERE, "-c", "input()", tmp_path) as process:
        until(lambda: len(running(str(tmp_path))) == 1)
    assert process.returncode is not None
    assert running(str(tmp_path)) == []


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (('paperback": (1024,', 'paperback": (1000,'), "failed.*test_each_cover_keeps_to_the_contract.paperback"),
        (('"--errors", ', ""), "failed.*test_a_wrong_request_fails"),
        (('"proxy", ', '"proxies", '), "Prism did not start; it said:.*proxies"),
    ],
    ids=["a wrong request", "no contract", "no Prism"],
)
@pytest.mark.usefixtures("_nothing_runs_on")
def test_a_broken_contract_fails(broken: tuple[str, str], said: str, tmp_path: Path) -> None:
    """An application whose request leaves the spec, a Prism that only warns, one that does not start."""
    place = copied("contract_tests_in_ci", tmp_path)
    (place / "node_modules").symlink_to(ROOT / "node_modules", target_is_directory=True)
    (changed,) = [path for path in place.rglob("c*.py") if broken[0] in path.read_text("utf-8")]
    changed.write_text(changed.read_text("utf-8").replace(*broken), "utf-8")
    tested = run(place, NOWHERE, "-m", "pytest", "-qx")
    assert tested.returncode == 1
    assert re.search(said, tested.stdout, re.DOTALL | re.IGNORECASE), tested.stdout


@runs("contract_tests_in_ci/package.json", "contract_tests_in_ci/package-lock.json", "contract_tests_in_ci/.npmrc")
def test_its_prism_is_the_one_that_is_locked_here() -> None:
    """The same packages by the same checksums, no host, no install scripts."""
    theirs, ours = EXAMPLES / "contract_tests_in_ci", ROOT
    packages = [json.loads((place / "package-lock.json").read_text("utf-8"))["packages"] for place in (theirs, ours)]
    stated = json.loads((theirs / "package.json").read_text("utf-8"))
    assert packages[0].pop("")["dependencies"] == stated["dependencies"] == packages[1].pop("")["dependencies"]
    assert packages[0] == {name: package for name, package in packages[1].items() if not package.get("dev")}
    assert "resolved" not in (theirs / "package-lock.json").read_text("utf-8")
    assert (theirs / ".npmrc").read_text("utf-8") == (ours / ".npmrc").read_text("utf-8")


@runs("contract_tests_in_ci/.github/workflows/contract.yml", "contract_tests_in_ci/.gitignore")
def test_its_workflow_is_pinned_and_runs_what_the_readme_says() -> None:
    """Actions by commit, the same as here; Node and pytest in the versions that are used here."""
    place = EXAMPLES / "contract_tests_in_ci"
    uses = re.compile(r"uses: (\S+@[0-9a-f]{40} # v[\d.]+)$", re.MULTILINE)
    text = (place / ".github" / "workflows" / "contract.yml").read_text("utf-8")
    assert len(uses.findall(text)) == text.count("uses:") == 2
    assert set(uses.findall(text)) <= set(uses.findall((ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8")))
    readme = (place / "README.md").read_text("utf-8")
    for step in ("pip install --group test", "npm ci", "pytest"):
        assert step in text
        assert step in readme
    ours, theirs = (
        tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["dependency-groups"] for folder in (ROOT, place)
    )
    assert {tool for tool in theirs["test"] if "==" in tool} <= {*ours["prism"], *ours["test"]}
    assert (place / ".gitignore").read_text("utf-8") == "node_modules/\n"


# --- all of them ---------------------------------------------------------------------------------------------------


@runs("README.md", "testing_an_application/README.md", "contract_tests_in_ci/README.md")
def test_the_table_lists_every_example() -> None:
    """Each once; and links lead somewhere."""
    rows = re.findall(r"^\| \[([^\]]+)\]\(([^)]+)\)", (EXAMPLES / "README.md").read_text("utf-8"), re.MULTILINE)
    there = {name.partition("/")[0] for name in files()} - {"README.md"}
    assert sorted(name.rstrip("/") for name, _ in rows) == sorted(there)
    for name, path in files().items():
        links = re.findall(r"\]\((?!http)([^)#]+)", path.read_text("utf-8")) if name.endswith(".md") else []
        assert [link for link in links if not (path.parent / link).exists()] == [], name


def test_every_file_is_run_by_some_test() -> None:
    """A new one cannot be forgotten: it has to stand in a test's `runs`."""
    said: set[str] = set()
    for path in Path(__file__).parent.glob("test_example*.py"):
        for found in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(found, ast.Call) and isinstance(found.func, ast.Name) and found.func.id == "runs":
                said |= {ast.literal_eval(name) for name in found.args}
    assert said == set(files())


def test_every_program_says_how_it_is_run() -> None:
    """With a key and without cost, in its first lines."""
    for name, path in files().items():
        if name.endswith((".py", ".ipynb")) and "test" not in Path(name).stem and "/tests/" not in name:
            text = path.read_text("utf-8")[:2000]
            for words in ("MODELSLAB_API_KEY", "pony simulator --port 8010", "MODELSLAB_BASE_URL="):
                assert words in text, name
            assert text.startswith(('"""', "{")), name


def test_none_holds_a_key_or_the_name_of_a_registry() -> None:
    """What stands where a key would is three dots, or `any`."""
    # Put together here so that this file names none of them.
    registries = "|".join(
        ("py" + r"pi\.org", "python" + "hosted", r"registry\." + "npm", r"npm\." + "js", r"ghcr\." + "io")
    )
    keys = re.compile(r"sk-\w|API_KEY=(?!any\b|\.\.\.)|api_key=|\b[A-Za-z0-9]{40,}\b")
    for name, path in files().items():
        text = path.read_text("utf-8")
        assert not re.search(registries, text), name
        if not name.endswith(("package-lock.json", ".yml")):  # checksums, commits
            assert not keys.search(text), (name, keys.search(text))
