from typing import Literal

RequestCountResponseStatus = Literal["success"]

REQUEST_COUNT_RESPONSE_STATUS_VALUES: set[RequestCountResponseStatus] = {
    "success",
}


def check_request_count_response_status(value: str) -> RequestCountResponseStatus:
    if value in REQUEST_COUNT_RESPONSE_STATUS_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {REQUEST_COUNT_RESPONSE_STATUS_VALUES!r}"
    )
