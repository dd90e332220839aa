from typing import Literal

ModelReloadResponseStatus = Literal["processing", "success"]

MODEL_RELOAD_RESPONSE_STATUS_VALUES: set[ModelReloadResponseStatus] = {
    "processing",
    "success",
}


def check_model_reload_response_status(value: str) -> ModelReloadResponseStatus:
    if value in MODEL_RELOAD_RESPONSE_STATUS_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {MODEL_RELOAD_RESPONSE_STATUS_VALUES!r}"
    )
