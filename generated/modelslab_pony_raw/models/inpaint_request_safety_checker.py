from typing import Literal

InpaintRequestSafetyChecker = Literal["no", "yes"]

INPAINT_REQUEST_SAFETY_CHECKER_VALUES: set[InpaintRequestSafetyChecker] = {
    "no",
    "yes",
}


def check_inpaint_request_safety_checker(value: str) -> InpaintRequestSafetyChecker:
    if value in INPAINT_REQUEST_SAFETY_CHECKER_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {INPAINT_REQUEST_SAFETY_CHECKER_VALUES!r}"
    )
