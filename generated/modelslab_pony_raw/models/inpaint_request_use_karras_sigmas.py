from typing import Literal

InpaintRequestUseKarrasSigmas = Literal["no", "yes"]

INPAINT_REQUEST_USE_KARRAS_SIGMAS_VALUES: set[InpaintRequestUseKarrasSigmas] = {
    "no",
    "yes",
}


def check_inpaint_request_use_karras_sigmas(
    value: str,
) -> InpaintRequestUseKarrasSigmas:
    if value in INPAINT_REQUEST_USE_KARRAS_SIGMAS_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {INPAINT_REQUEST_USE_KARRAS_SIGMAS_VALUES!r}"
    )
