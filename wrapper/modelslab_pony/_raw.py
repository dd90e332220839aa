"""The only door to the generated client.

A request goes out as the generated code would send it. An answer comes in through the generated
models only after `_classify` has read its `status`: they take `{}` for a success, fail on an
unknown status, and lose the body whenever something is odd.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from attrs import frozen

from modelslab_pony_raw.api.default import (
    base64_to_url,
    fetch,
    fetch_by_id,
    img2img,
    inpaint,
    model_reload,
    request_count,
    text2img,
    wallet_balance,
)
from modelslab_pony_raw.models.base_64_to_url_request import Base64ToUrlRequest
from modelslab_pony_raw.models.fetch_request import FetchRequest
from modelslab_pony_raw.models.image_generation_processing_response import ImageGenerationProcessingResponse
from modelslab_pony_raw.models.image_generation_success_response import ImageGenerationSuccessResponse
from modelslab_pony_raw.models.image_to_image_request import ImageToImageRequest
from modelslab_pony_raw.models.inpaint_request import InpaintRequest
from modelslab_pony_raw.models.key_request import KeyRequest
from modelslab_pony_raw.models.model_reload_request import ModelReloadRequest
from modelslab_pony_raw.models.text_to_image_request import TextToImageRequest
from modelslab_pony_raw.types import UNSET

Success = ImageGenerationSuccessResponse
Processing = ImageGenerationProcessingResponse


@frozen
class _Operation:
    module: Any
    """Where the generated function is."""
    body: Any
    """The class of its body."""
    server: str | None = None
    """Where the spec has it, below the root of the API; None for the base URL. The generator drops this."""
    path: tuple[str, ...] = ()
    """Fields that go into the path."""

    @cached_property
    def nothing(self) -> dict[str, Any]:
        """The fields of its body beside the key, none of them sent: the generated model's defaults switched off."""
        names = [attribute.name for attribute in self.body.__attrs_attrs__ if attribute.init]
        return {name: UNSET for name in names if name != "key"}


OPERATIONS: Mapping[str, _Operation] = {
    "text2img": _Operation(text2img, TextToImageRequest),
    "img2img": _Operation(img2img, ImageToImageRequest),
    "inpaint": _Operation(inpaint, InpaintRequest),
    "fetch": _Operation(fetch, FetchRequest),
    "fetch_by_id": _Operation(fetch_by_id, KeyRequest, path=("id",)),
    "model_reload": _Operation(model_reload, ModelReloadRequest),
    "request_count": _Operation(request_count, KeyRequest, server="/v6"),
    "wallet_balance": _Operation(wallet_balance, KeyRequest, server=""),
    "base64_to_url": _Operation(base64_to_url, Base64ToUrlRequest, server="/v6"),
}
"""Each operation of the spec by its operationId; a test compares them."""


def encode(operation: str, fields: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return method, server, URL below it, headers and JSON body of a call.

    What is not among the fields is not sent. Fields that the spec does not know pass through.
    The result holds the key: it is for the wire and for nothing else.
    """
    known = OPERATIONS[operation]
    others = fields.keys() - known.nothing.keys()
    body = known.body(key=key, **known.nothing | {name: fields[name] for name in fields if name not in others})
    for name in fields if others else ():  # in their order
        if name in others and name not in known.path:
            body[name] = fields[name]
    place = {name: fields[name] for name in known.path}
    call: dict[str, Any] = known.module._get_kwargs(body=body, **place)  # noqa: SLF001 - its own sending loses answers
    return {**call, "server": known.server}


def success(answer: Mapping[str, Any]) -> Success:
    """Read a success whose shape has been put right."""
    return Success.from_dict(answer)


def processing(answer: Mapping[str, Any]) -> Processing:
    """Read a processing answer whose shape has been put right."""
    return Processing.from_dict(answer)


def value(given: Any) -> Any:
    """Return None for a field that the answer left out."""
    return None if given is UNSET else given
