"""Signals as the observers hold them: in seconds of the session, cut into blocks whose sums are at hand."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.arrays import FloatArray
from rtaffect.observed.spectra import powers

#: Blocks of a second, at most.
_BLOCKS = 10
#: Seconds after which kept ones are moved to the start of their memory.
_SPARE = 16


class Seconds:
    """Seconds of several people's signals, of which the newest are kept, in blocks of a tenth of a second.

    A block has the sums over those of its samples that are there. Where all or none of them are, these are enough to
    correlate it with another block; ``ragged`` says in which seconds some block misses a part.

    Parameters
    ----------
    people, rows, rate
        Numbers of people, rows, and samples per second.
    keep
        How many seconds are kept.
    start
        Number of the first second.
    spectra
        Whether their power spectra are kept, too.
    """

    def __init__(self, people: int, rows: int, rate: int, keep: int, start: int = 0, *, spectra: bool = False) -> None:
        self.people, self.rows, self.rate, self._keep = people, rows, rate, keep
        blocks = next(n for n in range(_BLOCKS, 0, -1) if rate % n == 0)
        self.block = rate // blocks
        self._values = np.zeros((people, rows, keep + _SPARE, rate))
        self._there = np.zeros(self._values.shape, np.bool_)
        self._moments = np.zeros((3, people, rows, keep + _SPARE, blocks))
        self._ragged = np.zeros((people, rows, keep + _SPARE), np.bool_)
        bins = powers(np.zeros(rate)).shape[-1] if spectra else 0
        self._powers = np.zeros((people, rows, keep + _SPARE, bins))
        self._power = np.zeros((people, rows, keep + _SPARE))
        self._offset = self.begin = self.stop = start

    @property
    def first(self) -> int:
        """Number of the oldest second that is kept."""
        return max(self.begin, self.stop - self._keep)

    def append(self, second: FloatArray) -> None:
        """Add a second (people, rate, rows), NaN where missing."""
        if self.stop - self._offset == self._values.shape[2]:
            kept = slice(self.first - self._offset, self.stop - self._offset)
            moved = kept.stop - kept.start
            for held in (self._values, self._there, self._ragged, self._powers, self._power, *self._moments):
                held[:, :, :moved] = held[:, :, kept].copy()
            self._offset = self.first
        self.stop += 1
        self.replace(self.stop - 1, second)

    def replace(self, number: int, second: FloatArray) -> None:
        """Put another second (people, rate, rows) in the place of second ``number``, which is kept."""
        place = number - self._offset
        samples = second.swapaxes(1, 2)
        there = np.isfinite(samples)
        self._there[:, :, place] = there
        self._values[:, :, place] = clean = np.where(there, samples, 0.0)
        counts, sums, squares = (
            each.reshape(self.people, self.rows, -1, self.block).sum(axis=-1, dtype=np.float64)
            for each in (there, clean, clean**2)
        )
        self._moments[:, :, :, place] = counts, sums, squares
        if self._powers.shape[-1]:
            self._powers[:, :, place] = spectra = powers(clean)
            self._power[:, :, place] = spectra.sum(axis=-1)
        self._ragged[:, :, place] = ((counts > 0) & (counts < self.block)).any(axis=-1)

    def values(self, first: int, stop: int) -> FloatArray:
        """Return the samples of some seconds (people, rows, seconds, rate), zero where they are missing."""
        return self._values[:, :, first - self._offset : stop - self._offset]

    def there(self, first: int, stop: int) -> NDArray[np.bool_]:
        """Return which of these samples are there."""
        return self._there[:, :, first - self._offset : stop - self._offset]

    def moments(self, first: int, stop: int) -> FloatArray:
        """Return count, sum and sum of squares of what is there of their blocks (3, people, rows, seconds, blocks)."""
        return self._moments[:, :, :, first - self._offset : stop - self._offset]

    def powers(self, first: int, stop: int) -> FloatArray:
        """Return the power spectra of some seconds (people, rows, seconds, F); F is 0 where none are kept."""
        return self._powers[:, :, first - self._offset : stop - self._offset]

    def power(self, first: int, stop: int) -> FloatArray:
        """Return the sums over these spectra (people, rows, seconds)."""
        return self._power[:, :, first - self._offset : stop - self._offset]

    def ragged(self, first: int, stop: int) -> NDArray[np.bool_]:
        """Return whether some block of these seconds is there in part only (people, rows, seconds)."""
        return self._ragged[:, :, first - self._offset : stop - self._offset]


class PlacedReference:
    """A reference that starts at ``onset``, cut into the session's seconds as far as they are needed.

    Second 0 is the session's second in which it starts.

    Parameters
    ----------
    reference
        (time, M * k) at ``rate``; NaN where missing.
    onset
        When it starts, samples after the session's zero.
    rate
        Samples per second.
    first
        Number of the session's first second that is compared with it.
    reach
        How far ahead and back of the session's second it is needed, s.
    spectra
        Whether power spectra are kept, too.
    """

    def __init__(
        self, reference: NDArray[np.floating], onset: int, rate: int, first: int, reach: int, *, spectra: bool = False
    ) -> None:
        self._reference, self._rate, self._reach = reference, rate, reach
        self._shift, self._lead = divmod(onset, rate)
        # The first second counts only if all of it is the reference's.
        self._begin, self._end = int(self._lead > 0), (len(reference) + self._lead) // rate
        start = min(max(self._begin, first - self._shift - reach), self._end)
        self.seconds = Seconds(1, reference.shape[1], rate, 2 * reach + 1, start, spectra=spectra)

    def beside(self, number: int) -> int:
        """Return the number of the second beside the session's second ``number``, and cut what it may need."""
        at = number - self._shift
        while self.seconds.stop < min(at + self._reach + 1, self._end):
            start = self.seconds.stop * self._rate - self._lead
            self.seconds.append(self._reference[None, start : start + self._rate].astype(np.float64))
        return at

    def covers(self, at: int, window: int) -> bool:
        """Return whether the ``window`` seconds up to second ``at`` lie inside it."""
        return self._begin + window <= at + 1 <= self._end
