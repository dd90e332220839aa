"""Every error of this package, and what each one means for money.

PonyError                       .job_id where one is known
├── ConfigurationError          no key, a bad base URL, a closed client
│   └── MissingExtraError (ImportError)    what the call needs is not installed
├── InvalidRequestError         refused here, nothing sent            .errors {field: [text]}
├── InvalidWebhookError         what was posted is no webhook         .body
├── TransportError              no answer, and nothing can have been accepted, or the call only reads
│   └── UploadTimeout (TimeoutError)       the time was over before an image was asked for
├── SubmissionUnknown           the POST may have been accepted       .request .track_id
├── APIError                    the service said no                   .status_code .message .body
│   ├── BadRequestError         .errors {field: [text]}
│   ├── AuthenticationError
│   ├── InsufficientCreditsError
│   ├── PermissionDeniedError
│   ├── NotFoundError
│   ├── RateLimitError          .retry_after in seconds, if stated
│   ├── ServerError
│   │   └── UnknownServerError          also SubmissionUnknown: it failed at a generation POST
│   └── UnexpectedResponseError         not in any contract; the body is kept
│       └── UnknownResponseError        also SubmissionUnknown: odd answer to a generation POST
├── GenerationFailed            the service gave the generation up
├── JobTimeout (TimeoutError)   still running; ask again with .job_id
└── DownloadError               .url .is_local

An error raised after the service accepted a job carries `job_id`, with which the result can
still be fetched: `client.job(job_id).wait()`, or `pony fetch JOB_ID`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelslab_pony.requests import Request

JobId = int | str
"""The service answers integers and, in places, strings (captured replies); both come back as they were given."""
FieldErrors = Mapping[str, Sequence[str]]
"""What is wrong, by field: a sentence or more each, without their subject."""


class PonyError(Exception):
    """Base of every error of this package."""

    job_id: JobId | None
    """The job that the error is about, if the service had accepted one; else None."""

    def __init__(self, message: str, *, job_id: JobId | None = None) -> None:
        super().__init__(message)
        self.job_id = job_id


class ConfigurationError(PonyError):
    """The client cannot work as it was set up: no key, a bad base URL, already closed."""


class MissingExtraError(ConfigurationError, ImportError):
    """A library that the call needs is not installed; the message says which extra brings it."""


class InvalidRequestError(PonyError, ValueError):
    """Refused before anything was sent."""

    errors: FieldErrors
    """What is wrong, by field; empty where no field is at fault."""

    def __init__(self, message: str, *, errors: FieldErrors | None = None) -> None:
        super().__init__(message)
        self.errors = dict(errors or {})


class InvalidWebhookError(PonyError, ValueError):
    """What was posted to a webhook is nothing that the service posts: no JSON object, no job's id, no status."""

    body: str
    """The beginning of what was posted, at most 1000 characters. Anybody may have sent it."""

    def __init__(self, message: str, *, body: str = "", job_id: JobId | None = None) -> None:
        super().__init__(message, job_id=job_id)
        self.body = body


class TransportError(PonyError):
    """No answer came, and that costs nothing.

    Without a `job_id` nothing was accepted, and the request may be sent again. With one, a job was
    accepted and only asking about it failed: ask again, do not submit again.
    """


class UploadTimeout(TransportError, TimeoutError):
    """The caller's time was over while an image was uploaded; no image was asked for, nothing is paid."""


class SubmissionUnknown(PonyError):
    """A generation POST may have been accepted and billed, and nothing in the API can tell.

    There is no idempotency key and no lookup by `track_id`, so such a POST is never sent again
    by this package. Look at the account's history before you repeat it.
    """

    request: Request | None = None
    """The request that was sent."""

    @property
    def track_id(self) -> str | None:
        """The request's `track_id`. A webhook that names it, of a job that `fetch` confirms, is the trace there is."""
        return getattr(self.request, "track_id", None)


class APIError(PonyError):
    """The service answered, and the answer is no."""

    status_code: int | None
    """The HTTP status; 200 for many refusals, since the service states them in the body (captured replies)."""
    message: str
    """The service's own words; may be empty."""
    body: Any
    """The answer: parsed JSON, or text if it was none; of one beyond 100,000 characters, what fits."""

    def __init__(
        self,
        text: str,
        *,
        status_code: int | None = None,
        message: str = "",
        body: Any = None,
        job_id: JobId | None = None,
    ) -> None:
        super().__init__(text, job_id=job_id)
        self.status_code = status_code
        self.message = message
        self.body = body


class BadRequestError(APIError):
    """The service refused the request's content (HTTP 400, or an error under HTTP 200)."""

    errors: FieldErrors = MappingProxyType({})
    """What is wrong, by field, where the service said so; else empty."""


class AuthenticationError(APIError):
    """The API key is wrong (HTTP 401, or "Invalid API key" under HTTP 200)."""


class InsufficientCreditsError(APIError):
    """The account has no credits left (HTTP 402)."""


class PermissionDeniedError(APIError):
    """The account's plan does not include this (HTTP 403)."""


class NotFoundError(APIError):
    """The model or the job is not known (HTTP 404, or a text under HTTP 200)."""


class RateLimitError(APIError):
    """Too many requests, or too many queued (HTTP 429, or a text under HTTP 200)."""

    retry_after: float | None = None
    """Seconds to wait, as the answer states them, in its body or a header; None where it does not."""


class ServerError(APIError):
    """The service or a gateway before it failed (HTTP 5xx)."""


class UnexpectedResponseError(APIError):
    """The answer is in no contract: not JSON, no status, or a success without images."""


class UnknownServerError(SubmissionUnknown, ServerError):
    """The service or a gateway failed at a generation POST (5xx); it may have been accepted before that."""


class UnknownResponseError(SubmissionUnknown, UnexpectedResponseError):
    """A generation POST got an answer that is in no contract; it may have been accepted."""


class GenerationFailed(PonyError):
    """The service accepted the job and could not make the image."""


class JobTimeout(PonyError, TimeoutError):
    """The job was still running when the time was over. It goes on: ask again with `job_id`."""


class DownloadError(PonyError):
    """An image that is ready could not be fetched or written; it can be tried again."""

    url: str
    """Where the image is; empty where no single one is concerned."""
    is_local: bool
    """Whether it is this machine that could not take the file: no room, no right."""

    def __init__(self, message: str, *, url: str = "", job_id: JobId | None = None, is_local: bool = False) -> None:
        super().__init__(message, job_id=job_id)
        self.url = url
        self.is_local = is_local
