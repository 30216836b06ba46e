"""Whether observed synchrony followed the predicted one within a session, and how often that happens by chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibration.finished.report.as_json import known
from calibration.finished.report.data import FeedbackTable, SessionData
from calibration.nulls import p_values, shift_null
from calibration.report.numbers import LEVEL
from calibration.statistics import LEAST_GAPS, pair, score
from rtaffect.common.arrays import FloatArray
from rtaffect.common.correlation import fisher_z
from rtaffect.common.errors import SettingsError

#: Draws of the null.
DRAWS: Final = 1999


@dataclass(frozen=True, slots=True)
class MeanAgreement:
    """Correlation of the means over rows, its one-sided p, and the r below which 95 % of turned courses stay."""

    r: float
    p: float
    seconds: int
    chance: float


@dataclass(frozen=True, slots=True)
class RowAgreement:
    """Correlation of one row, with p alone and among all rows; None where there are too few values."""

    name: str
    kind: str
    r: float | None
    p: float | None
    p_family: float | None
    seconds: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """What is said of agreement, in the blocks with at least ``least_s`` of both values; ``note`` is why nothing is."""

    gap_s: int
    least_s: int
    mean: MeanAgreement | None = None
    rows: tuple[RowAgreement, ...] = ()
    blocks: tuple[str, ...] = ()
    note: str = ""


def agreement_of(data: SessionData) -> Agreement:
    """Return r of predicted and observed synchrony, of the mean over rows and of each row, with circular shifts.

    Each block is turned by itself; courses are held about their own means in each block. The prediction was fitted to
    other people, so that it is taken as it is.
    """
    lags = data.ran.get("settings", {}).get("prediction", {}).get("lags_s", [])
    gap = data.window_s + max([int(lag) for lag in lags], default=0)
    least = LEAST_GAPS * gap
    if data.course is None:
        return Agreement(gap, least, note="There are no steps.")
    parts = _parts(data, data.course)
    predicted, observed = ([side[inside] for inside in parts] for side in _sides(data.course))
    try:
        pairs = pair(predicted, observed, gap)
    except SettingsError:
        longest = max(
            (int(np.isfinite(x + y).sum(axis=0).max()) for x, y in zip(predicted, observed, strict=True)), default=0
        )
        words = (
            f"No block has {least} s with both values (the longest has {longest}), and fewer cannot tell agreement "
            f"from chance: {LEAST_GAPS} windows of {data.window_s} s with the longest lag."
        )
        return Agreement(gap, least, note=words)
    true, null = score(pairs), shift_null(pairs, DRAWS, cross_fitted=False)
    mean = p_values(true.r[-1:], null[:, -1:])
    rows = p_values(true.r[:-1], null[:, :-1])
    whole = None
    if np.isfinite(true.r[-1]):
        chance = float(np.percentile(null[:, -1], 100 * (1 - LEVEL)))
        whole = MeanAgreement(float(true.r[-1]), float(mean.single[0]), int(true.steps[-1]), chance)
    each = [
        RowAgreement(name, kind, known(true.r[i]), known(rows.single[i]), known(rows.family[i]), int(true.steps[i]))
        for i, (name, kind) in enumerate(zip(data.course.rows, data.course.kinds, strict=True))
    ]
    return Agreement(gap, least, whole, tuple(each), tuple(_name(data, number) for number in pairs.stimuli))


def _parts(data: SessionData, course: FeedbackTable) -> list[NDArray[np.bool_]]:
    """Return which steps are in each block; all where no blocks are known."""
    if not data.blocks:
        return [np.ones(len(course.time), np.bool_)]
    return [(course.time >= run.start - 1e-6) & (course.time < run.end - 1e-6) for run in data.blocks]


def _name(data: SessionData, number: int) -> str:
    return f"{data.blocks[number].number} {data.blocks[number].name}" if data.blocks else "the session"


def _sides(course: FeedbackTable) -> tuple[FloatArray, FloatArray]:
    """Return predicted and observed (steps, R + 1), Fisher z, the mean over rows last; NaN where not to be trusted."""
    sides = []
    for each, mean in ((course.predicted, "predicted"), (course.observed, "observed")):
        rows = np.where(course.trusted, each, np.nan)
        whole = np.where(course.mean_trusted, course.mean[mean], np.nan)
        sides.append(fisher_z(np.column_stack([rows, whole])))
    return sides[0], sides[1]
