"""How faults are demanded: as values, by rules and scripts, and in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from modelslab_pony.testing import Simulator, faults
from modelslab_pony.testing._script import add_texts
from modelslab_pony.testing.faults import (
    HTML,
    ContentType,
    CutShort,
    Drop,
    Late,
    Oversized,
    RateLimited,
    Redirect,
    Refuse,
    Reply,
    Trickle,
    WrongLength,
)


@pytest.mark.parametrize(
    ("kind", "given", "said"),
    [
        (Late, -1, "seconds must be a number of seconds"),
        (Late, float("nan"), "seconds must be"),
        (Late, "5", "seconds must be"),
        (Refuse, None, "seconds must be"),
        (Trickle, 0, "size must be"),
        (CutShort, 1, "keep must be"),
        (CutShort, "x", "keep must be"),
        (WrongLength, 0, "by must be"),
        (HTML, 99, "status_code must be an HTTP status"),
        (HTML, "502", "status_code must be"),
        (RateLimited, "soon", "retry_after must be"),
        (Drop, "sometime", "when must be"),
        (Redirect, "a b", "to must be"),
        (ContentType, "", "type must be"),
        (Oversized, -1, "size must be"),
        (Reply, 205, "status_code must be"),
        (HTML, 204, "status_code must be"),
        (HTML, True, "status_code must be"),
        (faults.WebhookTwice, -1, "apart must be"),
    ],
)
def test_a_fault_that_cannot_be_is_refused(kind: Any, given: Any, said: str) -> None:
    """The message names the field."""
    with pytest.raises(ValueError, match=said):
        kind(given)


def test_what_contradicts_itself_is_refused() -> None:
    """Half of an answer that was never given; a body that cannot be written."""
    for when in ("during", "after"):
        with pytest.raises(ValueError, match="accepted must be True"):
            Drop(when, accepted=False)
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    for body in ({1, 2}, deep, "\ud800", object()):
        with pytest.raises(ValueError, match="body must be"):
            Reply(200, body)


def test_the_defaults_of_faults(simulator: Simulator) -> None:
    """A second of refusal; more bytes than any image may have; a length that is never below nothing."""
    assert Refuse().seconds == 1
    simulator.faults.script(Oversized(1000), Oversized(3), WrongLength(-(10**6)), Oversized())
    lengths = [simulator.answer("GET", "https://modelslab.com/images/x.png") for _ in range(4)]
    assert [answer.stated_length for answer in lengths] == [1000, len(b"not found"), 0, 300 * 2**20]
    assert repr(simulator.faults) == "<Faults: none>"


@pytest.mark.parametrize(
    ("add", "said"),
    [
        (lambda given: given.add(HTML(502), on="text2image"), "on must be one of text2img"),
        (lambda given: given.add(HTML(502), times=0), "times must be"),
        (lambda given: given.add(HTML(502), times=True), "times must be"),
        (lambda given: given.add("html:502"), "a fault must be one of"),
        (lambda given: given.script(HTML), "a fault must be one of"),
        (lambda given: given.add(None), "a fault must be one of"),
        (lambda given: given.script(), "at least one fault"),
        (lambda given: given.add(HTML(502), on="webhook"), "on must be a kind of request"),
        (lambda given: given.add(faults.WebhookNever(), on="fetch"), "on must be webhook"),
        (lambda given: given.script(faults.WebhookNever(), HTML(502)), "not for both"),
    ],
)
def test_a_demand_that_cannot_be_is_refused(add: Callable[[Any], Any], said: str, simulator: Simulator) -> None:
    """And nothing is kept of it."""
    with pytest.raises(ValueError, match=said):
        add(simulator.faults)
    assert str(simulator.faults) == ""


def test_the_first_rule_that_applies_decides(simulator: Simulator) -> None:
    """Groups, operations, functions; a rule that is used up is gone, one without end stays."""
    given = simulator.faults
    given.add(HTML(503), on="image", times=None)
    given.add(HTML(502), on="fetch", times=2)
    given.add(HTML(522), on=lambda call: b"needle" in call.body)

    def status(method: str, path: str, body: bytes = b"{}") -> int:
        return simulator.answer(method, f"https://modelslab.com{path}", body).status_code

    pictures = [status("GET", path) for path in ("/images/1-0.png", "/cdn/1-0.png", "/uploads/1")]
    assert pictures == [503, 503, 404]
    assert [status("POST", f"/api/v6/images/{path}") for path in ("fetch", "fetch/1", "fetch")] == [502, 502, 400]
    assert [status("POST", "/api/v6/images/text2img", b'"needle"') for _ in range(2)] == [522, 400]
    assert str(given) == "HTML(status_code=503, accepted=False), always on image"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("html", "HTML(status_code=502, accepted=False) on any request"),
        ("html:522@fetch*3", "HTML(status_code=522, accepted=False), 3 times on fetch"),
        ("late:0.5@image*always", "Late(seconds=0.5), always on image"),
        ("rate-limited:none@submission", "RateLimited(retry_after=None) on submission"),
        ("drop:during@text2img", "Drop(when='during', accepted=True) on text2img"),
        ("redirect:https://x.example/a", "Redirect(to='https://x.example/a', status_code=307) on any request"),
        ("content-type:text/plain@proxy", "ContentType(type='text/plain') on proxy"),
        ("wrong-length:-5", "WrongLength(by=-5) on any request"),
        ("webhook-twice:2", "WebhookTwice(apart=2) on webhook"),
        ("webhook-never*2", "WebhookNever(), 2 times on webhook"),
    ],
)
def test_a_fault_in_words(text: str, told: str, simulator: Simulator) -> None:
    """As the command line takes it."""
    add_texts(simulator.faults, [text])
    assert str(simulator.faults) == told


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must be NAME"),
        ("fire", "with a NAME of"),
        ("html:", "status_code must be"),
        ("late", "late takes a value"),
        ("webhook-never:1", "takes no value"),
        ("html@nowhere", "on must be one of"),
        ("html*0", "times must be"),
        ("html*many", "must be NAME"),
    ],
)
def test_a_fault_in_words_that_cannot_be(text: str, said: str, simulator: Simulator) -> None:
    """The message repeats the words, and says what they may be."""
    with pytest.raises(ValueError, match=said) as raised:
        add_texts(simulator.faults, [text])
    assert repr(text) in str(raised.value)
    assert str(simulator.faults) == ""
