from typing import Literal

ImageGenerationFailedResponseStatus = Literal["failed"]

IMAGE_GENERATION_FAILED_RESPONSE_STATUS_VALUES: set[
    ImageGenerationFailedResponseStatus
] = {
    "failed",
}


def check_image_generation_failed_response_status(
    value: str,
) -> ImageGenerationFailedResponseStatus:
    if value in IMAGE_GENERATION_FAILED_RESPONSE_STATUS_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {IMAGE_GENERATION_FAILED_RESPONSE_STATUS_VALUES!r}"
    )
