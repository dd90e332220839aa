from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.rate_limit_response_status import (
    RateLimitResponseStatus,
    check_rate_limit_response_status,
)
from ..types import UNSET, Unset

T = TypeVar("T", bound="RateLimitResponse")


@_attrs_define
class RateLimitResponse:
    """
    Attributes:
        status (RateLimitResponseStatus):
        message (str): Says which limit was reached.
        retry_after (float | Unset): Seconds to wait before the next request.
    """

    status: RateLimitResponseStatus
    message: str
    retry_after: float | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        status: str = self.status

        message = self.message

        retry_after = self.retry_after

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "status": status,
                "message": message,
            }
        )
        if retry_after is not UNSET:
            field_dict["retry_after"] = retry_after

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        status = check_rate_limit_response_status(d.pop("status"))

        message = d.pop("message")

        retry_after = d.pop("retry_after", UNSET)

        rate_limit_response = cls(
            status=status,
            message=message,
            retry_after=retry_after,
        )

        rate_limit_response.additional_properties = d
        return rate_limit_response

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
