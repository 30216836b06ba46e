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
    """Return the weighted mean cross-entropy, nats, of logits (n,) for classes (n,), 1 or 0."""
    losses = np.logaddexp(0.0, np.where(high > 0, -logits, logits))
    return float((losses * weight).sum() / weight.sum())


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

    def loss(log_temperature: float) -> float:
        return cross_entropy(logits / np.exp(log_temperature), high, weight)

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
    tried = []
    for share in WEIGHTS:
        both = share * logits[:, 0] + (1 - share) * logits[:, 1]
        temperature = fit_temperature(both, high, weight)
        tried.append((cross_entropy(both / temperature, high, weight), float(share), temperature))
    _, share, temperature = min(tried)
    return share, temperature


def probability(logits: Array, temperature: Array) -> Array:
    """Return the probability of being above the scale's middle."""
    return np.asarray(expit(logits / temperature))
