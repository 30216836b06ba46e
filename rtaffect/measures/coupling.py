"""How two people's channels of one name go together in a band: four measures, each with what chance would give.

The definitions are those of HyPyP (Ayrolles et al., *SCAN* 16:72, 2021; ``hypyp/sync`` at f720414), taken over the
newest window of the band's analytic signals: a of one person, b of the other, and < > the mean over the instants that
both have.

The null is the same window against the partner's windows of 10 to 118 s ago, every 2 s (as far as there are any), so
that each keeps its own spectrum and only the common time is broken. The null band is a prediction interval of one more
value, ``mean + t SD sqrt(1 + 1/n)`` of the displaced ones, as for synchrony: of a correlation both sides by Fisher's z
(95 %), of a measure that has no sign from zero up to its 95 % quantile, by the power 2/3 that makes it normal: that is
the cube root of its square, which chance distributes as chi-squared (Wilson & Hilferty, *PNAS* 17:684, 1931).
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student_t

from rtaffect.common.arrays import FloatArray
from rtaffect.common.correlation import fisher_mean, fisher_z
from rtaffect.measures.band_signal import BandSignal, analytic_filter
from rtaffect.measures.measure import Kind, Measure, Values, Window, mean_over_present
from rtaffect.measures.pair_sums import PairHistory, PairSums

#: The row that stands for all channels.
MEAN_ROW: Final = "mean"
#: Least share of the window that both must have.
_LEAST: Final = 0.6
#: Fewest displaced windows for a null band, and the share of unrelated values inside it.
_FEWEST: Final = 10
_LEVEL: Final = 0.95


class Coupling(Measure):
    """A measure of every two people, for each channel and on average.

    Parameters
    ----------
    low_hz, high_hz
        The band, Hz.
    rate
        Samples per second of what comes.
    """

    kind: ClassVar[Kind] = "pair"
    banded: ClassVar[bool] = True
    signed: ClassVar[bool] = False
    #: How many signals of a person are multiplied with the other's.
    signals: ClassVar[int] = 2

    def __init__(self, low_hz: float, high_hz: float, rate: int) -> None:
        self._band, self._rate = (low_hz, high_hz), rate
        self.memory_s = math.ceil(len(analytic_filter(low_hz, high_hz, rate)) / rate)
        self._filter: BandSignal | None = None
        self._history: PairHistory | None = None

    def rows(self, channels: Sequence[str]) -> Sequence[str]:
        """Return the mean over channels, and each of them."""
        return (MEAN_ROW, *channels)

    @abstractmethod
    def signals_of(self, z: NDArray[np.complex128]) -> FloatArray:
        """Return the signals (P, C, K, n) of analytic ones (P, C, n)."""

    @abstractmethod
    def statistic(self, sums: PairSums) -> FloatArray:
        """Return the measure (pairs, C, lags)."""

    def __call__(self, window: Window) -> Values:
        """Take in the newest second and return every pair's values, and the null band of their mean."""
        people, channels, _ = window.samples.shape
        if self._filter is None or self._history is None:
            self._filter = BandSignal(*self._band, people, channels, window.rate)
            self._history = PairHistory(people, channels, self.signals, window.rate, self.window_s)
        banded = self._filter(window.samples[..., -window.rate :])
        self._history.add(self.signals_of(banded))
        for person, back in zip(*np.nonzero(window.missing[:, ::-1]), strict=True):
            # With all that the filter has made of it.
            for second in range(max(0, int(back) - self.memory_s), int(back) + 1):
                self._history.forget(int(person), second)
        sums = self._history.sums()
        with np.errstate(divide="ignore", invalid="ignore"):
            found = self.statistic(sums)
        found = np.where(sums.n >= _LEAST * self.window_s * window.rate, found, np.nan)
        return self._values(found, window)

    def _values(self, found: FloatArray, window: Window) -> Values:
        """Return what (pairs, C, lags) values say, of which the first lag is the one in place."""
        gone = [bool(window.withheld[[a, b]].any()) for a, b in window.pairs]
        found[gone] = np.nan
        # What has no value now has no part in the null of a mean either.
        found = np.where(np.isfinite(found[..., :1]), found, np.nan)
        rows = np.concatenate([self._mean(found, 1)[:, None], found], axis=1)
        over_pairs = self._mean(rows, 0)
        low, high = null_band(over_pairs[:, 1:], signed=self.signed)
        return Values(rows[..., 0], low, high)

    def mean(self, each: FloatArray) -> FloatArray:
        """Return the mean over pairs; of correlations by Fisher's z."""
        return self._mean(each, 0)

    def _mean(self, values: FloatArray, axis: int) -> FloatArray:
        return fisher_mean(values, axis) if self.signed else mean_over_present(values, axis)


class PhaseLocking(Coupling):
    """Phase-locking value ``|<exp(i (phi_a - phi_b))>|`` (Lachaux et al., *Hum. Brain Mapp.* 8:194, 1999)."""

    def signals_of(self, z: NDArray[np.complex128]) -> FloatArray:
        """Return cosine and sine of the phase."""
        return _phase(z)

    def statistic(self, sums: PairSums) -> FloatArray:
        """Return the length of the mean of the difference's phasors."""
        cc, cs, sc, ss = _products(sums)
        return np.asarray(np.hypot(cc + ss, sc - cs) / sums.n)


class CircularCorrelation(Coupling):
    """Circular correlation of phases, ``|<s_a s_b>| / sqrt(<s_a^2> <s_b^2>)`` with s = sin(phi - circular mean).

    Fisher, *Statistical Analysis of Circular Data*, 1995; without its sign, as HyPyP has it.
    """

    def signals_of(self, z: NDArray[np.complex128]) -> FloatArray:
        """Return cosine and sine of the phase."""
        return _phase(z)

    def statistic(self, sums: PairSums) -> FloatArray:
        """Return the correlation of sin(phi) C - cos(phi) S, which is s times the mean's length: that cancels."""
        (c_a, s_a), (c_b, s_b) = (np.moveaxis(mean, -1, 0) for mean in (sums.x, sums.y))
        cc, cs, sc, ss = _products(sums)
        together = c_a * c_b * ss - c_a * s_b * sc - s_a * c_b * cs + s_a * s_b * cc
        powers = [
            c**2 * own[..., 1, 1] - 2 * c * s * own[..., 0, 1] + s**2 * own[..., 0, 0]
            for c, s, own in ((c_a, s_a, sums.xx), (c_b, s_b, sums.yy))
        ]
        return np.asarray(np.abs(together) / np.sqrt(powers[0] * powers[1]))


class ImaginaryCoherence(Coupling):
    """Imaginary part of coherency, ``|Im <a b*>| / sqrt(<|a|^2> <|b|^2>)``, without its sign, as HyPyP has it.

    Nolte et al., *Clin. Neurophysiol.* 115:2292, 2004.
    """

    def signals_of(self, z: NDArray[np.complex128]) -> FloatArray:
        """Return real and imaginary part."""
        return np.stack([z.real, z.imag], axis=2)

    def statistic(self, sums: PairSums) -> FloatArray:
        """Return the size of the imaginary part."""
        _, re_im, im_re, _ = _products(sums)
        power = [own[..., 0, 0] + own[..., 1, 1] for own in (sums.xx, sums.yy)]
        return np.abs(im_re - re_im) / np.sqrt(power[0] * power[1])


class EnvelopeCorrelation(Coupling):
    """Pearson's correlation of the amplitudes ``|a|`` and ``|b|`` (Hipp et al., *Nat. Neurosci.* 15:884, 2012)."""

    low, signed, signals = -1.0, True, 1

    def signals_of(self, z: NDArray[np.complex128]) -> FloatArray:
        """Return the amplitude."""
        return np.abs(z)[:, :, None]

    def statistic(self, sums: PairSums) -> FloatArray:
        """Return the correlation."""
        x, y = sums.x[..., 0], sums.y[..., 0]
        var_x, var_y = sums.xx[..., 0, 0] - x**2 / sums.n, sums.yy[..., 0, 0] - y**2 / sums.n
        covariance = sums.xy[..., 0, 0] - x * y / sums.n
        varies = (var_x > 0) & (var_y > 0)
        return np.where(varies, np.clip(covariance / np.sqrt(var_x * var_y), -1.0, 1.0), np.nan)


def _phase(z: NDArray[np.complex128]) -> FloatArray:
    size = np.abs(z)
    with np.errstate(invalid="ignore"):
        unit = z / np.where(size > 0, size, np.nan)
    return np.stack([unit.real, unit.imag], axis=2)


def _products(sums: PairSums) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return the sums of the first's first and second signal times the second's: 11, 12, 21, 22."""
    return sums.xy[..., 0, 0], sums.xy[..., 0, 1], sums.xy[..., 1, 0], sums.xy[..., 1, 1]


def null_band(displaced: FloatArray, *, signed: bool) -> tuple[FloatArray, FloatArray]:
    """Return low and high (R,) of the null band from displaced values (R, lags); NaN with fewer than ten."""
    z = fisher_z(displaced) if signed else displaced ** (2 / 3)
    there = np.isfinite(z)
    count = np.maximum(there.sum(axis=-1), 2)
    centre = np.where(there, z, 0.0).sum(axis=-1) / count
    spread = np.sqrt(np.where(there, (z - centre[:, None]) ** 2, 0.0).sum(axis=-1) / (count - 1))
    share = 0.5 + _LEVEL / 2 if signed else _LEVEL
    reach = student_t.ppf(share, count - 1) * np.sqrt(1 + 1 / count) * spread
    reach = np.where(there.sum(axis=-1) >= _FEWEST, reach, np.nan)
    if signed:
        return np.tanh(centre - reach), np.tanh(centre + reach)
    return 0.0 * reach, (centre + reach) ** 1.5
