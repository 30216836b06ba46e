"""From a headset's samples to a clean signal on the session's common time grid, chunk by chunk.

Band-pass and notch run with state at the headset's own rate; the result is then evaluated at the instants k / rate_hz
of the session clock by band-limited interpolation. Reading it off at true sample times, rather than resampling by the
nominal ratio, keeps people aligned whose devices drift apart, and a gap needs no special case in the resampler.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, iirnotch, sosfilt, sosfilt_zi, tf2sos

from rtaffect.common.arrays import FloatArray
from rtaffect.common.errors import SettingsError
from rtaffect.common.settings import SignalSettings
from rtaffect.observed.sample_gate import ANEW_S
from rtaffect.stream.grid import GridInterpolator


def design_filter(settings: SignalSettings, rate: float) -> FloatArray:
    """Return second-order sections (sections, 6) of the high-pass, low-pass and notches at ``rate`` Hz.

    Raises
    ------
    SettingsError
        If the headset is too slow for the band.
    """
    if settings.lowpass_hz >= rate / 2:
        raise SettingsError(
            f"the EEG comes at {rate:g} Hz, too slow for lowpass_hz = {settings.lowpass_hz:g}; it needs more than "
            f"{2 * settings.lowpass_hz:g} Hz: use a faster device, or calibrate with a lower lowpass_hz"
        )
    parts = [
        butter(settings.order, settings.highpass_hz, "highpass", fs=rate, output="sos"),
        butter(settings.order, settings.lowpass_hz, "lowpass", fs=rate, output="sos"),
    ]
    harmonics = settings.mains_hz * np.arange(1, settings.mains_harmonics + 1)
    parts += [tf2sos(*iirnotch(hz, settings.notch_q, fs=rate)) for hz in harmonics[harmonics > 0] if hz < rate / 2]
    return np.concatenate(parts).astype(np.float64)


def memory_s(sos: FloatArray, rate: float) -> float:
    """Return how long it takes second-order sections at ``rate`` Hz to forget all but 1/e of the past, s.

    That is the time constant of their slowest pole: -1 / (rate ln |p|).
    """
    slowest = max(float(np.abs(np.roots(section[3:])).max()) for section in sos)
    return -1.0 / (rate * math.log(slowest))


class CausalFilter:
    """Stateful second-order sections over (time, channel); starts as if the first sample had always been there."""

    def __init__(self, sos: FloatArray) -> None:
        self._sos = sos
        self._steady = sosfilt_zi(sos)
        self._state: FloatArray | None = None

    def reset(self) -> None:
        """Forget the past: the next sample starts anew."""
        self._state = None

    def begin(self, channels: NDArray[np.bool_], sample: FloatArray) -> None:
        """Let ``channels`` (channels,) start anew, as if ``sample`` (channels,) had always been there."""
        if self._state is None:
            self._state = np.zeros((*self._steady.shape, len(sample)))
        self._state[:, :, channels] = self._steady[:, :, None] * sample[channels]

    def __call__(self, samples: FloatArray) -> FloatArray:
        """Filter the next ``samples`` (n, channels)."""
        if self._state is None:
            self._state = self._steady[:, :, None] * samples[0]
        out, self._state = sosfilt(self._sos, samples, axis=0, zi=self._state)
        return np.asarray(out, np.float64)


class GapFilter:
    """Causal filter over (time, channel) in which samples are missing; any chunking gives the same output.

    Each channel starts at its first sample that is not missing, as if that had always been there, and starts anew after
    ``ANEW_S`` without any, for its offset may be another one then; in shorter holes its last good value is filtered.
    What is missing comes out as NaN, with ``settle_s`` after it and after the start, so that neither the ringing nor a
    held value is taken for signal.

    Parameters
    ----------
    sos
        Second-order sections (sections, 6).
    rate
        Samples per second.
    settle_s
        Output withheld after a start or a missing sample, s.
    channels
        Number of channels.
    """

    def __init__(self, sos: FloatArray, rate: float, settle_s: float, channels: int) -> None:
        self._filter = CausalFilter(sos)
        self._settle = round(settle_s * rate)
        self._held = np.zeros(channels)
        self._unsettled = np.full(channels, self._settle, np.int64)
        # After so many missing samples in a row a channel starts anew; how many there are now.
        self._anew = max(2, round(ANEW_S * rate))
        self._missed = np.full(channels, self._anew, np.int64)

    def restart(self) -> None:
        """Forget the past: the next sample starts anew."""
        self._filter.reset()
        self._held[:] = 0.0
        self._missed[:] = self._anew
        self._unsettled[:] = self._settle

    def __call__(self, samples: FloatArray) -> FloatArray:
        """Filter the next ``samples`` (n, channels), of which those that are not finite are missing."""
        if not len(samples):
            return samples
        missing = ~np.isfinite(samples)
        filtered = self._filtered(self._hold(samples, missing), missing)
        filtered[self._unsettled_after(missing)] = np.nan
        return filtered

    def _filtered(self, held: FloatArray, missing: NDArray[np.bool_]) -> FloatArray:
        """Filter ``held`` (n, channels); each channel starts at a sample that is not missing, where many were."""
        number = np.arange(1, len(held) + 1)[:, None]
        good = np.maximum.accumulate(np.where(missing, 0, number), axis=0)
        missed = np.where(good > 0, number - good, self._missed + number)
        before = np.concatenate([self._missed[None], missed[:-1]])
        starts = ~missing & (before >= self._anew)
        self._missed = np.minimum(missed[-1], self._anew)
        out = np.empty_like(held)
        rows = np.flatnonzero(starts.any(axis=1)).tolist()
        for start, stop in pairwise(sorted({0, *rows, len(held)})):
            self._filter.begin(starts[start], held[start])
            out[start:stop] = self._filter(held[start:stop])
        return out

    def _hold(self, samples: FloatArray, missing: NDArray[np.bool_]) -> FloatArray:
        """Return ``samples`` with each missing value replaced by its channel's last good one, for the filter's sake."""
        stacked = np.concatenate([self._held[None], np.where(missing, np.nan, samples)])
        row = np.where(np.isnan(stacked), 0, np.arange(len(stacked))[:, None])
        held = np.take_along_axis(stacked, np.maximum.accumulate(row, axis=0), axis=0)
        self._held = held[-1].copy()
        return held[1:]

    def _unsettled_after(self, missing: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which samples (n, channels) are missing or come too soon after one that is."""
        number = np.arange(1, len(missing) + 1)[:, None]
        end = np.maximum.accumulate(np.where(missing, number + self._settle, self._unsettled), axis=0)
        self._unsettled = np.maximum(end[-1] - len(missing), 0)
        return number <= end


class SignalPath:
    """One headset's way from raw volts to the common grid.

    Not-a-number samples and gaps come out as NaN, with ``settle_s`` after them, so that neither the filters' ringing
    nor an invented value enters a correlation.

    Parameters
    ----------
    settings
        Filters, rate and thresholds.
    rate
        The headset's nominal rate, Hz.
    channels
        Number of channels.
    """

    def __init__(self, settings: SignalSettings, rate: float, channels: int) -> None:
        sos = design_filter(settings, rate)
        #: How long its filters take to forget all but 1/e of what was there, s.
        self.memory_s = memory_s(sos, rate)
        self._filter = GapFilter(sos, rate, settings.settle_s, channels)
        self._grid = GridInterpolator(rate, settings.rate_hz, channels)

    @property
    def lookahead_s(self) -> float:
        """How much later than an instant the samples must reach for it to come out, s."""
        return self._grid.lookahead_s

    def __call__(
        self, samples: NDArray[np.floating], times: FloatArray, breaks: tuple[int, ...] = ()
    ) -> list[tuple[int, FloatArray]]:
        """Take the next ``samples`` (n, channels) V at ``times`` (n,), s since the session's origin.

        ``breaks`` are the positions that start a new segment. Returns, in order, pieces of
        (first grid number, values (m, channels) V); grid numbers that no piece covers are missing.
        """
        edges = [0, *breaks, len(times)]
        pieces = []
        for start, stop in pairwise(edges):
            if start in breaks:
                self._filter.restart()
                self._grid.reset()
            if stop > start:
                filtered = self._filter(np.asarray(samples[start:stop], np.float64))
                first, values = self._grid(filtered, times[start:stop])
                if len(values):
                    pieces.append((first, values))
        return pieces
