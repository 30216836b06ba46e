"""Whether observed synchrony followed the predicted one within a session, and how often that happens by chance."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from calibration.finished.report.data import FeedbackTable, SessionData
from calibration.nulls import p_values, shift_null
from calibration.report.numbers import LEVEL
from calibration.statistics import LEAST_GAPS, pair, score
from rtaffect.common.correlation import fisher_z
from rtaffect.common.errors import SettingsError

Array = NDArray[np.float64]
Numbers = dict[str, Any]
#: Draws of the null.
DRAWS: Final = 1999


def agreement_numbers(data: SessionData) -> Numbers:
    """Return r of predicted and observed synchrony, of the mean over rows and of each row, with circular shifts.

    Each block is turned by itself; courses are held about their own means in each block. The prediction was fitted to
    other people, so that it is taken as it is.
    """
    lags = data.ran.get("settings", {}).get("prediction", {}).get("lags_s", [])
    gap = data.window_s + max([int(lag) for lag in lags], default=0)
    found: Numbers = {"gap_s": gap, "least_s": LEAST_GAPS * gap, "mean": None, "rows": [], "blocks": [], "note": ""}
    if data.course is None:
        return found | {"note": "There are no steps."}
    parts = _parts(data, data.course)
    predicted, observed = ([side[inside] for inside in parts] for side in _sides(data.course))
    try:
        pairs = pair(predicted, observed, gap)
    except SettingsError:
        longest = max(
            (int(np.isfinite(x + y).sum(axis=0).max()) for x, y in zip(predicted, observed, strict=True)), default=0
        )
        words = (
            f"No block has {LEAST_GAPS * gap} s with both values (the longest has {longest}), and fewer cannot tell "
            f"agreement from chance: {LEAST_GAPS} windows of {data.window_s} s with the longest lag."
        )
        return found | {"note": words}
    true, null = score(pairs), shift_null(pairs, DRAWS, cross_fitted=False)
    mean = p_values(true.r[-1:], null[:, -1:])
    rows = p_values(true.r[:-1], null[:, :-1])
    found["blocks"] = [_name(data, number) for number in pairs.stimuli]
    if np.isfinite(true.r[-1]):
        found["mean"] = {
            "r": float(true.r[-1]), "p": float(mean.single[0]), "seconds": int(true.steps[-1]),
            "chance": float(np.percentile(null[:, -1], 100 * (1 - LEVEL))),
        }  # fmt: skip
    found["rows"] = [
        {"name": data.course.rows[i], "kind": data.course.kinds[i], "r": _number(true.r[i]),
         "p": _number(rows.single[i]), "p_family": _number(rows.family[i]), "seconds": int(true.steps[i])}
        for i in range(len(data.course.rows))
    ]  # fmt: skip
    return found


def _parts(data: SessionData, course: FeedbackTable) -> list[NDArray[np.bool_]]:
    """Return which steps are in each block; all where no blocks are known."""
    if not data.blocks:
        return [np.ones(len(course.time), np.bool_)]
    return [(course.time >= run.start - 1e-6) & (course.time < run.end - 1e-6) for run in data.blocks]


def _name(data: SessionData, number: int) -> str:
    return f"{data.blocks[number].number} {data.blocks[number].name}" if data.blocks else "the session"


def _sides(course: FeedbackTable) -> tuple[Array, Array]:
    """Return predicted and observed (steps, R + 1), Fisher z, the mean over rows last; NaN where not to be trusted."""
    sides = []
    for each, mean in ((course.predicted, "predicted"), (course.observed, "observed")):
        rows = np.where(course.trusted, each, np.nan)
        whole = np.where(course.mean_trusted, course.mean[mean], np.nan)
        sides.append(fisher_z(np.column_stack([rows, whole])))
    return sides[0], sides[1]


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
