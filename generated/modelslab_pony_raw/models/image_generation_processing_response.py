from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.image_generation_processing_response_status import (
    ImageGenerationProcessingResponseStatus,
    check_image_generation_processing_response_status,
)
from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.image_generation_processing_response_meta import (
        ImageGenerationProcessingResponseMeta,
    )


T = TypeVar("T", bound="ImageGenerationProcessingResponse")


@_attrs_define
class ImageGenerationProcessingResponse:
    """
    Attributes:
        status (ImageGenerationProcessingResponseStatus): Status of the image generation.
        id (int): Unique identifier for the image generation request.
        tip (str | Unset): Information about faster processing options.
        tip_1 (str | Unset): Additional tip, usually pointing to the fetch API.
        eta (float | Unset): Estimated time for completion in seconds.
        message (str | Unset): Processing status message.
        webhook_status (str | Unset): Status of the webhook notification.
        fetch_result (str | Unset): URL to fetch the result when processing.
        output (list[str] | Unset): Empty array during processing.
        meta (ImageGenerationProcessingResponseMeta | Unset): Metadata about the image generation including all
            parameters used.
        future_links (list[str] | Unset): Array of future image URLs for queued requests.
    """

    status: ImageGenerationProcessingResponseStatus
    id: int
    tip: str | Unset = UNSET
    tip_1: str | Unset = UNSET
    eta: float | Unset = UNSET
    message: str | Unset = UNSET
    webhook_status: str | Unset = UNSET
    fetch_result: str | Unset = UNSET
    output: list[str] | Unset = UNSET
    meta: ImageGenerationProcessingResponseMeta | Unset = UNSET
    future_links: list[str] | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        status: str = self.status

        id = self.id

        tip = self.tip

        tip_1 = self.tip_1

        eta = self.eta

        message = self.message

        webhook_status = self.webhook_status

        fetch_result = self.fetch_result

        output: list[str] | Unset = UNSET
        if not isinstance(self.output, Unset):
            output = self.output

        meta: dict[str, Any] | Unset = UNSET
        if not isinstance(self.meta, Unset):
            meta = self.meta.to_dict()

        future_links: list[str] | Unset = UNSET
        if not isinstance(self.future_links, Unset):
            future_links = self.future_links

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "status": status,
                "id": id,
            }
        )
        if tip is not UNSET:
            field_dict["tip"] = tip
        if tip_1 is not UNSET:
            field_dict["tip_1"] = tip_1
        if eta is not UNSET:
            field_dict["eta"] = eta
        if message is not UNSET:
            field_dict["message"] = message
        if webhook_status is not UNSET:
            field_dict["webhook_status"] = webhook_status
        if fetch_result is not UNSET:
            field_dict["fetch_result"] = fetch_result
        if output is not UNSET:
            field_dict["output"] = output
        if meta is not UNSET:
            field_dict["meta"] = meta
        if future_links is not UNSET:
            field_dict["future_links"] = future_links

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.image_generation_processing_response_meta import (
            ImageGenerationProcessingResponseMeta,
        )

        d = dict(src_dict)
        status = check_image_generation_processing_response_status(d.pop("status"))

        id = d.pop("id")

        tip = d.pop("tip", UNSET)

        tip_1 = d.pop("tip_1", UNSET)

        eta = d.pop("eta", UNSET)

        message = d.pop("message", UNSET)

        webhook_status = d.pop("webhook_status", UNSET)

        fetch_result = d.pop("fetch_result", UNSET)

        output = cast(list[str], d.pop("output", UNSET))

        _meta = d.pop("meta", UNSET)
        meta: ImageGenerationProcessingResponseMeta | Unset
        if isinstance(_meta, Unset):
            meta = UNSET
        else:
            meta = ImageGenerationProcessingResponseMeta.from_dict(_meta)

        future_links = cast(list[str], d.pop("future_links", UNSET))

        image_generation_processing_response = cls(
            status=status,
            id=id,
            tip=tip,
            tip_1=tip_1,
            eta=eta,
            message=message,
            webhook_status=webhook_status,
            fetch_result=fetch_result,
            output=output,
            meta=meta,
            future_links=future_links,
        )

        image_generation_processing_response.additional_properties = d
        return image_generation_processing_response

    @property
    def additional_keys(self) -> list[str]:
        return list(self.additional_properties.keys())

    def __getitem__(self, key: str) -> Any:
        return self.additional_properties[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.additional_properties[key] = value

    def __delitem__(self, key: str) -> None:
        del self.additional_properties[key]

    def __contains__(self, key: str) -> bool:
        return key in self.additional_properties
