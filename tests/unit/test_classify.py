"""What each answer means, as a table over every captured reply and the oddities around them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from modelslab_pony import _shapes, errors
from modelslab_pony._classify import BODY_KEPT, is_refusal, parse, snapshot
from modelslab_pony._steps import Reply
from support.meanings import MEANINGS
from support.scripted import ANSWERS, Captured, captured


def reply(body: Any, status_code: int = 200, **headers: str) -> Reply:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(at=0.0, status_code=status_code, headers=headers, body=content)


def refused(body: Any, status_code: int = 200, **headers: str) -> errors.APIError:
    with pytest.raises(errors.APIError) as raised:
        snapshot(reply(body, status_code, **headers))
    return raised.value


def test_the_table_covers_every_captured_reply() -> None:
    """A captured reply without a meaning here is one that nobody thought about."""
    assert {answer.name for answer in ANSWERS} == set(MEANINGS)


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer.name)
def test_each_captured_reply_has_its_meaning(answer: Captured) -> None:
    """A reply becomes a job with its status, or an error of exactly the class in the table."""
    meaning = MEANINGS[answer.name]
    got = Reply(at=0.0, status_code=answer.http_status, headers={}, body=answer.content)
    if isinstance(meaning, str):
        assert snapshot(got).status == meaning
    else:
        with pytest.raises(errors.APIError) as raised:
            snapshot(got)
        assert type(raised.value) is meaning
        assert raised.value.body == answer.body
        assert raised.value.status_code == answer.http_status


def test_a_success_gives_its_images_and_facts() -> None:
    """Output, CDN copies, seed, time and flags come out under our names."""
    job = snapshot(reply(captured("success").body))
    assert [(link.url, link.proxy_url) for link in job.links] == [
        ("https://images.example/generations/a1-0.png", "https://cdn.example/generations/a1-0.png")
    ]
    assert (job.id, job.seed, job.generation_time, job.nsfw_content_detected) == (70010001, 3166507001, 1.87, False)
    assert job.meta["W"] == 1024


@pytest.mark.parametrize(
    ("name", "proxy"),
    [("success_proxy_links_object", "https://cdn.example/generations/c3.png"), ("success_proxy_links_null", None)],
)
def test_proxy_links_come_as_list_object_or_null(name: str, proxy: str | None) -> None:
    """Each spelling gives the CDN copy of the image at that index, or none."""
    assert snapshot(reply(captured(name).body)).links[0].proxy_url == proxy


def test_images_are_never_taken_from_proxy_links_or_future_links() -> None:
    """Only `output` says that there is an image."""
    links = ["https://cdn.example/x.png"]
    error = refused({"status": "success", "id": 5, "output": [], "proxy_links": links, "future_links": links})
    assert isinstance(error, errors.UnexpectedResponseError)
    assert error.job_id == 5


@pytest.mark.parametrize("output", ["", None, [], [""], [None], [5], {}, 5, ["https://x.example/a.png", None]])
def test_a_success_without_whole_images_is_an_error(output: Any) -> None:
    """An odd answer never becomes a result, and its id is not lost."""
    error = refused({"status": "success", "id": 5, "output": output})
    assert isinstance(error, errors.UnexpectedResponseError)
    assert error.job_id == 5


@pytest.mark.parametrize("body", [{}, {"message": "hello"}, {"status": None}, {"status": 7}, {"status": "queued"}])
def test_an_answer_without_known_status_and_id_is_an_error(body: dict[str, Any]) -> None:
    """Without an id there is nothing to ask about later."""
    assert isinstance(refused(body), errors.UnexpectedResponseError)


@pytest.mark.parametrize("status", ["queued", "", None, 7, ["success"], "SUCCESSFUL"])
def test_an_unknown_status_with_an_id_is_pending(status: Any) -> None:
    """What nobody documented is not done, and not lost."""
    job = snapshot(reply({"status": status, "id": 7, "output": ["https://x.example/a.png"]}))
    assert (job.status, job.id, job.links) == ("processing", 7, ())


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (12, 12.0),
        (81.8557122048, 81.8557122048),
        ("30", 30.0),
        ("", None),
        ("soon", None),
        (None, None),
        (True, None),
        (-1, None),
        (float("nan"), None),
        (float("inf"), None),
        ([], None),
        (10**400, None),
    ],
)
def test_eta_is_a_number_however_it_is_spelt(given: Any, expected: float | None) -> None:
    """Integer, float and numeral count; anything else is no eta."""
    assert snapshot(reply({"status": "processing", "id": 1, "eta": given})).eta == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [(7, 7), ("abc123-def456", "abc123-def456"), (7.0, 7), ("", None), (None, None), (True, None), ([7], None)],
)
def test_ids_come_as_integer_text_or_empty(given: Any, expected: int | str | None) -> None:
    """An id comes back as it was given; an empty one is none."""
    assert snapshot(reply({"status": "processing", "id": given})).id == expected


@pytest.mark.parametrize("meta", [None, [], "", "x", 5])
def test_meta_that_is_no_object_is_empty(meta: Any) -> None:
    """PHP sends an empty object as a list; nothing breaks on it."""
    assert snapshot(reply({"status": "processing", "id": 1, "meta": meta})).meta == {}


def test_an_object_of_lists_becomes_field_errors() -> None:
    """A validation error names its fields."""
    error = refused(captured("error_200_validation_object").body)
    assert isinstance(error, errors.BadRequestError)
    assert error.errors == {
        "prompt": ["The prompt field is required."],
        "width": ["The width must be at least 1024."],
    }


@pytest.mark.parametrize(
    ("body", "headers", "wait"),
    [
        ({"retry_after": 30}, {}, 30.0),
        ({"retry_after": "12.5"}, {"retry-after": "99"}, 12.5),
        ({"tips": "same request sent several times, wait for 30 seconds and try again"}, {}, 30.0),
        ({}, {"retry-after": "7"}, 7.0),
        ({}, {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
        ({}, {}, None),
    ],
)
def test_the_stated_wait_stands_in_body_hint_or_header(
    body: dict[str, Any], headers: dict[str, str], wait: float | None
) -> None:
    """The body is asked first: that is where the service puts it."""
    error = refused({"status": "error", "message": "Rate limit exceeded", **body}, 429, **headers)
    assert isinstance(error, errors.RateLimitError)
    assert error.retry_after == wait


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("Invalid API key", errors.AuthenticationError),
        ("Model id not found", errors.NotFoundError),
        ("Unable to fetch image from provided URL", errors.BadRequestError),
        ("Insufficient credits. Please add more credits to continue.", errors.InsufficientCreditsError),
        ("This feature requires a premium subscription", errors.PermissionDeniedError),
        ("Internal server error. Please try again.", errors.ServerError),
        ("something nobody has seen", errors.APIError),
    ],
)
def test_under_http_200_the_text_tells_refusals_apart(message: str, kind: type[errors.APIError]) -> None:
    """The documented texts give the same classes as their HTTP codes; an unknown one is a plain APIError."""
    assert type(refused({"status": "error", "message": message})) is kind


@pytest.mark.parametrize("status_code", [404, 418, 500, 503, 520, 522, 527, 599, 301])
def test_no_http_status_makes_an_odd_body_a_result(status_code: int) -> None:
    """Whatever the code, a body that says success outside 2xx is an error that keeps its id."""
    body = {"status": "success", "id": 9, "output": ["https://x.example/a.png"]}
    error = refused(body, status_code)
    assert (error.job_id, error.body, error.status_code) == (9, body, status_code)


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\x00", b"{", b"nul", b"[" * 100_000, b'{"status": "success"', b"\x1f\x8b"]
)
def test_a_body_that_is_no_json_is_kept(content: bytes) -> None:
    """Truncated, binary or too deep: our own error, with what came."""
    error = refused(content)
    assert isinstance(error, errors.UnexpectedResponseError)
    assert isinstance(error.body, str)


def test_what_is_kept_is_bounded() -> None:
    """A page of many megabytes does not travel with an error, nor fill its text."""
    error = refused(b"x" * 5_000_000)
    assert len(error.body) == BODY_KEPT
    assert len(str(error)) < 1_000


@pytest.mark.parametrize(
    ("name", "expected"),
    [("error_400", True), ("error_500", False), ("error_429", True), ("html_502", False), ("empty_200", False)],
)
def test_only_the_service_itself_can_refuse(name: str, expected: bool) -> None:
    """A gateway's page or an empty body proves nothing about what stands behind, nor does a failure within it."""
    answer = captured(name)
    with pytest.raises(errors.APIError) as raised:
        snapshot(Reply(at=0.0, status_code=answer.http_status, headers={}, body=answer.content))
    assert is_refusal(raised.value) is expected


@pytest.mark.parametrize(
    ("body", "seed"),
    [
        ({"meta": {"seed": "12"}}, 12),
        ({"seed": 13}, 13),
        ({"meta": {"seed": True}}, None),
        ({"meta": {"seed": "x"}}, None),
    ],
)
def test_the_seed_is_found_where_it_is(body: dict[str, Any], seed: int | None) -> None:
    """In `meta` or beside it, a number or a numeral."""
    assert snapshot(reply({"status": "processing", "id": 1, **body})).seed == seed


@pytest.mark.parametrize("name", ["message", "messege", "error"])
def test_the_services_words_are_found_under_each_spelling(name: str) -> None:
    """Both spellings of `message` occur."""
    error = refused({"status": "error", name: "Model not found: x"})
    assert isinstance(error, errors.NotFoundError)
    assert error.message == "Model not found: x"


def test_a_list_of_words_is_a_message() -> None:
    """And what is nested deeper is not shown."""
    assert refused({"status": "error", "message": ["a", 5, {"b": []}]}).message == "a 5 (nested)"


def test_a_long_message_is_cut_in_the_errors_text_and_kept_beside_it() -> None:
    """Five megabytes do not belong on one line, nor into an error; what is kept is bounded."""
    error = refused({"message": "x" * 5_000_000, "status": "error"})
    assert len(str(error)) < 1_000
    assert len(error.message) == BODY_KEPT
    assert error.body["status"] == "error"
    assert 10_000 < len(error.body["message"]) <= BODY_KEPT


@pytest.mark.parametrize("output", ["queued", ["null"], ["ftp://x.example/a.png"], ["//x.example/a.png"]])
def test_what_is_no_address_is_no_image(output: Any) -> None:
    """A word in `output` is not a result."""
    assert isinstance(refused({"status": "success", "id": 5, "output": output}), errors.UnexpectedResponseError)


@pytest.mark.parametrize("status", [[], {}, 5, True])
def test_a_status_of_any_type_is_survived(status: Any) -> None:
    """Also when it is asked whether this was a refusal."""
    assert is_refusal(refused({"status": status})) is False


@pytest.mark.parametrize(
    ("code", "body", "expected"),
    [
        (408, b"<html>", False),
        (409, b"<html>", False),
        (499, b"", False),
        (404, b"<html>", True),
        (418, {"status": "error", "message": "teapot"}, True),
        (400, {"status": "success", "output": ["https://x.example/a.png"]}, False),
        (429, {"status": "processing", "id": 5}, False),
        (500, b"<html>", False),
        (503, {"status": "Error", "message": "busy"}, False),
        (200, {"status": "Error", "message": "busy"}, True),
    ],
)
def test_what_counts_as_the_services_own_no(code: int, body: Any, expected: bool) -> None:
    """Its own words, or a code that is given before anything is accepted; no failure within it."""
    assert is_refusal(refused(body, code)) is expected


def test_a_body_in_another_charset_is_read() -> None:
    """A message in Latin-1 does not cost the job's id."""
    content = b'{"status": "processing", "id": 77, "message": "caf\xe9"}'
    assert (snapshot(reply(content)).id, snapshot(reply(content)).message) == (77, "caf\xe9")


@pytest.mark.parametrize("front", [b"\0", b"\0\0", b"\0\0\0", b"\xff\xfe", b"\xfe\xff"])
@pytest.mark.parametrize("behind", [b"", b" "])
def test_stray_bytes_in_front_do_not_cost_the_job(front: bytes, behind: bytes) -> None:
    """They make JSON look like UTF-16 or UTF-32; it is read as what it is, whatever its length."""
    content = front + b'{"status": "processing", "id": 77}' + behind
    assert snapshot(reply(content)).id == 77


@pytest.mark.parametrize("numeral", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_json_does_not_have_become_null(numeral: str) -> None:
    """So that a result can be written as JSON again."""
    content = f'{{"status": "processing", "id": 1, "meta": {{"cfg": {numeral}}}}}'.encode()
    assert snapshot(reply(content)).meta == {"cfg": None}


@pytest.mark.parametrize("given", ["\ud800", "7\x1b]0;x", "a\nb"])
def test_an_id_that_cannot_be_shown_or_sent_is_none(given: str) -> None:
    """It would break a terminal, or the next request."""
    assert snapshot(reply({"status": "processing", "id": given})).id is None


def test_a_key_that_is_repeated_is_no_refusal_of_the_key() -> None:
    """What stands for it in the message would otherwise be taken for the service's own words."""
    body = {"status": "error", "message": "Model not found: [api key]"}
    assert type(refused(body, 200)) is errors.NotFoundError
    assert type(refused({"status": "error", "message": "Invalid API key"}, 200)) is errors.AuthenticationError


@pytest.mark.parametrize("numeral", ["9" * 5000, "-" + "9" * 5000])
def test_an_integer_of_any_length_costs_no_job(numeral: str) -> None:
    """Python refuses to read one of more than 4300 digits; the job's id stands beside it all the same."""
    content = f'{{"status": "processing", "id": 7, "eta": {numeral}, "meta": {{"seed": {numeral}}}}}'.encode()
    job = snapshot(reply(content))
    assert (job.id, job.eta, job.seed, job.meta) == (7, None, None, {"seed": None})


@pytest.mark.parametrize("first", ['"success"', '"processing"', '["success"]'])
def test_statuses_that_contradict_each_other_are_no_refusal(first: str) -> None:
    """A POST that one of them says was accepted must not be sent again; with an id, the job can be asked about."""
    content = f'{{"status": {first}, "status": "error", "message": "Rate limit exceeded"}}'.encode()
    for code in (200, 429, 500):
        error = refused(content, code)
        assert not isinstance(error, errors.RateLimitError)
        assert is_refusal(error) is False
    assert snapshot(reply(content[:-1] + b', "id": 7}')).status == "processing"


@pytest.mark.parametrize("second", ['""', "null", '"\\u0000"', "[]"])
def test_an_id_that_is_said_twice_is_not_lost(second: str) -> None:
    """What is no id does not take the place of one."""
    assert snapshot(reply(f'{{"id": 7, "status": "processing", "id": {second}}}'.encode())).id == 7


@pytest.mark.parametrize("given", [10**30, 1e300, -(10**30), "x" * 201])
def test_an_id_of_no_usable_size_is_none(given: Any) -> None:
    """It could not be asked about, and would fill every text that names it."""
    assert snapshot(reply({"status": "processing", "id": given})).id is None


@pytest.mark.parametrize(
    "url", ["https://x.example/\ud800.png", "https://x.example/\x1b[2J", "https://x.example/" + "a" * 8000]
)
def test_an_address_that_cannot_be_shown_is_no_image(url: str) -> None:
    """It could neither be asked for nor printed."""
    assert isinstance(refused({"status": "success", "id": 5, "output": [url]}), errors.UnexpectedResponseError)


def test_copies_that_are_no_addresses_are_left_out() -> None:
    """A download would only fail on them."""
    body = {"status": "success", "id": 5, "output": ["https://x.example/a.png"], "proxy_links": ["soon"]}
    assert snapshot(reply(body)).links[0].proxy_url is None


@pytest.mark.parametrize("message", ["\ud800", "\x1b[2J\x07", "a\u202eb", "\x00", "a\r\nb", b"\x00\x1b[2J".decode()])
def test_an_errors_text_can_always_be_shown(message: str) -> None:
    """What the service says reaches a terminal as one plain line; beside it, it is kept as it came."""
    error = refused({"status": "error", "message": message})
    assert str(error).isprintable()
    assert error.body["message"] == message
    assert str(refused(message.encode("utf-8", "replace"))).isprintable()


def test_a_failed_jobs_words_are_a_line_too() -> None:
    """They become the text of `GenerationFailed`."""
    message = snapshot(reply({"status": "failed", "id": 5, "message": "\x1b" + "x" * 10**6})).message
    assert message.isprintable()
    assert len(message) <= 500


@pytest.mark.parametrize(
    "big",
    [{str(number): number for number in range(50_000)}, [7] * 10**6, "x" * 10**7, {"a": {"b": ["c" * 10**6] * 3}}],
)
def test_a_large_answer_is_kept_in_part(big: Any) -> None:
    """Its status, id and message in any case, wherever they stand."""
    error = refused({"a": big, "message": big, "id": 5, "status": "error"}, 400)
    assert (error.body["status"], error.body["id"], error.job_id) == ("error", 5, 5)
    assert len(json.dumps(error.body)) < 10 * BODY_KEPT
    assert len(json.dumps(getattr(error, "errors", {}))) < 10 * BODY_KEPT


@pytest.mark.parametrize("nothing", ["[]", "null", '""', "{}"])
def test_images_that_are_said_twice_are_not_lost(nothing: str) -> None:
    """They are paid for: what says nothing does not take their place. Of two that say something it is the last."""
    content = f'{{"id": 7, "status": "success", "output": ["https://x.example/a.png"], "output": {nothing}}}'
    assert [link.url for link in snapshot(reply(content.encode())).links] == ["https://x.example/a.png"]
    content = content.replace(nothing, '"https://x.example/b.png"')
    assert [link.url for link in snapshot(reply(content.encode())).links] == ["https://x.example/b.png"]


@pytest.mark.parametrize("status", [["error", "success"], ["processing", "error"], ["error", ["error", "Success"]]])
@pytest.mark.parametrize("code", [200, 400, 429])
def test_a_list_of_statuses_claims_what_each_of_them_claims(status: Any, code: int) -> None:
    """One of them says that it was accepted, wherever it stands: then it is no refusal to be sent again."""
    error = refused({"status": status, "message": "Rate limit exceeded"}, code)
    assert type(error) is errors.UnexpectedResponseError
    assert is_refusal(error) is False


@pytest.mark.parametrize("code", [100, 301, 302, 307])
def test_the_services_words_under_a_redirect_are_not_believed(code: int) -> None:
    """They say a rate limit, which would be waited out and sent again; a redirect says something else."""
    assert type(refused({"status": "error", "message": "Rate limit exceeded"}, code)) is errors.UnexpectedResponseError


def test_large_names_are_large_too() -> None:
    """What is kept of an answer counts them."""
    raw = snapshot(reply({"id": 7, "status": "processing", "x" * 10**6: 1, "meta": {"y" * 10**6: 1}})).raw
    assert len(json.dumps(raw)) < 2 * BODY_KEPT
    assert (raw["id"], raw["status"]) == (7, "processing")


@pytest.mark.parametrize("status", ["processing", "failed"])
def test_a_large_answer_about_a_job_is_kept_in_part(status: str) -> None:
    """A `Job` holds it for as long as the application does; status and id are among what is kept."""
    big = {f"name {number}": "x" * 1000 for number in range(3000)}
    raw = snapshot(reply({**big, "status": status, "id": 7})).raw
    assert len(json.dumps(raw)) < 2 * BODY_KEPT
    assert (raw["status"], raw["id"]) == (status, 7)


def test_deep_nesting_is_cut_off() -> None:
    """An error with it could not be sent to another process, nor a result be written as JSON."""
    content = b'{"status": "processing", "id": 7, "meta": {"x": ' + b"[" * 300 + b"]" * 300 + b"}}"
    raw = snapshot(reply(content)).raw
    assert len(json.dumps(raw)) < 1_000
    assert "(nested)" in json.dumps(raw)


def test_what_answers_have_in_common_is_kept_once_and_nothing_for_ever() -> None:
    """Thousands of jobs may wait at once; a client may run for a year."""
    texts = ("processing", "x" * 200, "x" * 201)
    read = [parse(reply({"status": text, "message": f"{text}{place}"})) for text in texts for place in "ab"]
    shared = [one["status"] is other["status"] for one, other in zip(read[::2], read[1::2], strict=True)]
    assert shared == [True, True, False]
    for number in range(10_000):
        parse(reply({f"name {number}": f"text {number}"}))
    assert _shapes._same.cache_info().currsize <= 2048
