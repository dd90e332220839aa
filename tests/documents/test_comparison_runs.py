"""What docs/comparison.md says that other clients do: run against scripted answers on this machine."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

from support.hosts import Asked, Host, Said, listening

pytestmark = pytest.mark.filterwarnings("ignore")  # other people's code warns of other people's code

KEY = "planted-0123456789"
PAGE_502 = b"<html><title>502 Bad Gateway</title></html>"
JSON = (("content-type", "application/json"),)
HTML = (("content-type", "text/html"),)
SYNC_AND_ASYNC = pytest.mark.parametrize("colour", ["sync", "async"])


def _community(url: str) -> Any:
    client = import_module("modelslab_py.core.client").Client(api_key=KEY, fetch_retry=3, fetch_timeout=1)
    client.base_url = f"{url}/api/"
    return import_module("modelslab_py.core.apis.community").Community(client=client)


def _submit(api: Host, colour: str) -> Any:
    """Ask for one image with the vendor's client."""
    schemas = import_module("modelslab_py.schemas.community")
    community, wanted = _community(api.url), schemas.Text2Image(prompt="a lighthouse", model_id="pony-realism")

    async def awaited() -> Any:
        async with community.client:
            return await community.async_text_to_image(wanted)

    return community.text_to_image(wanted) if colour == "sync" else asyncio.run(awaited())


def _failed(api: Host, call: Callable[[], Any]) -> Exception:
    """Return what the call raises, after one request: nothing was sent again."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which class it is, is what the tests look at
        call()
    assert len(api.asked) == 1
    return caught.value


def _lost(_: Asked) -> Said:
    raise ConnectionResetError


@SYNC_AND_ASYNC
def test_vendor_lost_answer(colour: str) -> None:
    """One POST; the error of `requests` holds the request, and the key in its body; an `Exception` holds neither."""
    with listening("api", answer=_lost) as api:
        error = _failed(api, lambda: _submit(api, colour))
    assert type(error).__name__ == {"sync": "ConnectionError", "async": "Exception"}[colour]
    body = getattr(getattr(error, "request", None), "body", b"")
    assert (KEY.encode() in body) == (colour == "sync")
    assert KEY not in repr(error)


@SYNC_AND_ASYNC
def test_vendor_gateway_page(colour: str) -> None:
    """One POST, a plain `Exception` with the page; asking about a job fails alike, and the job's id is not on it."""
    with listening("api", answer=lambda _: Said(502, PAGE_502, HTML, "Bad Gateway")) as api:
        error = _failed(api, lambda: _submit(api, colour))
    assert type(error) is Exception
    assert "502 Bad Gateway" in str(error)
    with listening("api", answer=lambda _: Said(502, PAGE_502, HTML, "Bad Gateway")) as api:
        error = _failed(api, lambda: _community(api.url).fetch("70010001"))
    assert "70010001" not in f"{error} {error.args} {vars(error)}"


@SYNC_AND_ASYNC
def test_vendor_rate_limit(colour: str) -> None:
    """One POST, a plain `Exception`; the wait stands in its text."""
    refusal = {"status": "error", "message": "Rate limit exceeded.", "retry_after": 30}
    with listening("api", answer=lambda _: Said(429, refusal, JSON, "Too Many Requests")) as api:
        error = _failed(api, lambda: _submit(api, colour))
    assert type(error) is Exception
    assert '"retry_after": 30' in str(error)
    assert vars(error) == {}


@SYNC_AND_ASYNC
def test_vendor_page_under_200(colour: str) -> None:
    """The error of the JSON parser, or a plain `Exception`."""
    with listening("api", answer=lambda _: Said(200, PAGE_502, HTML)) as api:
        error = _failed(api, lambda: _submit(api, colour))
    assert type(error).__name__ == {"sync": "JSONDecodeError", "async": "Exception"}[colour]


@SYNC_AND_ASYNC
@pytest.mark.parametrize("body", [{}, {"status": "error", "message": "Invalid API key"}], ids=["empty", "error"])
def test_vendor_odd_answer_is_the_result(colour: str, body: dict[str, str]) -> None:
    """Nothing is raised: the caller has to read `status`."""
    with listening("api", answer=lambda _: Said(200, body, JSON)) as api:
        assert _submit(api, colour) == body


@SYNC_AND_ASYNC
def test_vendor_redirect_takes_the_key(colour: str) -> None:
    """A 307 has the whole body, with the key, sent to whatever host it names."""
    with listening("elsewhere", "127.0.0.2", answer=lambda _: Said(200, {}, JSON)) as elsewhere:
        there = (("location", f"{elsewhere.url}/taken"),)
        with listening("api", answer=lambda _: Said(307, b"", there, "Temporary Redirect")) as api:
            _submit(api, colour)
    assert KEY.encode() in elsewhere.heard


def test_vendor_looks_on_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """`failed` is asked about as often as a running job, with the same waits, and returned without an error."""
    waits: list[float] = []
    monkeypatch.setattr("modelslab_py.core.apis.base.time.sleep", waits.append)
    with listening("api", answer=lambda _: Said(200, {"status": "failed", "eta": 9}, JSON)) as api:
        assert _community(api.url).fetch("70010001")["status"] == "failed"
    assert len(api.asked) == 3
    assert waits == [1, 1, 1]


def test_vendor_fetch_by_number() -> None:
    """An id as the service gives it is refused before anything is sent."""
    with listening("api") as api, pytest.raises(TypeError):
        _community(api.url).fetch(70010001)
    assert api.asked == []


def _replicate(url: str) -> Any:
    from replicate.client import Client

    return Client(api_token=KEY, base_url=url)


def _run(api: Host) -> Exception:
    """Return what asking for one image with replicate's client raises."""
    client = _replicate(api.url)
    with contextlib.closing(client._client):
        return _failed(api, lambda: client.run("stability-ai/sdxl", input={"prompt": "a lighthouse"}))


@pytest.mark.parametrize("body", [{}, {"status": "error", "message": "no"}], ids=["empty", "error"])
def test_replicate_odd_answer(body: dict[str, str]) -> None:
    """It is no prediction, so pydantic refuses it."""
    with listening("api", answer=lambda _: Said(201, body, JSON, "Created")) as api:
        error = _run(api)
    assert type(error).__name__ == "ValidationError"


def test_replicate_error_reaches_the_key() -> None:
    """The request that an error of httpx holds has the key in its headers."""
    with listening("api", answer=_lost) as api:
        error = _run(api)
    assert type(error).__module__ == "httpx"
    assert KEY in vars(error)["_request"].headers["authorization"]
    assert KEY not in repr(error)


def test_no_repr_holds_the_key() -> None:
    """Of the clients that are installed."""
    import fal_client

    community = _community("http://127.0.0.1:9")
    shown = [community, community.client, _replicate("http://127.0.0.1:9"), fal_client.SyncClient(key=KEY)]
    assert KEY not in repr([*shown, fal_client.AsyncClient(key=KEY)])


def test_fal_credentials_print_the_key() -> None:
    """A dataclass prints its fields."""
    from fal_client.auth import AuthCredentials

    assert KEY in repr(AuthCredentials("Key", KEY))
