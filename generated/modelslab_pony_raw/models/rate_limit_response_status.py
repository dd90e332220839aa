from typing import Literal

RateLimitResponseStatus = Literal["error"]

RATE_LIMIT_RESPONSE_STATUS_VALUES: set[RateLimitResponseStatus] = {
    "error",
}


def check_rate_limit_response_status(value: str) -> RateLimitResponseStatus:
    if value in RATE_LIMIT_RESPONSE_STATUS_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {RATE_LIMIT_RESPONSE_STATUS_VALUES!r}"
    )
