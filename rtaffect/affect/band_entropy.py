"""Features of the EEG: the differential entropy of each band, channel and second.

Of a Gaussian of variance v it is 0.5 ln(2 pi e v), nats: Shi, Jiao & Lu, *Differential entropy feature for EEG-based
vigilance estimation*, EMBC 2013; Duan, Zhu & Lu, *Differential entropy feature for EEG-based emotion classification*,
NER 2013. Live session, replay and training all compute it here.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import butter

from rtaffect.affect.settings import AffectSettings
from rtaffect.common.arrays import BoolArray, FloatArray
from rtaffect.common.settings import STEP_S
from rtaffect.observed.signal_path import GapFilter
from rtaffect.observed.spaces import usable
from rtaffect.observed.time_course import differential_entropy, settling_s


class BandEntropy:
    """Differential entropies of one person's EEG, second by second; any one second is given once, in order.

    Each band is a causal Butterworth band-pass of ``signal.order`` whose state goes on from second to second. A channel
    counts in a second in which all of its samples are there and every band's filter has settled after the last one
    that was not: a gap, a bad second or the start leaves nothing but what is masked behind, and is never zero.

    Parameters
    ----------
    settings
        Bands, rate, order of the filters, average reference.
    channels
        Number of channels, C.
    """

    def __init__(self, settings: AffectSettings, channels: int) -> None:
        signal = settings.signal
        self._samples, self._channels = signal.rate_hz * STEP_S, channels
        self._average = signal.average_reference
        designs = [
            butter(signal.order, (band.low_hz, band.high_hz), "bandpass", fs=signal.rate_hz, output="sos")
            for band in settings.bands
        ]
        #: How long nothing counts after a gap, s.
        self.settle_s = max(settling_s(sos, signal.rate_hz) for sos in designs)
        self._filters = [GapFilter(sos, signal.rate_hz, self.settle_s, channels) for sos in designs]

    def __call__(self, second: FloatArray, good: BoolArray | None = None) -> tuple[FloatArray, BoolArray]:
        """Take the next second.

        Parameters
        ----------
        second
            (rate_hz, C) V on the common grid, NaN where missing or bad.
        good
            (rate_hz, C) which samples may be used; None for all that are there.

        Returns
        -------
        features : (C, F) float64
            Differential entropies, nats; NaN where ``mask`` is False.
        mask : (C,) bool
            Which channels count.
        """
        if second.shape != (self._samples, self._channels):
            raise ValueError(f"the second is {second.shape}, expected ({self._samples}, {self._channels})")
        samples = np.asarray(second, np.float64)
        if good is not None:
            samples = np.where(good, samples, np.nan)
        if self._average:
            samples = _against_the_mean(samples)
        with np.errstate(over="ignore", invalid="ignore"):
            variance = np.stack([band(samples).var(axis=0) for band in self._filters], axis=1)
        features = differential_entropy(variance)
        mask = np.isfinite(features).all(axis=1)
        features[~mask] = np.nan
        return features, np.asarray(mask, np.bool_)


def _against_the_mean(second: FloatArray) -> FloatArray:
    """Return a second (n, C) against the mean of the channels that are good throughout; NaN for fewer than two."""
    used = usable(second)
    if used.sum() < 2:
        return np.full_like(second, np.nan)
    return np.asarray(second - second[:, used].mean(axis=1, keepdims=True))


def features_of(
    eeg: FloatArray, settings: AffectSettings, good: BoolArray | None = None
) -> tuple[FloatArray, BoolArray]:
    """Return the features of whole seconds of EEG, as a session computes them one by one.

    Parameters
    ----------
    eeg
        (n, C) V on the common grid at ``signal.rate_hz``, NaN where missing or bad; the last part of a second is left.
    settings
        As for :class:`BandEntropy`.
    good
        (n, C) which samples may be used; None for all that are there.

    Returns
    -------
    features : (seconds, C, F) float64
        Nats; NaN where ``mask`` is False.
    mask : (seconds, C) bool
        Which channels count.
    """
    rate, channels = settings.signal.rate_hz * STEP_S, eeg.shape[1]
    entropy, count = BandEntropy(settings, channels), len(eeg) // rate
    features, mask = np.empty((count, channels, len(settings.bands))), np.empty((count, channels), np.bool_)
    for number in range(count):
        rows = slice(number * rate, (number + 1) * rate)
        features[number], mask[number] = entropy(eeg[rows], None if good is None else good[rows])
    return features, mask
