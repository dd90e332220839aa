"""Holds each answer of a simulator to what the effective spec documents for its call."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from modelslab_pony.testing._answers import Answer, Call
from modelslab_pony.testing._core import Core
from modelslab_pony.testing._spec import operations
from support.cases import EFFECTIVE, resolved

OPERATIONS = {operation["operationId"]: operation for _, _, operation in operations(EFFECTIVE)}


def problems(answer: Answer) -> list[str]:
    """Return what no reader of the spec would expect of an answer; nothing where it describes none."""
    if answer.operation not in OPERATIONS:
        return []
    documented = OPERATIONS[answer.operation]["responses"]
    if str(answer.status_code) not in documented:
        return [f"{answer.operation}: HTTP {answer.status_code} is not documented"]
    content = resolved(EFFECTIVE, documented[str(answer.status_code)])["content"]
    if answer.content_type not in content:
        return [f"{answer.operation}: {answer.content_type} is not documented"]
    found = _validator(answer.operation, str(answer.status_code)).iter_errors(json.loads(answer.content))
    return [f"{answer.operation}: HTTP {answer.status_code}: {error.message}" for error in found]


def to_the_spec(answer: Callable[[Core, Call, float], Answer]) -> Callable[[Core, Call, float], Answer]:
    """Return `Core.answer`, with each answer looked at."""

    def held(core: Core, call: Call, now: float) -> Answer:
        found = answer(core, call, now)
        if core.options.dialect == "spec" and not found.fault:
            assert problems(found) == [], found.content
        return found

    return held


@cache
def _validator(operation: str, status_code: str) -> Any:
    content = resolved(EFFECTIVE, OPERATIONS[operation]["responses"][status_code])["content"]
    return Draft202012Validator({**content["application/json"]["schema"], "components": EFFECTIVE["components"]})
