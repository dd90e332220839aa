from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.request_count_response_status import (
    RequestCountResponseStatus,
    check_request_count_response_status,
)
from ..types import UNSET, Unset

T = TypeVar("T", bound="RequestCountResponse")


@_attrs_define
class RequestCountResponse:
    """
    Attributes:
        status (RequestCountResponseStatus):
        processing_count (int): How many requests of the account are waiting or being worked on.
        message (str | Unset):
    """

    status: RequestCountResponseStatus
    processing_count: int
    message: str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        status: str = self.status

        processing_count = self.processing_count

        message = self.message

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "status": status,
                "processing_count": processing_count,
            }
        )
        if message is not UNSET:
            field_dict["message"] = message

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        status = check_request_count_response_status(d.pop("status"))

        processing_count = d.pop("processing_count")

        message = d.pop("message", UNSET)

        request_count_response = cls(
            status=status,
            processing_count=processing_count,
            message=message,
        )

        request_count_response.additional_properties = d
        return request_count_response

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
