"""Whether there is synchrony at all, over the session so far, as the display shows it. No Qt."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from rtaffect.common.arrays import FloatArray
from rtaffect.common.settings import SynchronySettings
from rtaffect.common.so_far import SoFar, SynchronySoFar, in_words
from rtaffect.engine.feedback import Feedback

#: So many points are drawn at most, the newest among them.
_POINTS: Final = 600


@dataclass(frozen=True, slots=True, eq=False)
class SoFarState:
    """What is told by now, in words too, and how it came to that: T points at ``time`` (T,), s of session time.

    ``mean`` (T,) is the mean excess over the null, ``low`` and ``high`` (T,) what chance gives; correlations.
    """

    found: SoFar
    words: str
    time: FloatArray
    mean: FloatArray
    low: FloatArray
    high: FloatArray


class SoFarHistory:
    """Takes steps, of which those in practice do not count."""

    def __init__(self, settings: SynchronySettings) -> None:
        self._settings = settings
        self.clear()

    def clear(self) -> None:
        """Begin anew."""
        self._sums = SynchronySoFar(self._settings)
        self._points: list[tuple[float, float, float, float]] = []
        self._reference = True

    def add(self, f: Feedback, *, practice: bool) -> None:
        """Take a step; ``practice``: its newest second is of a block that counts in no result."""
        counts = bool(f.trusted.any()) and not practice and f.rating is None
        values = (f.observed_mean, f.null_mean_low, f.null_mean_high) if counts else (math.nan,) * 3
        if f.observed_against in ("reference", "group"):
            self._reference = f.observed_against == "reference"
        found = self._sums.add(*values, reference=self._reference)
        self._points.append((f.time, found.mean, found.low, found.high))

    def resolve(self) -> SoFarState | None:
        """Return what is shown; None before the first step."""
        if not self._points:
            return None
        every = max(1, math.ceil(len(self._points) / _POINTS))
        points = np.array(self._points[::-1][::every][::-1])
        found = self._sums.now()
        return SoFarState(found, in_words(found, reference=self._reference), *points.T)
