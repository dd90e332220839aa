"""Other services' clients under the faults that ours is measured under, each against a stand-in of its own service."""

from support.peers._faults import DOWNLOAD, FETCH, NOTHING, OVERDUE, SUBMIT, Case, Fault, cases
from support.peers._measure import Seen, measure, observe

__all__ = ["DOWNLOAD", "FETCH", "NOTHING", "OVERDUE", "SUBMIT", "Case", "Fault", "Seen", "cases", "measure", "observe"]
