"""The part of a step that predicts from the elements of the sound, beside the sound itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from rtaffect.engine.trust import Trust
from rtaffect.predicted.element_input import ElementFeature, Place
from rtaffect.predicted.element_prediction import ElementPrediction
from rtaffect.predicted.feature_cache import Element
from rtaffect.predicted.prediction import Prediction, Predictor
from rtaffect.predicted.sound_input import HeardSecond
from rtaffect.timelock.alignment import Alignment
from rtaffect.timelock.stimulus import TimeLock

WAITS = "it waits for enough sound without a gap"
DOUBTFUL = "it is not known when the sound was heard"
NOT_RELIED = "the sound cannot be relied on"

#: Brings a prediction to the number of people who are compared.
Scaled = Callable[[Prediction], Prediction]


class Features(Protocol):
    """What brings the features of elements: of sound that is heard, or kept of one that is gone."""

    def step(
        self, step: int, heard: Sequence[HeardSecond], place: Place, *, left_out: bool = False
    ) -> dict[Element, ElementFeature]:
        """Return the features of each element for second ``step``."""


class Predicted(NamedTuple):
    """What the weights of one element made of the newest second, not yet judged."""

    element: Element
    prediction: Prediction
    level_db: float
    reason: str


class ElementStage:
    """Predicts from each element at each step.

    Parameters
    ----------
    features
        What brings their features.
    predictors
        By element, what predicts from them.
    rows
        How many rows are predicted.
    known
        Whether the elements are those of a known stimulus, so that they hang on where that is.

    Attributes
    ----------
    newest : mapping of element to ElementFeature
        What the last step read.
    """

    def __init__(
        self, features: Features, predictors: Mapping[Element, Predictor], rows: int, *, known: bool = False
    ) -> None:
        self._features, self._predictors, self._rows, self._known = features, predictors, rows, known
        self.newest: Mapping[Element, ElementFeature] = {}

    @property
    def elements(self) -> tuple[Element, ...]:
        """Which elements it predicts from."""
        return tuple(self._predictors)

    def __call__(
        self,
        step: int,
        heard: Sequence[HeardSecond],
        alignment: Alignment | None,
        lock: TimeLock | None,
        *,
        left_out: bool = False,
    ) -> tuple[Predicted, ...]:
        """Take the seconds that were heard since the last step, and return what each element predicts."""
        locked = alignment is not None and alignment.state == "locked"
        onset = alignment.offset_s if alignment is not None and locked else math.nan
        place = Place(onset, lock.stimulus if lock is not None else "")
        self.newest = self._features.step(step, heard, place, left_out=left_out)
        return tuple(self._predict(name, self.newest[name]) for name in self._predictors)

    def _predict(self, name: Element, found: ElementFeature) -> Predicted:
        # Also where it is not heard: the seconds that follow rest on this one, too.
        prediction, reason = self._predictors[name](found.feature), found.reason
        if not reason and np.isnan(prediction.value).all():
            reason = WAITS
        return Predicted(name, Prediction.nothing(self._rows) if reason else prediction, found.level_db, reason)

    def judged(self, found: Sequence[Predicted], trust: Trust, scaled: Scaled) -> tuple[ElementPrediction, ...]:
        """Return what was found as a step shows it: without what may not be relied on, for the people who are here."""
        doubtful = NOT_RELIED if not trust.prediction else DOUBTFUL if self._known and not trust.reference else ""
        shown = []
        for name, prediction, level_db, reason in found:
            why = doubtful or reason
            made = Prediction.nothing(self._rows) if why else scaled(prediction)
            if not why and np.isnan(made.value).all():
                why = "nothing is predicted for the number of people who are here"
            shown.append(ElementPrediction.of(name, made, level_db, why))
        return tuple(shown)
