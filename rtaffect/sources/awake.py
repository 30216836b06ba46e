"""Whether this program itself was held up: a lid that was closed, SIGSTOP, a computer without a moment for it.

Meanwhile nothing is taken from any device, so that silence tells nothing of them: what they sent waits to be taken.
"""

from __future__ import annotations

import threading
from typing import Final

from pylsl import local_clock

#: If no part of this program had a turn for so long, it was held up, s.
HELD_UP_S: Final = 1.5


class Awake:
    """Since when the program has had its turns; every thread that has turns of its own asks, at least once a second."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked, self._since = float("nan"), float("-inf")

    def since(self) -> float:
        """Return since when it has not been held up, s on the LSL clock; -inf if it never was."""
        with self._lock:
            now = local_clock()
            if now - self._asked > HELD_UP_S:
                self._since = now
            self._asked = now
            return self._since


#: Of this process.
AWAKE: Final = Awake()
