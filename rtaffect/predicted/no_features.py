"""Stands in for a featurizer where a sound is heard, and nothing is predicted from it."""

from __future__ import annotations

import numpy as np

from rtaffect.common.arrays import Float32Array


class NoFeatures:
    """Gives vectors without values; a pass over a sound keeps nothing."""

    size = 0
    warming_up = False

    def stream(self) -> NoFeatures:
        """Return a new pass over a sound."""
        return self

    def reset(self) -> None:
        """Do nothing: there is nothing to forget."""

    def step(self, second: Float32Array) -> Float32Array:
        """Return no values, float32 (0,)."""
        return np.empty(0, np.float32)
