"""What the answers of the calls mean that are about no job: the account, a model, an upload."""

from __future__ import annotations

from typing import Any

from modelslab_pony._classify import parse, refusal, unexpected
from modelslab_pony._rules import is_url
from modelslab_pony._shapes import message_of, number, status_of, urls
from modelslab_pony._snapshot import Balance, ModelStatus
from modelslab_pony._steps import Reply


def balance(reply: Reply) -> Balance:
    """Return the balance; raise `APIError` if the answer has none."""
    answer = _answer(reply, "success")
    data = answer.get("data")
    found = data if isinstance(data, dict) else answer
    amount, currency = _signed(found.get("balance")), found.get("currency")
    if amount is None:
        raise unexpected(reply, answer, "a success without a balance")
    return Balance(balance=amount, currency=currency if isinstance(currency, str) else "", raw=answer)


def queued(reply: Reply) -> int:
    """Return how many requests wait or are worked on; raise `APIError` if the answer does not say."""
    answer = _answer(reply, "success")
    count = number(answer.get("processing_count"))
    if count is None:
        raise unexpected(reply, answer, "a success without a count")
    return int(count)


def model(reply: Reply) -> ModelStatus:
    """Return whether a model is loaded; raise `APIError` if the answer does not say."""
    answer = _answer(reply, "success", "processing")
    return ModelStatus(
        status="success" if status_of(answer) == "success" else "processing", message=message_of(answer), raw=answer
    )


def uploaded(reply: Reply) -> str:
    """Return the URL of an upload; raise `APIError` if the answer has none."""
    answer = _answer(reply, "success")
    found = next((links[0] for name in ("output", "url", "link") if (links := urls(answer.get(name)))), None)
    if found is None or not is_url(found):
        raise unexpected(reply, answer, "a success without a URL")
    return found


def _answer(reply: Reply, *statuses: str) -> dict[str, Any]:
    """Return the answer if it has one of these statuses; raise the refusal or the oddity that it is."""
    answer = parse(reply)
    if not isinstance(answer, dict) or not (200 <= reply.status_code < 300):
        raise refusal(reply.status_code, reply.headers, answer)
    status = status_of(answer)
    if status in {"error", "failed"}:
        raise refusal(reply.status_code, reply.headers, answer)
    if status not in statuses:
        raise unexpected(reply, answer, message_of(answer))
    return answer


def _signed(given: Any) -> float | None:
    """Return a number, also one below nothing, also from a numeral in a string."""
    found = number(given)
    if found is None and isinstance(given, int | float | str) and not isinstance(given, bool):
        below = number(given.strip().removeprefix("-") if isinstance(given, str) else -given)
        return None if below is None else -below
    return found
