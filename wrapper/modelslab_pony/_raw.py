"""The only door to the generated client.

A request goes out as the generated code would send it. An answer comes in through the generated
models only after `_classify` has read its `status`: they take `{}` for a success, fail on an
unknown status, and lose the body whenever something is odd.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelslab_pony_raw.api.default import fetch, text2img
from modelslab_pony_raw.models.fetch_request import FetchRequest
from modelslab_pony_raw.models.image_generation_processing_response import ImageGenerationProcessingResponse
from modelslab_pony_raw.models.image_generation_success_response import ImageGenerationSuccessResponse
from modelslab_pony_raw.models.text_to_image_request import TextToImageRequest
from modelslab_pony_raw.types import UNSET

Success = ImageGenerationSuccessResponse
Processing = ImageGenerationProcessingResponse

# operationId → the generated function's module, and the class of its body
_OPERATIONS: dict[str, tuple[Any, Any]] = {
    "text2img": (text2img, TextToImageRequest),
    "fetch": (fetch, FetchRequest),
}


def encode(operation: str, fields: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return method, URL (below the base URL), headers and JSON body of a call.

    What is not among the fields is not sent: the generated model's own defaults are switched off.
    Fields that the spec does not know pass through.
    The result holds the key: it is for the wire and for nothing else.
    """
    module, model = _OPERATIONS[operation]
    known = {attribute.name for attribute in model.__attrs_attrs__ if attribute.init} - {"key"}
    body = model(key=key, **{name: fields.get(name, UNSET) for name in known})
    for name, value in fields.items():
        if name not in known:
            body[name] = value
    call: dict[str, Any] = module._get_kwargs(body=body)  # noqa: SLF001 - its send loses answers, see above
    return call


def success(answer: Mapping[str, Any]) -> Success:
    """Read a success whose shape has been put right."""
    return Success.from_dict(answer)


def processing(answer: Mapping[str, Any]) -> Processing:
    """Read a processing answer whose shape has been put right."""
    return Processing.from_dict(answer)


def value(given: Any) -> Any:
    """Return None for a field that the answer left out."""
    return None if given is UNSET else given
