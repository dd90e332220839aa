"""What faults of aiohttp mean, told without importing it: a caller's own client may run on it, too."""

from __future__ import annotations

import re

_NEVER_CONNECTED = frozenset(("ClientConnectorError", "ConnectionTimeoutError", "ClientHttpProxyError"))
"""aiohttp's faults of a connection that was not made (or waited for in vain), with which nothing was sent."""
_LONGEST_WORDS = 500
"""Characters of a fault that are read at all."""


def was_connected(fault: BaseException) -> bool:
    """Tell whether a fault of aiohttp befell a connection that was made, whatever httpx-aiohttp calls it.

    That calls a server which hangs up after it was sent a request a `ConnectTimeout`: such a request may have been
    accepted.
    """
    told: BaseException | None = fault
    while told is not None:  # a caller's own transport may pass on a fault with words of its own
        names = {kind.__name__ for kind in type(told).__mro__ if kind.__module__.partition(".")[0] == "aiohttp"}
        if names and names.isdisjoint(_NEVER_CONNECTED):
            return True
        told = told.__cause__
    return False


def words(fault: BaseException) -> str:
    """Return what a fault says, without what it quotes of an answer: that may be long, and hold anything."""
    if not was_connected(fault):
        return str(fault)
    said = getattr(fault, "message", None) or str(fault)
    if not isinstance(said, str):
        return type(fault).__name__
    return re.split(r"(?<!\w)b?['\"]", said[:_LONGEST_WORDS], maxsplit=1)[0].rstrip(" \n:=")
