"""A rule that is of valence or arousal, not of synchrony: which value counts, and what a session must have."""

from __future__ import annotations

import math

import numpy as np

from rtaffect.common.errors import SettingsError, setting
from rtaffect.engine.feedback import Feedback
from rtaffect.protocol.model import FeedbackRule


def is_affect(rule: FeedbackRule) -> bool:
    """Return whether a rule is of valence or arousal."""
    return rule.value in ("valence", "arousal")


def affect_of(feedback: Feedback, rule: FeedbackRule) -> float:
    """Return a step's valence or arousal, -1..1: the mean over people who have one; NaN without any.

    A step that is late has no value.
    """
    if any(doubt.reason == "late" for doubt in feedback.doubts):
        return math.nan
    estimates = [values.estimate(rule.source) for values in feedback.affect]
    there = [float(getattr(each, rule.value)) for each in estimates if each.there]
    return float(np.mean(there)) if there else math.nan


def why_no_affect(feedback: Feedback, rule: FeedbackRule) -> str:
    """Return in words why :func:`affect_of` has none."""
    if not feedback.affect:
        return "the session has no bundle of affect"
    late = next((doubt.words for doubt in feedback.doubts if doubt.reason == "late"), "")
    reasons = (values.estimate(rule.source).reason for values in feedback.affect)
    return late or "; ".join(dict.fromkeys(filter(None, reasons))) or f"no value of {rule.value}"


def check_affect(protocol: str, rule: FeedbackRule, *, reads: bool) -> None:
    """Refuse a rule of valence or arousal where the session does not read affect.

    Raises
    ------
    SettingsError
        If it is so; ``protocol`` is the name of the rule's.
    """
    if is_affect(rule) and not reads:
        raise SettingsError(
            f"protocol '{protocol}': feedback.value is {rule.value}, and this session has no bundle of affect",
            remedy=f"give one with {setting('affect')}",
            field="affect",
        )
