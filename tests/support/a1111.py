"""Reads the `parameters` text as Automatic1111 and the tools after it do.

The grammar: the last line is the settings, if at least three of them stand in it; in front of it is
the prompt, and from the line that begins with its name on, the negative prompt. A setting is a name,
a colon, and a value up to the next comma; a value in double quotes is a JSON text.
"""

from __future__ import annotations

import json
import re

_SETTING = re.compile(r'\s*(\w[\w /-]*):\s*("(?:\\.|[^\\"])*"|[^,]*)(?:,|$)')


def read(text: str) -> dict[str, str]:
    *above, last = text.strip().split("\n")
    settings = _SETTING.findall(last)
    assert len(settings) >= 3, last
    prompt: list[str] = []
    negative: list[str] = []
    place = prompt
    for line in above:
        if line.startswith("Negative prompt:"):
            place, line = negative, line.removeprefix("Negative prompt:")  # noqa: PLW2901 - what is left of it
        place.append(line.strip())
    found = {name: json.loads(value) if value.startswith('"') else value.strip() for name, value in settings}
    return {"Prompt": "\n".join(prompt), "Negative prompt": "\n".join(negative), **found}
