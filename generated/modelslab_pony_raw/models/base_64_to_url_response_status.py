from typing import Literal

Base64ToUrlResponseStatus = Literal["success"]

BASE_64_TO_URL_RESPONSE_STATUS_VALUES: set[Base64ToUrlResponseStatus] = {
    "success",
}


def check_base_64_to_url_response_status(value: str) -> Base64ToUrlResponseStatus:
    if value in BASE_64_TO_URL_RESPONSE_STATUS_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {BASE_64_TO_URL_RESPONSE_STATUS_VALUES!r}"
    )
