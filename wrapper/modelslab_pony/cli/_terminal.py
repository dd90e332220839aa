"""What the command writes to: standard output and error, whoever reads them, or no longer does.

Colours follow the terminal, `TERM=dumb`, `NO_COLOR` and `FORCE_COLOR` (no-color.org, force-color.org). What moves the
cursor is for terminals alone: a forced colour makes no terminal of a log.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import select
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from rich.console import Console

UNREAD = 141
"""The exit code when what was to be printed could not be: what shells say of a program that SIGPIPE ended."""
_LEFT = {errno.EPIPE, errno.ESHUTDOWN, errno.EINVAL if os.name == "nt" else errno.EIO}
"""How a system says that a pipe's reader is gone, or a terminal's window."""
_DUMB = {"dumb", "unknown"}


# --- colours ---------------------------------------------------------------------------------


def console() -> Console:
    """Return what errors and progress are written with, to standard error."""
    from rich.console import Console  # noqa: PLC0415 - 40 ms, which what prints no errors can do without

    styles, is_forced = colours(os.environ, is_terminal=_is_terminal(sys.stderr))
    return Console(stderr=True, color_system=styles, force_terminal=is_forced or None)


def colours(environment: Mapping[str, str], *, is_terminal: bool) -> tuple[Literal["auto", "standard"] | None, bool]:
    """Return Rich's name of the colours to write with (None: neither colour nor bold), and whether they are forced."""
    is_dumb = environment.get("TERM", "").lower() in _DUMB
    is_forced = bool(environment.get("FORCE_COLOR"))
    if environment.get("NO_COLOR") or not (is_forced or (is_terminal and not is_dumb)):
        return None, False
    return ("standard" if is_dumb else "auto"), is_forced


def is_live(console: Console) -> bool:
    """Tell whether a console is on a terminal whose lines can be written anew."""
    return _is_terminal(console.file) and os.environ.get("TERM", "").lower() not in _DUMB


def _is_terminal(stream: Any) -> bool:
    try:
        return stream is not None and bool(stream.isatty())
    except ValueError:  # it was closed
        return False


# --- readers that leave ----------------------------------------------------------------------


class Outlet(io.RawIOBase):
    """One of the standard streams; what its reader no longer takes is let go, and that is kept in mind.

    A reader that leaves (`| head -1`), a window that was closed, or a full disk behind `>` must not break off a job
    that is paid for.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self.fault: OSError | None = None
        """Why something could not be written."""

    def writable(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Tell whether it is a terminal."""
        return os.isatty(self._descriptor)

    def write(self, content: Any) -> int:
        """Write what can be written; return how many bytes are done with."""
        while self.fault is None:
            try:
                return os.write(self._descriptor, content)
            except BlockingIOError:
                select.select([], [self._descriptor], [])
            except OSError as fault:
                self.fault = fault
        return len(content)

    @property
    def is_left(self) -> bool:
        """Whether the reader has gone, as readers may."""
        return self.fault is not None and self.fault.errno in _LEFT


def guarded(stream: Any) -> tuple[Any, Outlet | None]:
    """Return a standard stream that outlives its reader; what is no file, and Windows's console, as it is."""
    try:
        descriptor = None if stream is None or (os.name == "nt" and stream.isatty()) else stream.fileno()
    except (OSError, ValueError):
        descriptor = None
    if descriptor is None:
        return stream, None
    stream.flush()
    outlet = Outlet(descriptor)
    buffer = io.BufferedWriter(outlet)
    return io.TextIOWrapper(buffer, encoding=stream.encoding, errors=stream.errors, line_buffering=True), outlet


def exit_code(code: int, output: Outlet | None) -> int:
    """Return the code that the command ends with, after what was printed is out; say what became of it.

    An error's own code is worth more than that nobody read what was printed.
    """
    with contextlib.suppress(OSError, ValueError):
        if sys.stdout is not None:
            sys.stdout.flush()
    if output is None or output.fault is None:
        return code
    if not output.is_left:
        print(f"pony: standard output cannot be written: {output.fault.strerror}", file=sys.stderr)  # noqa: T201 - a command prints
    return code or UNREAD
