"""Whether observed synchrony followed the predicted one within a session, and how often that happens by chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.finished.report.blocks import inside_of
from calibration.finished.report.data import FeedbackTable, SessionData
from calibration.statistics import LEAST_GAPS
from rtaffect.common.arrays import BoolArray, FloatArray
from rtaffect.common.chance import LEAST_WINDOWS, CorrelationByChance, correlation_by_chance, drift_caution
from rtaffect.common.rating_scale import RatingScale
from rtaffect.common.settings import NO_DRIFT


@dataclass(frozen=True, slots=True)
class MeanAgreement:
    """Correlation of the means over rows, its two-sided p, and the upper end of its range by chance.

    ``plain_r`` and ``plain_p`` are what they would be if no drifts were taken out.
    """

    r: float
    p: float
    seconds: int
    chance: float
    plain_r: float | None
    plain_p: float | None


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
class AgreementReport:
    """What is said of agreement, in the blocks with at least ``least_s`` of both values; ``note`` is why nothing is.

    ``caution`` tells that the verdict hangs on the drifts that are taken out.
    """

    gap_s: int
    least_s: int
    mean: MeanAgreement | None = None
    rows: tuple[RowAgreement, ...] = ()
    blocks: tuple[str, ...] = ()
    note: str = ""
    caution: str = ""


def agreement_of(data: SessionData) -> AgreementReport:
    """Return r of predicted and observed, of the mean over rows and of each row, and what chance would give.

    Blocks are held about their own means and drifts. Chance is that of the operator's window,
    :mod:`rtaffect.common.chance`.
    """
    lags = data.ran.get("settings", {}).get("prediction", {}).get("lags_s", [])
    # Of ratings, too: they move no faster than a window does.
    window = round(data.setting("synchrony", "window_s", 10))
    gap = window + max([int(lag) for lag in lags], default=0)
    least = LEAST_GAPS * gap
    if data.course is None:
        return AgreementReport(gap, least, note="There are no steps.")
    predicted, observed = _sides(data.course, data.rating)
    both = np.isfinite(predicted + observed)
    parts = {number: part for number, part in enumerate(_parts(data, data.course)) if _seconds(both[part]) >= least}
    used = np.concatenate([np.flatnonzero(part) for part in parts.values()]) if parts else np.empty(0, np.intp)
    seconds, needed = both[used].sum(axis=0), LEAST_WINDOWS * window
    if _seconds(both[used]) < needed:
        words = (
            f"Blocks with {least} s or more of both values have {_seconds(both[used])} s of them, where {needed} are "
            f"needed: {LEAST_WINDOWS} windows of {window} s; fewer cannot tell agreement from chance."
        )
        return AgreementReport(gap, least, note=words)
    starts = np.cumsum([0, *(int(part.sum()) for part in parts.values())][:-1])
    *rows, mean = (
        correlation_by_chance(x, y, window, starts, data.drift)
        for x, y in zip(predicted[used].T, observed[used].T, strict=True)
    )
    plain = correlation_by_chance(predicted[used, -1], observed[used, -1], window, starts, NO_DRIFT)
    whole = None if mean is None else _mean(mean, plain, int(seconds[-1]))
    each = tuple(
        RowAgreement(name, kind, None if row is None else row.r, None if row is None else row.p, family, int(some))
        for name, kind, row, family, some in zip(
            data.course.rows, data.course.kinds, rows, _family(rows), seconds[:-1], strict=True
        )
    )
    names = tuple(_name(data, number) for number in parts)
    return AgreementReport(gap, least, whole, each, names, caution=drift_caution(mean, plain))


def _mean(found: CorrelationByChance, plain: CorrelationByChance | None, seconds: int) -> MeanAgreement:
    without = (None, None) if plain is None else (plain.r, plain.p)
    return MeanAgreement(found.r, found.p, seconds, found.interval[1], *without)


def _seconds(both: BoolArray) -> int:
    """Return how many of the steps (steps, R + 1) have both values, in the row that has most."""
    return int(both.sum(axis=0).max(initial=0))


def _family(rows: list[CorrelationByChance | None]) -> list[float | None]:
    """Return p of each row among all: how many shifts reach its t in any row, but no less than its own p.

    By the largest of all rows in each shift (Nichols & Holmes, *Hum. Brain Mapp.* 15, 2002).
    """
    known = [row for row in rows if row is not None]
    if not known:
        return [None] * len(rows)
    largest = np.nan_to_num(np.abs([row.shifts_t for row in known])).max(axis=0)
    return [
        None if row is None else max(row.p, float((1 + (largest >= abs(row.t)).sum()) / (1 + len(largest))))
        for row in rows
    ]


def _parts(data: SessionData, course: FeedbackTable) -> list[BoolArray]:
    """Return which steps are in each block; all where no blocks are known."""
    if not data.blocks:
        return [np.ones(len(course.time), np.bool_)]
    return [inside_of(run, course.time) for run in data.blocks]


def _name(data: SessionData, number: int) -> str:
    return f"{data.blocks[number].number} {data.blocks[number].name}" if data.blocks else "the session"


def _sides(course: FeedbackTable, rating: RatingScale | None) -> tuple[FloatArray, FloatArray]:
    """Return predicted and observed (steps, R + 1), the mean over rows last; NaN where not to be trusted.

    Ratings as what is compared by Fisher z, which gives back their share of the scale; they have no mean.
    """
    sides = []
    for each, mean in ((course.predicted, "predicted"), (course.observed, "observed")):
        rows = np.where(course.trusted, each, np.nan)
        whole = np.where(course.mean_trusted, course.mean[mean], np.nan)
        sides.append(np.column_stack([rows if rating is None else np.tanh(rating.shares(course.rows, rows)), whole]))
    return sides[0], sides[1]
