"""Whether steps keep up with time, and what is left out where they do not: the featurizer."""

from __future__ import annotations

import math
from collections import deque
from typing import Final

from rtaffect.common.settings import STEP_S
from rtaffect.stream.doubt import Doubts

#: The part of a step that the featurizer may take in the mean of its last calls; beyond it is too slow here.
TOO_SLOW: Final = 0.7
#: A featurizer that is too slow is left out so long before it is tried again, s: at first, and at most.
FIRST_REST_S, LONGEST_REST_S = 10.0, 300.0
#: After so many seconds in time a featurizer counts as fast enough again.
IN_TIME: Final = 60
#: In the mean of its last calls a featurizer may take so long to be called before a step is due, s.
QUICK_S: Final = 0.25
#: Of the lag from which on a step is late, the part from which on the featurizer is left out.
_PART: Final = 0.5
_CALLS: Final = 3
_WORDS: Final = (
    "computing is behind: the featurizer, which takes longest, is left out until it has caught up, and nothing is "
    "predicted; leave the processor to the session, or take a faster featurizer"
)


class Pace:
    """Decides at each step whether the featurizer is given its second, so that lag has a bound.

    Where a step begins too late, as after a hiccup, the featurizer is left out until steps are in time. Where that
    comes of the featurizer itself, it rests for a while, twice as long each time: a prediction needs seconds without
    a gap, so that one second in three would be of no use and would only make the others late.

    Parameters
    ----------
    late_s
        From this lag on a step is late, s; inf where nothing can be late.

    Attributes
    ----------
    doubts : Doubts
        Seconds that the featurizer was not given, s on the LSL clock.
    """

    def __init__(self, late_s: float) -> None:
        self.doubts = Doubts()
        self._most_s = _PART * late_s
        self._costs: deque[float] = deque(maxlen=_CALLS)
        self._rest_s, self._rests_until, self._in_time = FIRST_REST_S, float("-inf"), 0

    def allows(self, end: float, behind_s: float) -> bool:
        """Return whether the featurizer is given the second that ends at ``end``, s, in a step that begins late."""
        if end > self._rests_until and self._too_slow(behind_s):
            self._rests_until = end + self._rest_s
            self._rest_s = min(2 * self._rest_s, LONGEST_REST_S)
            self._costs.clear()
        allowed = behind_s <= self._most_s and end > self._rests_until
        if allowed:
            self.doubts.end("behind", end - STEP_S)
        else:
            self.doubts.begin("behind", end - STEP_S, _WORDS)
            self._in_time = 0
        return allowed

    @property
    def _mean_s(self) -> float:
        return sum(self._costs) / len(self._costs)

    def _too_slow(self, behind_s: float) -> bool:
        """Return whether it is the featurizer that steps are behind for, or will be."""
        if math.isinf(self._most_s) or not self._costs:
            return False
        return self._mean_s > (TOO_SLOW if behind_s > self._most_s else 1.0) * STEP_S and len(self._costs) > 1

    def is_quick(self, end: float) -> bool:
        """Return whether the featurizer may be given the second that ends at ``end``, s, before its step is due.

        It is known to be so quick that no step begins too late for that, and does not rest.
        """
        return end > self._rests_until and bool(self._costs) and self._mean_s <= QUICK_S

    def spent(self, seconds: float) -> None:
        """Take how long the featurizer took, s."""
        self._costs.append(seconds)
        self._in_time += 1
        if self._in_time >= IN_TIME:
            self._rest_s = FIRST_REST_S
