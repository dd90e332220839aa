"""Durable batches: thousands of images, resumable, on one machine or many. Needs `modelslab-pony[batch]`."""

try:
    import sqlalchemy  # noqa: F401 - it comes with DBOS, and is told here if it is missing
except ModuleNotFoundError:
    from modelslab_pony.errors import MissingExtraError

    raise MissingExtraError("batches need DBOS: pip install 'modelslab-pony[batch]'") from None

from modelslab_pony.batch._async_batch import AsyncBatch
from modelslab_pony.batch._batch import Batch
from modelslab_pony.batch._events import BatchEvent
from modelslab_pony.batch._outcome import BatchError, BatchResult, BatchStatus
from modelslab_pony.batch._worker import Worker

__all__ = ["AsyncBatch", "Batch", "BatchError", "BatchEvent", "BatchResult", "BatchStatus", "Worker"]
