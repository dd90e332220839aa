from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.base_64_to_url_response_status import (
    Base64ToUrlResponseStatus,
    check_base_64_to_url_response_status,
)
from ..types import UNSET, Unset

T = TypeVar("T", bound="Base64ToUrlResponse")


@_attrs_define
class Base64ToUrlResponse:
    """
    Attributes:
        status (Base64ToUrlResponseStatus):
        output (list[str]): Where the image is to be had, for 24 hours.
        id (int | Unset):
    """

    status: Base64ToUrlResponseStatus
    output: list[str]
    id: int | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        status: str = self.status

        output = self.output

        id = self.id

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "status": status,
                "output": output,
            }
        )
        if id is not UNSET:
            field_dict["id"] = id

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        status = check_base_64_to_url_response_status(d.pop("status"))

        output = cast(list[str], d.pop("output"))

        id = d.pop("id", UNSET)

        base_64_to_url_response = cls(
            status=status,
            output=output,
            id=id,
        )

        base_64_to_url_response.additional_properties = d
        return base_64_to_url_response

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
