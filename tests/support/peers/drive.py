"""One call of one client in a process of its own, as its README does it; what came of it is its last line.

A program, not a module: some clients wait without any limit, and a process can be ended.
Only address, key and time limits are given:

- fal-client: FAL_QUEUE_RUN_HOST; `SyncClient`/`AsyncClient(key=, default_timeout=)`; `subscribe(client_timeout=)` only
  where it is the caller's own wait that is measured. Its limits for status and result, 120 s, cannot be set.
- replicate: `Client(api_token=, base_url=, timeout=)`; `run(wait=2)`, which makes the limit of the POST 2.5 s.
- both: SSL_CERT_FILE, the certificate of the stand-in.
"""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import json
import os
import sys
from typing import Any

LIMIT = 2.5
"""Seconds without a byte that a client may wait, where it lets itself be told."""
CALLER_WAITS = 3.0
"""Seconds for the whole of it, where the caller's own wait is measured; fal-client takes nothing up to 1."""
PROMPT = {"prompt": "a lighthouse at dusk"}


def fal_sync(case: dict[str, Any], got: dict[str, Any]) -> None:
    import fal_client

    client = fal_client.SyncClient(key=case["key"], default_timeout=LIMIT)
    result = client.subscribe("fal-ai/fast-sdxl", PROMPT, client_timeout=CALLER_WAITS if case["waits"] else None)
    got["result"] = result["images"][0]["url"]


async def fal_async(case: dict[str, Any], got: dict[str, Any]) -> None:
    import fal_client

    client = fal_client.AsyncClient(key=case["key"], default_timeout=LIMIT)
    waits = CALLER_WAITS if case["waits"] else None
    result = await client.subscribe("fal-ai/fast-sdxl", PROMPT, client_timeout=waits)
    got["result"] = result["images"][0]["url"]


def _replicate(case: dict[str, Any]) -> Any:
    import httpx
    from replicate.client import Client

    base_url = f"https://{case['address']}"
    return Client(api_token=case["key"], base_url=base_url, timeout=httpx.Timeout(5.0, read=LIMIT))


def replicate_sync(case: dict[str, Any], got: dict[str, Any]) -> None:
    outputs = _replicate(case).run("stability-ai/sdxl", input=PROMPT, wait=2)
    got["result"] = outputs[0].url
    _say(got)  # the link is at hand, whatever becomes of the download
    got["picture"] = _measure(outputs[0].read())


async def replicate_async(case: dict[str, Any], got: dict[str, Any]) -> None:
    outputs = await _replicate(case).async_run("stability-ai/sdxl", input=PROMPT, wait=2)
    got["result"] = outputs[0].url
    _say(got)  # the link is at hand, whatever becomes of the download
    got["picture"] = _measure(await outputs[0].aread())


def _say(got: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(got) + "\n")
    sys.stdout.flush()


def _measure(content: bytes) -> dict[str, Any]:
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def told(error: BaseException, mark: str) -> str | None:
    """Return where an id stands on an error, the plainest place first; None if nowhere."""
    if mark in str(error) or any(mark in str(value) for value in error.args):
        return "text"
    for name, value in vars(error).items():
        if isinstance(value, str | bytes) and mark in str(value):
            return name
    holders = [error, getattr(error, "response", None), error.__cause__, error.__context__]
    for holder in holders:
        if mark in _address(holder) or mark in str(getattr(holder, "text", "")):
            return "request"
    return "cause" if any(inner and told(inner, mark) for inner in holders[2:]) else None


def _address(holder: object) -> str:
    """Return the address of the request that an error or an answer holds."""
    try:
        return str(holder.request.url)  # type: ignore[attr-defined]  # most have none
    except (AttributeError, RuntimeError):
        return ""


def main() -> None:
    """Read the case from the command line, make the call, and leave at once: threads of the client may go on."""
    case = json.loads(sys.argv[1])
    got: dict[str, Any] = {}
    call = globals()[case["call"]]
    try:
        asyncio.run(call(case, got)) if inspect.iscoroutinefunction(call) else call(case, got)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what the caller sees
        status = getattr(error, "status_code", None) or getattr(error, "status", None)
        status = status or getattr(getattr(error, "response", None), "status_code", None)
        got["error"] = {"class": type(error).__name__, "status": status, "told": told(error, case["mark"])}
    _say(got)
    os._exit(0)


main()
