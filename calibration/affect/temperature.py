"""Probabilities that mean what they say: one temperature for each output, from moments that nets did not know."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit

Array = NDArray[np.float64]

#: Between these a temperature is looked for.
LOWEST, HIGHEST = 0.2, 50.0
#: Weights of the EEG beside the sound that are tried.
WEIGHTS: Final = np.linspace(0.0, 1.0, 21)


def cross_entropy(logits: Array, high: Array, weight: Array) -> float:
    """Return the weighted mean cross-entropy, nats, of logits (n,) for classes (n,), 1 or 0 or how likely 1 is."""
    losses = np.logaddexp(0.0, logits) - high * logits
    return float((losses * weight).sum() / weight.sum())


def smoothed(high: Array, weight: Array) -> Array:
    """Return what stands for classes (n,), 1 or 0, where few of each were seen: as if one more of each had been.

    (N + 1) / (N + 2) for the N that are high and 1 / (N + 2) for the N that are low (Platt, *Probabilistic outputs for
    support vector machines*, 1999): few moments make nobody sure. ``weight`` (n,) sums to the number of hearings.
    """
    above, below = weight[high > 0].sum(), weight[high <= 0].sum()
    return np.asarray(np.where(high > 0, (above + 1) / (above + 2), 1 / (below + 2)))


def fit_temperature(logits: Array, high: Array, weight: Array) -> float:
    """Return the temperature by which ``logits`` (n,) are best divided (Guo et al., *On calibration*, ICML 2017).

    Parameters
    ----------
    logits
        (n,) of moments that the nets were not trained on.
    high
        (n,) 1 where the rating is above the middle, 0 where below.
    weight
        (n,) of each moment, such as one over the moments of its hearing.
    """
    target = smoothed(high, weight)

    def loss(log_temperature: float) -> float:
        return cross_entropy(logits / np.exp(log_temperature), target, weight)

    found = minimize_scalar(loss, bounds=(np.log(LOWEST), np.log(HIGHEST)), method="bounded")
    return float(np.exp(found.x))


def fit_both(logits: Array, high: Array, weight: Array) -> tuple[float, float]:
    """Return how much the EEG counts beside the sound, 0 to 1, and the temperature of both.

    Parameters
    ----------
    logits
        (n, 2) of EEG and of sound, each divided by its temperature.
    high, weight
        As for :func:`fit_temperature`.
    """
    target, tried = smoothed(high, weight), []
    for share in WEIGHTS:
        both = share * logits[:, 0] + (1 - share) * logits[:, 1]
        temperature = fit_temperature(both, high, weight)
        tried.append((cross_entropy(both / temperature, target, weight), float(share), temperature))
    _, share, temperature = min(tried)
    return share, temperature


def probability(logits: Array, temperature: Array) -> Array:
    """Return the probability of being above the scale's middle."""
    return np.asarray(expit(logits / temperature))
