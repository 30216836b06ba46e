"""When the frames that are handed to an output device leave it, on the LSL clock."""

from __future__ import annotations

import math
from collections import deque
from typing import Final

import numpy as np

#: The time of a frame is the median of what the newest blocks say, so many, or of so long a time, s: through a sound
#: server single ones jitter by 10 ms.
MEDIAN_BLOCKS: Final = 65
MEDIAN_S: Final = 0.75
#: A sound that is heard further than this from its time is displaced, s. It is put in its place at once, and what was
#: heard until then is in doubt.
DISPLACED_S: Final = 0.005
#: So many blocks in a row that agree on another time show that the device was interrupted, if it does not say so.
AGREE_BLOCKS: Final = 4


class DacClock:
    """Follows the LSL time at which frame 0 of a stream left, or would have left, the converter.

    It moves slowly with the drift of the device's clock, and at once where the device ran dry: what is handed over
    afterwards leaves as much later as the device stood still.

    Parameters
    ----------
    rate
        Nominal rate of the device, Hz.

    Attributes
    ----------
    origin : float
        Of frame 0, s on the LSL clock; NaN before the first block.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._measured: deque[tuple[float, float]] = deque(maxlen=MEDIAN_BLOCKS)
        self._away: list[float] = []
        self.origin = math.nan

    def note(self, frame: int, leaves: float, *, underflow: bool = False) -> bool:
        """Take that ``frame`` leaves at ``leaves``, s on the LSL clock; return whether the device was interrupted.

        ``underflow`` says that it ran dry before that frame.
        """
        measured = leaves - frame / self._rate
        interrupted = underflow or self._is_elsewhere(measured)
        if interrupted:
            self._measured.clear()
            self._measured.extend((leaves, each) for each in self._away)
            self._away = []
        self._measured.append((leaves, measured))
        while self._measured[0][0] < leaves - MEDIAN_S:
            self._measured.popleft()
        self.origin = float(np.median([each for _, each in self._measured]))
        return interrupted

    def _is_elsewhere(self, measured: float) -> bool:
        """Return whether the newest blocks agree with each other, and not with those before."""
        away = measured - self.origin
        if not abs(away) > DISPLACED_S:
            self._away = []
            return False
        if self._away and abs(measured - self._away[0]) > DISPLACED_S:
            self._away = []
        self._away.append(measured)
        return len(self._away) >= AGREE_BLOCKS

    @property
    def agrees(self) -> bool:
        """Whether the newest block agrees with those before."""
        return not self._away

    def leaves(self, frame: int) -> float:
        """Return when ``frame`` leaves the converter, s on the LSL clock."""
        return self.origin + frame / self._rate
