"""A synthetic cohort whose synchrony is known: what people hear drives how alike their brains respond.

Each patch of cortex responds to a sound with a part that all listeners share and a part of their own, both with a 1/f
spectrum. The shared part's strength follows the sound's own features, so that synchrony can be predicted from them,
and is scaled so that pairwise inter-subject correlation at the electrodes is as weak as in real EEG (Cohen & Parra,
*eNeuro* 3, 2016, find .01 to .1). Everything follows from seeds: the same settings give the same people.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import Field
from scipy.signal import lfilter

from rtaffect.common.arrays import FloatArray
from rtaffect.common.files import sha256_of
from rtaffect.common.settings import STEP_S, Frozen
from rtaffect.simulation.head import PATCHES, SimulatedHead, sphere_head


class CohortSettings(Frozen):
    """The planted truth, in numbers.

    ``strength`` is the typical share of a patch's power that listeners have in common (its pairwise correlation), and
    ``depth`` how far its logit moves for one standard deviation of the drive. ``unexplained`` is
    the share of the drive's variance that no feature of the sound tells (it wanders with ``memory_s``): without it
    prediction would be too easy. ``anatomy`` is by how much heads differ: the relative standard deviation of what a
    patch gives at an electrode, drawn for each patch, electrode and listener.
    """

    seed: int = 7
    rate_hz: float = Field(250.0, gt=0)
    strength: float = Field(0.05, gt=0, lt=1)
    depth: float = Field(0.7, ge=0)
    unexplained: float = Field(0.5, ge=0, lt=1)
    smoothing_s: float = Field(3.0, gt=0)
    memory_s: float = Field(5.0, gt=0)
    anatomy: float = Field(0.0, ge=0)
    background_v: float = Field(12e-6, gt=0)
    sensor_noise: float = Field(0.5, ge=0)
    mains_v: float = Field(4e-6, ge=0)
    drift_v: float = Field(30e-6, ge=0)


@dataclass(frozen=True, slots=True)
class Drive:
    """How features move each patch's synchrony: standardise features (F,), project (F, patches), smooth."""

    mean: FloatArray
    scale: FloatArray
    projection: FloatArray

    @classmethod
    def plant(cls, features: FloatArray, settings: CohortSettings, patches: int = len(PATCHES)) -> Drive:
        """Choose, by the seed, a mixture of the four leading components of ``features`` (steps, F) for each patch."""
        components = 4
        mean, scale = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-9)
        _, spread, axes = np.linalg.svd((features - mean) / scale, full_matrices=False)
        rng = np.random.default_rng([settings.seed, 1])
        mixture = rng.standard_normal((components, patches))
        # A common part makes the patches agree on which passages move people, as arousal does.
        mixture += 1.5 * rng.standard_normal((components, 1))
        mixture /= np.linalg.norm(mixture, axis=0)
        deviation = spread[:components] / np.sqrt(len(features))
        # The sign of a singular vector is the library's choice; fixing it keeps the cohort the same everywhere.
        sign = np.sign(axes[np.arange(components), np.abs(axes[:components]).argmax(axis=1)])
        return cls(mean, scale, axes[:components].T * (sign / deviation) @ mixture)

    def course(self, features: FloatArray, stimulus: int, settings: CohortSettings) -> FloatArray:
        """Return the pairwise correlation of each patch after each step of a sound, (steps, patches)."""
        drive = np.sqrt(1 - settings.unexplained) * (((features - self.mean) / self.scale) @ self.projection)
        rng = np.random.default_rng([settings.seed, 4, stimulus])
        keep = np.exp(-STEP_S / settings.memory_s)
        other = leaky(rng.standard_normal(drive.shape), keep) * np.sqrt((1 + keep) / (1 - keep))
        drive += np.sqrt(settings.unexplained) * other
        smooth = leaky(drive, np.exp(-STEP_S / settings.smoothing_s))
        logit = np.log(settings.strength / (1 - settings.strength)) + settings.depth * smooth
        return np.asarray(1 / (1 + np.exp(-logit)))


def leaky(values: FloatArray, keep: float) -> FloatArray:
    """Return the leaky average of ``values`` (steps, columns): ``keep`` of the past and 1 - ``keep`` of the new."""
    out, _ = lfilter([1 - keep], [1, -keep], values, axis=0, zi=keep * values[:1])
    return np.asarray(out)


def one_over_f(rng: np.random.Generator, n: int, columns: int, rate: float) -> FloatArray:
    """Return noise (n, columns) with a 1/f power spectrum above .5 Hz, unit variance between 1 and 30 Hz."""
    frequency = np.fft.rfftfreq(n, 1 / rate)
    gain = 1 / np.sqrt(np.maximum(frequency, 0.5))
    gain[0] = 0
    band = (frequency >= 1) & (frequency <= 30)
    spectrum = rng.standard_normal((columns, len(gain))) + 1j * rng.standard_normal((columns, len(gain)))
    # rfft of n white samples of variance v has variance v n / 2 in each part; only the band's share counts as 1.
    spectrum *= gain * n / np.sqrt(4 * (gain[band] ** 2).sum())
    return np.asarray(np.fft.irfft(spectrum, n, axis=1).T)


class Cohort:
    """Makes the EEG of any listener to any sound.

    Parameters
    ----------
    settings
        The planted truth.
    drive
        How features move synchrony.
    head
        Electrodes and patches; default: :func:`rtaffect.simulation.head.sphere_head`.
    """

    def __init__(self, settings: CohortSettings, drive: Drive, head: SimulatedHead | None = None) -> None:
        self.settings, self.drive, self.head = settings, drive, head or sphere_head()
        patches = len(self.head.patches)
        if drive.projection.shape[1] != patches:
            raise ValueError(f"the drive moves {drive.projection.shape[1]} patches, the head has {patches}")

    def listen(
        self, sound_sha256: str, features: FloatArray, listener: int, before_s: float = 0.0, after_s: float = 0.0
    ) -> FloatArray:
        """Return the EEG (n, channels) V of listener ``listener`` hearing a sound with ``features`` (steps, F).

        The sound starts ``before_s`` after the first sample; before it, and for ``after_s`` after its last whole
        second, the listener has only activity of their own.
        """
        s, own = self.settings, self._own(sound_sha256, listener)
        activity = self._activity(own, sound_sha256, features, before_s, after_s)
        scalp = activity @ self._leadfield(listener).T
        scalp += s.sensor_noise * one_over_f(own, len(scalp), len(self.head.channels), s.rate_hz)
        return np.asarray(s.background_v * scalp + self._disturbances(own, len(scalp)))

    def activity(
        self, sound_sha256: str, features: FloatArray, listener: int, before_s: float = 0.0, after_s: float = 0.0
    ) -> FloatArray:
        """Return the noiseless activity (n, patches) of what :meth:`listen` gives; unit variance from 1 to 30 Hz."""
        return self._activity(self._own(sound_sha256, listener), sound_sha256, features, before_s, after_s)

    def _own(self, sound_sha256: str, listener: int) -> np.random.Generator:
        return np.random.default_rng([self.settings.seed, 2, _stimulus_seed(sound_sha256), listener])

    def _activity(
        self, own: np.random.Generator, sound_sha256: str, features: FloatArray, before_s: float, after_s: float
    ) -> FloatArray:
        s, stimulus = self.settings, _stimulus_seed(sound_sha256)
        silent, tail = round(before_s * s.rate_hz), round(after_s * s.rate_hz)
        heard, patches = round(len(features) * STEP_S * s.rate_hz), len(self.head.patches)
        activity = one_over_f(own, silent + heard + tail, patches, s.rate_hz)
        shared = one_over_f(np.random.default_rng([s.seed, 3, stimulus]), heard, patches, s.rate_hz)
        share = self._at_samples(self.drive.course(features, stimulus, s), heard)
        activity[silent : silent + heard] *= np.sqrt(1 - share)
        activity[silent : silent + heard] += np.sqrt(share) * shared
        return activity

    def _leadfield(self, listener: int) -> FloatArray:
        """Return the lead field (channels, patches) of a listener."""
        if not self.settings.anatomy:
            return self.head.leadfield
        rng = np.random.default_rng([self.settings.seed, 5, listener])
        return self.head.leadfield * (1 + self.settings.anatomy * rng.standard_normal(self.head.leadfield.shape))

    def patch_truth(self, sound_sha256: str, features: FloatArray) -> FloatArray:
        """Return the planted pairwise correlation of each patch after each step, (steps, patches)."""
        return self.drive.course(features, _stimulus_seed(sound_sha256), self.settings)

    def truth(self, sound_sha256: str, features: FloatArray) -> FloatArray:
        """Return the planted pairwise correlation at each electrode after each step, (steps, channels)."""
        share = self.patch_truth(sound_sha256, features)
        power = self.head.leadfield**2
        # What makes heads differ adds to everyone's power and to nobody's covariance.
        total = (1 + self.settings.anatomy**2) * power.sum(axis=1) + self.settings.sensor_noise**2
        return np.asarray(share @ power.T / total)

    def _at_samples(self, course: FloatArray, n: int) -> FloatArray:
        """Return the course (n, patches) at each sample: step k's value belongs to the second that it ends."""
        at = (np.arange(n) + 0.5) / self.settings.rate_hz
        middle = (np.arange(len(course)) + 0.5) * STEP_S
        return np.stack([np.interp(at, middle, c) for c in course.T], axis=1)

    def _disturbances(self, rng: np.random.Generator, n: int) -> FloatArray:
        """Return mains hum and electrode drift (n, channels), V."""
        t = np.arange(n) / self.settings.rate_hz
        channels = len(self.head.channels)
        hum = _sines(t, np.full(1, 50.0), rng.uniform(0, 1, channels)) * rng.uniform(0.5, 1.5, channels)
        drift = _sines(t, 1 / rng.uniform(8, 20, channels), rng.uniform(0, 1, channels))
        return np.asarray(self.settings.mains_v * hum + self.settings.drift_v * drift)


def with_mean_of(pairwise: FloatArray, people: int, window_s: int) -> FloatArray:
    """Return the expected correlation of one listener with the mean of ``people`` others, (steps, rows).

    ``pairwise`` (steps, rows) is the correlation of any two of them in each second; with its mean c over the window
    that ends at a step, c / sqrt(c + (1 - c) / people). NaN where the window reaches before the first second.
    """
    padded = np.concatenate([np.full((window_s - 1, pairwise.shape[1]), np.nan), pairwise])
    c = np.lib.stride_tricks.sliding_window_view(padded, window_s, axis=0).mean(axis=-1)
    return np.asarray(c / np.sqrt(c + (1 - c) / people))


def _sines(t: FloatArray, frequency: FloatArray, phase: FloatArray) -> FloatArray:
    """Return sines (n, columns) of ``frequency`` Hz and ``phase`` turns; one frequency for all costs one sine."""
    angle = 2 * np.pi * t[:, None] * frequency
    turn = 2 * np.pi * phase
    return np.asarray(np.sin(angle) * np.cos(turn) + np.cos(angle) * np.sin(turn))


def _stimulus_seed(sound_sha256: str) -> int:
    return int(sha256_of(sound_sha256)[:8], 16)
