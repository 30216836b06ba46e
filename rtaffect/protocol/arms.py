"""What the participant is shown in each arm: their own level, another session's, or their own of some time ago.

An arm says only how high the level is. Nothing is made up to bridge what is missing: a level that stands still, or runs
on a straight line, would tell the arm. Where a participant of any arm would have no level, all arms have none
(:class:`Alike`), so that the times of what is shown, and its looks, are of one kind in all of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

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

    def at(self, second: int) -> Shown | None:
        """Return what was shown at ``second``; None where nothing was."""
        place = int(np.searchsorted(self.seconds, second))
        if place == len(self.seconds) or self.seconds[place] != second:
            return None
        return Shown(float(self.levels[place]), success=bool(self.success[place]))


#: What is said, in all arms alike, where the own level is there and that of another arm would not be.
NOT_IN_ALL: Final = "no level that every arm could show"


class ArmSource(ABC):
    """What is shown in place of the own level. Its text tells nobody which arm it is."""

    @abstractmethod
    def show(self, place: Place, own: Shown) -> Shown:
        """Return what is shown, nothing where there is none; called at each step of a block of feedback, in order."""

    def __repr__(self) -> str:
        return "ArmSource"


class Real(ArmSource):
    """The own level."""

    def show(self, place: Place, own: Shown) -> Shown:
        """Return the own level."""
        return own


class Yoked(ArmSource):
    """What was shown in another session at the same second of the same block, and nothing where that showed nothing.

    Parameters
    ----------
    time_courses
        By the number of the block: all blocks of feedback.
    """

    def __init__(self, time_courses: Mapping[int, DonorLevels]) -> None:
        self._time_courses = time_courses

    def show(self, place: Place, own: Shown) -> Shown:
        """Return the other session's level."""
        return self._time_courses[place.block].at(place.second) or Shown(None, NOT_IN_ALL)


class Delayed(ArmSource):
    """The own level ``delay_s`` seconds earlier in the block, and nothing where there was none then."""

    def __init__(self, delay_s: int) -> None:
        self._delay_s, self._block = delay_s, 0
        self._past: dict[int, Shown] = {}

    def show(self, place: Place, own: Shown) -> Shown:
        """Return the level of then, after the one of now has been noted."""
        if place.block != self._block:
            self._block = place.block
            self._past.clear()
        if own.level is not None:
            self._past[place.second] = own
        return self._past.get(place.second - self._delay_s, Shown(None, NOT_IN_ALL))


class Alike(ArmSource):
    """One of a study's arms, neutral wherever a participant in any of them would be: when it is tells nothing of it.

    A level sets in with less smoothing at the start of a block and after a gap, at other times in each arm; so each
    counts from where ``settle_steps`` levels have come one after the other, as many as the rule smooths over.

    Parameters
    ----------
    chosen
        What the participant is shown.
    others
        What the other arms would show: the own level, it delayed, or a donor's.
    settle_steps
        How many levels in a row make one that counts.
    """

    def __init__(self, chosen: ArmSource, others: Sequence[ArmSource], settle_steps: int) -> None:
        self._arms, self._settle = (chosen, *others), settle_steps
        self._block, self._second, self._run = 0, 0, [0] * (1 + len(others))

    def show(self, place: Place, own: Shown) -> Shown:
        """Return what the chosen arm shows, where all have something to show."""
        if (place.block, place.second) != (self._block, self._second + 1):
            self._run = [0] * len(self._arms)
        self._block, self._second = place.block, place.second
        shown = [arm.show(place, own) for arm in self._arms]
        self._run = [0 if each.level is None else run + 1 for each, run in zip(shown, self._run, strict=True)]
        if own.level is None:
            return own
        return shown[0] if min(self._run) >= self._settle else Shown(None, NOT_IN_ALL)


class AsRecorded(ArmSource):
    """What a recorded session showed at each step, or that it showed nothing: for its replay, whatever arm it was in.

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
