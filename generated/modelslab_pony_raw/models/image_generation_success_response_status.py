from typing import Literal

ImageGenerationSuccessResponseStatus = Literal["success"]

IMAGE_GENERATION_SUCCESS_RESPONSE_STATUS_VALUES: set[
    ImageGenerationSuccessResponseStatus
] = {
    "success",
}


def check_image_generation_success_response_status(
    value: str,
) -> ImageGenerationSuccessResponseStatus:
    if value in IMAGE_GENERATION_SUCCESS_RESPONSE_STATUS_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {IMAGE_GENERATION_SUCCESS_RESPONSE_STATUS_VALUES!r}"
    )
