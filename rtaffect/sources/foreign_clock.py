"""Time stamps that are not of the LSL clock: which clock they are of, and where that lies by what arrives."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

import numpy as np
from pylsl import local_clock

from rtaffect.common.arrays import FloatArray
from rtaffect.sources.arrival import ANOTHER_CLOCK_S, IMPOSSIBLE_S, Chunk

#: What becomes of stamps that are not of the LSL clock. Where samples are placed by arrival, and the way may take long,
#: they are relied on only if that is accepted.
Foreign = Literal["arrival", "accept", "refuse"]
#: What the way takes, and is not known, may be so long by the device's profile, s: values bear no more.
WAY_S: Final = 0.05
#: What arrives for so long tells which clock it is, s.
JUDGE_S: Final = 0.5
#: A marker may be stamped so long before it comes, or after that, s: where a program plans ahead, or floods.
MARKER_S: Final = 60.0
#: Units of stamps in s, and their names.
UNITS: Final = ((1.0, "seconds"), (1e-3, "milliseconds"), (1e-6, "microseconds"), (1e-9, "nanoseconds"))
#: Stamps are Unix time if they lie this near to it, and count from their sender's start if they are less than this, s.
_UNIX_S, _FROM_ZERO_S = 2 * 86_400.0, 1e6
_UNIX: Final = "Unix time"
#: The spacing of stamps is of a unit if it differs by less than this part.
_SPACING: Final = 0.2


class Clock(NamedTuple):
    """A clock that stamps are of: ``unit`` is that of the stamps in s, NaN where they tell no time at all."""

    unit: float
    words: str

    @property
    def is_unix(self) -> bool:
        """Whether it is Unix time, which this computer has, too."""
        return self.words.startswith(_UNIX)


def unix_to_lsl_s() -> float:
    """Return what is to be added to this computer's Unix time for the LSL clock's, s."""
    return float(local_clock()) - time.time()


#: Of stamps that tell nothing.
SENSELESS: Final = Clock(math.nan, "without sense")


def is_foreign(stamps: FloatArray, arrival: float) -> bool:
    """Return whether no delay explains most ``stamps`` (n,), finite, s on this computer's clock, that came together."""
    delay = arrival - stamps
    return bool(((delay < -IMPOSSIBLE_S) | (delay > ANOTHER_CLOCK_S)).mean() > 0.5)


def clock_of_marker(stamp: float) -> Clock:
    """Return which clock a single ``stamp`` is of, in its own unit; a spacing is not known."""
    now = time.time()
    for unit, name in UNITS:
        if abs(stamp * unit - now) < _UNIX_S:
            return Clock(unit, f"{_UNIX} in {name}")
    return Clock(1.0, "a clock that counts from its own start" if 0 <= stamp < _FROM_ZERO_S else "an unknown clock")


def place_events(
    stamps: FloatArray, offset: float, what: str, *, here: bool, foreign: Foreign
) -> tuple[FloatArray, str]:
    """Return ``stamps`` (n,) of events, those that are of another clock as when they arrived, and what they are of.

    Parameters
    ----------
    stamps
        s on the sender's clock, of events that have just come.
    offset
        What is to be added for this computer's LSL clock, s.
    what
        What they are of, for the words.
    here
        Whether the sender runs on this computer.
    foreign
        What becomes of stamps that are not of the LSL clock; those that are refused stay as they are.

    Returns
    -------
    stamps : (n,) float64, s
    note : str
        Which clock they are of, and what is done; empty where it is the LSL clock.
    """
    now = local_clock()
    odd = np.isfinite(stamps) & (np.abs(now - offset - stamps) > MARKER_S)
    if not odd.any():
        return stamps, ""
    clock, placed = clock_of_marker(float(stamps[odd][0])), np.full(len(stamps), now - offset)
    how = "they are not used" if foreign == "refuse" else "they are placed when they arrive, some ms late"
    by_clock = stamps * clock.unit + unix_to_lsl_s() - offset
    if clock.is_unix and here and (np.abs(by_clock - placed)[odd] < MARKER_S).all():
        placed, how = by_clock, "it is that of this computer, by which they are placed"
    note = f"the stamps of its {what} are {clock.words}, not of the LSL clock: {how}; stamp by local_clock"
    return (stamps if foreign == "refuse" else np.where(odd, placed, stamps)), note


def clock_of(chunks: Sequence[Chunk], rate: float) -> Clock:
    """Return which clock the stamps of ``chunks`` are of, that came one after another at ``rate`` Hz."""
    stamps = np.concatenate([chunk.stamps for chunk in chunks])
    number = np.arange(len(stamps))[np.isfinite(stamps)]
    stamps = stamps[np.isfinite(stamps)]
    if len(stamps) < 3 or number[-1] == number[0]:
        return SENSELESS
    spacing = float(stamps[-1] - stamps[0]) / float(number[-1] - number[0]) * rate
    for unit, name in UNITS:
        # Even to a tenth of a second: chunks may be stamped as one.
        off = stamps * unit - number / rate
        if abs(spacing * unit - 1.0) < _SPACING and float(np.ptp(off - off[0])) < 0.1 + _SPACING * len(stamps) / rate:
            newest = float(stamps[-1]) * unit
            if abs(newest - time.time()) < _UNIX_S:
                return Clock(unit, f"{_UNIX} in {name}")
            words = "a clock that counts from its own start" if 0 <= newest < _FROM_ZERO_S else "an unknown clock"
            return Clock(unit, f"{words}, in {name}")
    return SENSELESS


def by_arrival(chunk: Chunk, offset: float, rate: float) -> Chunk:
    """Return ``chunk`` as if it had been complete when it arrived: its newest sample is stamped then.

    ``offset`` is what is added to stamps, s.
    """
    back = np.arange(len(chunk.stamps))[::-1] / rate
    return chunk._replace(stamps=chunk.arrival - offset - back)


class ClockJudge:
    """Holds what a connection brings first, where no delay explains its stamps, until it is known what clock it has.

    Parameters
    ----------
    rate
        Of the samples, Hz.

    Attributes
    ----------
    found : Clock or None
        The clock, where it is not LSL's.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self.restart()

    def restart(self) -> None:
        """What comes next comes by another connection."""
        self.found: Clock | None = None
        self._held: list[Chunk] = []
        self._open = True

    def take(self, chunk: Chunk, offset: float) -> list[Chunk]:
        """Return what can be judged as usual now, stamps in s; ``found`` is set in the turn that it is found in."""
        if not self._open:
            return [self._in_seconds(chunk, offset)]
        finite = chunk.stamps[np.isfinite(chunk.stamps)]
        if not self._held and (not len(finite) or not is_foreign(finite + offset, chunk.arrival)):
            self._open = not len(finite)
            return [chunk]
        self._held.append(chunk)
        if chunk.arrival - self._held[0].arrival < JUDGE_S:
            return []
        self._open, self.found = False, clock_of(self._held, self._rate)
        return [self._in_seconds(each, offset) for each in self.flush()]

    @property
    def by_arrival(self) -> bool:
        """Whether it matters when chunks arrive: for what the clock is, or because it tells nothing else."""
        return bool(self._held) or (self.found is not None and math.isnan(self.found.unit))

    def flush(self) -> list[Chunk]:
        """Return what is held, which is not held any longer."""
        held, self._held = self._held, []
        return held

    def add_s(self, chunks: Sequence[Chunk], offset: float) -> float:
        """Return what is to be added to the stamps of ``chunks`` beside ``offset``, s: by the least delay."""
        lasts = ((each.arrival, each.stamps[np.isfinite(each.stamps)]) for each in chunks)
        return min(arrival - float(stamps.max()) - offset for arrival, stamps in lasts if len(stamps))

    def _in_seconds(self, chunk: Chunk, offset: float) -> Chunk:
        if self.found is None:
            return chunk
        if math.isnan(self.found.unit):
            return by_arrival(chunk, offset, self._rate)
        return chunk._replace(stamps=chunk.stamps * self.found.unit)
