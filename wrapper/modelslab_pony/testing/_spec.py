"""The effective spec, as the package carries it."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


@cache
def effective_spec() -> dict[str, Any]:
    """Return the OpenAPI document that the generated client was made from."""
    package = files("modelslab_pony_raw")
    # Beside the modules when installed; one folder up in a checkout (see pyproject.toml, force-include).
    for place in (package.joinpath("openapi.json"), package.joinpath("..", "openapi.json")):
        if place.is_file():
            spec: dict[str, Any] = json.loads(place.read_text("utf-8"))
            return spec
    raise FileNotFoundError("the effective spec is missing: run `make generate`, or install modelslab-pony again")


def operations(spec: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """Return (method, path, operation) for each operation; a path item holds other things too."""
    return [
        (method.upper(), path, item[method])
        for path, item in spec["paths"].items()
        for method in _METHODS
        if method in item
    ]
