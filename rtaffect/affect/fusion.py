"""From logits and ratings to calibrated estimates, of each source and of both.

A logit is divided by its head's temperature (Guo et al., *On calibration of modern neural networks*, ICML 2017). Both
together are a logarithmic opinion pool (Genest & Zidek, *Combining probability distributions*, Statistical Science
1986): the weighted mean of the calibrated logits, w of the EEG and 1 - w of the sound, divided by a temperature of its
own, which training fits on both; ratings are averaged with the same weights. There is no value of both unless there is
one of each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from rtaffect.affect.bundle import AffectTensors
from rtaffect.affect.values import AffectEstimate
from rtaffect.common.arrays import FloatArray

#: Rows of the temperatures.
EEG, SOUND, BOTH = 0, 1, 2


@dataclass(frozen=True, slots=True, eq=False)
class Heads:
    """What a model says of one moment.

    Attributes
    ----------
    logits : (2,) float64
        Of valence and arousal, as the model gives them.
    rating : (2,) float64
        In -1..1.
    novelty : float
        In units of the limit.
    distances : tuple of float
        Both distances of which it is, in units of their own.
    """

    logits: FloatArray
    rating: FloatArray
    novelty: float
    distances: tuple[float, float] = (math.nan, math.nan)


def estimate_of(heads: Heads, tensors: AffectTensors, source: int) -> AffectEstimate:
    """Return the calibrated estimate of one source; none, with the reason, where the moment is too novel."""
    logits = heads.logits / tensors.temperature[source]
    if not np.isfinite([*logits, *heads.rating]).all() or not np.isfinite(heads.novelty):
        return AffectEstimate(reason="the model gave no finite value")
    if heads.novelty > 1.0:
        what = "the EEG is" if source == EEG else "the sound is"
        return AffectEstimate(
            novelty=heads.novelty,
            reason=f"{what} too far from what the model was trained on ({heads.novelty:.1f} times the limit)",
        )
    return _estimate(logits, heads.rating, heads.novelty)


def fused(eeg: Heads, sound: Heads, tensors: AffectTensors) -> AffectEstimate:
    """Return the estimate of both, where each has one."""
    weight = tensors.eeg_weight
    calibrated = eeg.logits / tensors.temperature[EEG], sound.logits / tensors.temperature[SOUND]
    logits = (weight * calibrated[0] + (1.0 - weight) * calibrated[1]) / tensors.temperature[BOTH]
    rating = weight * eeg.rating + (1.0 - weight) * sound.rating
    return _estimate(logits, rating, max(eeg.novelty, sound.novelty))


def _estimate(logits: FloatArray, rating: FloatArray, novelty: float) -> AffectEstimate:
    high = 0.5 * (1.0 + np.tanh(0.5 * logits))
    rating = np.clip(rating, -1.0, 1.0)
    return AffectEstimate(float(rating[0]), float(rating[1]), float(high[0]), float(high[1]), novelty)
