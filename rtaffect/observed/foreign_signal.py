"""Channels that are called EEG and carry something else, told from what they send: causal, the same live and offline.

No threshold is in volts but one: a counter is a counter in any unit. A second speaks against a channel if its values go
up or down by one and the same step (counters, time stamps), take three values at most (triggers, states), always go one
way at an even pace (clocks that jitter), or lie beyond the range of any amplifier of EEG while the others do not.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.arrays import BoolArray, FloatArray

#: So many seconds in a row must speak against a channel, and for it again: an electrode may hang at a rail for a while.
#: One that was EEG for so long before needs only one to be taken back.
AGAINST_S, FOR_S = 2, 5
#: This part of the changes must be of one size; counters begin anew now and then.
_ALIKE: Final = 0.9
#: So many changes in a second tell something.
_LEAST_CHANGES: Final = 8
#: A trigger or a state has no more values in a second; EEG of 16 bits has dozens.
_MOST_STATES: Final = 3
#: No amplifier of EEG lets through more, V.
BEYOND_V: Final = 2.0
#: Single-precision numbers differ by so much, relative to the value.
_EPSILON: Final = 4 * float(np.finfo(np.float32).eps)

#: What a second says of a channel.
NOTHING, EEG, COUNTER, STATES, CLOCK, BEYOND = range(6)
WORDS: Final = {
    COUNTER: "counts by one step",
    STATES: "has only a few values, as triggers and states have",
    CLOCK: "goes one way at an even pace, as clocks do",
    BEYOND: f"lies beyond {BEYOND_V:g} V, more than any amplifier of EEG gives",
}


class ForeignSignals:
    """Judges raw channels second by second; any chunking gives the same.

    Parameters
    ----------
    rate
        Samples per second.
    channels
        Number of channels.
    """

    def __init__(self, rate: float, channels: int) -> None:
        self._block = np.full((max(16, round(rate)), channels), np.nan)
        self._filled = 0
        self._against, self._for = np.zeros(channels, np.int64), np.zeros(channels, np.int64)
        self._known = np.zeros(channels, np.bool_)
        self._verdict = np.full(channels, NOTHING, np.int64)
        #: Time of each change, s, and what each channel was found to be from then on.
        self._history: deque[tuple[float, NDArray[np.int64]]] = deque(maxlen=256)

    def __call__(self, samples: NDArray[np.floating], times: FloatArray) -> None:
        """Take the next raw ``samples`` (n, channels), V, at ``times`` (n,), s."""
        at = 0
        while at < len(samples):
            stop = min(len(samples), at + len(self._block) - self._filled)
            self._block[self._filled : self._filled + stop - at] = samples[at:stop]
            self._filled, at = self._filled + stop - at, stop
            if self._filled == len(self._block):
                self._filled = 0
                self._judge(float(times[stop - 1]))

    def at(self, time: float) -> NDArray[np.int64]:
        """Return what each channel (channels,) was found to be by ``time`` (s): NOTHING, or why it is no EEG."""
        found = np.full(self._block.shape[1], NOTHING, np.int64)
        for since, verdict in self._history:
            if since <= time:
                found = verdict
        return found

    def _judge(self, time: float) -> None:
        said = judge(self._block)
        against = (said != EEG) & (said != NOTHING)
        self._against = np.where(against, self._against + 1, np.where(said == EEG, 0, self._against))
        self._for = np.where(said == EEG, self._for + 1, np.where(against, 0, self._for))
        verdict = np.where(against & (self._against >= AGAINST_S), said, self._verdict)
        self._known |= self._for >= FOR_S
        verdict = np.where((said == EEG) & self._known, NOTHING, verdict)
        if (verdict != self._verdict).any():
            self._verdict = verdict
            self._history.append((time, verdict))


def judge(block: FloatArray) -> NDArray[np.int64]:
    """Return what about a second of raw values (n, channels), V, NaN where missing, says of each channel."""
    said = np.full(block.shape[1], EEG, np.int64)
    for channel in np.flatnonzero(_suspicious(block)).tolist():
        said[channel] = _judge_one(block[:, channel])
    size = np.where(np.isfinite(block), np.abs(block), 0.0)
    if size.max(initial=0.0) <= BEYOND_V:
        return said
    there = np.isfinite(block).any(axis=0)
    beyond: BoolArray = there & (np.median(size, axis=0) > BEYOND_V)
    # Where most are so large, the unit is wrong, which is told elsewhere.
    if beyond.any() and 2 * beyond.sum() < there.sum():
        said[beyond & ((said == EEG) | (said == NOTHING))] = BEYOND
    return said


def _suspicious(block: FloatArray) -> BoolArray:
    """Return which channels are worth a look: EEG goes up and down about as often, and takes many values."""
    with np.errstate(invalid="ignore"):
        steps = np.diff(block, axis=0)
        up, down = (steps > 0).sum(axis=0), (steps < 0).sum(axis=0)
        some = np.sort(block[:: max(1, len(block) // 64)], axis=0)
        values = (np.diff(some, axis=0) > 0).sum(axis=0)
    one_way = np.minimum(up, down) <= 1.1 * (1 - _ALIKE) * (up + down)
    missing = 2 * np.isfinite(block).sum(axis=0) < len(block)
    return np.asarray(one_way | (up + down < _LEAST_CHANGES) | (values < 2 * _MOST_STATES) | missing)


def _judge_one(values: FloatArray) -> int:
    x = values[np.isfinite(values)]
    if 2 * len(x) < len(values):
        return NOTHING
    steps = np.diff(x)
    changes = steps[steps != 0]
    if len(x) >= 32 and len(changes) > 1 and len(np.unique(x)) <= _MOST_STATES:
        return STATES
    # What stands still may be an electrode that is off.
    if len(changes) < _LEAST_CHANGES:
        return NOTHING
    fine = _EPSILON * float(np.abs(x).max())
    usual = float(np.median(changes))
    if abs(usual) > fine and (np.abs(changes - usual) <= 1e-3 * abs(usual) + fine).mean() >= _ALIKE:
        return COUNTER
    if (changes > 0).all() or (changes < 0).all():
        half = len(steps) // 2
        first, second = abs(float(steps[:half].mean())), abs(float(steps[-half:].mean()))
        # An electrode's offset that settles slows down.
        return CLOCK if abs(first - second) <= 0.02 * max(first, second) else NOTHING
    return EEG
