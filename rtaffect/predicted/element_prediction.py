"""What is predicted from one element of the sound at one step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np

from rtaffect.common.arrays import FloatArray
from rtaffect.predicted.feature_cache import Element
from rtaffect.predicted.prediction import Prediction


@dataclass(frozen=True, slots=True, eq=False)
class ElementPrediction:
    """Predicted synchrony by one element of the sound alone: the voice, or the background. R rows of the space.

    Attributes
    ----------
    element : Element
        Which.
    predicted, low, high : (R,) float64, correlation
        Predicted synchrony and its interval; NaN where there is none.
    mean, mean_low, mean_high : float, correlation
        The same averaged over the rows that count (Fisher z).
    level_db : float
        Level of the element in the newest second, dB of full scale (of its root mean square); NaN where not known.
    reason : str
        Why there is no value, in words, such as 'no voice heard'; empty where there is one.
    """

    element: Element
    predicted: FloatArray
    low: FloatArray
    high: FloatArray
    mean: float
    mean_low: float
    mean_high: float
    level_db: float = math.nan
    reason: str = ""

    @classmethod
    def of(cls, element: Element, prediction: Prediction, level_db: float, reason: str) -> Self:
        """Return a prediction as that of an element."""
        p = prediction
        return cls(element, p.value, p.low, p.high, p.overall, p.overall_low, p.overall_high, level_db, reason)

    @property
    def there(self) -> bool:
        """Whether any row has a value."""
        return bool(np.isfinite(self.predicted).any())
