"""How widely a correlation spreads by chance, from the spectra of both sides: what makes a null of other times fit now.

The variance of the covariance of two unrelated stationary signals is the integral of the product of their spectra
(Bartlett, *J. R. Stat. Soc. Suppl.* 8, 1946; Box & Jenkins, *Time Series Analysis*, 1970), so a correlation spreads
the wider, the narrower the bands are that both have in common. Where the EEG changes, as when everybody closes their
eyes and alpha rules, windows of before tell of a spread that is not that of now. Powers are taken second by second, so
that what waxes in the same seconds on both sides counts, too.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from rtaffect.common.arrays import FloatArray

#: Frequencies above are left out, Hz.
_HIGHEST: Final = 45
#: Spreads differ by no more than this factor: beyond it, what is compared is no EEG.
MOST: Final = 4.0
#: Signals with a spectrum that a second can resolve.
RESOLVED: Final = ("broadband", "difference")


def powers(samples: FloatArray) -> FloatArray:
    """Return the power spectrum (..., F) of seconds of samples (..., rate), missing ones 0; Hann window, 1 Hz apart."""
    rate = samples.shape[-1]
    window = np.sin(np.pi * np.arange(rate) / rate) ** 2
    spectrum = np.fft.rfft(samples * window, axis=-1)[..., 1 : min(_HIGHEST, rate // 2 - 1) + 1]
    return np.asarray(spectrum.real**2 + spectrum.imag**2)


def spread_factors(common: FloatArray, one: FloatArray, other: FloatArray, k: int) -> FloatArray:
    """Return by how much the spread in place is larger than that of each displaced window (..., rows, n).

    Parameters
    ----------
    common
        Sum over the window's seconds and frequencies of the product of both powers (..., rows * k, n), the window in
        place first.
    one, other
        Sums of the powers of either side, over the seconds that both have; the same shape.
    k
        Columns that make a row.

    Returns
    -------
    (..., rows, n)
        1 in place, and where a side has no power.
    """
    summed = (each.reshape(*each.shape[:-2], -1, k, each.shape[-1]).sum(axis=-2) for each in (common, one, other))
    product, x, y = summed
    there = (x > 0) & (y > 0) & (product > 0)
    variance = np.where(there, product, 1.0) / np.where(there, x, 1.0) / np.where(there, y, 1.0)
    factor = np.sqrt(variance[..., :1] / variance)
    return np.where(there & there[..., :1], np.clip(factor, 1 / MOST, MOST), 1.0)
