"""What both kinds of job can tell without asking."""

from __future__ import annotations

from modelslab_pony._snapshot import Snapshot, Status
from modelslab_pony._wire import Prepared
from modelslab_pony.errors import JobId
from modelslab_pony.requests import Request


class BaseJob:
    """What is known of a job."""

    _snapshot: Snapshot
    _prepared: Prepared | None

    @property
    def id(self) -> JobId | None:
        """The service's id; None only for a success that came without one."""
        return self._snapshot.id

    @property
    def status(self) -> Status:
        """`processing`, `success` or `failed`: where it stood when it was last asked about."""
        return self._snapshot.status

    @property
    def eta(self) -> float | None:
        """Seconds until the service expected to be done, when it was last asked; None where it did not say."""
        return self._snapshot.eta

    @property
    def request(self) -> Request | None:
        """The request that began it; None for a job that was taken up by its id."""
        return self._prepared.request if self._prepared else None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.status}>"
