"""Each fault in each phase, over real sockets; docs/reliability.md is what these runs found."""

from __future__ import annotations

import functools
import gc
import importlib
import importlib.util
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from modelslab_pony import PonyClient, SubmissionUnknown, _disk
from modelslab_pony.errors import PonyError
from modelslab_pony.testing import _render
from prism_image import ROOT
from support.evidence import Row, document
from support.matrix import CASES, FAULTS, MEANINGLESS, PHASES, SAME, Case, Phase
from support.matrix_run import COLOURS, Run, play

# The first of these tests waits for all the runs.
pytestmark = pytest.mark.timeout(400)
PAGE = ROOT / "docs" / "reliability.md"
AT_ONCE = 24
"""Runs that are under way: they mostly wait."""
EACH = {f"{case.name} ({colour})": (case, colour) for case in CASES for colour in COLOURS}
FIRST = Row(client="c, sync", phase="submit", fault="f", saw="the picture", posts=1, accepted=1, lost=0, twice=0)


def named(name: str) -> Case:
    (found,) = [case for case in CASES if case.name == name]
    return found


@pytest.fixture(scope="module")
def before() -> tuple[int, set[threading.Thread]]:
    """The open files of this process, sockets among them, and its threads, before anything ran."""
    return open_files(), set(threading.enumerate())


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest, before: object) -> dict[str, Run]:
    """Those that were asked for, side by side."""
    assert before
    asked = {item.callspec.params.get("name") for item in request.session.items if hasattr(item, "callspec")}
    names = [name for name in EACH if name in asked]
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(AT_ONCE) as pool:
        # A picture is drawn once: it is the same for all, and takes longer than all else that a run computes.
        patch.setattr(_render, "render", functools.cache(_render.render))
        return dict(zip(names, pool.map(lambda name: play(*EACH[name]), names), strict=True))


def open_files() -> int:
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


# --- the matrix ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EACH)
def test_no_fault_costs_a_result_or_a_second_payment(name: str, runs: dict[str, Run]) -> None:
    """Nothing is lost, nothing paid twice; no half file stays, no task goes on, no key goes elsewhere."""
    run = runs[name]
    assert (run.row.lost, run.row.twice, run.problems) == (0, 0, ()), run


def test_both_clients_see_the_same(runs: dict[str, Run]) -> None:
    """And cost the same."""
    rows = [run.row for run in runs.values()]
    seen: dict[tuple[str, str], set[Row]] = {}
    for row in rows:
        seen.setdefault((row.phase, row.fault), set()).add(evolve(row, client=""))
    assert [found for found in seen.values() if len(found) > 1] == []


def test_nothing_is_left_of_all_the_runs(before: tuple[int, set[threading.Thread]], runs: dict[str, Run]) -> None:
    """No socket, no file, no thread."""
    assert (open_files() <= before[0], set(threading.enumerate()) - before[1]) == (True, set()), len(runs)


def test_the_document_is_what_the_runs_found(runs: dict[str, Run]) -> None:
    """And is written anew where it is not."""
    if len(runs) < len(EACH):
        pytest.skip("only some of the runs were asked for")
    without = [(kind, ", ".join(phases), why) for kind, (phases, why) in MEANINGLESS.items()]
    page = document([run.row for run in runs.values()], others(), same=SAME, meaningless=without)
    if not PAGE.is_file() or PAGE.read_text("utf-8") != page:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page, "utf-8")

        said = "docs/reliability.md was out of date and has been written anew; look at the difference and commit it"
        pytest.fail(said)


def others() -> list[Row]:
    """Return the rows of other clients under the same faults."""
    if importlib.util.find_spec("support.peers") is None:
        return []
    found: list[Row] = importlib.import_module("support.peers").measure()
    return found


# --- that nothing is missing ----------------------------------------------------------------------------


@pytest.mark.parametrize("phase", PHASES)
def test_each_fault_is_tried_in_each_phase(phase: Phase) -> None:
    """Or has no meaning there, and it is said why; whoever adds a fault is told of it here."""
    tried = {case.kind for case in CASES if case.phase == phase}
    without = {kind for kind, (phases, why) in MEANINGLESS.items() if phase in phases and why}
    assert tried - {""} == set(FAULTS) - without


def test_each_case_has_a_name_of_its_own() -> None:
    """The table's lines are told apart by phase and fault."""
    assert [name for name, times in Counter(case.name for case in CASES).items() if times > 1] == []


@pytest.mark.parametrize("theirs", SAME)
def test_the_faults_of_other_clients_are_ours(theirs: tuple[str, str]) -> None:
    """Each stands beside one that our own client was put through."""
    assert (theirs[0], SAME[theirs]) in {(case.phase, case.fault) for case in CASES}


# --- that the harness can fail ----------------------------------------------------------------------------


def test_a_client_that_sends_again_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A POST whose answer was lost, sent once more: two were accepted, and one is paid for in vain."""
    generate = PonyClient.generate

    def careless(pony: PonyClient, *request: Any, **options: Any) -> Any:
        try:
            return generate(pony, *request, **options)
        except SubmissionUnknown:
            return generate(pony, *request, **options)

    monkeypatch.setattr(PonyClient, "generate", careless)
    row = play(named("submit: connection lost before the answer"), "sync").row
    assert (row.saw, row.posts, row.accepted, row.lost, row.twice) == ("the picture", 2, 2, 0, 1)


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("phase", ["fetch", "download"])
def test_a_client_that_drops_the_id_is_found_out(phase: str, colour: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error after acceptance, without the job's id: the picture is lost."""
    monkeypatch.setattr(PonyError, "job_id", property(lambda _: None, lambda _, __: None), raising=False)
    row = play(named(f"{phase}: gateway's page, 502, each time"), colour).row
    assert row.saw.endswith("Error without an id; it was accepted")
    assert (row.posts, row.accepted, row.lost, row.twice) == (1, 1, 1, 0)


def test_a_client_that_says_nothing_was_accepted_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lost answer called a plain error."""
    generate = PonyClient.generate

    def bold(pony: PonyClient, *request: Any, **options: Any) -> Any:
        try:
            return generate(pony, *request, **options)
        except SubmissionUnknown:
            raise PonyError("no answer") from None

    monkeypatch.setattr(PonyClient, "generate", bold)
    row = play(named("submit: connection lost before the answer"), "sync").row
    assert (row.saw, row.lost) == ("PonyError without an id; it was accepted", 1)


def test_a_half_written_file_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that a client leaves behind where a download ends in the middle."""
    monkeypatch.setattr(_disk._File, "discard", lambda sink: sink._file.close())
    problems = play(named("download: connection lost in the middle of the answer"), "sync").problems
    assert any(".part" in problem for problem in problems)


def test_a_fault_that_befalls_nothing_is_found() -> None:
    """A run that tried nothing proves nothing."""
    case = evolve(
        named("submit: gateway's page, 502"), phase="download", make=named("webhook: the webhook never comes").make
    )
    assert "the fault befell no request" in play(case, "sync").problems


# --- how it is told ----------------------------------------------------------------------------------------


def test_both_clients_share_a_line_where_they_saw_the_same() -> None:
    """And have one each where they did not."""
    alike = document([FIRST, evolve(FIRST, client="c, async")])
    assert "| f | both | the picture | 1 | 1 | 0 | 0 |" in alike
    apart = document([FIRST, evolve(FIRST, client="c, async", saw="an error", lost=1)])
    assert "| f | sync | the picture | 1 | 1 | 0 | 0 |\n| f | async | an error | 1 | 1 | 1 | 0 |" in apart


def test_other_clients_stand_beside_ours() -> None:
    """Under our words for the same fault; what ours was not put through has no cell of ours."""
    worse = evolve(FIRST, client="other 1.0, sync", fault="g", posts=2, accepted=2, twice=1)
    page = document([FIRST], [worse, evolve(worse, fault="h")], same={("submit", "g"): "f"})
    assert "| what was done | c | other 1.0 |" in page
    theirs = "sync: the picture<br>POSTs 2, accepted 2, **paid twice 1**"
    assert f"| f | sync: the picture<br>POSTs 1, accepted 1 | {theirs} |" in page
    assert f"| h | not run | {theirs} |" in page


def test_the_summary_adds_up() -> None:
    """By phase, and in all."""
    page = document([FIRST, evolve(FIRST, phase="fetch", posts=3, accepted=2, lost=1, twice=1)])
    assert "| c, sync | fetch | 1 | 3 | 2 | 1 | 1 |" in page
    assert "| **c, sync** | **all** | **2** | **4** | **3** | **1** | **1** |" in page
