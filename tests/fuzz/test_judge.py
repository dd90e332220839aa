"""The judge itself can be seen to fail: a wrapper that is broken on purpose does not pass it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from modelslab_pony import _classify, _flow
from modelslab_pony.errors import APIError
from support.both import KEY
from support.fuzz.judge import Escape, judge
from support.fuzz.play import Example, sync_trips
from support.fuzz.wires import Recipe, Wire, made, wire

Break = Callable[[pytest.MonkeyPatch], None]


def played(journey: str, answers: list[Wire], folder: Path) -> None:
    for trip in sync_trips(Example(journey, ()), answers, folder):
        judge(trip)


def replaced(module: Any, name: str, by: Callable[[Any], Any]) -> Break:
    return lambda patch: patch.setattr(module, name, by(getattr(module, name)))


def bare(error: APIError) -> APIError:
    error.job_id = None
    return error


def without_code(error: APIError) -> APIError:
    error.status_code = None
    return error


SUCCESS = {"status": "success", "id": 7, "output": ["https://images.example/a.png"]}
EMPTY = {"status": "success", "id": 7, "output": []}
PAGE = b"<html>busy</html>"
BROKEN: list[tuple[str, str, list[Wire], Break]] = [
    (
        "a success without images",
        "generate",
        [wire(EMPTY)],
        replaced(_classify, "urls", lambda _: lambda __: ["no address"]),
    ),
    (
        "images that the answer does not have",
        "generate",
        [wire(EMPTY)],
        replaced(_classify, "urls", lambda _: lambda __: ["https://images.example/other.png"]),
    ),
    (
        "an id that is lost with an odd success",
        "submit",
        [wire(EMPTY)],
        replaced(_classify, "unexpected", lambda real: lambda *given: bare(real(*given))),
    ),
    (
        "a gateway's page taken for a refusal",
        "submit",
        [wire(PAGE, 502)],
        replaced(_flow, "is_refusal", lambda _: lambda __: True),
    ),
    (
        "a refusal taken for unknown",
        "submit",
        [wire({"status": "error", "message": "Invalid API key"}, 401)],
        replaced(_flow, "is_refusal", lambda _: lambda __: False),
    ),
    (
        "an exception that is none of ours",
        "balance",
        [wire(b"[" * 100_000, 500)],
        replaced(_classify, "_text_of", lambda _: lambda __: 1 / 0),
    ),
    (
        "an error without its HTTP status",
        "fetch",
        [wire({"status": "error"}, 400)],
        replaced(_classify, "_error", lambda real: lambda *given: without_code(real(*given))),
    ),
    (
        "control characters in an error's text",
        "queued",
        [wire({"status": "error", "message": "\x1b[2J"})],
        replaced(_classify, "brief", lambda _: lambda text, __: text),
    ),
    (
        "a text without bound",
        "queued",
        [wire({"status": "error", "message": "x" * 5_000})],
        replaced(_classify, "brief", lambda _: lambda text, __: text),
    ),
    (
        "a body without bound",
        "reload",
        [wire({"status": "error", "tip": "x" * 500_000})],
        replaced(_classify, "bounded", lambda _: lambda value, __: value),
    ),
    (
        "a second POST after what is no refusal",
        "submit",
        [wire(b'{"status": "success", "status": "error", "message": "rate limit"}', 429), wire(SUCCESS)],
        replaced(_classify, "claims_acceptance", lambda _: lambda __: False),
    ),
    (
        "the key, repeated",
        "submit",
        [made(Recipe("error_401", changes=(("echo", 2),)))],
        lambda patch: patch.setattr("modelslab_pony._redact.Redactor.body", lambda _, given: given),
    ),
]


@pytest.mark.parametrize(("name", "journey", "answers", "damage"), BROKEN, ids=[name for name, *_ in BROKEN])
def test_a_broken_wrapper_does_not_pass(
    name: str, journey: str, answers: list[Wire], damage: Break, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of these answers is survived by the wrapper as it is, and seen by the judge once a part of it is gone."""
    played(journey, answers, tmp_path)
    damage(monkeypatch)
    with pytest.raises(Escape) as raised:
        played(journey, answers, tmp_path)
    assert str(raised.value), name


SPELT = {
    "plainly": KEY,
    "by numbers": "".join(f"\\u{ord(sign):04X}" for sign in KEY),
    "by numbers, twice": json.dumps("".join(f"\\u{ord(sign):04x}" for sign in KEY)),
    "behind backslashes": KEY.replace("/", "\\/"),
    "in a URL": quote(KEY, safe=""),
    "in base64": base64.b64encode(KEY.encode()).decode(),
    "in hexadecimal": KEY.encode().hex().upper(),
}


@pytest.mark.parametrize("spelling", SPELT)
@pytest.mark.parametrize("place", ["a text", "a message"])
def test_the_key_may_be_taken_out_of_what_is_kept(spelling: str, place: str, tmp_path: Path) -> None:
    """The wrapper takes it out, however it is spelt, and the judge does not ask for it back."""
    text = f"no {SPELT[spelling]} here"
    answer = wire(text if place == "a text" else {"status": "error", "message": text})
    played("submit", [answer] * 3, tmp_path)


@pytest.mark.parametrize(
    ("change", "means"),
    [
        ({"real": 60.0}, "a processor"),
        ({"virtual": 10_000.0}, "the clock"),
        ({"left_over": [".pony-1.part"]}, "files behind"),
        ({"outcome": None}, "gave NoneType"),
        ({"error": KeyError("id")}, "KeyError got out"),
    ],
)
def test_a_bad_end_is_seen(change: dict[str, Any], means: str, tmp_path: Path) -> None:
    """Too long, something left behind, of another type, or an exception."""
    (trip,) = sync_trips(Example("generate", ()), [wire(SUCCESS)], tmp_path)
    judge(trip)
    for name, value in change.items():
        setattr(trip, name, value)
    with pytest.raises(Escape, match=means):
        judge(trip)
