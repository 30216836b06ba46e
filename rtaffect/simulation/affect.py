"""People whose EEG tells what they feel: valence and arousal in the power of bands, different in each of them.

Planted is what reviews report most often, though not always (Harmon-Jones & Gable, *Psychophysiology* 55, 2018;
Al-Nafjan et al., *Appl. Sci.* 7:1239, 2017): pleasant feelings go with less alpha left than right in front, and with
more gamma at the temples; excitement with less alpha behind and more beta and gamma in front. How much, and whether at
all, differs from person to person. Power of every band also differs between people, which their rest tells, and it
wanders.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from pydantic import Field

from rtaffect.common.arrays import FloatArray
from rtaffect.common.settings import Frozen
from rtaffect.simulation.cohort import leaky, one_over_f
from rtaffect.simulation.head import PATCHES, sphere_head

#: Bands whose power is modulated, Hz.
BANDS: Final = {"theta": (4.0, 8.0), "alpha": (8.0, 13.0), "beta": (13.0, 30.0), "gamma": (30.0, 45.0)}
#: No effect is larger, nats of log power.
MOST_STRENGTH: Final = 10.0
_LEFT, _RIGHT = ("prefrontal-left",), ("prefrontal-right",)
_TEMPLES: Final = ("temporal-left", "temporal-right")
_BEHIND: Final = ("parietal-left", "parietal-right", "parietal-medial", "occipital-left", "occipital-right")
_FRONT: Final = ("prefrontal-left", "prefrontal-right", "frontal-medial")
#: What goes with valence (0) and arousal (1): dimension, band, patches, and how much of ``strength``.
_EFFECTS: Final = (
    (0, "alpha", _LEFT, -1.0), (0, "alpha", _RIGHT, 1.0), (0, "gamma", _TEMPLES, 0.8),
    (1, "alpha", _BEHIND, -1.0), (1, "beta", _FRONT, 0.9), (1, "gamma", _FRONT, 0.7),
    (1, "theta", ("frontal-medial",), 0.5),
)  # fmt: skip


class AffectiveSettings(Frozen):
    """The planted truth of people's EEG, in numbers.

    ``strength`` is the change of a band's log power, nats, for the highest rating; ``differing`` the standard deviation
    over people of each effect's size, relative to it; ``between`` that of people's log power in each band and patch,
    ``wander`` that of its wandering with ``memory_s``.
    """

    seed: int = 7
    rate_hz: float = Field(250.0, gt=0)
    strength: float = Field(0.7, ge=0, le=MOST_STRENGTH)
    differing: float = Field(0.5, ge=0)
    between: float = Field(0.5, ge=0)
    wander: float = Field(0.35, ge=0)
    memory_s: float = Field(20.0, gt=0)
    background_v: float = Field(12e-6, gt=0)
    sensor_noise: float = Field(0.3, ge=0)
    mains_v: float = Field(4e-6, ge=0)
    drift_v: float = Field(30e-6, ge=0)


class AffectivePerson:
    """One person, by number; the same settings give the same person.

    Parameters
    ----------
    settings
        The planted truth.
    number
        Which.

    Attributes
    ----------
    channels : tuple of str
        Electrodes.
    """

    def __init__(self, settings: AffectiveSettings, number: int) -> None:
        self._settings, self._head = settings, sphere_head()
        self._own = np.random.default_rng([settings.seed, 21, number])
        self.channels = self._head.channels
        patches = list(PATCHES)
        self._level = settings.between * self._own.standard_normal((len(BANDS), len(patches)))
        # Alpha is a peak above 1/f, behind more than in front.
        self._level[list(BANDS).index("alpha")] += [1.6 if patch in _BEHIND else 0.8 for patch in patches]
        self._effect = np.zeros((len(BANDS), len(patches), 2))
        for dimension, band, where, size in _EFFECTS:
            mine = settings.strength * size * (1 + settings.differing * self._own.standard_normal())
            for patch in where:
                self._effect[list(BANDS).index(band), patches.index(patch), dimension] += mine

    def eeg(self, valence: FloatArray, arousal: FloatArray) -> FloatArray:
        """Return the next EEG (n, channels), V, while this person feels what is given for each second (seconds,)."""
        s, seconds = self._settings, len(valence)
        count = round(seconds * s.rate_hz)
        at = (np.arange(count) + 0.5) / s.rate_hz
        gains = self._log_gains(np.stack([valence, arousal], axis=1))
        frequency = np.fft.rfftfreq(count, 1 / s.rate_hz)
        spectrum = np.fft.rfft(one_over_f(self._own, count, len(PATCHES), s.rate_hz), axis=0)
        rest, activity = np.ones(len(frequency), np.bool_), np.zeros((count, len(PATCHES)))
        for number, (low, high) in enumerate(BANDS.values()):
            inside = (frequency >= low) & (frequency < high)
            rest &= ~inside
            band = np.fft.irfft(np.where(inside[:, None], spectrum, 0), count, axis=0)
            for patch in range(len(PATCHES)):
                log = np.interp(at, np.arange(seconds) + 0.5, gains[:, number, patch])
                activity[:, patch] += np.exp(0.5 * log) * band[:, patch]
        activity += np.fft.irfft(np.where(rest[:, None], spectrum, 0), count, axis=0)
        scalp = activity @ self._head.leadfield.T
        scalp += s.sensor_noise * self._own.standard_normal(scalp.shape)
        return np.asarray(s.background_v * scalp + self._disturbances(count))

    def _log_gains(self, felt: FloatArray) -> FloatArray:
        """Return log power against 1/f (seconds, bands, patches)."""
        s, shape = self._settings, (len(felt), len(BANDS) * len(PATCHES))
        keep = float(np.exp(-1 / s.memory_s))
        wander = leaky(self._own.standard_normal(shape), keep) * np.sqrt((1 + keep) / (1 - keep))
        planted = np.einsum("td,bpd->tbp", felt, self._effect)
        return np.asarray(self._level + planted + s.wander * wander.reshape(planted.shape))

    def _disturbances(self, count: int) -> FloatArray:
        """Return mains hum and electrode drift (n, channels), V."""
        time, channels = np.arange(count)[:, None] / self._settings.rate_hz, len(self.channels)
        phase, size, period = self._own.random((3, channels))
        hum = self._settings.mains_v * (0.5 + size) * np.sin(2 * np.pi * (50.0 * time + phase))
        return np.asarray(hum + self._settings.drift_v * np.sin(2 * np.pi * (time / (8 + 12 * period) + phase)))
