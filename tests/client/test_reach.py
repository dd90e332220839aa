"""Every operation of the spec is reached, from both clients, at the address that the spec gives it."""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any

import httpx
import pytest

from modelslab_pony.requests import KINDS
from modelslab_pony.testing import Simulator, VirtualClock
from modelslab_pony.testing._spec import body_schema, effective_spec, operations, route, servers
from support.both import Colour
from support.parity import CALLS
from support.scripted import PNG

SPEC = effective_spec()
# The last of three jobs is the last that is asked about.
URLS = {
    operation["operationId"]: servers(SPEC, path)[0] + path.replace("{id}", "70010003")
    for _, path, operation in operations(SPEC)
}


def everything(pony: Any) -> Generator[Any, Any, Any]:
    """Use each method that sends something."""
    yield pony.text2img("a lighthouse")
    yield pony.img2img("a lighthouse", PNG)
    yield pony.inpaint("a lighthouse", init_image=PNG, mask_image="https://images.example/mask.png")
    yield pony.balance()
    yield pony.queued()
    yield pony.reload_model("pony-realism")


class Watched:
    """The simulator behind a server that has taken `/fetch` away, and what it was asked."""

    def __init__(self, clock: VirtualClock) -> None:
        self._simulator = Simulator(eta=5, clock=clock)
        self.asked: dict[str, tuple[str, set[str]]] = {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        found = route(request.method, request.url.path)
        assert found is not None, request.url
        self.asked[found[0]] = str(request.url), set(json.loads(request.content)) - {"key"}
        if found[0] == "fetch":
            return httpx.Response(404, html="<h1>Not Found</h1>")
        answer = self._simulator.answer(request.method, str(request.url), request.content)
        return httpx.Response(answer.status_code, content=answer.content)


@pytest.fixture
def asked(colour: Colour, clock: VirtualClock) -> dict[str, tuple[str, set[str]]]:
    watched = Watched(clock)
    colour.play(everything, watched, clock)
    return watched.asked


def test_every_operation_is_reached(asked: dict[str, tuple[str, set[str]]]) -> None:
    """An operation that the spec gains fails this by its name."""
    assert set(asked) == set(URLS)


def test_each_has_its_address(asked: dict[str, tuple[str, set[str]]]) -> None:
    """Below its own server: the account's calls are not below /v6/images."""
    assert {name: url for name, (url, _) in asked.items()} == URLS


def test_each_is_sent_the_specs_fields(asked: dict[str, tuple[str, set[str]]]) -> None:
    """The calls that make nothing: exactly those; a generation: those that it needs, and none that the spec lacks."""
    for name, (_, fields) in asked.items():
        if name in KINDS:
            schema = body_schema(name)
            assert set(schema["required"]) - {"key"} <= fields <= set(schema["properties"]), name
        else:
            assert fields == set(CALLS[name]), name


# The balance is at the root of the API, the count below its version.
BASES = {
    "https://modelslab.com/api/v6/images": ("https://modelslab.com/api", "/v6"),
    "http://127.0.0.1:8010/api/v6/images/": ("http://127.0.0.1:8010/api", "/v6"),
    "https://gateway.example/lab/v6/images": ("https://gateway.example/lab", "/v6"),
    "http://127.0.0.1:4010": ("http://127.0.0.1:4010", ""),
    "https://gateway.example/pony": ("https://gateway.example/pony", ""),
}


@pytest.mark.parametrize("base", BASES)
def test_the_accounts_calls_follow_the_base_url(base: str, colour: Colour, clock: VirtualClock) -> None:
    """Never to another host; below a base URL of another shape, where everything else is, too."""
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return httpx.Response(200, json={"status": "success", "data": {"balance": 1}, "processing_count": 1})

    def story(pony: Any) -> Generator[Any, Any, Any]:
        yield pony.balance()
        yield pony.queued()

    colour.play(story, answer, clock, base_url=base)
    root, version = BASES[base]
    assert seen == [f"{root}/wallet_balance", f"{root}{version}/processing/request_count"]
