"""What the vendor published: Prism plays the shipped spec as it is."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from modelslab_pony import TextToImage, errors
from support import cases
from support.both import Colour
from support.wire import Wire, post

FIELDS = cases.properties(cases.SHIPPED, "TextToImageRequest")
VALUES = list(cases.values(cases.SHIPPED, "TextToImageRequest"))
# The error class of each documented code; where the service failed, nobody knows whether it had accepted before.
REFUSALS = {"400": errors.BadRequestError, "401": errors.AuthenticationError, "500": errors.UnknownServerError}


@pytest.fixture
def wire(colour: Colour, shipped_url: str) -> Wire:
    return Wire(colour, shipped_url)


def making(**options: Any) -> Any:
    def story(pony: Any) -> Generator[Any, Any, Any]:
        return (yield pony.text2img(**{"prompt": "a lighthouse", **options}))

    return story


def test_every_documented_code_is_tested_here() -> None:
    """A code that the vendor adds fails this until it is thought about."""
    assert {code for _, code, _ in cases.documented(cases.SHIPPED)} == {"200", *REFUSALS}


def test_a_documented_success_becomes_a_generation(wire: Wire) -> None:
    """With the fields that the schema names."""
    generation = wire.play(making(), prefer="code=200")
    assert len(generation.images) == 1
    assert generation.images[0].url.startswith("http")
    assert generation.images[0].proxy_url.startswith("http")
    assert isinstance(generation.id, int)
    assert isinstance(generation.generation_time, float)
    assert wire.violations == []


@pytest.mark.parametrize("code", REFUSALS)
def test_each_documented_error_becomes_its_class(code: str, wire: Wire) -> None:
    """By its HTTP code, with the service's words and body; one POST."""
    with pytest.raises(REFUSALS[code]) as raised:
        wire.play(making(), prefer=f"code={code}")
    assert type(raised.value) is REFUSALS[code]
    assert raised.value.status_code == int(code)
    assert raised.value.body == {"status": "error", "message": raised.value.message}
    assert len(wire.sent) == 1


@pytest.mark.parametrize(("name", "value"), VALUES, ids=[f"{name}={value}" for name, value in VALUES])
def test_each_field_is_sent_as_the_spec_has_it(name: str, value: Any, wire: Wire) -> None:
    """At each bound, with each enum value: Prism finds no violation, and the value arrives unchanged."""
    wire.play(making(**{name: cases.as_keyword(value)}))
    assert wire.violations == []
    assert wire.sent[0][name] == value
    assert type(wire.sent[0][name]) is type(value)


def test_what_is_sent_has_only_fields_of_the_spec(wire: Wire) -> None:
    """A misspelt field would pass every validator as an additional one."""
    everything = {name: cases.as_keyword(value) for name, value in VALUES}
    wire.play(making(**everything))
    assert set(wire.sent[0]) == {*FIELDS, "key"}


def test_required_fields_are_always_sent(wire: Wire) -> None:
    """Also by the shortest request."""
    wire.play(making())
    assert set(cases.SHIPPED["components"]["schemas"]["TextToImageRequest"]["required"]) <= set(wire.sent[0])


def test_a_submitted_job_that_succeeded_needs_no_second_call(wire: Wire) -> None:
    """The shipped spec has no other operation."""

    def story(pony: Any) -> Generator[Any, Any, Any]:
        job = yield pony.submit(TextToImage("a lighthouse"))
        return job.status, (yield job.wait())

    status, generation = wire.play(story)
    assert (status, len(wire.sent), len(generation.images)) == ("success", 1, 1)


@pytest.mark.parametrize(
    "change",
    [{"width": "1024"}, {"width": 1023}, {"model_id": None}, {"safety_checker": True}, {"safety_checker": "maybe"}],
    ids=str,
)
def test_this_prism_sees_what_breaks_the_spec(change: dict[str, Any], shipped_url: str) -> None:
    """Otherwise the tests above would prove nothing."""
    body = {"key": "k", "model_id": "m", "prompt": "p", **change}
    answer = post(f"{shipped_url}/text2img", {name: value for name, value in body.items() if value is not None})
    assert (answer.status_code, "sl-violations" in answer.headers) == (400, True)
