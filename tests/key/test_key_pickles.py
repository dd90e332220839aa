"""An error goes to another process whole, and without the key."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from attrs import evolve

from modelslab_pony import ImageToImage, PonyClient, PonyError, TextToImage, errors
from support.both import KEY
from support.echoing import FAST, SPELLINGS, world
from support.hosts import Answer, Asked, Said
from support.leaks import found, walked
from support.pictures import PICTURE

REQUEST = TextToImage("a lighthouse", extra={"a": [1, {"b": None}]}, track_id="t-1")


def with_notes(error: PonyError, **values: Any) -> PonyError:
    for name, value in values.items():
        setattr(error, name, value)
    error.add_note("job 7 was accepted")
    return error


def every_error() -> list[PonyError]:
    """Return one of each class, with all that it may carry."""
    made: list[PonyError] = []
    waiting: list[type[PonyError]] = [PonyError]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if issubclass(kind, errors.APIError):
            error: PonyError = kind("said", status_code=400, message="m", body={"status": "error"}, job_id=7)
        elif issubclass(kind, errors.DownloadError):
            error = kind("said", url="https://a.example/1.png", job_id="7", is_local=True)
        elif issubclass(kind, errors.InvalidRequestError):
            error = kind("said", errors={"width": ["too wide"]})
        else:
            error = kind("said", job_id=7)
        if isinstance(error, errors.BadRequestError):
            error.errors = {"width": ["too wide"]}
        if isinstance(error, errors.RateLimitError):
            error.retry_after = 3.5
        if isinstance(error, errors.SubmissionUnknown):
            error.request = REQUEST
        if kind not in {type(other) for other in made}:
            made.append(with_notes(error))
    return made


ERRORS = every_error()
PUBLIC = ("job_id", "errors", "request", "track_id", "status_code", "message", "body", "retry_after", "url", "is_local")


@pytest.mark.parametrize("error", ERRORS, ids=[type(error).__name__ for error in ERRORS])
@pytest.mark.parametrize("copied", [copy.copy, *range(2, pickle.HIGHEST_PROTOCOL + 1)], ids=str)
def test_an_error_survives(error: PonyError, copied: int | Callable[[Any], Any]) -> None:
    """Class, text, notes and every attribute; so that a pool of processes, or DBOS, hands it on."""
    again = pickle.loads(pickle.dumps(error, copied)) if isinstance(copied, int) else copied(error)  # noqa: S301 - our own
    assert type(again) is type(error)
    assert (str(again), again.args) == (str(error), error.args)
    assert again.__notes__ == error.__notes__
    for name in PUBLIC:
        if hasattr(error, name):
            assert getattr(again, name) == getattr(error, name), name


@pytest.mark.parametrize("image", [PICTURE, Path("a.png"), "https://a.example/1.png"], ids=["bytes", "path", "URL"])
def test_the_request_of_an_unknown_submission_survives(image: Any) -> None:
    """With whatever image it was given."""
    error = errors.SubmissionUnknown("said")
    error.request = ImageToImage("x", image, extra=MappingProxyType({"a": 1}))
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert again.request == error.request


def test_a_refusals_fields_survive() -> None:
    """Whatever kind of mapping they came in."""
    error = errors.InvalidRequestError("said", errors=MappingProxyType({"width": ["too small"]}))
    assert pickle.loads(pickle.dumps(error)).errors == {"width": ["too small"]}  # noqa: S301 - our own


def test_errors_of_a_service_that_repeats_the_key_survive_without_it() -> None:
    """As raised by a client, and unpickled."""
    body = {"status": "error", "errors": {"prompt": list(SPELLINGS.values())}, "message": KEY}
    with world() as hosts, PonyClient(KEY, base_url=hosts.url, **FAST) as pony:
        said = hosts.base.answer
        for code in (200, 400, 401, 402, 403, 404, 429, 500, 502):
            hosts.base.answer = partial(_with, said, code, body)
            with pytest.raises(PonyError) as raised:
                pony.submit(TextToImage("x"))
            content = pickle.dumps(raised.value)
            assert found(KEY, content, *walked(vars(pickle.loads(content)))) == []  # noqa: S301 - our own


def _with(said: Answer, code: int, body: Any, asked: Asked) -> Said:
    return evolve(said(asked), status=code, body=body)


def test_a_key_in_a_pickle_would_be_found() -> None:
    """In any protocol."""
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert found(KEY, pickle.dumps(errors.APIError("said", body={"echo": KEY}), protocol))
