"""What a webhook claims, and what is none."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from modelslab_pony import InvalidWebhookError
from modelslab_pony._webhook import BODY_SHOWN, MAX_BODY, WebhookEvent, one_type, parse
from support.scripted import captured

SUCCESS = captured("webhook_success")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
EVENTS = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("id", "status", "message", "messege", "track_id", "output", "meta"), JSON)
)


def refused(body: Any) -> InvalidWebhookError:
    with pytest.raises(InvalidWebhookError) as raised:
        parse(body)
    assert type(raised.value) is InvalidWebhookError
    assert len(raised.value.body) <= BODY_SHOWN
    assert len(str(raised.value)) < 300
    return raised.value


def test_a_captured_success_is_read() -> None:
    """Job, status and track_id; the rest stays in `raw`."""
    event = parse(SUCCESS.content)
    assert (event.job_id, event.status, event.track_id, event.message) == (70010006, "success", "order-17", "")
    assert (event.claimed_end, event.raw) == ("success", SUCCESS.body)


def test_a_captured_failure_is_read() -> None:
    """With the words that it came with."""
    event = parse(captured("webhook_failed").content)
    assert (event.job_id, event.status, event.track_id) == (70010009, "failed", "order-18")
    assert (event.claimed_end, event.message) == ("failed", "Processing failed")


def test_no_images_are_offered() -> None:
    """Their URLs are whoever's who posted; a `repr` does not show them either."""
    event = parse(SUCCESS.content)
    names = {name for name in dir(event) if not name.startswith("_")}
    assert names == {"job_id", "status", "track_id", "message", "raw", "claimed_end"}
    assert "images.example" not in repr(event)


@pytest.mark.parametrize(
    "body",
    [
        SUCCESS.content,
        SUCCESS.content.decode(),
        SUCCESS.body,
        bytearray(SUCCESS.content),
        b"\xef\xbb\xbf" + SUCCESS.content,
        "\ufeff" + SUCCESS.content.decode(),
        b"<br />\n<b>Warning</b>: Undefined index in hook.php on line 7\n" + SUCCESS.content,
        SUCCESS.content.decode().encode("utf-16"),
        json.dumps({**SUCCESS.body, "status": " Success ", "meta": []}),
        json.dumps({**SUCCESS.body, "id": "70010006"}),
        json.dumps({**SUCCESS.body, "id": " 70010006\u0020"}),
        json.dumps({**SUCCESS.body, "id": 70010006.0}),
        json.dumps({**SUCCESS.body, "generationTime": float("nan")}),
        SUCCESS.content.replace(b"lighthouse", b"lighthouse \xff\xfe"),
    ],
    ids=range(14),
)
def test_odd_spellings_of_a_webhook_are_read(body: Any) -> None:
    """As in the service's answers: marks and warnings before the JSON, ids of two types, NaN, no UTF-8."""
    event = parse(body)
    assert (str(event.job_id), event.status, event.track_id) == ("70010006", "success", "order-17")


@pytest.mark.parametrize(
    ("change", "name", "value"),
    [
        ({"messege": "spelt so"}, "message", "spelt so"),
        ({"message": {"prompt": ["is bad"]}}, "message", "prompt: is bad"),
        ({"message": "x" * 9000}, "message", "x" * 500),
        ({"track_id": 17}, "track_id", "17"),
        ({"track_id": None}, "track_id", None),
        ({"track_id": ["a"]}, "track_id", None),
        ({"track_id": True}, "track_id", None),
        ({"track_id": 10**30}, "track_id", None),
        ({"track_id": "t" * 9000}, "track_id", "t" * 500),
        ({"status": "error"}, "claimed_end", "failed"),
        ({"status": "processing"}, "claimed_end", None),
        ({"status": "upscaling 3"}, "claimed_end", None),
    ],
)
def test_one_field(change: dict[str, Any], name: str, value: object) -> None:
    """Whatever stands there becomes a short text, or none."""
    assert getattr(parse({"id": 7, "status": "failed"} | change), name) == value


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "it is empty"),
        ("  ", "it is empty"),
        (b"hello", "no JSON object"),
        (b"[]", "no JSON object"),
        (b'"text"', "no JSON object"),
        (b"null", "no JSON object"),
        (SUCCESS.content[:-1], "no JSON object"),
        (b"\x00\xff\xfe\x80", "no JSON object"),
        (gzip.compress(SUCCESS.content), "no JSON object"),
        (b'{"id": 7, "status": ' + b"[" * 100_000, "no JSON object"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "no JSON object"),
        (b'{"status": "success", "id": ' + b"9" * 5000 + b"}", "its id is None"),
        (b" " * MAX_BODY + SUCCESS.content, "bytes, of which 1048576 are read"),
        ("\N{BULLET}" * (MAX_BODY // 2), "bytes, of which 1048576 are read"),
        (None, "it is None"),
        (7, "it is 7"),
        ({}, "it has no id"),
        ({"id": 7}, "it has no status"),
        ({"id": 7, "status": 200}, "its status is 200 (int)"),
        ({"id": 7, "status": "  "}, "its status is"),
        ({"id": 7, "status": "x" * 41}, "its status is"),
        ({"id": 7, "status": "a\nb"}, "its status is"),
        ({"id": 7, "status": "success", "message": [10**5000]}, "its values are no JSON"),
    ],
    ids=range(23),
)
def test_what_is_no_webhook_is_refused(body: Any, said: str) -> None:
    """With the reason, and a short piece of what came."""
    assert said in str(refused(body))


@pytest.mark.parametrize(
    "id",
    [
        *(None, "", "  ", True, 1.5, float("nan"), float("inf"), 1e300, -7, 10**20, 10**5000, [], {"a": 1}),
        *("../../fetch", "a/b", "7?x=1", "7 8", "a\nb", "\u0667", "x" * 101, "-7", "\ud800", "7%2e"),
    ],
    ids=range(23),
)
def test_an_id_that_nobody_could_ask_about_is_none(id: Any) -> None:
    """Nor one that would be a path, a line of a log, or very long."""
    refused({"status": "success", "id": id})


def test_the_body_in_an_error_is_a_short_text() -> None:
    """Also of something huge, and of what is no text."""
    assert refused(b"x" * 5000).body == "x" * 1000
    assert refused(b"\xff\x00").body == "\N{REPLACEMENT CHARACTER}\x00"
    assert refused({"key": "x" * 5000}).body.startswith("{'key': 'xxx")
    assert isinstance(refused(object()), ValueError)


@pytest.mark.parametrize(
    ("text", "id"), [("5", 5), ("007", "007"), ("0", "0"), ("5a", "5a"), ("9" * 19, "9" * 19), ("9" * 18, 10**18 - 1)]
)
def test_an_id_has_one_type(text: str, id: object) -> None:
    """5 and "5" are the same job."""
    assert one_type(text) == id


@given(st.binary() | st.text() | JSON | EVENTS | EVENTS.map(json.dumps))
def test_anything_is_an_event_or_refused(body: Any) -> None:
    """Never another exception."""
    try:
        event = parse(body)
    except InvalidWebhookError:
        refused(body)
    else:
        assert isinstance(event, WebhookEvent)
        assert str(event.job_id).isascii()
