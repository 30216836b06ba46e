"""What the participant is shown in each arm: their own level, another session's, or their own of some time ago.

An arm says only how high the level is. When there is one at all, the conductor decides in the same way for all arms.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtaffect.protocol.protocol_step import Shown


class Place(NamedTuple):
    """Where a step is: its number, its block's, and how many seconds after the block's start it is."""

    step: int
    block: int
    second: int


class DonorLevels(NamedTuple):
    """What was shown in a block: seconds after its start (n,), in order, levels (n,) and whether each was success."""

    seconds: NDArray[np.float64]
    levels: NDArray[np.float64]
    success: NDArray[np.bool_]

    def at(self, second: float) -> Shown:
        """Return what was shown at ``second``: on a straight line between levels, the nearest one outside them.

        Success is that of the newest level until then.
        """
        level = float(np.interp(second, self.seconds, self.levels))
        newest = max(0, int(np.searchsorted(self.seconds, second, side="right")) - 1)
        return Shown(level, success=bool(self.success[newest]))


class ArmSource(ABC):
    """What is shown in place of the own level. Its text tells nobody which arm it is."""

    @abstractmethod
    def show(self, place: Place, own: Shown) -> Shown:
        """Return what is shown; called at each step of a block of feedback that has an own level, in order."""

    def __repr__(self) -> str:
        return "ArmSource"


class Real(ArmSource):
    """The own level."""

    def show(self, place: Place, own: Shown) -> Shown:
        """Return the own level."""
        return own


class Yoked(ArmSource):
    """What was shown in another session at the same second of the same block; its gaps are bridged.

    Parameters
    ----------
    courses
        By the number of the block: all blocks of feedback.
    """

    def __init__(self, time_courses: Mapping[int, DonorLevels]) -> None:
        self._time_courses = time_courses

    def show(self, place: Place, own: Shown) -> Shown:
        """Return the other session's level."""
        return self._time_courses[place.block].at(place.second)


class Delayed(ArmSource):
    """The own level ``delay_s`` seconds earlier in the block; gaps are bridged with what is known by now."""

    def __init__(self, delay_s: int) -> None:
        self._delay_s, self._block = delay_s, 0
        self._past: list[tuple[int, float, bool]] = []

    def show(self, place: Place, own: Shown) -> Shown:
        """Return the level of then, after the one of now has been noted."""
        assert own.level is not None
        if place.block != self._block:
            self._block = place.block
            self._past.clear()
        self._past.append((place.second, own.level, own.success))
        seconds, levels, success = zip(*self._past, strict=True)
        known = DonorLevels(np.array(seconds, np.float64), np.array(levels), np.array(success))
        return known.at(place.second - self._delay_s)


class AsRecorded(ArmSource):
    """What a recorded session showed at each step: for its replay, whatever arm it was in.

    Parameters
    ----------
    shown
        By the number of the step; where it is missing, the own level stands.
    """

    def __init__(self, shown: Mapping[int, Shown]) -> None:
        self._shown = shown

    def show(self, place: Place, own: Shown) -> Shown:
        """Return what was shown at that step."""
        return self._shown.get(place.step, own)
