"""The valence-arousal plane: where its points are now, whence they came in the last minute, and why one is not there.

Two dimensions of what is felt, as Russell (*J. Pers. Soc. Psychol.* 39, 1980) laid them: valence to the right, arousal
upwards. All places are shares of the scale, -1 (its low end) to 1. No Qt.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from rtaffect.common.arrays import FloatArray
from rtaffect.common.rating_scale import RatingScale
from rtaffect.engine.feedback import Feedback
from rtaffect.present.measure_state import value_text

#: Path of a point, s.
PATH_S: Final = 60.0
#: What the ends of the two dimensions are called, low and high.
ENDS: Final[dict[str, tuple[str, str]]] = {"valence": ("unpleasant", "pleasant"), "arousal": ("calm", "excited")}
#: Quadrants by the signs of valence and arousal.
QUADRANTS: Final[dict[tuple[int, int], str]] = {
    (1, 1): "excited, happy",
    (-1, 1): "tense, angry",
    (-1, -1): "sad, bored",
    (1, -1): "calm, content",
}
#: Other names under which the two dimensions go.
_ALSO: Final = {
    "pleasure": "valence",
    "pleasantness": "valence",
    "activation": "arousal",
    "excitement": "arousal",
    "intensity": "arousal",
}

#: How a point is drawn: each kind has its own colour and shape.
Look = Literal["predicted", "observed", "eeg", "sound", "both"]


@dataclass(frozen=True, slots=True)
class Axis:
    """One dimension: its ``name``, what its ends are called, and the numbers that stand at its ends and middle."""

    name: str
    low: str
    high: str
    numbers: tuple[float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class PlanePoint:
    """One point.

    Attributes
    ----------
    name, look
        What it is, in the key, and how it is drawn.
    at : (2,)
        Where it is, right and up; NaN where it has no value.
    low, high : (2,)
        Its interval in both directions; NaN where there is none.
    path : (n, 2)
        Where it was, oldest first, the present place last; NaN where it had no value.
    ages : (n,)
        How long ago that was, s.
    sure : bool
        Whether it can be relied on now.
    arc : float
        How far this moment is from what a model was trained on, as a share of the limit; NaN where that is not told.
    told : tuple of str
        What else is known of it, in words, a line each.
    why : str
        Why it has no value, or is not sure, in words; '' where neither is so.
    """

    name: str
    look: Look
    at: FloatArray
    low: FloatArray
    high: FloatArray
    path: FloatArray
    ages: FloatArray
    sure: bool = True
    why: str = ""
    arc: float = math.nan
    told: tuple[str, ...] = ()

    @property
    def there(self) -> bool:
        """Whether it has a value in both directions."""
        return bool(np.isfinite(self.at).all())


@dataclass(frozen=True, slots=True, eq=False)
class PlaneCourse:
    """How a point went over the shown time: ``time`` (T,) s, ``values`` (T, 2) right and up; NaN where absent."""

    name: str
    look: Look
    time: FloatArray
    values: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class PlaneState:
    """What the plane shows: its axes, and its points.

    ``right`` and ``up`` are the axes; ``quadrants`` whether the four parts have the names of valence and arousal.
    ``courses`` are drawn beside the plane, where no other page has them. ``nearest`` are sounds that fit best, each
    with how alike it is; None where there is no library. ``whose`` is the person whose points they are, one of
    ``people``; '' where they are nobody's in particular.
    """

    right: Axis
    up: Axis
    quadrants: bool
    points: tuple[PlanePoint, ...]
    courses: tuple[PlaneCourse, ...] = ()
    nearest: tuple[tuple[str, float], ...] | None = None
    whose: str = ""
    people: tuple[str, ...] = ()


def dimension(name: str) -> str:
    """Return 'valence' or 'arousal' where ``name`` means one of them, else the name."""
    plain = name.strip().casefold()
    return _ALSO.get(plain, plain)


def placed(rows: Sequence[str]) -> tuple[int, int] | None:
    """Return which rows go to the right and upwards: valence and arousal, else the first two; None below two rows."""
    if len(rows) < 2:
        return None
    meant = [dimension(row) for row in rows]
    if "valence" in meant and "arousal" in meant:
        return meant.index("valence"), meant.index("arousal")
    return (1, 0) if meant[0] == "arousal" or meant[1] == "valence" else (0, 1)


def axis_of(row: str, scale: RatingScale) -> Axis:
    """Return the axis of a rating."""
    low, high = ENDS.get(dimension(row), ("low", "high"))
    return Axis(row, low, high, (scale.low, scale.middle, scale.high))


def rated_plane(latest: Feedback, time: FloatArray, predicted: FloatArray, observed: FloatArray) -> PlaneState | None:
    """Return the plane of a session with a bundle of ratings; None where its rows are others, or fewer than two.

    Parameters
    ----------
    latest
        The newest step.
    time : (T,)
        Session time of the kept steps, s, oldest first.
    predicted, observed : (T, R)
        What was predicted and observed then, in the ratings' unit.
    """
    where = placed(latest.rows) if latest.rating is not None else None
    if where is None or latest.rating is None:
        return None
    scale, pair = latest.rating, list(where)
    names = [latest.rows[row] for row in pair]
    recent = time > latest.time - PATH_S
    ages = latest.time - time[recent]
    nothing = np.full(2, np.nan)

    def point(look: Look, values: FloatArray, low: FloatArray, high: FloatArray, path: FloatArray) -> PlanePoint:
        at, *ends = (scale.shares(names, each) for each in (values, low, high))
        sure = bool(latest.trusted[pair].all()) if look == "predicted" else True
        there = bool(np.isfinite(at).all())
        why = "" if there and sure else latest.reason or ("no value now" if not there else "not trusted now")
        shares = scale.shares(names, path[recent][:, pair])
        return PlanePoint(look, look, at, ends[0], ends[1], shares, ages, sure, why)

    right, up = (axis_of(name, scale.of(name)) for name in names)
    return PlaneState(
        right=right,
        up=up,
        quadrants={dimension(right.name), dimension(up.name)} == {"valence", "arousal"},
        points=(
            point(
                "predicted", latest.predicted[pair], latest.predicted_low[pair], latest.predicted_high[pair], predicted
            ),
            point("observed", latest.observed[pair], nothing, nothing, observed),
        ),
    )


def value_words(axis: Axis, at: float, low: float, high: float) -> str:
    """Return a place on an axis in words, in the axis' own unit, with its interval where there is one."""
    if not np.isfinite(at):
        return f"{axis.name} n/a"
    told = f"{axis.name} {_number(axis, at)}"
    if np.isfinite(low) and np.isfinite(high):
        told += f" ({_number(axis, low)} to {_number(axis, high)})"
    return told


def _number(axis: Axis, share: float) -> str:
    first, middle, last = axis.numbers
    return value_text(round(middle + share * (last - first) / 2, 3) + 0.0)


def path_pieces(path: FloatArray, ages: FloatArray) -> list[tuple[int, int]]:
    """Return the pieces of a path, as first and last place (both inside), that no missing value or step parts."""
    there = np.isfinite(path).all(axis=1) if len(path) else np.empty(0, np.bool_)
    apart = np.flatnonzero(np.abs(np.diff(ages)) > 1.5) + 1
    pieces: list[tuple[int, int]] = []
    for at in np.flatnonzero(there).tolist():
        if pieces and pieces[-1][1] == at - 1 and at not in apart:
            pieces[-1] = pieces[-1][0], at
        else:
            pieces.append((at, at))
    return pieces


def strength(age_s: float) -> float:
    """Return how strongly a part of the path is drawn: from 1 now to 0 after ``PATH_S``."""
    return float(np.clip(1.0 - age_s / PATH_S, 0.0, 1.0))
