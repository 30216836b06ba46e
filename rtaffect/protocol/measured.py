"""A rule that is of an own measure, not of synchrony: which values of a step count, and what the session must have."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol as Shape

import numpy as np

from rtaffect.common.errors import SettingsError, setting
from rtaffect.engine.engine import Engine
from rtaffect.engine.feedback import Feedback
from rtaffect.measures.measure import MeasureValues
from rtaffect.protocol.model import MEAN, FeedbackRule


class Named(Shape):
    """A measure of a session: its name and those of its rows."""

    @property
    def name(self) -> str:
        """What it is called, with its band where it has one."""
        ...

    @property
    def rows(self) -> tuple[str, ...]:
        """Names of its rows."""
        ...

    @property
    def reach_s(self) -> int:
        """How far back its values reach, s."""
        ...


def value_of(feedback: Feedback, measure: str, rows: tuple[str, ...]) -> float:
    """Return the mean of a measure's ``rows`` that have a value (its own mean over people or pairs); NaN without any.

    ``rows`` that are (MEAN,) stand for its row of that name, else for all its rows. A step that is late has no value.
    """
    found = _found(feedback, measure)
    if found is None or any(doubt.reason == "late" for doubt in feedback.doubts):
        return math.nan
    used = found.value if _are_all(found, rows) else found.value[np.isin(np.array(found.rows), rows)]
    there = used[np.isfinite(used)]
    return float(there.mean()) if len(there) else math.nan


def why_not(feedback: Feedback, measure: str, rows: tuple[str, ...]) -> str:
    """Return in words why :func:`value_of` has none."""
    found = _found(feedback, measure)
    if found is None:
        return f"the session has no measure {measure}"
    late = next((doubt.words for doubt in feedback.doubts if doubt.reason == "late"), "")
    return late or found.trouble or f"no value of {measure} in {', '.join(rows)}"


def check_measure(protocol: str, rule: FeedbackRule, measures: Sequence[Named]) -> None:
    """Refuse a rule whose measure, or a row of it, is none of the session's.

    Raises
    ------
    SettingsError
        If it is so; ``protocol`` is the name of the rule's.
    """
    known = {each.name: each.rows for each in measures}
    if rule.measure not in known:
        there = f"its measures are {', '.join(known)}" if known else "it has no measures"
        raise SettingsError(
            f"protocol '{protocol}': feedback.measure is {rule.measure}, which this session does not have ({there})",
            remedy=f"ask for it with {setting('measure')} and {setting('measure-band')}, or name one that is there",
            field="measure",
        )
    rows = known[rule.measure]
    if unknown := [name for name in rule.rows if name != MEAN and name not in rows]:
        raise SettingsError(
            f"protocol '{protocol}': feedback.rows names {', '.join(unknown)}, which measure {rule.measure} does not "
            f"have; it has {', '.join(rows)}. Or choose rows = ['{MEAN}']"
        )


def window_of(rule: FeedbackRule, window_s: int, measures: Sequence[Named], affect_s: int | None = None) -> int:
    """Return how far back the values of a rule reach, s: ``window_s`` where they are synchrony's.

    ``affect_s`` is how far those of affect do; None without a bundle of affect.
    """
    if affect_s is not None and rule.value in ("valence", "arousal"):
        return affect_s
    return next((each.reach_s for each in measures if each.name == rule.measure), window_s)


def reach_in(rule: FeedbackRule, engine: Engine) -> int:
    """Return how far back the values of a rule reach in a session, s."""
    own_s = engine.settings.synchrony.window_s if engine.rated is None else 1
    return window_of(rule, own_s, engine.measures.described, engine.affect.reach_s)


def _found(feedback: Feedback, measure: str) -> MeasureValues | None:
    return next((each for each in feedback.measures if each.name == measure), None)


def _are_all(found: MeasureValues, rows: tuple[str, ...]) -> bool:
    return rows == (MEAN,) and MEAN not in found.rows
