"""Values that are sent when they change, not evenly, as an even course: each holds until the next.

The course has ``RATE_HZ`` samples a second, on the LSL clock. A sample has the newest value that is stamped at or
before it, and is NaN before the first.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.arrays import Float32Array, FloatArray
from rtaffect.stream.source import StreamHeader

#: Samples of the course in a second: finer than any reaction.
RATE_HZ: Final = 20.0


def even_header(header: StreamHeader) -> StreamHeader:
    """Return what is said of the course of a stream whose values come at any time."""
    return replace(header, rate=RATE_HZ, format="float32", xml="")


class Held:
    """Makes values (n, channels) with times into a course, in which each holds until the next."""

    def __init__(self, channels: int) -> None:
        self._value = np.full(channels, np.nan, np.float32)
        self._times, self._values = np.empty(0), np.empty((0, channels), np.float32)

    def take(self, times: FloatArray, values: NDArray[np.floating]) -> None:
        """Take values with their ``times`` (n,), s, in any order; of those of one time the last one taken holds."""
        times = np.concatenate([self._times, times])
        order = np.argsort(times, kind="stable")
        self._times = times[order]
        self._values = np.concatenate([self._values, np.asarray(values, np.float32)])[order]

    def course(self, stamps: FloatArray) -> Float32Array:
        """Return the values (n, channels) at ``stamps`` (n,), s, which rise from call to call; NaN before the first."""
        newest = np.searchsorted(self._times, stamps, side="right")
        held = np.concatenate([self._value[None], self._values])[newest]
        if len(stamps):
            self._value = held[-1]
            self._times, self._values = self._times[newest[-1] :], self._values[newest[-1] :]
        return np.asarray(held)

    def let_go(self) -> None:
        """Forget all values: what holds is not known until the next one comes."""
        self._value = np.full_like(self._value, np.nan)
        self._times, self._values = self._times[:0], self._values[:0]
