"""Whether this program itself was held up: a lid that was closed, SIGSTOP, a computer without a moment for it.

Meanwhile nothing is taken from any device, so that silence tells nothing of them: what they sent waits to be taken.
"""

from __future__ import annotations

import math
from typing import Final

from pylsl import local_clock

#: If no part of this program had a turn for so long, it was held up, s.
HELD_UP_S: Final = 1.5


class Awake:
    """Since when the program has had its turns; every thread that has turns of its own asks, at least once a second."""

    def __init__(self) -> None:
        # Without a lock: a hundred threads that ask would queue at it. What a race could do is to tell of a hold-up
        # twice, which is true.
        self._asked, self._since = float("nan"), float("-inf")

    def since(self) -> float:
        """Return since when it has not been held up, s on the LSL clock; -inf if it never was."""
        now = local_clock()
        if now - self._asked > HELD_UP_S:
            self._since = now
        self._asked = now if math.isnan(self._asked) else max(self._asked, now)
        return self._since


#: Of this process.
AWAKE: Final = Awake()
