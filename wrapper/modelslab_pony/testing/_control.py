"""What another process may ask of a simulator that it cannot ask of the service.

Below `/_simulator`: nothing there is logged as a request, nor befallen by a fault. Bodies and answers
are JSON: `GET state`; `GET submissions`; `GET`, `POST {"faults": ["html:502@fetch*3"]}` or `DELETE
faults`; `PATCH options {"eta": 5}`; and pictures for the page.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from attrs import asdict
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from modelslab_pony.testing import _page
from modelslab_pony.testing._schema import read_json
from modelslab_pony.testing._script import add_texts
from modelslab_pony.testing._simulator import Simulator

CHANGEABLE = ("eta", "outcome", "dialect", "queue_limit", "balance", "price", "image_life")
"""Options that another process may change."""


async def _state(request: Request) -> Response:
    return _json(_page.state(_simulator(request)))


async def _submissions(request: Request) -> Response:
    return _json([asdict(submission, recurse=False) for submission in _simulator(request).submissions])


async def _show_faults(request: Request) -> Response:
    return _json({"faults": str(_simulator(request).faults)})


async def _clear_faults(request: Request) -> Response:
    _simulator(request).faults.clear()
    return await _show_faults(request)


async def _add_faults(request: Request) -> Response:
    try:
        wanted = (await _object(request)).get("faults")
        if not isinstance(wanted, list):
            return _refused(f"faults must be a list of texts, not {wanted!r}")
        add_texts(_simulator(request).faults, wanted)
    except ValueError as error:
        return _refused(str(error))
    return await _show_faults(request)


async def _change_options(request: Request) -> Response:
    simulator = _simulator(request)
    try:
        wanted = await _object(request)
        unknown = wanted.keys() - set(CHANGEABLE)
        if unknown:
            return _refused(f"no option {', '.join(sorted(unknown))}; there are {', '.join(CHANGEABLE)}")
        simulator.change(**wanted)
    except ValueError as error:
        return _refused(str(error))
    return _json({name: getattr(simulator, name) for name in CHANGEABLE})


ROUTES = Mount(
    _page.CONTROL_PATH,
    routes=[
        Route("/state", _state),
        Route("/submissions", _submissions),
        Route("/faults", _add_faults, methods=["POST"]),
        Route("/faults", _clear_faults, methods=["DELETE"]),
        Route("/faults", _show_faults),
        Route("/options", _change_options, methods=["PATCH"]),
        Route("/thumbnails/{id}-{index:int}.jpg", _page.drawn),
        Route("/pictures/{id}-{index:int}.png", _page.drawn),
    ],
)


def _simulator(request: Request) -> Simulator:
    found: Simulator = request.app.state.simulator
    return found


async def _object(request: Request) -> dict[str, Any]:
    """Return the body. Raises `ValueError` for what is no JSON object."""
    # A page of another site, open in the same browser, is none of those who may.
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise ValueError(f"{origin} may not ask this")
    body = read_json(await request.body())
    if not isinstance(body, dict):
        raise ValueError(f"the body must be a JSON object, not {body!r}")  # noqa: TRY004 - told as any other mistake
    return body


def _json(body: Any, status_code: int = 200) -> Response:
    # In ASCII: a prompt may hold what UTF-8 has not.
    return Response(json.dumps(body), status_code, media_type="application/json")


def _refused(message: str) -> Response:
    return _json({"message": message}, status_code=400)
