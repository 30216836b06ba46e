"""Sums over a window of two people's signals, in place and displaced, second by second."""

from __future__ import annotations

from collections import deque
from itertools import combinations
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.arrays import FloatArray

#: A second is kept in so many blocks at most; in one that misses anything nothing is used.
_MOST_BLOCKS: Final = 10
#: Displaced windows lie this far apart, s, and reach so far back, s.
STRIDE_S, HISTORY_S = 2, 120


class PairSums(NamedTuple):
    """Sums over the instants that both of a pair have, of K signals x of the first and y of the second person.

    ``n`` (pairs, C, lags) instants; ``x`` and ``y`` (pairs, C, lags, K); ``xx`` and ``yy`` (pairs, C, lags, K, K)
    products of a person's own signals; ``xy`` (pairs, C, lags, K, K), the first person's signal on the first axis. The
    first lag is none: both at the same time.
    """

    n: FloatArray
    x: FloatArray
    y: FloatArray
    xx: FloatArray
    yy: FloatArray
    xy: FloatArray


class PairHistory:
    """Keeps the sums of every pair over the newest window, and with the second person's signals of earlier times.

    Each new second is multiplied once with the partner's seconds at every lag, and what leaves the window is taken off
    again, as :class:`rtaffect.observed.observer.Observer` does.

    Parameters
    ----------
    people, channels, signals, rate
        P, C and K, and samples per second.
    window_s
        Length of the window, s; the first displaced window lies so far back.
    """

    def __init__(self, people: int, channels: int, signals: int, rate: int, window_s: int) -> None:
        self._pairs = [*combinations(range(people), 2)]
        self._lags = np.array([0, *range(window_s, max(HISTORY_S, 3 * window_s) - window_s, STRIDE_S)])
        blocks = next(n for n in range(_MOST_BLOCKS, 0, -1) if rate % n == 0)
        self._size, self._length = rate // blocks, int(self._lags[-1]) + 1
        self._signals = np.zeros((people, channels, self._length, signals, rate), np.float32)
        # Of each block: whether it is there, and the sums of its signals and of their products.
        self._upper = np.triu_indices(signals)
        sums = 1 + signals + len(self._upper[0])
        self._blocks = np.zeros((people, channels, self._length, sums, blocks))
        self._inside: deque[FloatArray] = deque(maxlen=window_s)
        self._total = np.zeros((len(self._pairs), channels, len(self._lags), 2 * sums - 1 + signals**2))
        self._turn, self._signals_count, self._sums_count = 0, signals, sums

    def add(self, signals: FloatArray) -> None:
        """Take everybody's newest second (P, C, K, rate); NaN where missing."""
        people, channels, count, rate = signals.shape
        cut = signals.reshape(people, channels, count, -1, self._size)
        there = np.asarray(np.isfinite(cut).all(axis=(2, 4)))
        clean = np.where(there[:, :, None, :, None], cut, 0.0)
        place = self._turn % self._length
        self._signals[:, :, place] = clean.reshape(people, channels, count, rate)
        first, second = self._upper
        own = (clean[:, :, first] * clean[:, :, second]).sum(axis=-1)
        self._blocks[:, :, place] = np.concatenate([there[:, :, None], clean.sum(axis=-1), own], axis=2)
        at = (self._turn - self._lags) % self._length
        new = np.stack([self._of_pair(a, b, place, at) for a, b in self._pairs]) if self._pairs else self._total[:0]
        self._turn += 1
        if len(self._inside) == self._inside.maxlen:
            self._total -= self._inside[0]
        self._inside.append(new)
        self._total += new

    def _of_pair(self, a: int, b: int, place: int, at: NDArray[np.intp]) -> FloatArray:
        """Return the sums (C, lags, sums) of ``a``'s newest second with those of ``b`` in places ``at``."""
        mine, theirs = self._blocks[a, :, place], self._blocks[b][:, at]
        channels, lags = theirs.shape[:2]
        # Present in both: this one's blocks where the other is there, and the other way round.
        x = theirs[:, :, 0] @ mine.swapaxes(-1, -2)
        y = (theirs[:, :, 1:] @ mine[:, None, 0, :, None])[..., 0]
        now = self._signals[a, :, place].astype(np.float64).swapaxes(-1, -2)
        then = self._signals[b][:, at].astype(np.float64).reshape(channels, lags * self._signals_count, -1)
        xy = (then @ now).reshape(channels, lags, self._signals_count, self._signals_count).swapaxes(-1, -2)
        return np.concatenate([x, y, xy.reshape(channels, lags, -1)], axis=-1)

    def forget(self, person: int, second: int) -> None:
        """Let a second of the history be missing, ``second`` seconds before the newest, which is 0."""
        place = (self._turn - 1 - second) % self._length
        self._signals[person, :, place] = 0.0
        self._blocks[person, :, place] = 0.0

    def sums(self) -> PairSums:
        """Return the sums over the window."""
        k, own, total = self._signals_count, self._sums_count, self._total
        products = np.zeros((k, k), np.intp)
        products[self._upper] = products.T[self._upper] = np.arange(len(self._upper[0]))
        x, y = total[..., 1:own], total[..., own : 2 * own - 1]
        return PairSums(
            n=total[..., 0] * self._size,
            x=x[..., :k],
            y=y[..., :k],
            xx=x[..., k:][..., products],
            yy=y[..., k:][..., products],
            xy=total[..., 2 * own - 1 :].reshape(*total.shape[:-1], k, k),
        )
