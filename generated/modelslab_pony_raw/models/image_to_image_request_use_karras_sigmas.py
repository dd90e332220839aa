from typing import Literal

ImageToImageRequestUseKarrasSigmas = Literal["no", "yes"]

IMAGE_TO_IMAGE_REQUEST_USE_KARRAS_SIGMAS_VALUES: set[
    ImageToImageRequestUseKarrasSigmas
] = {
    "no",
    "yes",
}


def check_image_to_image_request_use_karras_sigmas(
    value: str,
) -> ImageToImageRequestUseKarrasSigmas:
    if value in IMAGE_TO_IMAGE_REQUEST_USE_KARRAS_SIGMAS_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {IMAGE_TO_IMAGE_REQUEST_USE_KARRAS_SIGMAS_VALUES!r}"
    )
