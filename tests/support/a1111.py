"""Reads the `parameters` text as Automatic1111 and the tools after it do.

The grammar: the last line is the settings, if at least three of them stand in it; in front of it is
the prompt, and from the line that begins with its name on, the negative prompt. A setting is a name,
a colon, and a value up to the next comma; a value in double quotes is a JSON text.
"""

from __future__ import annotations

import json


def read(text: str) -> dict[str, str]:
    *above, last = text.strip().split("\n")
    settings = dict(_settings(last))
    assert len(settings) >= 3, last
    prompt: list[str] = []
    negative: list[str] = []
    place = prompt
    for line in above:
        if line.startswith("Negative prompt:"):
            place = negative
        place.append(line.removeprefix("Negative prompt:").strip())
    return {"Prompt": "\n".join(prompt), "Negative prompt": "\n".join(negative), **settings}


def _settings(line: str) -> list[tuple[str, str]]:
    found = []
    while line:
        name, colon, line = line.partition(":")
        assert colon, f"no value for {name!r}"
        line = line.lstrip()
        if line.startswith('"'):
            value, end = json.JSONDecoder().raw_decode(line)
            line = line[end:].removeprefix(",")
        else:
            value, _, line = line.partition(",")
        found.append((name.strip(), value.strip()))
    return found
