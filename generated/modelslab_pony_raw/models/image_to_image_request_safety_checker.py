from typing import Literal

ImageToImageRequestSafetyChecker = Literal["no", "yes"]

IMAGE_TO_IMAGE_REQUEST_SAFETY_CHECKER_VALUES: set[ImageToImageRequestSafetyChecker] = {
    "no",
    "yes",
}


def check_image_to_image_request_safety_checker(
    value: str,
) -> ImageToImageRequestSafetyChecker:
    if value in IMAGE_TO_IMAGE_REQUEST_SAFETY_CHECKER_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {IMAGE_TO_IMAGE_REQUEST_SAFETY_CHECKER_VALUES!r}"
    )
