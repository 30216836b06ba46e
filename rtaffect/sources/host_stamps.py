"""Samples that this computer stamps itself: to tap and buffer."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rtaffect.stream.buffer import SampleBuffer
from rtaffect.stream.source import Tap

#: The tap is told of the clock this often, s: stamps are on the LSL clock of this computer, so nothing is to be added.
OFFSET_S: Final = 5.0


class HostStamps:
    """Gives samples that are stamped by this computer's LSL clock to a tap and to ``buffer``.

    Parameters
    ----------
    buffer
        Where samples are kept.
    """

    def __init__(self, buffer: SampleBuffer) -> None:
        self._buffer, self._told_at = buffer, -math.inf

    def give(
        self, tap: Tap | None, now: float, stamps: NDArray[np.float64], sent: NDArray[Any], used: NDArray[Any]
    ) -> None:
        """Give what was ``sent`` (n, channels sent) to ``tap``, and what is ``used`` of it (n, channels) to the buffer.

        ``stamps`` (n,) and ``now`` are s on the LSL clock.
        """
        if tap is not None:
            if now >= self._told_at + OFFSET_S:
                tap.offset(now, 0.0)
                self._told_at = now
            tap.samples(stamps, sent)
        self._buffer.push(used, stamps)
