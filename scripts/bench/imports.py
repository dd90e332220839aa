"""What it costs to import the client and to make the first one, over a bare interpreter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import frozen

from bench._measure import difference, in_turns, median, ratio, timed
from bench._report import Bound, Section, Table

BARE = "bare Python"
OURS, BASE = "modelslab_pony", "httpx, attrs"
IMPORTS = {
    BARE: "pass",
    OURS: "import modelslab_pony",
    BASE: "import httpx, attrs",
    "httpx": "import httpx",
    "httpx2": "import httpx2",
    "aiohttp": "import aiohttp",
    "requests": "import requests",
    "fal_client": "import fal_client",
    "replicate": "import replicate",
    "openai": "import openai",
    "modelslab_py": "import modelslab_py",
}
CLIENTS = {
    BARE: "pass",
    OURS: "from modelslab_pony import PonyClient; PonyClient('key')",
    "modelslab_pony, async": "from modelslab_pony import AsyncPonyClient; AsyncPonyClient('key')",
    "httpx": "import httpx; httpx.Client()",
    "httpx2": "import httpx2; httpx2.Client()",
    "aiohttp": "import aiohttp, asyncio\nasync def main(): await aiohttp.ClientSession().close()\nasyncio.run(main())",
    "requests": "import requests; requests.Session()",
    # Two that make their httpx client later: when it is asked for, as here.
    "fal_client": "import fal_client; fal_client.SyncClient(key='key')._client",
    "replicate": "import replicate; replicate.Client(api_token='token')._client",
    "openai": "import openai; openai.OpenAI(api_key='key')",
    "modelslab_py": "from modelslab_py.core.client import Client; Client(api_key='key')",
}
# A port where nobody listens: TLS is made ready, and the connection is refused.
_NOWHERE = "https://127.0.0.1:9"
TLS = {
    BARE: "pass",
    OURS: "from modelslab_pony import PonyClient, PonyError, RetryPolicy\n"
    f"pony = PonyClient('key', base_url='{_NOWHERE}/v6/images', retry=RetryPolicy(attempts=1))\n"
    "try: pony.text2img('a lighthouse')\nexcept PonyError: pass",
    "httpx": f"import httpx\ntry: httpx.Client().post('{_NOWHERE}', json={{}})\nexcept httpx.ConnectError: pass",
}
QUICK = (BARE, OURS, BASE, "httpx", "fal_client")
Times = Mapping[str, Sequence[float]]


@frozen
class Imports:
    """Seconds of whole processes, round by round."""

    imports: Times
    clients: Times
    calls: Times


def measure(*, quick: bool) -> Imports:
    """Start interpreters, in turns."""
    rounds = 4 if quick else 15
    return Imports(*(_measured(codes, rounds, quick=quick) for codes in (IMPORTS, CLIENTS, TLS)))


def _measured(codes: Mapping[str, str], rounds: int, *, quick: bool) -> Times:
    names = [name for name in codes if not quick or name in QUICK]
    for name in names:  # so that all is compiled, and in the memory of the system
        timed(codes[name])
    return in_turns(names, rounds, lambda name: timed(codes[name]))


def section(found: Imports) -> Section:
    """Tell it."""
    imports, clients = found.imports, found.clients
    bounds = [
        Bound(
            name="`import modelslab_pony` over bare Python",
            measured=1000 * difference(imports[OURS], imports[BARE]),
            at_most=25,
            unit="ms",
        ),
        Bound(
            name="the same beside `import fal_client`",
            measured=_over(imports, OURS, "fal_client"),
            at_most=0.25,
        ),
        Bound(
            name="import to first client, beside `import httpx` and `httpx.Client()`",
            measured=_over(clients, OURS, "httpx"),
            at_most=1.3,
        ),
    ]
    return Section(
        "Import",
        (
            (
                f"Whole processes, {len(imports[BARE])} of each in turns, with compiled bytecode; milliseconds over "
                "bare Python in the same environment, and the ratio to httpx. The client's own sources stand on "
                "`PYTHONPATH`, for its peers too, so that no hook of an editable installation is measured."
            ),
            _table("import", imports, BASE),
            (
                "Import to first client. Our client makes TLS ready with its first call that needs it, httpx's as it "
                "is made; `fal_client` and `replicate` are asked for their httpx client, which they make when they "
                "need it."
            ),
            _table("first client", clients, "httpx"),
            "Import to first call over https, up to a connection that is refused: what was put off is in it.",
            _table("first call", found.calls, "httpx"),
        ),
        bounds,
    )


def _over(times: Times, one: str, other: str) -> float:
    """Return how many times as long one takes as another, each less what the interpreter takes."""
    return ratio(_less(times, one), _less(times, other))


def _less(times: Times, name: str) -> list[float]:
    bare = median(times[BARE])  # the same for all: of one round, it could be more than what it is less than
    return [one - bare for one in times[name]]


def _table(what: str, times: Times, beside: str) -> Table:
    rows = [
        (f"`{name}`", 1000 * difference(times[name], times[BARE]), _over(times, name, beside))
        for name in times
        if name != BARE
    ]
    return Table((what, "ms over bare Python", f"beside `{beside}`"), rows)
