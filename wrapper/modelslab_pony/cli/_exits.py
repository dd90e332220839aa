"""The exit code of each error, for scripts. 0 is success, 1 a fault of ours, 2 wrong usage; see also `_signals`."""

from __future__ import annotations

from modelslab_pony import errors

_CODES: dict[type[errors.PonyError], int] = {
    errors.ConfigurationError: 10,
    errors.InvalidRequestError: 11,
    errors.TransportError: 12,
    errors.SubmissionUnknown: 13,
    errors.MissingExtraError: 14,
    errors.UploadTimeout: 15,
    errors.InvalidWebhookError: 16,
    errors.APIError: 20,
    errors.BadRequestError: 21,
    errors.AuthenticationError: 22,
    errors.InsufficientCreditsError: 23,
    errors.PermissionDeniedError: 24,
    errors.NotFoundError: 25,
    errors.RateLimitError: 26,
    errors.ServerError: 27,
    errors.UnexpectedResponseError: 28,
    errors.GenerationFailed: 30,
    errors.JobTimeout: 31,
    errors.DownloadError: 32,
}


def exit_code(error: errors.PonyError) -> int:
    """Return the exit code of an error: that of its nearest class in the table."""
    return code_of(type(error))


def code_of(kind: type[errors.PonyError]) -> int:
    """Return the exit code of a class of errors."""
    return next((_CODES[each] for each in kind.__mro__ if each in _CODES), 1)


def table() -> str:
    """Return every error's code, for a help text."""
    return "\n".join(f"  {code}  {kind.__name__}" for kind, code in _CODES.items())
