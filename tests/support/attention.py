"""EEG of one person who attends to one of two talkers, with planted truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from tests.support.helpers import brain_noise

RATE = 64
#: Ages at which a talker's envelope shows in the EEG, s, and how strongly.
DELAYS, GAINS = (0.08, 0.12, 0.2), (0.5, 1.0, -0.6)


@dataclass(frozen=True, eq=False)
class Trials:
    """EEG (steps, channels), V, the envelope of the attended and the other talker (steps,), the trial of each step."""

    eeg: np.ndarray
    attended: np.ndarray
    other: np.ndarray
    trial: np.ndarray


def attention(
    trials: int = 6, seconds: int = 30, channels: int = 24, strength: float = 0.25, ignored: float = 0.25, seed: int = 0
) -> Trials:
    """Return trials in which both talkers evoke EEG with one topography; the other's is ``ignored`` times as strong.

    The noise has few strong sources, as alpha and muscles have, and the topography is none of them; each channel has
    noise of its own.
    """
    rng = np.random.default_rng(seed)
    mixing = rng.standard_normal((channels, channels)) * np.logspace(0.5, -1, channels)[:, None]
    where = rng.standard_normal(channels) * 0.2
    eeg, talkers = [], []
    for _ in range(trials):
        n = seconds * RATE
        both = lfilter([1.0], [1.0, -0.9], rng.standard_normal((n + RATE, 2)), axis=0)[RATE:]
        both /= both.std(axis=0)
        evoked = sum(
            gain * np.roll(both, round(delay * RATE), axis=0) for delay, gain in zip(DELAYS, GAINS, strict=True)
        )
        noise = brain_noise(rng, n, channels, RATE) @ mixing + 0.5 * brain_noise(rng, n, channels, RATE)
        own = strength * (evoked[:, :1] + ignored * evoked[:, 1:]) * where
        eeg.append(1e-5 * (noise + own))
        talkers.append(both)
    heard = np.concatenate(talkers)
    return Trials(np.concatenate(eeg), heard[:, 0], heard[:, 1], np.repeat(np.arange(trials), seconds * RATE))
