"""The sound that people hear: from its source's buffer to 16 kHz mono on the session's grid, and on to features."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.arrays import FloatArray
from rtaffect.common.settings import STEP_S
from rtaffect.predicted.featurizer import Featurizer
from rtaffect.predicted.no_features import NoFeatures
from rtaffect.stream.audio import SAMPLE_RATE, SoundResampler, converter_delay_s
from rtaffect.stream.buffer import RATE_TOLERANCE, Block
from rtaffect.stream.grid import GridInterpolator
from rtaffect.stream.ring import RingBuffer
from rtaffect.stream.source import LIVE_ORIGINS, Source

#: Sound that waits to be read: the newest second, the one before if it came late, and what is ahead of the step.
_KEPT_S = 4
#: What is put behind the sound's name to name its way, in doubts about what had arrived: a headset may have that name.
_PATH: Final = "/sound"


class HeardSecond(NamedTuple):
    """A second of the session's sound: its number, from 1, and float32 (16000,), None where any of it is missing."""

    number: int
    sound: NDArray[np.float32] | None


class SoundInput:
    """Brings sound onto the session's 16 kHz grid, once a step.

    Parameters
    ----------
    source
        The sound.
    featurizer
        What reads it.
    origin
        LSL time of the session's zero, s.
    ahead
        How many samples at 16 kHz beyond a step are wanted, too, by what takes the sound apart.

    Attributes
    ----------
    heard : tuple of HeardSecond
        What the last call of :meth:`feature` read, in order.
    given : int
        How many seconds of it the featurizer was given.
    name, of : str
        What it is called where it is told until when samples had come, and the sound's name.
    reached : float
        Time of the newest sample that was taken in, s on the LSL clock; -inf before the first.
    """

    def __init__(self, source: Source, featurizer: Featurizer | NoFeatures, origin: float, ahead: int = 0) -> None:
        self._source, self._origin, self._ahead_s = source, origin, ahead / SAMPLE_RATE
        self._ended = False
        self.of, self.name, self.reached = source.info.name, f"{source.info.name}{_PATH}", -math.inf
        self._stream, self._size, self._read = featurizer.stream(), featurizer.size, 0
        # Features of the next second, where the featurizer was given it before its step was due.
        self._early: FloatArray | None = None
        self.heard: tuple[HeardSecond, ...] = ()
        self.given = 0
        self._rate = source.info.rate
        self._grid = GridInterpolator(SAMPLE_RATE, SAMPLE_RATE, 1)
        self._ring = RingBuffer(_KEPT_S * SAMPLE_RATE, 1, np.float32)
        self._cursor = 0
        self._begin_segment()

    @property
    def lookahead_s(self) -> float:
        """How much later than a step the samples must reach, s."""
        return self._ahead_s + self._grid.lookahead_s + (1.0 + RATE_TOLERANCE) * converter_delay_s(self._rate)

    def lacks(self, step: int) -> bool:
        """Return whether sound that ``step`` needs has not been taken in, and may still come by itself."""
        live = self._source.info.origin in LIVE_ORIGINS
        return live and self.reached < self._needed(step) - 1.5 / self._rate

    def _needed(self, step: int) -> float:
        return self._origin + step * STEP_S + self.lookahead_s

    def advance(self, step: int, until: float = math.inf) -> None:
        """Take in all sound of seconds 1 to ``step``, up to ``until`` (s, LSL clock)."""
        self._take(step, until, early=False)
        self._ended = self._source.status(self._origin + step * STEP_S).state == "ended"
        if self._ended:
            self._write(*self._grid.flush())

    def prepare(self, step: int) -> None:
        """Take in what has come so far of seconds 1 to ``step``: less is left for :meth:`advance`, and as it would be.

        Conversion and interpolation give the same, bit for bit, however the sound is cut.
        """
        self._take(step, math.inf, early=True)

    def hear_early(self, step: int) -> HeardSecond | None:
        """Give the featurizer second ``step`` before the step is made, if it is next and all of it is there.

        What is on the grid stays as it is, so that :meth:`feature` would give it the very same second. Returns that,
        None where it was not given, or had been before.
        """
        if self._early is not None or self._read != step - 1 or (second := self.second(step)) is None:
            return None
        self._early = self._stream.step(second).astype(np.float64)
        return HeardSecond(step, second)

    def _take(self, step: int, until: float, *, early: bool) -> None:
        block = self._source.buffer.read(self._cursor, min(self._needed(step), until), early=early)
        self._cursor = block.stop
        self.reached = max([self.reached, *block.times.max(initial=-math.inf, keepdims=True).tolist()])
        missing = ~np.isfinite(block.samples[:, 0])
        edges = sorted({0, *block.breaks, *(np.flatnonzero(np.diff(missing)) + 1).tolist(), len(block.times)})
        for start, stop in pairwise(edges):
            if start in block.breaks or missing[start]:
                self._begin_segment()
            if not missing[start]:
                self._push(block, start, stop)

    def second(self, step: int) -> NDArray[np.float32] | None:
        """Return the sound of second ``step`` (16000,), None where any of it is missing."""
        sound = self._ring.read((step - 1) * STEP_S * SAMPLE_RATE, step * STEP_S * SAMPLE_RATE)[:, 0]
        return None if np.isnan(sound).any() else sound.astype(np.float32, copy=False)

    def beyond(self, number: int, count: int) -> NDArray[np.float32] | None:
        """Return the ``count`` samples that follow second ``number``, None where any of them is missing.

        Beyond the end of a sound that is over there is silence.
        """
        begin = number * STEP_S * SAMPLE_RATE
        sound = self._ring.read(begin, begin + count)[:, 0]
        if self._ended:
            sound = np.nan_to_num(sound)
        return None if np.isnan(sound).any() else sound.astype(np.float32, copy=False)

    def feature(self, step: int, *, left_out: bool = False) -> FloatArray:
        """Return the featurizer's vector for second ``step`` (size,), NaN where there is no sound to read.

        A second that is missing at its step may still come by the next one; if it does not, the featurizer's context
        grows anew after it. Nothing stands in for sound that was not heard. What is ``left_out`` is heard, but the
        featurizer, which would take too long, is not given it: to it, it is missing.
        """
        feature, early = np.full(self._size, np.nan), self._early
        self.heard, self.given, self._early = (), 0, None
        while self._read < step:
            second = self.second(self._read + 1)
            if second is None and self._read + 1 == step:
                break
            self._read += 1
            self.heard += (HeardSecond(self._read, second),)
            if second is None or left_out:
                self._stream.reset()
            else:
                feature = early if early is not None else self._stream.step(second).astype(np.float64)
                early = None
                self.given += 1
        return feature if self._read == step else np.full(self._size, np.nan)

    @property
    def warming_up(self) -> bool:
        """Whether the newest features were made of less sound than the featurizer's whole context."""
        return self._stream.warming_up

    def _begin_segment(self) -> None:
        self._grid.reset()
        self._resampler = SoundResampler(self._rate)
        # The times of the newest samples of the segment, the first of which is number ``_oldest``.
        self._times, self._oldest, self._given = np.empty(0), 0, 0

    def _push(self, block: Block, start: int, stop: int) -> None:
        """Resample samples ``start`` to ``stop`` of ``block`` and lay them on the grid at their true times."""
        self._times = np.concatenate([self._times, block.times[start:stop] - self._origin])
        out = self._resampler.push(block.samples[start:stop, 0])
        if not len(out):
            return
        position = (self._given + np.arange(len(out))) * (self._rate / SAMPLE_RATE)
        when = np.interp(position, self._oldest + np.arange(len(self._times)), self._times)
        self._write(*self._grid(out[:, None].astype(np.float64), when))
        self._given += len(out)
        # The next one lies at or after the newest: a converter gives nothing that it has not taken in.
        passed = max(0, int(position[-1]) - self._oldest)
        self._times, self._oldest = self._times[passed:], self._oldest + passed

    def _write(self, first: int, values: FloatArray) -> None:
        if first > self._ring.head:
            self._ring.skip(first - self._ring.head)
        self._ring.append(values[max(0, self._ring.head - first) :])
