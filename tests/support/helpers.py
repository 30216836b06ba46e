"""Signals, sources and weights from seeds, shared by the tests of the analysis."""

from __future__ import annotations

import functools
from types import SimpleNamespace

import numpy as np
from scipy.signal import butter, sosfilt

from rtaffect.predicted.featurizer import default_featurizer
from rtaffect.predicted.manifest import SAMPLE_RATE
from rtaffect.predicted.prediction import Weights
from rtaffect.simulation.cohort import CohortSettings
from rtaffect.simulation.study import StudySettings, SyntheticStudy
from rtaffect.sources.recorded import ArraySource
from rtaffect.stream.source import StreamInfo

RATE = 100
_SETTLE = 400


def brain_noise(rng: np.random.Generator, n: int, columns: int, rate: float = RATE) -> np.ndarray:
    """Gaussian noise (n, columns) with a 1/f power spectrum, causally filtered to 1-30 Hz, of unit variance."""
    frequency = np.fft.rfftfreq(n + _SETTLE, 1 / rate)
    spectrum = rng.standard_normal((columns, len(frequency))) + 1j * rng.standard_normal((columns, len(frequency)))
    wave = np.fft.irfft(spectrum / np.sqrt(np.maximum(frequency, 0.5)), n + _SETTLE, axis=1).T
    band = sosfilt(butter(4, [1, 30], "bandpass", fs=rate, output="sos"), wave, axis=0)[_SETTLE:]
    return band / band.std(axis=0)


def people_with(rng: np.random.Generator, people: int, n: int, rows: int, pairwise: float) -> np.ndarray:
    """Signals (people, n, rows) whose pairwise correlation is ``pairwise``."""
    shared = brain_noise(rng, n, rows)
    own = [brain_noise(rng, n, rows) for _ in range(people)]
    return np.stack([np.sqrt(pairwise) * shared + np.sqrt(1 - pairwise) * o for o in own])


def headset(
    samples: np.ndarray, name: str = "A", rate: float = 250.0, onset: float = 1000.0, channels: tuple[str, ...] = ()
) -> ArraySource:
    """A source of EEG (n, channels), V, whose first sample lies at ``onset``."""
    names = channels or tuple(f"C{i + 1}" for i in range(samples.shape[1]))
    return ArraySource(StreamInfo(name, "eeg", rate, names, "simulated"), samples, onset)


def sound_source(sound: np.ndarray, rate: float = 16_000.0, onset: float = 1000.0, name: str = "sound") -> ArraySource:
    """A source of mono sound (n,)."""
    return ArraySource(StreamInfo(name, "audio", rate, ("mono",), "simulated"), sound[:, None], onset)


class BandFeaturizer:
    """Stands where the model does: log power of the newest second in bands, and of the whole context."""

    identity = "bands/test"
    sha256 = "b" * 64

    def __init__(self, size: int = 6, context_s: int = 4) -> None:
        self.size, self.context_s = size, context_s
        self.manifest = SimpleNamespace(features_shape=(size,), context_s=context_s)

    def stream(self) -> BandStream:
        return BandStream(self.size, self.context_s)


class BandStream:
    """One pass of a :class:`BandFeaturizer` over a sound."""

    def __init__(self, size: int, context_s: int) -> None:
        self._size, self._context_s = size, context_s
        self.reset()

    @property
    def warming_up(self) -> bool:
        return self._seconds < self._context_s

    def reset(self) -> None:
        self._context, self._seconds = np.empty(0, np.float32), 0

    def step(self, second: np.ndarray) -> np.ndarray:
        assert second.dtype == np.float32
        assert second.shape == (SAMPLE_RATE,)
        assert np.isfinite(second).all()
        self._seconds += 1
        self._context = np.concatenate([self._context, second])[-self._context_s * SAMPLE_RATE :]
        power = np.abs(np.fft.rfft(second)) ** 2
        bands = [part.mean() for part in np.array_split(power[1:4001], self._size - 1)]
        return np.log(np.array([*bands, (self._context**2).mean()]) + 1e-6).astype(np.float32)


def some_weights(
    rng: np.random.Generator, features: int = 6, components: int = 3, lags_s: tuple[int, ...] = (0, 1, 3), rows: int = 2
) -> Weights:
    """Weights of the right shapes, from a seed; predictions stay between about -.5 and .5."""
    return Weights(
        pca_mean=rng.standard_normal(features),
        pca_components=np.linalg.qr(rng.standard_normal((features, components)))[0].T.copy(),
        scaler_mean=rng.standard_normal(components),
        scaler_scale=rng.uniform(0.5, 2, components),
        coefficients=0.05 * rng.standard_normal((len(lags_s) * components, rows)),
        intercept=0.1 * rng.standard_normal(rows),
        residual_low=-rng.uniform(0.1, 0.2, rows + 1),
        residual_high=rng.uniform(0.1, 0.2, rows + 1),
        lags_s=lags_s,
    )


def quiet(_: str) -> None:
    """Progress that nobody watches."""


@functools.cache
def small_study() -> SyntheticStudy:
    """Five listeners, three sounds of half a minute and a spare one, with the real default featurizer."""
    settings = StudySettings(
        listeners=5, sounds=3, sound_s=45.0, spare_s=30.0, cohort=CohortSettings(strength=0.1, rate_hz=128.0)
    )
    return SyntheticStudy(settings, default_featurizer(quiet, threads=2), quiet)


def causally_scaled(people: np.ndarray, history_s: int = 120, k: int = 1) -> np.ndarray:
    """People (P, time, rows * k), each second divided by its row's root mean square over what came up to its end."""
    scaled = np.empty_like(people)
    for start in range(0, people.shape[1], RATE):
        recent = people[:, max(0, start + RATE - history_s * RATE) : start + RATE]
        present = np.isfinite(recent)
        power = np.where(present, recent, 0.0) ** 2
        power = power.sum(axis=1) / np.maximum(present.sum(axis=1), 1)
        scale = np.sqrt(power.reshape(len(people), -1, k).sum(axis=-1)).repeat(k, axis=-1)
        scaled[:, start : start + RATE] = people[:, start : start + RATE] / np.where(scale > 0, scale, 1)[:, None]
    return scaled
