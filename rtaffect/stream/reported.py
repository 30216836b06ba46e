"""What a device says itself of its electrodes' contact: impedance or quality, a value for each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

#: A value that is older than this is none, s.
STALE_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class ReportedChannel:
    """A channel that tells of an ``electrode``: its ``column`` in what is sent.

    Values times ``scale`` are kOhm, or a quality from 0 to 1; of a quality, ``good`` is from where it is good and
    ``bad`` below where it is bad.
    """

    electrode: str
    column: int
    means: Literal["impedance", "quality"]
    scale: float = 1.0
    good: float = math.nan
    bad: float = math.nan


class Reported:
    """The newest values of such channels; written by a source's thread, read by any other."""

    def __init__(self, channels: tuple[ReportedChannel, ...]) -> None:
        self.channels = channels
        self._columns = [each.column for each in channels]
        self._scales = np.array([each.scale for each in channels])
        # Replaced as a whole.
        self._newest: tuple[float, NDArray[np.float64]] = (-math.inf, np.full(len(channels), math.nan))

    def push(self, values: NDArray[Any], stamps: NDArray[np.float64]) -> None:
        """Take ``values`` (n, all channels of the stream) at ``stamps`` (n,), s on the LSL clock."""
        if len(stamps):
            row = np.asarray(values[-1, self._columns], np.float64) * self._scales
            self._newest = float(stamps[-1]), np.where(np.isfinite(row), row, math.nan)

    def at(self, time: float) -> NDArray[np.float64]:
        """Return the values (channels,) as of ``time``, s on the LSL clock; NaN where they are too old."""
        stamp, row = self._newest
        return row if time - stamp <= STALE_S else np.full(len(self.channels), math.nan)


def reported_of(source: object) -> Reported | None:
    """Return what a source's device says of its electrodes; None where it says nothing."""
    found = getattr(source, "reported", None)
    return found if isinstance(found, Reported) else None
