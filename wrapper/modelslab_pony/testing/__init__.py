"""A stand-in for the service, for this package's tests and for an application's own.

`Simulator` keeps jobs, checks requests against the effective spec, serves real pictures, and has
things go wrong as `faults` demands. `modelslab_pony.testing.server` serves it over HTTP, and the
pytest fixtures `pony_simulator`, `pony_client` and `async_pony_client` bring it into a test.
It needs the extra `modelslab-pony[testing]`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelslab_pony.testing import faults as faults
    from modelslab_pony.testing._answers import Answer as Answer, Call as Call
    from modelslab_pony.testing._clock import VirtualClock as VirtualClock
    from modelslab_pony.testing._jobs import SimulatedJob as SimulatedJob, Submission as Submission
    from modelslab_pony.testing._script import Faults as Faults
    from modelslab_pony.testing._simulator import Exchange as Exchange, Simulator as Simulator
    from modelslab_pony.testing._webhooks import Webhook as Webhook

_HOME = {
    "Answer": "_answers",
    "Call": "_answers",
    "Exchange": "_simulator",
    "Faults": "_script",
    "SimulatedJob": "_jobs",
    "Simulator": "_simulator",
    "Submission": "_jobs",
    "VirtualClock": "_clock",
    "Webhook": "_webhooks",
}

__all__ = sorted([*_HOME, "faults"])  # noqa: PLE0605 - a list, which a test holds to the imports above


if not TYPE_CHECKING:  # or a misspelt name would pass for Any

    def __getattr__(name: str) -> Any:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        try:
            found = import_module(f"{__name__}.{_HOME.get(name, name)}")
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(f"{error}: pip install 'modelslab-pony[testing]'", name=error.name) from None
        return getattr(found, name) if name in _HOME else found
