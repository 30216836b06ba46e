"""Takes eye activity out of EEG by regression on the headset's own EOG channels: causal, the same live and offline.

Regression as in Gratton, Coles & Donchin, *Electroencephalography and Clinical Neurophysiology* 55, 1983, and adaptive
as in He, Wilson & Russell, *Med. Biol. Eng. Comput.* 42, 2004, but for sums over whole seconds.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.arrays import FloatArray

#: Seconds that a channel must have learnt from before anything is taken out of it, s.
LEARN_S: Final = 10
#: What is stronger than this, V, is an electrode that moved, and nothing is learnt from it: one such second would
#: outweigh minutes of blinks, which seldom reach half of it.
LOUDEST_V: Final = 1e-3
#: The EOG's covariance is raised by this share of its mean variance: a flat or doubled EOG then has a solution.
_RIDGE: Final = 1e-6


class OcularRegression:
    """Learns how strongly each EOG channel shows in each EEG channel, and subtracts that, second by second.

    Signals are high-passed, so that an electrode's offset is none of them. A second is corrected by weights learnt from
    itself and what came before it, never from what comes later. What the EOG picks up of the brain, mostly of the
    frontal lobes, is taken out with the eyes, and what it has of its own is put in, in proportion to the weights.

    Parameters
    ----------
    channels, eog
        Number of EEG and of EOG channels.
    memory_s
        Time constant of forgetting, in seconds learnt from: what was learnt this long ago counts 1/e, s.
    """

    def __init__(self, channels: int, eog: int, memory_s: float = 60.0) -> None:
        self._forget = math.exp(-1.0 / memory_s)
        # For each EEG channel, as each learns from seconds of its own: sums of EOG'EOG and of EOG'EEG, V^2.
        self._eog_eog = np.zeros((channels, eog, eog))
        self._eog_eeg = np.zeros((channels, eog))
        self._seen = np.zeros(channels, np.int64)

    def __call__(self, second: FloatArray, eog: FloatArray) -> FloatArray:
        """Return the next second of EEG without the eyes' activity.

        Parameters
        ----------
        second
            (n, channels), V; NaN where missing. A channel with NaN, or beyond ``LOUDEST_V``, learns nothing from this
            second.
        eog
            (n, eog), V, at the same instants; NaN where missing, and what is beyond ``LOUDEST_V`` counts as missing.
            With a sample missing, no channel learns from this second.

        Returns
        -------
        (n, channels) float64
            V; as it came where a sample of EOG is missing, and in channels that have learnt too little so far.
        """
        if _known(eog).all():
            self._learn(second, eog)
        return self.without_eyes(second, eog)

    def without_eyes(self, rows: FloatArray, eog: FloatArray) -> FloatArray:
        """Return ``rows`` (n, channels) less the eyes' activity by the weights so far; nothing is learnt."""
        eyes = np.where(_known(eog), eog, 0.0) @ self.weights.T
        return np.asarray(rows - eyes, np.float64)

    @property
    def weights(self) -> FloatArray:
        """What is subtracted per volt of EOG (channels, eog); 0 in channels that have learnt too little so far."""
        n = self._eog_eog.shape[1]
        ridge: FloatArray = _RIDGE * np.einsum("cee->c", self._eog_eog) / n
        ready = (self._seen >= LEARN_S) & (ridge > 0)
        system = self._eog_eog + np.where(ready, ridge, 1.0)[:, None, None] * np.eye(n)
        solved = np.linalg.solve(system, self._eog_eeg[:, :, None])[:, :, 0]
        return np.where(ready[:, None], solved, 0.0)

    def _learn(self, second: FloatArray, eog: FloatArray) -> None:
        """Take in a second whose EOG is all there, in the channels that are."""
        there = (np.abs(second) < LOUDEST_V).all(axis=0)
        self._eog_eog[there] = self._forget * self._eog_eog[there] + eog.T @ eog
        self._eog_eeg[there] = self._forget * self._eog_eeg[there] + second[:, there].T @ eog
        self._seen[there] += 1


def _known(eog: FloatArray) -> NDArray[np.bool_]:
    """Return which rows (n, 1) of ``eog`` are there and not beyond ``LOUDEST_V``."""
    return np.asarray((np.abs(eog) < LOUDEST_V).all(axis=1, keepdims=True))  # NaN is not less than anything
