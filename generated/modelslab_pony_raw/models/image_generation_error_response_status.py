from typing import Literal

ImageGenerationErrorResponseStatus = Literal["error"]

IMAGE_GENERATION_ERROR_RESPONSE_STATUS_VALUES: set[
    ImageGenerationErrorResponseStatus
] = {
    "error",
}


def check_image_generation_error_response_status(
    value: str,
) -> ImageGenerationErrorResponseStatus:
    if value in IMAGE_GENERATION_ERROR_RESPONSE_STATUS_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {IMAGE_GENERATION_ERROR_RESPONSE_STATUS_VALUES!r}"
    )
