"""Which request gets which fault: rules and scripts, in order; and faults in words, for a command line."""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import attrs
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
    """Faults for the next requests of a kind, in order."""

    on: On
    runs: deque[tuple[Fault | None, int | None]]
    """Each fault, or None to let a request pass, and how often; None for always."""
    is_for_webhooks: bool
    befell: int = 0
    """Requests that it applied to."""

    def meets(self, call: Call) -> bool:
        """Tell whether it applies to a request."""
        if self.is_for_webhooks != (call.operation == WEBHOOK):
            return False
        if self.on is None or isinstance(self.on, str):
            return self.on in {None, call.operation} or call.operation in GROUPS.get(self.on or "", ())
        return self.on(call)

    def is_used(self) -> bool:
        """Tell whether it befell all the requests that it is for; one for always, any."""
        left = [(fault, times) for fault, times in self.runs if fault is not None]
        in_force = len(left) == 1 and (left[0][1] is None or (isinstance(left[0][0], Refuse) and left[0][1] == 1))
        return not left or (self.befell > 0 and in_force)

    def take(self) -> Fault | None:
        """Return the next fault, and use it up."""
        self.befell += 1
        fault, times = self.runs.popleft()
        if times != 1:
            self.runs.appendleft((fault, times and times - 1))
        return fault

    def __str__(self) -> str:
        said = [
            (repr(fault) if fault else "nothing") + ("" if times == 1 else _often(times)) for fault, times in self.runs
        ]
        where = "a function" if callable(self.on) else self.on or "any request"
        return f"{', '.join(said)} on {where}"


class Faults:
    """The faults to come. The first rule that applies to a request decides."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []
        self._lock = threading.RLock()
        self.doors: list[Callable[[], object]] = []
        """Called after each change: a server opens or closes its door then."""

    def add(self, fault: Fault, *, on: On = None, times: int | None = 1) -> None:
        """Have a fault befall the next `times` requests of a kind; None for all from now on.

        Raises `ValueError` for what is no fault, no kind of request, or no number.
        """
        if times is not None and (type(times) is not int or times < 1):  # a bool is no number
            raise ValueError(f"times must be an integer of at least 1, or None for always, not {times!r}")
        self._append(on, [(_checked(fault, and_none=False), times)])

    def script(self, *faults: Fault | None, on: On = None) -> None:
        """Give each of the next requests of a kind its fault, in order; None lets one pass.

        Raises `ValueError` as `add` does.
        """
        if not faults:
            raise ValueError("a script needs at least one fault, or None to let a request pass")
        self._append(on, [(_checked(fault, and_none=True), 1) for fault in faults])

    def clear(self) -> None:
        """Forget the faults to come."""
        with self._lock:
            self._rules.clear()
        self._tell_doors()

    def assert_used(self) -> None:
        """Raise `AssertionError` if a fault is still to come; one for always, if it never befell a request."""
        with self._lock:
            unused = [str(rule) for rule in self._rules if not rule.is_used()]
        if unused:
            raise AssertionError(f"these faults befell no request: {'; '.join(unused)}")

    def take(self, call: Call) -> Fault | None:
        """Return the fault that befalls a request, and use it up."""
        with self._lock:
            rule = next((rule for rule in self._rules if rule.meets(call)), None)
            if rule is None or (call.has_door and isinstance(rule.runs[0][0], Refuse)):
                return None  # a request that came in before the door closed
            return self._take(rule)

    def refusal(self) -> Refuse | None:
        """Return the refusal that is next in line, whatever the request will be; a door closes for it now."""
        with self._lock:
            for rule in self._rules:
                fault = rule.runs[0][0]
                if isinstance(fault, Refuse):
                    rule.befell += 1
                    return fault
        return None

    def take_refusal(self) -> None:
        """Use up the refusal that is next in line."""
        with self._lock:
            rule = next((rule for rule in self._rules if isinstance(rule.runs[0][0], Refuse)), None)
            if rule is not None:
                self._take(rule)
        self._tell_doors()

    def __len__(self) -> int:
        """Return how many rules are left."""
        return len(self._rules)

    def __str__(self) -> str:
        with self._lock:
            return "; ".join(map(str, self._rules))

    def __repr__(self) -> str:
        return f"<Faults: {self or 'none'}>"

    def _take(self, rule: Rule) -> Fault | None:
        fault = rule.take()
        if not rule.runs:
            self._rules.remove(rule)
        return fault

    def _append(self, on: On, runs: list[tuple[Fault | None, int | None]]) -> None:
        webhooks = {fault.is_for_webhooks for fault, _ in runs if fault is not None}
        if len(webhooks) > 1:
            raise ValueError("a script is for webhooks or for requests, not for both")
        _check_place(on)
        is_for_webhooks = on == WEBHOOK if not webhooks else webhooks == {True}
        if webhooks and isinstance(on, str) and is_for_webhooks != (on == WEBHOOK):
            fits = WEBHOOK if is_for_webhooks else "a kind of request"
            raise ValueError(f"on must be {fits} for {runs[0][0]!r}, not {on!r}")
        if is_for_webhooks and on is None:
            on = WEBHOOK
        with self._lock:
            self._rules.append(Rule(on=on, runs=deque(runs), is_for_webhooks=is_for_webhooks))
        self._tell_doors()

    def _tell_doors(self) -> None:
        # Not under the lock: a door waits for its server, which may be about to take a fault.
        for door in list(self.doors):
            door()


def _often(times: int | None) -> str:
    return ", always" if times is None else f", {times} times"


def _checked(given: Any, *, and_none: bool) -> Fault | None:
    if isinstance(given, Fault) or (given is None and and_none):
        return given
    raise ValueError(f"a fault must be one of those of modelslab_pony.testing.faults, not {given!r}")


def _check_place(on: Any) -> None:
    known = [found["operationId"] for _, _, found in operations(effective_spec())]
    places = [*dict.fromkeys([*known, *GROUPS, *PICTURES, WEBHOOK])]
    if on is not None and not callable(on) and on not in places:
        raise ValueError(f"on must be one of {', '.join(places)}, a function of a Call, or None, not {on!r}")


# --- faults in words, for a command line ---------------------------------------------------------------------


_WORDS: dict[str, type[Any]] = {
    re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower(): kind
    for name, kind in vars(faults).items()
    if isinstance(kind, type) and issubclass(kind, Fault) and kind.__subclasses__() == [] and name != "Reply"
}
_TEXT = re.compile(r"(?P<name>[a-z-]+)(?::(?P<value>.*?))?(?:@(?P<on>\w+))?(?:\*(?P<times>\d+|always))?")


def add_texts(to: Faults, texts: Sequence[str]) -> None:
    """Add faults, each given as NAME[:VALUE][@ON][*TIMES], as in `html:502@fetch*3` or `late:5*always`.

    Raises `ValueError` that says what is wrong with one; then none is added.
    """
    trial = Faults()
    demands = [_demand(text) for text in texts]
    for text, (fault, on, times) in zip(texts, demands, strict=True):
        try:
            trial.add(fault, on=on, times=times)
        except ValueError as error:
            raise ValueError(f"{text!r}: {error}") from None
    for fault, on, times in demands:
        to.add(fault, on=on, times=times)


def _demand(text: str) -> tuple[Fault, str | None, int | None]:
    """Return what `Faults.add` takes."""
    found = _TEXT.fullmatch(str(text).strip())
    if found is None or found["name"] not in _WORDS:
        raise ValueError(f"{text!r} must be NAME[:VALUE][@ON][*TIMES], with a NAME of {', '.join(_WORDS)}")
    kind, value = _WORDS[found["name"]], found["value"]
    try:
        fault = kind(*([] if value is None else [_value(value)]))
    except TypeError:
        takes = "a value" if attrs.fields(kind) else "no value"
        raise ValueError(f"{text!r}: {found['name']} takes {takes}") from None
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}") from None
    times = found["times"] or "1"
    return fault, found["on"], None if times == "always" else int(times)


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
