"""JSON that went wrong: what is changed in a document, and how it is written down.

A change is a function of a document and a source of chance, and gives a document. What JSON's own
writer would not write (NaN, 5000 digits, a name said twice) stands in the document as `Spelt`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

from support.both import KEY

LONG = 1_000_000
MANY = 100_000


class Spelt(str):
    """A piece of JSON that is written as it stands."""

    __slots__ = ()


class Twice(list[tuple[str, Any]]):
    """An object that may say a name twice."""


def written(document: Any) -> str:
    """Return the text of a document."""
    pieces: list[str] = []

    def plain(value: Any) -> Any:
        if isinstance(value, Spelt):
            pieces.append(value)
            return f"@@{len(pieces) - 1}@@"
        if isinstance(value, Twice):
            inside = ", ".join(f"{json.dumps(name)}: {written(one)}" for name, one in value)
            return plain(Spelt(f"{{{inside}}}"))
        if isinstance(value, dict):
            return {name: plain(one) for name, one in value.items()}
        if isinstance(value, list) and len(value) < 1000:
            return [plain(one) for one in value]
        return value

    text = json.dumps(plain(document))
    for number, piece in enumerate(pieces):
        text = text.replace(f'"@@{number}@@"', piece)
    return text


# --- odd values ------------------------------------------------------------------------------

STATUSES: list[Any] = [
    *("success", "processing", "error", "failed", "queued", "SUCCESS", " Success \n", "Processing", "ERROR"),
    *(
        "succes",
        "successful",
        "",
        " ",
        "suc\u200bcess",
        "\u0455uccess",
        "\ud800",
        None,
        True,
        0,
        1,
        [],
        ["success"],
        {},
    ),
]
IDS: list[Any] = [
    *(7, "7", " 7 ", "", " ", 0, -1, "abc-123", 7.0, 7.5, 1e30, 1e300, 2**53 + 1, 10**29, 10**30, 10**400, None, True),
    *(False, [], [7], {"id": 7}, "\ud800", "7\x1b]0;x\x07", "a\nb", "x" * 300, "../../x", "7?key=1", "é", "null"),
    *(Spelt("1e999"), Spelt("NaN"), Spelt("9" * 5000), Spelt("-0.0"), Spelt("7e0"), Spelt("1E400")),
]
URL = "https://images.example/generations/f1.png"
OUTPUTS: list[Any] = [
    *([URL], URL, [URL, URL], [], "", None, {}, {"0": URL}, [None], [URL, None], [[URL]], [{"url": URL}], 5, True),
    *(["queued"], ["ftp://images.example/a.png"], ["//images.example/a.png"], ["https://"], ["http:///x"], [" " + URL]),
    *(["https://images.example/a b.png"], ["https://images.example/\ud800.png"], ["https://exa\x1bmple/a.png"]),
    *(["HTTPS://images.example/A.PNG"], ["https://[::1"], ["https://images.example:99999/a"], ["https://\u2028/a"]),
    *(["https://images.example/" + "a" * 20_000], ["javascript:alert(1)"], ["file:///etc/passwd"], [""], ["\n" + URL]),
    *(["https://user:pass@images.example/a.png"], ["https://xn--a.example/é.png"], ["http://\ud83d\ude00.example/"]),
]
MESSAGES: list[Any] = [
    *(
        "",
        "Rate limit exceeded",
        "Invalid API key",
        "Request not found",
        "Failed, Try Again",
        "Model not found: x",
        " ",
    ),
    *("Too Many Requests; wait for 99999 seconds", "wait for 3 seconds", "<b>" * 300, "\x1b[31mred\x1b[0m\r\nnext"),
    *("\ud800 alone", "\x00", "a\u2028b\u202ec", "é€\N{PILE OF POO}", None, True, 5, 1e308, [], {}, [[]], [["a"], 5]),
    *({"prompt": ["is required"]}, {"prompt": "x"}, {"": None}, {"a": {"b": {"c": []}}}, [{"a": 1}, "b", None], [""]),
    *("m" * 9000, {str(number): ["x" * 50] for number in range(200)}, {"\x1b": ["\x07"]}, f"the key {KEY} is wrong"),
]
NUMBERS: list[Any] = [
    *(0, -1, 1, 12, 81.8557122048, "30", " 30 ", "1_0", "1e5", "inf", "nan", "-5", "", "soon", "٣", 1e308, 10**400),
    *(True, None, [], {}, "9" * 5000, Spelt("NaN"), Spelt("Infinity"), Spelt("-Infinity"), Spelt("1e999")),
    *(Spelt("9" * 5000), Spelt("-" + "9" * 5000), Spelt("1e-999"), Spelt("1" + "0" * 400 + ".5"), 5e-324, 10**30),
]
ODD: list[Any] = [
    *(None, True, False, 0, -1, 7, 1.5, "", "text", [], {}, [None], [[]], {"a": {"b": []}}, [1, 2, 3], {"": ""}),
    *(Spelt("NaN"), Spelt("9" * 5000), Spelt("1e999"), 10**400, "\ud800", "\x00\x1b[2J", {"status": "success"}),
    *(Spelt("[" * 90 + "]" * 90), Spelt('{"a":' * 500 + "1" + "}" * 500), Spelt("[" * MANY + "]" * MANY)),
]
BY_NAME: dict[str, list[Any]] = {
    "status": STATUSES,
    "id": IDS,
    "output": OUTPUTS,
    "message": MESSAGES,
    "messege": MESSAGES,
    "error": MESSAGES,
    "tips": MESSAGES,
    "tip": MESSAGES,
    "proxy_links": OUTPUTS,
    "url": OUTPUTS,
    "link": OUTPUTS,
    "eta": NUMBERS,
    "retry_after": NUMBERS,
    "generationTime": NUMBERS,
    "balance": NUMBERS,
    "seed": NUMBERS,
    "processing_count": NUMBERS,
    "nsfw_content_detected": ODD,
    "meta": ODD,
    "data": ODD,
    "currency": ODD,
}
NAMES = list(BY_NAME)
HUGE: list[Callable[[], Any]] = [
    lambda: "x" * LONG,
    lambda: "\x1b" * (LONG // 10),
    lambda: [7] * MANY,
    lambda: [URL] * (MANY // 10),
    lambda: {str(number): number for number in range(MANY // 10)},
    lambda: Spelt("9" * LONG),
    lambda: Spelt("[" * MANY + "]" * MANY),
    lambda: {str(number): ["required"] for number in range(MANY // 10)},
]


def odd(name: str, rng: Random) -> Any:
    """Return something for a field that it may or may not be meant to hold."""
    return rng.choice(BY_NAME.get(name, ODD) if rng.random() < 0.8 else ODD)


# --- changes ---------------------------------------------------------------------------------

Change = Callable[[Any, Random], Any]


def _field(document: Any, rng: Random) -> Any:
    """Say something else under a name that the service has, there or not."""
    name = rng.choice(NAMES)
    return _with(document, name, odd(name, rng))


def _of(name: str) -> Change:
    return lambda document, rng: _with(document, name, rng.choice(BY_NAME[name]))


def _swap(document: Any, rng: Random) -> Any:
    """Put something of another type at one place, as deep as it may lie."""
    if isinstance(document, dict) and document:
        name = rng.choice(list(document))
        inner = document[name]
        deep = isinstance(inner, dict | list) and inner and rng.random() < 0.5
        return {**document, name: _swap(inner, rng) if deep else odd(name, rng)}
    if isinstance(document, list) and document and not isinstance(document, Twice):
        place = rng.randrange(len(document))
        return [*document[:place], rng.choice(ODD), *document[place + 1 :]]
    return rng.choice(ODD)


def _drop(document: Any, rng: Random) -> Any:
    if not isinstance(document, dict) or not document:
        return document
    gone = rng.choice(list(document))
    return {name: value for name, value in document.items() if name != gone}


def _rename(document: Any, rng: Random) -> Any:
    if not isinstance(document, dict) or not document:
        return document
    old = rng.choice(list(document))
    new = rng.choice([old.upper(), old + " ", "_" + old, *NAMES])
    return {new if name == old else name: value for name, value in document.items()}


def _nest(document: Any, rng: Random) -> Any:
    inside = rng.randrange(5)
    if inside == 0:
        return [document]
    if inside == 1:
        return {"data": document}
    if inside == 2:
        return {"status": "success", "data": document}
    return written(document) if inside == 3 else {"status": "error", "message": document}


def _huge(document: Any, rng: Random) -> Any:
    # The largest are dear, so that they come up one time in three.
    if rng.random() < 0.2:
        return _with(document, rng.choice(NAMES), Spelt("[" * MANY + "]" * MANY))
    made = rng.choice(HUGE)() if rng.random() < 0.3 else rng.choice(["x" * 20_000, 10**400, [URL] * 900, ["y"] * 900])
    return _with(document, rng.choice(NAMES), made)


def _twice(document: Any, rng: Random) -> Any:
    """Say a name a second time, before or after the first."""
    if not isinstance(document, dict) or not document:
        return document
    name = rng.choice(["status", "status", "id", "output", rng.choice(list(document))])
    other = (name, rng.choice(BY_NAME.get(name, ODD)))
    return Twice([other, *document.items()] if rng.random() < 0.5 else [*document.items(), other])


def _echo(document: Any, rng: Random) -> Any:
    """Repeat the caller's key, in one of the ways that JSON can write it."""
    spelt = rng.choice(
        [
            json.dumps(KEY),
            json.dumps(KEY).replace("/", "\\/"),
            '"' + "".join(f"\\u{ord(one):04x}" for one in KEY) + '"',
            '"' + "".join(f"\\u{ord(one):04X}" if number % 2 else one for number, one in enumerate(KEY)) + '"',
            json.dumps(f"Invalid API key: {KEY}!"),
        ]
    )
    return _with(document, rng.choice(["message", "id", "tips", "meta", "status", "fetch_result", KEY]), Spelt(spelt))


def _with(document: Any, name: str, value: Any) -> Any:
    return {**document, name: value} if isinstance(document, dict) else document


CHANGES: dict[str, Change] = {
    "field": _field,
    "status": _of("status"),
    "id": _of("id"),
    "output": _of("output"),
    "message": _of("message"),
    "swap": _swap,
    "drop": _drop,
    "rename": _rename,
    "nest": _nest,
    "twice": _twice,
    "huge": _huge,
    "echo": _echo,
}
