"""A service that repeats the key in every way, and sends its callers to six other hosts."""

from __future__ import annotations

import base64
import contextlib
import html
import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from attrs import frozen

from modelslab_pony import PollPolicy, RetryPolicy
from support.both import KEY
from support.hosts import Asked, Host, Said, listening
from support.pictures import picture

FAST: dict[str, Any] = {"poll": PollPolicy(min_delay=0.01, max_delay=0.02), "retry": RetryPolicy(attempts=1)}
NUMBERED = "".join(f"\\u{ord(character):04x}" for character in KEY)
SPELLINGS = {
    "plain": KEY,
    "escaped slash": KEY.replace("/", r"\/"),
    "by number": NUMBERED,
    "by number, upper case": NUMBERED.upper().replace("U", "u"),
    "partly by number": NUMBERED[:30] + KEY[5:],
    "JSON in JSON": json.dumps(json.dumps({"key": KEY}).replace("/", r"\/")),
    "by number in JSON": json.dumps(NUMBERED),
    "JavaScript": "".join(f"\\x{ord(character):02x}" for character in KEY),
    "URL": quote(KEY, safe=""),
    "URL, lower case": quote(KEY, safe="").lower(),
    "URL in URL": quote(quote(KEY, safe=""), safe=""),
    "URL, all of it": "".join(f"%{ord(character):02X}" for character in KEY),
    "HTML": html.escape(KEY).replace("/", "&#x2F;"),
    "HTML by number": "".join(f"&#{ord(character)};" for character in KEY),
    "HTML in HTML": html.escape("".join(f"&#{ord(character)};" for character in KEY)),
    "base64": base64.b64encode(KEY.encode()).decode(),
    "base64 of JSON": base64.b64encode(json.dumps({"key": KEY}).encode()).decode(),
    "base64 at 1": base64.b64encode(b"?" + KEY.encode() + b"??").decode(),
    "base64 at 2": base64.b64encode(b"??" + KEY.encode() + b"?").decode(),
    "base64 of a URL": base64.urlsafe_b64encode(b"?" + KEY.encode()).decode().rstrip("="),
    "hex": KEY.encode().hex(),
    "hex, upper case": KEY.encode().hex().upper(),
}
"""In which an answer may repeat the key."""


@frozen
class World:
    """The hosts. Only the first is the service; the others are named in its answers."""

    base: Host
    elsewhere: Host
    output: Host
    cdn: Host
    future: Host
    hook: Host
    result: Host

    @property
    def url(self) -> str:
        return f"{self.base.url}/api/v6/images"

    @property
    def others(self) -> list[Host]:
        return [self.elsewhere, self.output, self.cdn, self.future, self.hook, self.result]


@contextlib.contextmanager
def world(kind: str = "PNG") -> Iterator[World]:
    """Have all of them listen."""
    names = ("base", "elsewhere", "output", "cdn", "future", "hook", "result")
    with contextlib.ExitStack() as stack:
        hosts = [
            stack.enter_context(listening(name, f"127.0.0.{number}")) for number, name in enumerate(names, start=1)
        ]
        made = World(*hosts)
        content = picture(kind)

        def from_output(asked: Asked) -> Said:
            if "again" in asked.path:
                return Said(302, headers=(("location", f"{made.elsewhere.url}/picture"),), reason="Found")
            return Said(302, headers=(("location", f"{asked.path}?again"),), reason="Found")

        def from_cdn(asked: Asked) -> Said:
            if "again" in asked.path:
                return Said(200, content, (("content-type", f"image/{kind.lower()}"),))
            return Said(302, headers=(("location", "/again.png"),), reason="Found")

        made.base.answer = lambda asked: answer(made, asked)
        made.output.answer, made.cdn.answer = from_output, from_cdn
        yield made


def answer(made: World, asked: Asked) -> Said:
    """Answer as the service would, and repeat the key."""
    call = asked.path.partition("?")[0].rsplit("/", 1)[-1]
    by_call: dict[str, dict[str, Any]] = {
        "fetch": {
            "status": "success",
            "output": [f"{made.output.url}/{KEY}/a.png"],
            "proxy_links": {"0": f"{made.cdn.url}/{quote(KEY, safe='')}/a.png"},
        },
        "wallet_balance": {"status": "success", "data": {"balance": 3, "currency": "USD"}},
        "request_count": {"status": "success", "processing_count": 1},
        "model_reload": {"status": "success"},
        "base64_to_url": {"status": "success", "output": [f"{made.output.url}/given.png"]},
    }
    job = {
        "status": "processing",
        "eta": 0,
        "fetch_result": f"{made.result.url}/fetch/7",
        "future_links": [f"{made.future.url}/a.png"],
        "output": [],
    }
    return echo({"id": 7, **by_call.get(call, job)})


def echo(body: Mapping[str, object], status: int = 200) -> Said:
    """Return an answer with the key in its body, its headers and its first line."""
    repeated = {
        "message": f"key {KEY}",
        "meta": {"key": KEY, "seed": 3, "prompt": f"a lighthouse {KEY}", "spelt": SPELLINGS},
        "tip": KEY,
    }
    headers = (("content-type", "application/json"), ("x-echo", KEY), ("set-cookie", f"session={KEY}; Path=/"))
    return Said(status, {**repeated, **body}, headers, reason=f"Said {KEY}")
