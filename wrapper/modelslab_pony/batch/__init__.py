"""Durable batches: thousands of images, resumable, on one machine or many. Needs `modelslab-pony[batch]`."""

from importlib.util import find_spec

from modelslab_pony.errors import MissingExtraError

_missing = [name for name in ("dbos", "sqlalchemy") if find_spec(name) is None]
if _missing:  # DBOS itself is imported by the first run: it takes a second
    raise MissingExtraError(f"{' and '.join(_missing)} missing: pip install 'modelslab-pony[batch]'")

from modelslab_pony.batch._async_batch import AsyncBatch  # noqa: E402 - after the check
from modelslab_pony.batch._batch import Batch  # noqa: E402 - after the check
from modelslab_pony.batch._events import BatchEvent  # noqa: E402 - after the check
from modelslab_pony.batch._outcome import BatchError, BatchResult, BatchStatus  # noqa: E402 - after the check
from modelslab_pony.batch._worker import Worker  # noqa: E402 - after the check

__all__ = ["AsyncBatch", "Batch", "BatchError", "BatchEvent", "BatchResult", "BatchStatus", "Worker"]
