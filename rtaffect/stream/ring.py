"""A ring of rows addressed by their absolute number: written in at most two slices, never moved."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike, NDArray


class RingBuffer:
    """The newest ``capacity`` rows of an endless table; rows that are not there read as NaN.

    Row numbers count from 0 and never wrap, so a reader keeps a plain integer as its place. Not thread-safe:
    :class:`rtaffect.stream.buffer.SampleBuffer` adds the lock.

    Parameters
    ----------
    capacity
        Rows kept.
    columns
        Values per row.
    dtype
        A floating type, because absent rows are NaN.

    Attributes
    ----------
    head : int
        Number that the next row will get.
    """

    def __init__(self, capacity: int, columns: int, dtype: DTypeLike = np.float32) -> None:
        if capacity < 1 or columns < 1:
            raise ValueError(f"a ring needs at least one row and one column, not {capacity} x {columns}")
        self._rows = np.full((capacity, columns), np.nan, dtype)
        self.head = 0

    @property
    def capacity(self) -> int:
        """Rows kept."""
        return self._rows.shape[0]

    @property
    def oldest(self) -> int:
        """Number of the oldest row still held (equal to ``head`` when there is none)."""
        return max(0, self.head - self.capacity)

    def append(self, rows: NDArray[np.floating]) -> None:
        """Write ``rows`` (n, columns) after the newest; of more than ``capacity`` rows the last ones stay."""
        n = len(rows)
        kept = min(n, self.capacity)
        at = (self.head + n - kept) % self.capacity
        first = min(kept, self.capacity - at)
        tail = rows[n - kept :]
        self._rows[at : at + first] = tail[:first]
        self._rows[: kept - first] = tail[first:]
        self.head += n

    def skip(self, n: int) -> None:
        """Advance by ``n`` rows that are not there: they read as NaN."""
        kept = min(n, self.capacity)
        self.head += n - kept
        self.append(np.full((kept, self._rows.shape[1]), np.nan))

    def read(self, start: int, stop: int) -> NDArray[np.floating]:
        """Return a copy of rows ``start`` to ``stop`` (stop - start, columns), NaN where none is held."""
        if stop < start:
            raise ValueError(f"cannot read rows {start} to {stop}")
        out = np.full((stop - start, self._rows.shape[1]), np.nan, self._rows.dtype)
        low, high = max(start, self.oldest), min(stop, self.head)
        if low < high:
            at, n = low % self.capacity, high - low
            first = min(n, self.capacity - at)
            to = low - start
            out[to : to + first] = self._rows[at : at + first]
            out[to + first : to + n] = self._rows[: n - first]
        return out
