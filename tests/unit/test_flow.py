"""The order of events where it is no story of a client's: driven by hand, with times that nothing else gives."""

from __future__ import annotations

import random

from modelslab_pony import PollPolicy, RetryPolicy
from modelslab_pony._asks import Context
from modelslab_pony._flow import fetch
from modelslab_pony._snapshot import Snapshot
from modelslab_pony._steps import Reply, Send


def test_what_waited_for_its_turn_is_not_counted_against_the_second_address() -> None:
    """A server that knows no `fetch` is asked with the id in the path, in what is left of the call's own time."""
    context = Context(poll=PollPolicy(), retry=RetryPolicy(), random=random.random, answer=100.0)
    flow = fetch(context, Snapshot(status="processing", id=7), 0.0)
    first = next(flow)
    assert isinstance(first, Send)
    assert first.operation == "fetch"
    second = flow.send(Reply(at=70.0, status_code=404, headers={}, body=b"no such page", waited=60.0))
    assert isinstance(second, Send)
    assert (second.operation, second.within) == ("fetch_by_id", 90.0)
