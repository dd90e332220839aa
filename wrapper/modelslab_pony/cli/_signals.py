"""A command that is told to stop says what becomes of the job, whoever tells it."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

# SIGHUP is there where terminals can hang up.
_SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Stopped(KeyboardInterrupt):
    """A signal other than Ctrl-C's ended the command."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextlib.contextmanager
def raised() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into an exception, as Python does with Ctrl-C: not what `nohup` has ignored."""

    def stop(number: int, _: FrameType | None) -> None:
        raise Stopped(number)

    heeded = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def exit_code(stop: KeyboardInterrupt) -> int:
    """Return what shells say of a program that a signal ended: 130 for Ctrl-C, 143 for SIGTERM."""
    return 128 + (stop.number if isinstance(stop, Stopped) else signal.SIGINT)
