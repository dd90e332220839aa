from typing import Literal

WalletBalanceResponseStatus = Literal["success"]

WALLET_BALANCE_RESPONSE_STATUS_VALUES: set[WalletBalanceResponseStatus] = {
    "success",
}


def check_wallet_balance_response_status(value: str) -> WalletBalanceResponseStatus:
    if value in WALLET_BALANCE_RESPONSE_STATUS_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {WALLET_BALANCE_RESPONSE_STATUS_VALUES!r}"
    )
