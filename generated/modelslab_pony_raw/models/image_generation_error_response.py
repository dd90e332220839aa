from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.image_generation_error_response_status import (
    ImageGenerationErrorResponseStatus,
    check_image_generation_error_response_status,
)

T = TypeVar("T", bound="ImageGenerationErrorResponse")


@_attrs_define
class ImageGenerationErrorResponse:
    """
    Attributes:
        status (ImageGenerationErrorResponseStatus):
        message (str): Error message description.
    """

    status: ImageGenerationErrorResponseStatus
    message: str
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        status: str = self.status

        message = self.message

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "status": status,
                "message": message,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        status = check_image_generation_error_response_status(d.pop("status"))

        message = d.pop("message")

        image_generation_error_response = cls(
            status=status,
            message=message,
        )

        image_generation_error_response.additional_properties = d
        return image_generation_error_response

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
