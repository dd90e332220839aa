from typing import Literal

ImageGenerationProcessingResponseStatus = Literal["processing"]

IMAGE_GENERATION_PROCESSING_RESPONSE_STATUS_VALUES: set[
    ImageGenerationProcessingResponseStatus
] = {
    "processing",
}


def check_image_generation_processing_response_status(
    value: str,
) -> ImageGenerationProcessingResponseStatus:
    if value in IMAGE_GENERATION_PROCESSING_RESPONSE_STATUS_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {IMAGE_GENERATION_PROCESSING_RESPONSE_STATUS_VALUES!r}"
    )
