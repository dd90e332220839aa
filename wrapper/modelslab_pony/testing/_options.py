"""What a simulated account is like: plain values, checked whenever one is set."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, get_args

import attrs
from attrs import define, field

from modelslab_pony._settings import MOST_SECONDS
from modelslab_pony.testing._dialects import Name
from modelslab_pony.testing._jobs import Outcome

DAY = 24 * 3600.0
FIRST_BALANCE = 25.0
PRICE = 0.01
"""What an image costs here; the service's prices are not in its spec."""
QUEUE_LIMIT = 5
"""Requests that the smallest plan may have queued (vendor docs, rate limits page: 5, 10 or 15)."""
RETENTION = 1000


def _number(_: Any, attribute: attrs.Attribute[float], value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not (0 <= value < MOST_SECONDS):
        raise ValueError(f"{attribute.name} must be a number, 0 or more, not {value!r}")


def _count(_: Any, attribute: attrs.Attribute[int], value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{attribute.name} must be an integer of at least 1, not {value!r}")


def _one_of(kind: Any) -> Any:
    def check(_: Any, attribute: attrs.Attribute[str], value: Any) -> None:
        if value not in get_args(kind):  # anything else would pass for one of them
            raise ValueError(f"{attribute.name} must be one of {', '.join(get_args(kind))}, not {value!r}")

    return check


def _text(_: Any, attribute: attrs.Attribute[str], value: Any) -> None:
    if not isinstance(value, str):  # it is a key: its type is all that is shown
        raise ValueError(f"{attribute.name} must be a text, not of type {type(value).__name__}")  # noqa: TRY004 - one error for all options


def _texts(_: Any, attribute: attrs.Attribute[Collection[str]], value: Any) -> None:
    if isinstance(value, str) or not isinstance(value, Collection) or not all(isinstance(one, str) for one in value):
        raise ValueError(f"{attribute.name} must be a set or list of texts, not {value!r}")


_optional = attrs.validators.optional


@define(kw_only=True)
class Options:
    """See `Simulator`, which takes each of them as a keyword."""

    eta: float = field(validator=_number)
    outcome: Outcome = field(validator=_one_of(Outcome))
    dialect: Name = field(validator=_one_of(Name))
    key: str | None = field(repr=False, validator=_optional(_text))
    models: Collection[str] | None = field(validator=_optional(_texts))
    queue_limit: int | None = field(validator=_optional(_count))
    workers: int = field(validator=_count)
    balance: float = field(validator=_number)
    price: float = field(validator=_number)
    unsafe_words: Collection[str] = field(validator=_texts)
    image_life: float = field(validator=_number)
    webhook_hosts: Collection[str] = field(validator=_texts)
    retention: int = field(validator=_count)
