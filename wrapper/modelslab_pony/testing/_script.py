"""Which request gets which fault: rules and scripts, in order; and faults in words, for a command line."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from itertools import groupby
from typing import Any

from attrs import define

from modelslab_pony.testing import faults
from modelslab_pony.testing._answers import Call
from modelslab_pony.testing._spec import effective_spec, operations
from modelslab_pony.testing.faults import Fault, Refuse

On = str | Callable[[Call], bool] | None

PICTURES = ("output", "proxy", "upload")
WEBHOOK = "webhook"
GENERATIONS = frozenset({"text2img", "img2img", "inpaint"})
GROUPS = {"submission": GENERATIONS, "fetch": {"fetch", "fetch_by_id"}, "image": {"output", "proxy"}}


@define(eq=False)
class Rule:
    """Faults for the next requests of a kind, in order; None lets one pass."""

    on: On
    faults: deque[Fault | None]
    repeats: bool = False
    """Whether the first fault stays."""

    def meets(self, call: Call) -> bool:
        """Tell whether it applies to a request."""
        if self.on is None:
            return call.operation != WEBHOOK
        if not isinstance(self.on, str):
            return self.on(call)
        return call.operation == self.on or call.operation in GROUPS.get(self.on, ())

    def __str__(self) -> str:
        runs = [(repr(fault) if fault else "nothing", len(list(run))) for fault, run in groupby(self.faults)]
        listed = ", ".join(f"{times} times {said}" if times > 1 else said for said, times in runs)
        where = "a function" if callable(self.on) else self.on or "any request"
        return f"{listed} on {where}{', always' if self.repeats else ''}"


class Faults:
    """The faults to come. The first rule that applies to a request decides."""

    def __init__(self, changed: Callable[[], object] = lambda: None) -> None:
        self._rules: list[Rule] = []
        self.changed = changed
        """Called after each change; a server closes its door here."""

    def add(self, fault: Fault, *, on: On = None, times: int | None = 1) -> None:
        """Have a fault befall the next `times` requests of a kind; None for all from now on.

        Raises `ValueError` for what is no fault, no kind of request, or no number.
        """
        if times is not None and (type(times) is not int or times < 1):  # a bool is no number
            raise ValueError(f"times must be an integer of at least 1, or None for always, not {times!r}")
        self._append(Rule(on=on, faults=deque([fault] * (times or 1)), repeats=times is None))

    def script(self, *faults: Fault | None, on: On = None) -> None:
        """Give each of the next requests of a kind its fault, in order; None lets one pass.

        Raises `ValueError` as `add` does.
        """
        self._append(Rule(on=on, faults=deque(faults)))

    def clear(self) -> None:
        """Forget the faults to come."""
        self._rules.clear()
        self.changed()

    def take(self, call: Call) -> Fault | None:
        """Return the fault that befalls a request, and use it up."""
        rule = next((rule for rule in self._rules if rule.meets(call)), None)
        if rule is None:
            return None
        fault = rule.faults[0] if rule.repeats else rule.faults.popleft()
        if not rule.faults:
            self._rules.remove(rule)
        return fault

    def refusal(self) -> Refuse | None:
        """Return the refusal that is next in line, whatever the request will be."""
        return next((rule.faults[0] for rule in self._rules if isinstance(rule.faults[0], Refuse)), None)

    def take_refusal(self) -> None:
        """Use up the refusal that is next in line."""
        rule = next((rule for rule in self._rules if isinstance(rule.faults[0], Refuse)), None)
        if rule is not None and not rule.repeats:
            rule.faults.popleft()
            if not rule.faults:
                self._rules.remove(rule)

    def __str__(self) -> str:
        return "; ".join(map(str, self._rules))

    def _append(self, rule: Rule) -> None:
        webhooks = {fault.is_for_webhooks for fault in map(_checked, rule.faults) if fault is not None}
        if webhooks == {True} and rule.on is None:
            rule.on = WEBHOOK
        _check_place(rule.on)
        if not callable(rule.on) and any(is_webhook != (rule.on == WEBHOOK) for is_webhook in webhooks):
            raise ValueError(f"faults of webhooks, and they alone, are on {WEBHOOK!r}, not on {rule.on!r}")
        if rule.faults:
            self._rules.append(rule)
            self.changed()


def _checked(given: Any) -> Fault | None:
    if given is None or isinstance(given, Fault):
        return given
    raise ValueError(f"a fault must be one of those of modelslab_pony.testing.faults, not {given!r}")


def _check_place(on: Any) -> None:
    known = [found["operationId"] for _, _, found in operations(effective_spec())]
    places = [*dict.fromkeys([*known, *GROUPS, *PICTURES, WEBHOOK])]
    if on is not None and not callable(on) and on not in places:
        raise ValueError(f"on must be one of {', '.join(places)}, a function of a Call, or None, not {on!r}")


# --- faults in words, for a command line ---------------------------------------------------------------------


_WORDS: dict[str, Callable[..., Fault]] = {
    re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower(): kind
    for name, kind in vars(faults).items()
    if isinstance(kind, type) and issubclass(kind, Fault) and kind.__subclasses__() == [] and name != "Reply"
}
_TEXT = re.compile(r"(?P<name>[a-z-]+)(?::(?P<value>.*?))?(?:@(?P<on>\w+))?(?:\*(?P<times>\d+|always))?")


def add_text(to: Faults, text: str) -> None:
    """Add a fault given as NAME[:VALUE][@ON][*TIMES], as in `html:502@fetch*3` or `late:5*always`.

    Raises `ValueError` that says what is wrong with it.
    """
    found = _TEXT.fullmatch(text.strip())
    if found is None or found["name"] not in _WORDS:
        raise ValueError(f"{text!r} must be NAME[:VALUE][@ON][*TIMES], with a NAME of {', '.join(_WORDS)}")
    kind = _WORDS[found["name"]]
    times = {None: 1, "always": None}.get(found["times"], found["times"])
    try:
        fault = kind() if found["value"] is None else kind(_value(found["value"]))
    except TypeError:
        raise ValueError(f"{text!r}: {found['name']} takes {'no value' if found['value'] else 'a value'}") from None
    except ValueError as error:
        raise ValueError(f"{text!r}: {error.args[0]}") from None
    to.add(fault, on=found["on"], times=None if times is None else int(times))


def _value(text: str) -> Any:
    """Return a number, nothing, or the text itself."""
    if text == "none":
        return None
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
