"""What is shown of affect: a person's valence and arousal from EEG, from sound and from both, on the plane. No Qt."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from rtaffect.affect.values import SOURCES, AffectEstimate, AffectSource, AffectValues
from rtaffect.common.arrays import FloatArray
from rtaffect.common.rating_scale import RatingScale
from rtaffect.engine.feedback import Feedback
from rtaffect.present.plane_state import PATH_S, PlaneCourse, PlanePoint, PlaneState, axis_of

#: What each point is called.
NAMES: Final[dict[AffectSource, str]] = {"eeg": "from the EEG", "sound": "from the sound", "both": "from both"}
#: Where nobody wears a headset, what is told is of the sound.
NOBODY: Final = "the sound alone"
#: Affect is told from the low end of its scale, -1, to the high one, 1.
_SCALE: Final = RatingScale(low=-1.0, high=1.0)

Step = tuple[float, tuple[AffectValues, ...]]


class AffectHistory:
    """What was told of affect in the last ``steps`` steps, and whose is shown."""

    def __init__(self, steps: int) -> None:
        self._steps: deque[Step] = deque(maxlen=steps)
        self.selected = 0

    def add(self, feedback: Feedback) -> None:
        """Keep one step."""
        if self._steps and [v.person for v in self._steps[-1][1]] != [v.person for v in feedback.affect]:
            self.clear()
        if feedback.affect:
            self._steps.append((feedback.time, feedback.affect))

    def clear(self) -> None:
        """Forget all steps."""
        self._steps.clear()
        self.selected = 0

    @property
    def people(self) -> int:
        """Of how many people affect is told."""
        return len(self._steps[-1][1]) if self._steps else 0

    def copy(self) -> tuple[list[Step], int]:
        """Return what is kept, and whose is shown; what it holds does not change any more."""
        return list(self._steps), self.selected


def affect_plane(steps: Sequence[Step], selected: int, history_s: float) -> PlaneState | None:
    """Return the plane of the chosen person in the last ``history_s`` seconds; None where nothing is told of affect."""
    if not steps:
        return None
    newest, values = steps[-1]
    shown = [(time, each[selected]) for time, each in steps if time > newest - history_s]
    time = np.array([time for time, _ in shown])
    recent = time > newest - PATH_S
    points, courses = [], []
    for source in SOURCES:
        course = np.array([_place(each.estimate(source)) for _, each in shown])
        if not np.isfinite(course).any() and not values[selected].estimate(source).reason:
            # As the EEG where nobody wears a headset: nothing to be missed.
            continue
        courses.append(PlaneCourse(NAMES[source], source, time, course))
        points.append(_point(source, values[selected].estimate(source), course[recent], newest - time[recent]))
    right, up = axis_of("valence", _SCALE), axis_of("arousal", _SCALE)
    people = tuple(each.person or NOBODY for each in values)
    nearest = tuple((near.name, near.similarity) for near in values[selected].nearest)
    has_library = any(each.nearest for _, each in shown)
    return PlaneState(
        right,
        up,
        quadrants=True,
        points=tuple(points),
        courses=tuple(courses),
        nearest=nearest if has_library else None,
        whose=people[selected],
        people=people,
    )


def joined_planes(rated: PlaneState | None, affect: PlaneState | None) -> PlaneState | None:
    """Return one plane of ratings and of affect; ratings of other dimensions than valence and arousal stay apart."""
    if rated is None or affect is None or not rated.quadrants:
        return affect or rated
    return replace(affect, right=rated.right, up=rated.up, points=(*rated.points, *affect.points))


def any_affect(latest: Feedback) -> bool:
    """Return whether a step tells anything of anybody's affect."""
    return any(each.estimate(source).there for each in latest.affect for source in SOURCES)


def _place(estimate: AffectEstimate) -> tuple[float, float]:
    return (estimate.valence, estimate.arousal) if estimate.there else (math.nan, math.nan)


def _point(source: AffectSource, now: AffectEstimate, path: FloatArray, ages: FloatArray) -> PlanePoint:
    nothing = np.full(2, np.nan)
    told: tuple[str, ...] = ()
    if now.there:
        told = (f"above the middle: valence {_percent(now.valence_high)}, arousal {_percent(now.arousal_high)}",)
    return PlanePoint(
        NAMES[source],
        source,
        np.array(_place(now)),
        nothing,
        nothing,
        path,
        ages,
        why=now.reason,
        arc=now.novelty if now.there else math.nan,
        told=told,
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if math.isfinite(share) else "n/a"
