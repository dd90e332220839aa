"""What everybody sends: the request of our client, taken from the wire."""

from __future__ import annotations

import json
from typing import Any

KEY = "bench-key-0123456789abcdef0123456789abcdef"
PROMPT = "a lighthouse at dusk"
SEED = 7


def sent_json() -> dict[str, Any]:
    """Return what our client sends for the prompt and the seed."""
    import httpx  # noqa: PLC0415 - what a measured process has imported is part of what is measured

    from modelslab_pony import PonyClient  # noqa: PLC0415 - it brings httpx, and that is part of what is measured

    sent: list[dict[str, Any]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(json.loads(request.content))
        return httpx.Response(200, json={"status": "success", "id": 1, "output": ["https://cdn.example/1.png"]})

    with httpx.Client(transport=httpx.MockTransport(answer)) as scripted:
        PonyClient(KEY, http_client=scripted).text2img(PROMPT, seed=SEED)
    return sent[0]
