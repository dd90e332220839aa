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
    return next((_CODES[kind] for kind in type(error).__mro__ if kind in _CODES), 1)
