from typing import Literal

TextToImageRequestUseKarrasSigmas = Literal["no", "yes"]

TEXT_TO_IMAGE_REQUEST_USE_KARRAS_SIGMAS_VALUES: set[
    TextToImageRequestUseKarrasSigmas
] = {
    "no",
    "yes",
}


def check_text_to_image_request_use_karras_sigmas(
    value: str,
) -> TextToImageRequestUseKarrasSigmas:
    if value in TEXT_TO_IMAGE_REQUEST_USE_KARRAS_SIGMAS_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {TEXT_TO_IMAGE_REQUEST_USE_KARRAS_SIGMAS_VALUES!r}"
    )
