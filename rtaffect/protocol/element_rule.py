"""A rule that is of one element's prediction: its values, why there are none, and what the session must have."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rtaffect.common.arrays import FloatArray
from rtaffect.common.errors import SettingsError, under
from rtaffect.engine.feedback import Feedback
from rtaffect.predicted.element_prediction import ElementPrediction
from rtaffect.predicted.feature_cache import Element
from rtaffect.protocol.model import FeedbackRule


def predicted_from(feedback: Feedback, element: Element) -> FloatArray:
    """Return what an element predicts (R,): ``mix`` is the whole sound; NaN where the session does not predict it."""
    found = _found(feedback, element)
    if element == "mix":
        return feedback.predicted
    return found.predicted if found is not None else np.full(len(feedback.rows), np.nan)


def why_not_from(feedback: Feedback, element: Element) -> str:
    """Return why an element predicts nothing, in words; empty where it predicts, and for the whole sound."""
    found = _found(feedback, element)
    if element == "mix":
        return ""
    return found.reason if found is not None else f"the session predicts nothing from the {element}"


def check_element(protocol: str, rule: FeedbackRule, elements: Sequence[Element]) -> None:
    """Refuse a rule of an element that the session does not predict from; ``protocol`` is the name of the rule's.

    Raises
    ------
    SettingsError
        If it is so.
    """
    if rule.element == "mix" or rule.element in elements:
        return
    there = f"it predicts from the mix, {' and '.join(elements)}" if elements else "it predicts from the mix alone"
    raise SettingsError(
        f"protocol '{protocol}': feedback.element is {rule.element}, of which the session has no prediction ({there})",
        remedy=f"choose element = 'mix', or give a bundle that was calibrated with --separator {under('bundle')}",
        field="bundle",
    )


def _found(feedback: Feedback, element: Element) -> ElementPrediction | None:
    return next((each for each in feedback.elements if each.element == element), None)
