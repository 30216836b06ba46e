"""What a measure is, what it gets, and what it gives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rtaffect.common.arrays import FloatArray

#: What a value is of: one person, two of them, or all together.
Kind = Literal["person", "pair", "group"]
KINDS: Final[tuple[Kind, ...]] = ("person", "pair", "group")
#: How the group is called where a value is of all people together.
GROUP: Final = "group"


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """The newest window of all people: P people, C channels, n = ``window_s * rate`` samples.

    Attributes
    ----------
    step : int
        Number of the step, 1 at the end of the session's first second.
    people, channels : tuple of str
        Names of the headsets, and of the channels that all of them have.
    rate : int
        Samples per second.
    samples : (P, C, n) float64, V
        Filtered EEG on the session's grid, as synchrony is computed of it, oldest first; NaN where it is missing or
        bad. It is not to be written into.
    missing : (P, window_s) bool
        Seconds, oldest first, of which nothing of a person may be used.
    withheld : (P,) bool
        People who cannot be relied on now: what a measure gives of them is not shown.
    """

    step: int
    people: tuple[str, ...]
    channels: tuple[str, ...]
    rate: int
    samples: FloatArray
    missing: NDArray[np.bool_]
    withheld: NDArray[np.bool_]

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """Numbers of the people of each pair, in the order in which a measure of pairs gives its values."""
        return tuple(combinations(range(len(self.people)), 2))


class Values(NamedTuple):
    """What a measure may return where it knows what chance would give: R rows, N people or pairs, 1 for a group.

    ``each`` (N, R); ``null_low`` and ``null_high`` (R,) are the null band of the mean over people or pairs.
    """

    each: ArrayLike
    null_low: ArrayLike
    null_high: ArrayLike


class Measure(ABC):
    """A measure of a person, a pair or the group, computed every second: what a lab writes.

    One object is made for a session, and is called once for every step, in order, so that it may remember what it has
    seen. It runs on a thread of its own. Where it raises, gives another shape than its rows, or does not come back in
    time, it is switched off for the rest of the session, which goes on without it.

    Attributes
    ----------
    kind : "person", "pair" or "group"
        What its values are of.
    window_s : int
        How much EEG it gets, s.
    memory_s : int
        How much further back its values reach, s, where it remembers what it has seen.
    low, high : float
        What its values lie between: the ends of the axis.
    unit : str
        Unit of its values; empty for a plain number.
    banded : bool
        Whether one is made for each band that is asked for, as ``Name(low_hz, high_hz, rate)``.
    """

    kind: ClassVar[Kind] = "person"
    window_s: ClassVar[int] = 10
    memory_s: int = 0
    low: ClassVar[float] = 0.0
    high: ClassVar[float] = 1.0
    unit: ClassVar[str] = ""
    banded: ClassVar[bool] = False

    def rows(self, channels: Sequence[str]) -> Sequence[str]:
        """Return the names of its R rows; without an own definition one for each channel."""
        return channels

    @abstractmethod
    def __call__(self, window: Window) -> ArrayLike | Values:
        """Return the values of a window: (P, R) of people, (pairs, R) of pairs, or (R,) of the group.

        NaN where there is no value.
        """

    def mean(self, each: FloatArray) -> FloatArray:
        """Return the mean (R,) of values (N, R) over people or pairs, of those that have one; NaN where none has."""
        return mean_over_present(each, 0)


def mean_over_present(values: FloatArray, axis: int) -> FloatArray:
    """Return the mean along ``axis`` of what is not NaN; NaN where there is nothing."""
    there = np.isfinite(values)
    count = there.sum(axis=axis)
    total = np.where(there, values, 0.0).sum(axis=axis)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))


@dataclass(frozen=True, slots=True, eq=False)
class MeasureValues:
    """What a measure gave at one step: R rows, N people, pairs or 1 for a group; absent values are NaN.

    Attributes
    ----------
    name : str
        Of the measure.
    kind : str
        What each value is of: person, pair or group; or autonomic.
    unit : str
        Of all values; empty for a plain number.
    low, high : float
        The ends of the axis.
    rows : tuple of str, length R
        Names of the rows.
    of : tuple of str, length N
        What each value is of, as in 'A' or 'A / B'.
    each : (N, R) float64
        The values.
    value : (R,) float64
        Their mean.
    null_low, null_high : (R,) float64
        The null band of ``value``, where the measure has one.
    trouble : str
        Why there are no values, in words; empty where nothing is wrong with the measure.
    """

    name: str
    kind: str
    unit: str
    low: float
    high: float
    rows: tuple[str, ...]
    of: tuple[str, ...]
    each: FloatArray
    value: FloatArray
    null_low: FloatArray
    null_high: FloatArray
    trouble: str = ""


def of_whom(kind: Kind, people: Sequence[str]) -> tuple[str, ...]:
    """Return what the values of a measure are of, in its order."""
    if kind == "group":
        return (GROUP,)
    return tuple(people) if kind == "person" else tuple(" / ".join(pair) for pair in combinations(people, 2))
