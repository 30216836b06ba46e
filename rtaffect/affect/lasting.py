"""Whether a person has been unlike the training set for a while: then nothing is told of their EEG."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from rtaffect.affect.novelty import LASTING_S
from rtaffect.affect.values import AffectEstimate
from rtaffect.common.arrays import FloatArray


@dataclass(slots=True)
class Lasting:
    """One person's newest distances from the training set, by step."""

    _distances: dict[int, tuple[float, float]] = field(default_factory=dict)

    def __call__(
        self, step: int, estimate: AffectEstimate, distances: tuple[float, float], limits: FloatArray
    ) -> AffectEstimate:
        """Return the estimate of ``step``; none, with the reason, where the newest medians are beyond ``limits`` (2,).

        Its novelty is the larger one, of the moment and of the while. Steps without distances are none of the while.
        """
        if np.isfinite(distances).all():
            self._distances[step] = distances
        for old in [each for each in self._distances if each <= step - LASTING_S]:
            del self._distances[old]
        if not self._distances or not np.isfinite(estimate.novelty):
            return estimate
        far = float((np.median(list(self._distances.values()), axis=0) / limits).max())
        novelty = max(far, estimate.novelty)
        if far <= 1.0 or not estimate.there:
            return replace(estimate, novelty=novelty)
        reason = f"this person's newest {LASTING_S} s are too far from the training set ({far:.1f} times the limit)"
        return AffectEstimate(novelty=novelty, reason=reason)

    def forget(self, spoilt: int, reach: int) -> None:
        """Leave out all that rests on second ``spoilt``: values reach ``reach`` s back."""
        for step in range(spoilt, spoilt + reach):
            self._distances.pop(step, None)
