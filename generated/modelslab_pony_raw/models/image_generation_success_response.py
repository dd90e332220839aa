from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.image_generation_success_response_status import (
    ImageGenerationSuccessResponseStatus,
    check_image_generation_success_response_status,
)
from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.image_generation_success_response_meta import (
        ImageGenerationSuccessResponseMeta,
    )


T = TypeVar("T", bound="ImageGenerationSuccessResponse")


@_attrs_define
class ImageGenerationSuccessResponse:
    """
    Attributes:
        status (ImageGenerationSuccessResponseStatus): Status of the image generation.
        id (int): Unique identifier for the image generation request.
        output (list[str]): Array of generated image URLs.
        generation_time (float | Unset): Time taken to generate the image in seconds.
        proxy_links (list[str] | Unset): Array of proxy image URLs.
        meta (ImageGenerationSuccessResponseMeta | Unset): Metadata about the image generation including all parameters
            used.
        nsfw_content_detected (bool | Unset): Indicates if NSFW content was detected in the generated image.
        webhook_status (str | Unset): Status of the webhook notification.
        tip (str | Unset): Additional information or tips for the user.
    """

    status: ImageGenerationSuccessResponseStatus
    id: int
    output: list[str]
    generation_time: float | Unset = UNSET
    proxy_links: list[str] | Unset = UNSET
    meta: ImageGenerationSuccessResponseMeta | Unset = UNSET
    nsfw_content_detected: bool | Unset = UNSET
    webhook_status: str | Unset = UNSET
    tip: str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        status: str = self.status

        id = self.id

        output = self.output

        generation_time = self.generation_time

        proxy_links: list[str] | Unset = UNSET
        if not isinstance(self.proxy_links, Unset):
            proxy_links = self.proxy_links

        meta: dict[str, Any] | Unset = UNSET
        if not isinstance(self.meta, Unset):
            meta = self.meta.to_dict()

        nsfw_content_detected = self.nsfw_content_detected

        webhook_status = self.webhook_status

        tip = self.tip

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "status": status,
                "id": id,
                "output": output,
            }
        )
        if generation_time is not UNSET:
            field_dict["generationTime"] = generation_time
        if proxy_links is not UNSET:
            field_dict["proxy_links"] = proxy_links
        if meta is not UNSET:
            field_dict["meta"] = meta
        if nsfw_content_detected is not UNSET:
            field_dict["nsfw_content_detected"] = nsfw_content_detected
        if webhook_status is not UNSET:
            field_dict["webhook_status"] = webhook_status
        if tip is not UNSET:
            field_dict["tip"] = tip

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.image_generation_success_response_meta import (
            ImageGenerationSuccessResponseMeta,
        )

        d = dict(src_dict)
        status = check_image_generation_success_response_status(d.pop("status"))

        id = d.pop("id")

        output = cast(list[str], d.pop("output"))

        generation_time = d.pop("generationTime", UNSET)

        proxy_links = cast(list[str], d.pop("proxy_links", UNSET))

        _meta = d.pop("meta", UNSET)
        meta: ImageGenerationSuccessResponseMeta | Unset
        if isinstance(_meta, Unset):
            meta = UNSET
        else:
            meta = ImageGenerationSuccessResponseMeta.from_dict(_meta)

        nsfw_content_detected = d.pop("nsfw_content_detected", UNSET)

        webhook_status = d.pop("webhook_status", UNSET)

        tip = d.pop("tip", UNSET)

        image_generation_success_response = cls(
            status=status,
            id=id,
            output=output,
            generation_time=generation_time,
            proxy_links=proxy_links,
            meta=meta,
            nsfw_content_detected=nsfw_content_detected,
            webhook_status=webhook_status,
            tip=tip,
        )

        image_generation_success_response.additional_properties = d
        return image_generation_success_response

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
