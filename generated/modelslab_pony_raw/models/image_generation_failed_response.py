from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.image_generation_failed_response_status import (
    ImageGenerationFailedResponseStatus,
    check_image_generation_failed_response_status,
)
from ..types import UNSET, Unset

T = TypeVar("T", bound="ImageGenerationFailedResponse")


@_attrs_define
class ImageGenerationFailedResponse:
    """
    Attributes:
        status (ImageGenerationFailedResponseStatus): Says that the request was not found or that its generation failed.
        message (str): Why there is no image.
        id (int | str | Unset): The request's identifier, or an empty string.
        output (list[str] | str | Unset): Never holds an image; an empty string or an empty array.
        tip (str | Unset): A hint for the user; may be empty.
    """

    status: ImageGenerationFailedResponseStatus
    message: str
    id: int | str | Unset = UNSET
    output: list[str] | str | Unset = UNSET
    tip: str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        status: str = self.status

        message = self.message

        id: int | str | Unset
        if isinstance(self.id, Unset):
            id = UNSET
        else:
            id = self.id

        output: list[str] | str | Unset
        if isinstance(self.output, Unset):
            output = UNSET
        elif isinstance(self.output, list):
            output = self.output

        else:
            output = self.output

        tip = self.tip

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "status": status,
                "message": message,
            }
        )
        if id is not UNSET:
            field_dict["id"] = id
        if output is not UNSET:
            field_dict["output"] = output
        if tip is not UNSET:
            field_dict["tip"] = tip

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        status = check_image_generation_failed_response_status(d.pop("status"))

        message = d.pop("message")

        def _parse_id(data: object) -> int | str | Unset:
            if isinstance(data, Unset):
                return data
            return cast(int | str | Unset, data)

        id = _parse_id(d.pop("id", UNSET))

        def _parse_output(data: object) -> list[str] | str | Unset:
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, list):
                    raise TypeError()
                output_type_1 = cast(list[str], data)

                return output_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(list[str] | str | Unset, data)

        output = _parse_output(d.pop("output", UNSET))

        tip = d.pop("tip", UNSET)

        image_generation_failed_response = cls(
            status=status,
            message=message,
            id=id,
            output=output,
            tip=tip,
        )

        image_generation_failed_response.additional_properties = d
        return image_generation_failed_response

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
