"""A figure of what a session found. Needs matplotlib, which the extra ``calibration`` brings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from rtaffect.common.arrays import FloatArray
from rtaffect.common.errors import RtaffectError
from rtaffect.engine.feedback import Feedback

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PREDICTED: Final = "tab:blue"
_OBSERVED: Final = "tab:orange"
_NULL: Final = "0.85"


class _TimeCourses(NamedTuple):
    """Correlations (steps,) of one row, NaN where absent."""

    predicted: FloatArray
    predicted_low: FloatArray
    predicted_high: FloatArray
    observed: FloatArray
    null_low: FloatArray
    null_high: FloatArray


def plot_feedback(feedbacks: Iterable[Feedback], row: str | None = None) -> Figure:
    """Draw observed synchrony with its null band, and predicted synchrony with its interval, over time.

    Observed values inside the null band are noise and have hollow dots, as in the window of a session.

    Parameters
    ----------
    feedbacks
        Steps of one session, as :func:`replay` gives them.
    row
        A row to be drawn below the mean over rows; None: the mean alone.

    Returns
    -------
    matplotlib.figure.Figure
        Outside pyplot: nothing needs to be closed. Its ``savefig`` writes a file.

    Raises
    ------
    RtaffectError
        If there is no step, they are of several sessions, the row does not exist, or matplotlib is not installed.
    """
    steps = list(feedbacks)
    rows = _rows_of(steps)
    if row is not None and row not in rows:
        raise RtaffectError(f"row {row!r} does not exist; expected one of {', '.join(rows)}")
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise RtaffectError(
            f'a figure needs {error.name}, which is not installed: pip install "rtaffect[calibration]"'
        ) from None
    shown = {f"mean over {steps[0].mean_of}": _mean(steps)}
    if row is not None:
        shown[row] = _row(steps, rows.index(row))
    figure = Figure(figsize=(9, 2.4 * len(shown) + 0.6), layout="constrained")
    panels = figure.subplots(len(shown), sharex=True, squeeze=False)[:, 0]
    seconds = np.array([f.time for f in steps])
    for axes, (title, courses) in zip(panels, shown.items(), strict=True):
        _draw(axes, seconds, courses)
        axes.set_title(title, loc="left")
        axes.set_ylabel("synchrony (r)")
    panels[-1].set_xlabel("end of the window (s)")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize="small", frameon=False)
    return figure


def _rows_of(steps: Sequence[Feedback]) -> tuple[str, ...]:
    if not steps:
        raise RtaffectError("there is no step to draw; an iterator of replay is empty once it has been read: use list")
    if len({f.rows for f in steps}) > 1:
        raise RtaffectError("the steps have different rows: draw those of one session at a time")
    return steps[0].rows


def _row(steps: Sequence[Feedback], i: int) -> _TimeCourses:
    return _TimeCourses(*(np.array([getattr(f, name)[i] for f in steps]) for name in _TimeCourses._fields))


def _mean(steps: Sequence[Feedback]) -> _TimeCourses:
    values = (
        (f.predicted_mean, f.predicted_mean_low, f.predicted_mean_high, f.observed_mean, f.null_mean_low,
         f.null_mean_high)
        for f in steps
    )  # fmt: skip
    return _TimeCourses(*np.array(list(values)).T)


def _draw(axes: Axes, seconds: FloatArray, courses: _TimeCourses) -> None:
    c = courses
    axes.axhline(0.0, color="0.5", linewidth=0.6)
    axes.fill_between(seconds, c.null_low, c.null_high, color=_NULL, linewidth=0, label="null band")
    axes.fill_between(
        seconds,
        c.predicted_low,
        c.predicted_high,
        color=_PREDICTED,
        alpha=0.2,
        linewidth=0,
        label="interval of the prediction",
    )
    axes.plot(seconds, c.predicted, color=_PREDICTED, label="predicted")
    axes.plot(seconds, c.observed, color=_OBSERVED, marker="o", markersize=3, label="observed")
    noise = (c.observed >= c.null_low) & (c.observed <= c.null_high)
    axes.plot(
        seconds[noise],
        c.observed[noise],
        color=_OBSERVED,
        linestyle="",
        marker="o",
        markersize=3,
        markerfacecolor="white",
        label="observed, inside the null band",
    )
