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

from rtaffect.common.errors import SettingsError
from rtaffect.common.settings import SignalSettings

Signal = NDArray[np.float64]


def design_filter(settings: SignalSettings, rate: float) -> Signal:
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


class CausalFilter:
    """Stateful second-order sections over (time, channel); starts as if the first sample had always been there."""

    def __init__(self, sos: Signal) -> None:
        self._sos = sos
        self._steady = sosfilt_zi(sos)
        self._state: Signal | None = None

    def reset(self) -> None:
        """Forget the past: the next sample starts anew."""
        self._state = None

    def begin(self, channels: NDArray[np.bool_], sample: Signal) -> None:
        """Let ``channels`` (channels,) start anew, as if ``sample`` (channels,) had always been there."""
        if self._state is None:
            self._state = np.zeros((*self._steady.shape, len(sample)))
        self._state[:, :, channels] = self._steady[:, :, None] * sample[channels]

    def __call__(self, samples: Signal) -> Signal:
        """Filter the next ``samples`` (n, channels)."""
        if self._state is None:
            self._state = self._steady[:, :, None] * samples[0]
        out, self._state = sosfilt(self._sos, samples, axis=0, zi=self._state)
        return np.asarray(out, np.float64)


class GapFilter:
    """Causal filter over (time, channel) in which samples are missing; any chunking gives the same output.

    Each channel starts at its first sample that is not missing, as if that had always been there; later missing ones
    are filtered as the channel's last good one. What is missing comes out as NaN, with ``settle_s`` after it and after
    the start, so that neither the ringing nor a held value is taken for signal.

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

    def __init__(self, sos: Signal, rate: float, settle_s: float, channels: int) -> None:
        self._filter = CausalFilter(sos)
        self._settle = round(settle_s * rate)
        self._held = np.zeros(channels)
        self._begun = np.zeros(channels, np.bool_)
        self._unsettled = np.full(channels, self._settle, np.int64)

    def restart(self) -> None:
        """Forget the past: the next sample starts anew."""
        self._filter.reset()
        self._held[:] = 0.0
        self._begun[:] = False
        self._unsettled[:] = self._settle

    def __call__(self, samples: Signal) -> Signal:
        """Filter the next ``samples`` (n, channels), of which those that are not finite are missing."""
        if not len(samples):
            return samples
        missing = ~np.isfinite(samples)
        filtered = self._filtered(self._hold(samples, missing), missing)
        filtered[self._unsettled_after(missing)] = np.nan
        return filtered

    def _filtered(self, held: Signal, missing: NDArray[np.bool_]) -> Signal:
        """Filter ``held`` (n, channels); each channel starts at its first sample that is not missing."""
        first = np.where(self._begun | missing.all(axis=0), len(held), missing.argmin(axis=0))
        out = np.empty_like(held)
        for start, stop in pairwise(sorted({0, *first.tolist(), len(held)})):
            self._filter.begin(first == start, held[start])
            out[start:stop] = self._filter(held[start:stop])
        self._begun |= first < len(held)
        return out

    def _hold(self, samples: Signal, missing: NDArray[np.bool_]) -> Signal:
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


class GridInterpolator:
    """Evaluates a band-limited, nearly evenly sampled signal at the instants k / ``grid_rate``.

    Windowed-sinc interpolation over ``2 * HALF`` samples (Kaiser window) from a table of phases, Smith, *Digital Audio
    Resampling*, ccrma.stanford.edu/~jos/resample: for a signal below .8 of the Nyquist frequency the error is below
    -60 dB. A segment starts as if its first sample had always been there.

    Parameters
    ----------
    rate
        Nominal rate of the samples, Hz.
    grid_rate
        Rate of the grid, Hz.
    channels
        Values per sample.
    """

    HALF = 12
    BETA = 6.0
    PHASES = 1024

    def __init__(self, rate: float, grid_rate: float, channels: int) -> None:
        self._rate, self._grid_rate = rate, grid_rate
        self._samples = np.empty((0, channels))
        self._times = np.empty(0)
        self._next: int | None = None
        self._offsets = np.arange(1 - self.HALF, self.HALF + 1)
        self._weights = self._table()

    @property
    def lookahead_s(self) -> float:
        """How much later than an instant the samples must reach for it to be evaluated, s."""
        return (self.HALF + 1) / self._rate

    def reset(self) -> None:
        """Forget the past: the grid goes on where the next samples allow it."""
        self._samples, self._times, self._next = self._samples[:0], self._times[:0], None

    def flush(self) -> tuple[int, Signal]:
        """Return what is left up to the last sample, as if that went on for ever; then forget the past."""
        if not len(self._times):
            return 0, self._samples
        beyond = np.arange(1, self.HALF + 1)
        out = self(np.repeat(self._samples[-1:], self.HALF, axis=0), self._times[-1] + beyond / self._rate)
        self.reset()
        return out

    def __call__(self, samples: Signal, times: Signal) -> tuple[int, Signal]:
        """Take samples (n, channels) at ``times`` (n,), s since the grid's origin, rising.

        Returns
        -------
        first : int
            Grid number k of the first row returned.
        values : (m, channels) float64
            The signal at k / grid_rate for k = first, first + 1, ...
        """
        if not len(self._times) and len(times):
            before = self.HALF - 1
            self._samples = np.repeat(samples[:1], before, axis=0)
            self._times = times[0] - np.arange(before, 0, -1) / self._rate
            self._next = math.ceil(times[0] * self._grid_rate - 1e-6)
        self._samples = np.concatenate([self._samples, samples])
        self._times = np.concatenate([self._times, times])
        if len(self._times) < 2 * self.HALF or self._next is None:
            return 0, self._samples[:0]
        first, last = self._next, math.ceil(self._times[-self.HALF] * self._grid_rate - 1e-6)
        if last <= first:
            return first, self._samples[:0]
        values = self._evaluate(np.arange(first, last) / self._grid_rate)
        self._next = last
        keep = max(0, int(np.searchsorted(self._times, last / self._grid_rate, side="right")) - 1 - self.HALF)
        self._samples, self._times = self._samples[keep:], self._times[keep:]
        return first, values

    def _evaluate(self, at: Signal) -> Signal:
        """Interpolate at instants ``at`` (m,)."""
        left = np.searchsorted(self._times, at, side="right") - 1
        left = np.clip(left, self.HALF - 1, len(self._times) - self.HALF - 1)
        phase = (at - self._times[left]) / (self._times[left + 1] - self._times[left])
        place = np.clip(phase, 0.0, 1.0) * self.PHASES
        step = np.minimum(place.astype(np.intp), self.PHASES - 1)
        share = (place - step)[:, None]
        weights = self._weights[step] * (1.0 - share) + self._weights[step + 1] * share
        return np.asarray(np.einsum("mk,mkc->mc", weights, self._samples[left[:, None] + self._offsets]))

    def _table(self) -> Signal:
        """Return the weights (PHASES + 1, 2 * HALF) of the neighbours for each phase, each row summing to one."""
        distance = np.arange(self.PHASES + 1)[:, None] / self.PHASES - self._offsets
        window = np.i0(self.BETA * np.sqrt(np.clip(1 - (distance / self.HALF) ** 2, 0, None)))
        weights = np.sinc(distance) * window
        return np.asarray(weights / weights.sum(axis=1, keepdims=True))


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
        self._filter = GapFilter(design_filter(settings, rate), rate, settings.settle_s, channels)
        self._grid = GridInterpolator(rate, settings.rate_hz, channels)

    @property
    def lookahead_s(self) -> float:
        """How much later than an instant the samples must reach for it to come out, s."""
        return self._grid.lookahead_s

    def __call__(
        self, samples: NDArray[np.floating], times: Signal, breaks: tuple[int, ...] = ()
    ) -> list[tuple[int, Signal]]:
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
