"""What is shown of voice and background: their courses, what is said where there is none, and their levels. No Qt."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from rtaffect.common.arrays import FloatArray
from rtaffect.engine.feedback import Feedback
from rtaffect.predicted.element_levels import LOWEST_DB, NOT_HEARD
from rtaffect.predicted.element_prediction import ElementPrediction
from rtaffect.predicted.feature_cache import Element
from rtaffect.present.sound_state import SoundLevel
from rtaffect.present.time_courses import break_at_gaps

#: A sine that fills the scale is at 0 dB where levels are shown, and 3.01 dB below by its root mean square.
_SINE_DB: Final = 3.01

_Step = tuple[float, tuple[ElementPrediction, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class ElementCourse:
    """What one element predicts over the shown T steps, NaN where nothing, and why there is nothing now.

    ``time`` (T,) is session time, s; ``row`` and ``mean`` (T,) are of the chosen row and of the mean over rows.
    """

    element: Element
    time: FloatArray
    row: FloatArray
    mean: FloatArray
    reason: str

    @property
    def words(self) -> str:
        """Return what the key says of its line; why there is none, but for silence, is told elsewhere."""
        name = f"predicted by the {self.element}"
        if not self.reason:
            return name
        return f"{name}: {self.reason if self.reason == NOT_HEARD[self.element] else 'no value now'}"


class ElementHistory:
    """What elements predicted in the last ``steps`` steps."""

    def __init__(self, steps: int) -> None:
        self._steps: deque[_Step] = deque(maxlen=steps)

    def add(self, feedback: Feedback) -> None:
        """Keep one step."""
        names = [each.element for each in feedback.elements]
        if self._steps and [each.element for each in self._steps[-1][1]] != names:
            self.clear()
        if names:
            self._steps.append((feedback.time, feedback.elements))

    def clear(self) -> None:
        """Forget all steps."""
        self._steps.clear()

    def copy(self) -> list[_Step]:
        """Return what is kept; what it holds does not change any more."""
        return list(self._steps)


def resolve_elements(
    steps: Sequence[_Step], selected: int, history_s: float, step_s: float
) -> tuple[ElementCourse, ...]:
    """Return what is shown of the last ``history_s`` seconds of row ``selected``; empty where there are no elements."""
    if not steps:
        return ()
    newest = steps[-1]
    shown = [step for step in steps if step[0] > newest[0] - history_s]
    found = []
    for number, last in enumerate(newest[1]):
        values = np.array([(each[number].predicted[selected], each[number].mean) for _, each in shown])
        time, values = break_at_gaps(np.array([time for time, _ in shown]), values, step_s)
        found.append(ElementCourse(last.element, time, values[:, 0], values[:, 1], last.reason))
    return tuple(found)


def element_level(element: ElementPrediction) -> SoundLevel:
    """Return the level of an element's newest second, as levels are shown: re a sine that fills the scale."""
    level = element.level_db + _SINE_DB
    return SoundLevel(level, level) if math.isfinite(level) else SoundLevel()


def describe_element(element: ElementPrediction) -> str:
    """Return an element's level in words, or why it is not known, and that it is not heard."""
    level = element.level_db
    if not math.isfinite(level):
        return element.reason or "no level"
    text = "silent" if level <= LOWEST_DB else f"{level + _SINE_DB:.0f} dB".replace("-", "\N{MINUS SIGN}")
    return f"{text}, not heard" if element.reason == NOT_HEARD[element.element] else text
