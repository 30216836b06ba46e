"""What is shown of own measures: their newest values, and the course of the chosen row. No Qt."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rtaffect.common.arrays import FloatArray
from rtaffect.engine.feedback import Feedback
from rtaffect.measures.measure import MeasureValues

#: What the values of a measure are of, as the list's headings say it.
_OF = {
    "person": "mean over people",
    "pair": "mean over pairs",
    "group": "of the group",
    "autonomic": "body, mean over people",
}


@dataclass(frozen=True, slots=True, eq=False)
class MeasureCourse:
    """The shown course of one row: T steps, N people or pairs; absent values are NaN.

    ``time`` (T,) is session time, s; ``value``, ``low`` and ``high`` (T,) are the mean and its null band, ``each``
    (T, N) what ``of`` (length N) have. ``limits`` are the ends of the axis, and ``unit`` is that of all values.
    """

    title: str
    unit: str
    limits: tuple[float, float]
    of: tuple[str, ...]
    time: FloatArray
    value: FloatArray
    low: FloatArray
    high: FloatArray
    each: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class MeasureState:
    """The newest step's ``measures``, the place of the chosen row among all of their rows, and its course."""

    measures: tuple[MeasureValues, ...]
    selected: int
    course: MeasureCourse


class MeasureHistory:
    """What own measures gave in the last ``steps`` steps."""

    def __init__(self, steps: int) -> None:
        self._steps: deque[tuple[float, tuple[MeasureValues, ...]]] = deque(maxlen=steps)
        self.selected = 0

    def add(self, feedback: Feedback) -> None:
        """Keep one step."""
        if self._steps and places(self._steps[-1][1]) != places(feedback.measures):
            self.clear()
        self._steps.append((feedback.time, feedback.measures))

    def clear(self) -> None:
        """Forget all steps."""
        self._steps.clear()
        self.selected = 0

    def copy(self) -> tuple[list[tuple[float, tuple[MeasureValues, ...]]], int]:
        """Return what is kept, and the chosen row; what it holds does not change any more."""
        return list(self._steps), self.selected

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(places(self._steps[-1][1])) if self._steps else 0


def places(measures: Sequence[MeasureValues]) -> list[tuple[str, str]]:
    """Return measure and row of every row, in the order in which they are counted."""
    return [(measure.name, row) for measure in measures for row in measure.rows]


def place_of(measures: Sequence[MeasureValues], selected: int) -> tuple[int, int]:
    """Return the number of the measure, and of the row in it."""
    for number, measure in enumerate(measures):
        if selected < len(measure.rows):
            return number, selected
        selected -= len(measure.rows)
    raise ValueError("there is no such row")


def resolve_measures(
    steps: Sequence[tuple[float, tuple[MeasureValues, ...]]], selected: int, history_s: float
) -> MeasureState | None:
    """Return what is shown of the last ``history_s`` seconds; None where there are no measures."""
    if not steps or not steps[-1][1]:
        return None
    newest, measures = steps[-1]
    number, row = place_of(measures, selected)
    shown = [(time, found[number]) for time, found in steps if time > newest - history_s]
    last = measures[number]
    course = MeasureCourse(
        title=f"{last.name}, {last.rows[row]}",
        unit=last.unit,
        limits=(last.low, last.high),
        of=last.of,
        time=np.array([time for time, _ in shown]),
        value=np.array([found.value[row] for _, found in shown]),
        low=np.array([found.null_low[row] for _, found in shown]),
        high=np.array([found.null_high[row] for _, found in shown]),
        each=np.array([found.each[:, row] for _, found in shown]).reshape(len(shown), len(last.of)),
    )
    return MeasureState(measures, selected, course)


def heading_of(measure: MeasureValues) -> str:
    """Return what stands over the rows of a measure: its name, unit and what its values are of."""
    unit = f" ({measure.unit})" if measure.unit else ""
    return f"{measure.name}{unit}, {_OF.get(measure.kind, measure.kind)}"


def value_text(value: float) -> str:
    """Return a value in three digits, with a true minus sign; 'n/a' where it is absent."""
    return f"{value:.3g}".replace("-", "\N{MINUS SIGN}") if np.isfinite(value) else "n/a"


def axis_limits(course: MeasureCourse) -> tuple[float, float]:
    """Return the ends of the axis: round what there is, a fifth of the measure's own range at least, zero included.

    They are those of the measure where nothing is there.
    """
    joined = np.concatenate([course.value, course.low, course.high, course.each.ravel()])
    there, (low, high) = joined[np.isfinite(joined)], course.limits
    if not there.size:
        return low, high
    around = [min(max(0.0, low), high), *there]
    bottom, top, room = float(min(around)), float(max(around)), (high - low) / 5
    short = max(0.0, room - (top - bottom))
    return bottom, top + max(short, 0.05 * (top - bottom))


def tick_spacing(span: float, most: int) -> float:
    """Return the distance of ticks, 1, 2 or 5 times a power of ten, of which at most ``most`` fit in ``span``."""
    power = 10.0 ** np.floor(np.log10(span / max(most, 1)))
    return float(next(step for step in (power, 2 * power, 5 * power, 10 * power) if span / step <= most + 1e-9))
