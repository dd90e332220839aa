"""What each captured reply says of a job, in one place: a status, or exactly this error."""

from __future__ import annotations

from modelslab_pony import errors

SUCCESS = "success"
PROCESSING = "processing"
FAILED = "failed"

MEANINGS: dict[str, str | type[errors.APIError]] = {
    "cloudflare_522": errors.ServerError,
    "empty_200": errors.UnexpectedResponseError,
    "error_200_invalid_key": errors.AuthenticationError,
    "error_200_rate_limit_tips": errors.RateLimitError,
    "error_200_validation_object": errors.BadRequestError,
    "error_400": errors.BadRequestError,
    "error_401": errors.AuthenticationError,
    "error_402": errors.InsufficientCreditsError,
    "error_403": errors.PermissionDeniedError,
    "error_429": errors.RateLimitError,
    "error_500": errors.ServerError,
    "error_model_not_found": errors.NotFoundError,
    "failed_request_not_found": errors.NotFoundError,
    "failed_try_again": FAILED,
    "fetch_success_minimal": SUCCESS,
    "html_200": errors.UnexpectedResponseError,
    "html_502": errors.ServerError,
    "list_body": errors.UnexpectedResponseError,
    "no_status": errors.UnexpectedResponseError,
    "processing": PROCESSING,
    "processing_messege_float_eta": PROCESSING,
    "processing_string_id": PROCESSING,
    "success": SUCCESS,
    "success_four_samples": SUCCESS,
    "success_proxy_links_null": SUCCESS,
    "success_proxy_links_object": SUCCESS,
    "unknown_status": PROCESSING,
}
