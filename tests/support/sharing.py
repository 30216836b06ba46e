"""Which process of pytest-xdist runs which file: what waits in real time has a process of its own."""

from __future__ import annotations

from collections.abc import Collection

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

#: With fewer processes than this all take what comes next.
FEWEST = 3
#: How far the processes that compute stand back from the one that waits in real time.
NICENESS = 10


def waits(worker: str, count: int) -> bool:
    """Return whether the process of this name ('gw0', ...) of ``count`` is the one for files that wait: the last."""
    return count >= FEWEST and worker == f"gw{count - 1}"


class Sharing(LoadFileScheduling):
    """Whole files, in the order of collection; the last process takes those that wait, the others the rest.

    Whoever has none of its own kind left takes the last, so shortest, of the other.

    Parameters
    ----------
    config, log
        Those of the run; without ``log`` all is printed.
    waiting
        Files (node ids) that wait in real time more than they compute.
    """

    def __init__(self, config: pytest.Config, log: Producer | None, waiting: Collection[str]) -> None:
        super().__init__(config, log)
        self._waiting = frozenset(waiting)

    def _assign_work_unit(self, node: WorkerController) -> None:
        scopes = list(self.workqueue)
        if self.numnodes >= FEWEST:
            wanted = waits(node.gateway.id, self.numnodes)
            own = [scope for scope in scopes if (scope in self._waiting) == wanted]
            self.workqueue.move_to_end(own[0] if own else scopes[-1], last=False)
        super()._assign_work_unit(node)
