from typing import Literal

TextToImageRequestSafetyChecker = Literal["no", "yes"]

TEXT_TO_IMAGE_REQUEST_SAFETY_CHECKER_VALUES: set[TextToImageRequestSafetyChecker] = {
    "no",
    "yes",
}


def check_text_to_image_request_safety_checker(
    value: str,
) -> TextToImageRequestSafetyChecker:
    if value in TEXT_TO_IMAGE_REQUEST_SAFETY_CHECKER_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {TEXT_TO_IMAGE_REQUEST_SAFETY_CHECKER_VALUES!r}"
    )
