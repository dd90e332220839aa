from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.wallet_balance_response_status import (
    WalletBalanceResponseStatus,
    check_wallet_balance_response_status,
)

if TYPE_CHECKING:
    from ..models.wallet_balance_response_data import WalletBalanceResponseData


T = TypeVar("T", bound="WalletBalanceResponse")


@_attrs_define
class WalletBalanceResponse:
    """
    Attributes:
        status (WalletBalanceResponseStatus):
        data (WalletBalanceResponseData):
    """

    status: WalletBalanceResponseStatus
    data: WalletBalanceResponseData
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        status: str = self.status

        data = self.data.to_dict()

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "status": status,
                "data": data,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.wallet_balance_response_data import WalletBalanceResponseData

        d = dict(src_dict)
        status = check_wallet_balance_response_status(d.pop("status"))

        data = WalletBalanceResponseData.from_dict(d.pop("data"))

        wallet_balance_response = cls(
            status=status,
            data=data,
        )

        wallet_balance_response.additional_properties = d
        return wallet_balance_response

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
