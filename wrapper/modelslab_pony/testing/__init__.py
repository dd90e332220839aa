"""A stand-in for the service, for this package's tests and for an application's own.

`Simulator` keeps jobs, checks requests against the effective spec, and serves real pictures.
It needs the extra `modelslab-pony[testing]`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelslab_pony.testing._clock import VirtualClock as VirtualClock
    from modelslab_pony.testing._simulator import Simulator as Simulator

_HOME = {"Simulator": "_simulator", "VirtualClock": "_clock"}

__all__ = sorted(_HOME)  # noqa: PLE0605 - a list, which a test holds to the imports above


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"{error}: pip install 'modelslab-pony[testing]'", name=error.name) from None
