"""Figures of the report about rows: how well each is predicted, held-out courses, and the penalties chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from calibration.outcome import Outcome
from calibration.pages import Picture, decimal
from calibration.report.figures import (
    CEILING,
    CHANCE,
    MUTED,
    OBSERVED,
    PREDICTED,
    ROW,
    WIDTH,
    format_axis,
    handle,
    marker,
    picture,
    short,
)
from calibration.report.numbers import LEVEL, has_listeners, lengths_of
from calibration.report.set_numbers import row_p
from calibration.ridge import ALPHAS
from rtaffect.common.correlation import fisher_mean
from rtaffect.common.settings import STEP_S

Array = NDArray[np.float64]

#: Rows in one column of the dot plot.
_ROWS: Final = 45
#: Stimuli in one figure of courses.
_PANELS: Final = 12
#: From so many seconds on a stimulus has the whole width.
_LONG_S: Final = 300


def rows_figure(outcome: Outcome, rows: Sequence[int]) -> Picture:
    """Return some rows' held-out r, sorted, with chance and ceiling of each."""
    result = outcome.sweep.of(outcome.chosen)
    r = result.score.r
    order = sorted(rows, key=lambda i: -r[i] if np.isfinite(r[i]) else np.inf)
    columns = min(3, -(-len(order) // _ROWS))
    each = -(-len(order) // columns)
    parts = [order[start : start + each] for start in range(0, len(order), each)]

    def draw(figure: Any) -> None:
        grid = figure.subplots(1, len(parts), sharex=True, squeeze=False)[0]
        for axes, part in zip(grid, parts, strict=True):
            _draw_rows(axes, outcome, part)
            axes.set_ylim(each - 0.4, -0.6)
        grid[0].set_xlim(*_reach(outcome, order))
        figure.legend(handles=_rows_key(outcome), loc="outside lower center", ncols=4)

    best = f"; the highest is {outcome.bundle.space.rows[order[0]]}" if np.isfinite(r[order[0]]) else ""
    alt = f"Held-out r of {len(order)} rows, sorted{best}."
    return picture("rows", alt, 1.25 + 0.185 * each, draw)


def _draw_rows(axes: Any, outcome: Outcome, part: Sequence[int]) -> None:
    """Draw one column of the dot plot, from the top."""
    result, space = outcome.sweep.of(outcome.chosen), outcome.bundle.space
    names = [f"{n}, group" if kind == "group" else n for n, kind in zip(space.rows, space.row_kinds, strict=True)]
    p = row_p(result, space.layout.counted).family
    for y, i in enumerate(part):
        chance, r = result.chance[i], result.score.r[i]
        ends = [c[i] for c in outcome.ceiling_ends if np.isfinite(c[i])]
        if len(ends) == 2:
            axes.plot(ends, [y, y], color=CEILING, linewidth=5, zorder=2)
        elif ends:
            axes.plot(ends, [y], marker="|", markersize=9, markeredgewidth=3, color=CEILING, zorder=2)
        if np.isfinite(chance):
            axes.barh(y, chance + 2, left=-2, height=0.82, color=CHANCE, linewidth=0, zorder=0)
        if np.isfinite(r):
            axes.plot(r, y, zorder=3, **marker(bool(p[i] < LEVEL)) | {"markersize": 5})
        else:
            axes.text(0.01, y, "no value", va="center", fontsize=7.5, color=MUTED)
    axes.axvline(0, color=ROW, linewidth=0.6, zorder=1)
    axes.set_yticks(range(len(part)), [short(names[i], 36) for i in part], fontsize=7.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("held-out r")
    format_axis(axes.xaxis)


def _reach(outcome: Outcome, rows: Sequence[int]) -> tuple[float, float]:
    """Return the ends of an axis that has all that is drawn of some rows."""
    result = outcome.sweep.of(outcome.chosen)
    drawn = np.concatenate([c[rows] for c in (*outcome.ceiling_ends, result.score.r, result.chance)])
    drawn = drawn[np.isfinite(drawn)]
    return float(drawn.min(initial=0.0)) - 0.05, float(drawn.max(initial=0.1)) + 0.05


def _rows_key(outcome: Outcome) -> list[Any]:
    found = [
        handle("line", label="p < .05, family-wise", linestyle="", **marker(True)),
        handle("line", label="p \N{GREATER-THAN OR EQUAL TO} .05", linestyle="", **marker(False)),
        handle("patch", label="chance: 95 % of displaced courses", facecolor=CHANCE),
    ]
    if np.isfinite(np.concatenate(outcome.ceiling_ends)).any():
        found.append(handle("patch", label="noise ceiling, low to high", facecolor=CEILING))
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _TimeCourse:
    """The mean over counted rows during one stimulus; arrays are of its steps, low and high NaN where there are none.

    ``people_low`` and ``people_high`` are the lowest and highest listener, ``low`` and ``high`` the interval.
    """

    name: str
    r: float
    observed: Array
    predicted: Array
    people_low: Array
    people_high: Array
    low: Array
    high: Array


def time_courses_figures(outcome: Outcome) -> list[Picture]:
    """Return predicted and observed courses of every stimulus, some stimuli to a figure."""
    time_courses = _time_courses(outcome)
    found = []
    for number, start in enumerate(range(0, len(time_courses), _PANELS), start=1):
        part = time_courses[start : start + _PANELS]
        message = ", ".join(f"{c.name} {decimal(c.r)}" for c in part if np.isfinite(c.r))
        alt = f"Predicted and observed courses of the mean over rows; r of each: {message or 'none'}."
        columns = 1 if len(part) == 1 or max(len(c.observed) for c in part) >= _LONG_S else 2
        height = 1.0 + 1.65 * -(-len(part) // columns)

        def draw(figure: Any, part: Sequence[_TimeCourse] = part, columns: int = columns) -> None:
            _draw_time_courses(figure, outcome, part, columns)

        found.append(picture(f"courses-{number}", alt, height, draw))
    return found


def _time_courses(outcome: Outcome) -> list[_TimeCourse]:
    """Return the courses as they are shown: correlations, or ratings as they are."""
    result, space = outcome.sweep.of(outcome.chosen), outcome.bundle.space
    show = np.tanh if has_listeners(outcome) else np.asarray
    cuts = np.cumsum(lengths_of(outcome))[:-1]
    observed, predicted = np.split(result.fit.target, cuts), np.split(result.fit.held_out, cuts)
    weights = outcome.bundle.weights
    found = []
    for i, sound in enumerate(outcome.measured.sounds):
        members = space.layout.counted & np.isfinite(result.score.each[i, :-1])
        members = members if members.any() else space.layout.counted
        middle = predicted[i][:, members].mean(axis=1)
        low, high = _range(outcome, i, members)
        found.append(
            _TimeCourse(
                sound.name,
                float(result.score.each[i, -1]),
                np.asarray(show(observed[i][:, members].mean(axis=1))),
                np.asarray(show(middle)),
                low,
                high,
                np.asarray(show(middle + weights.residual_low[-1])),
                np.asarray(show(middle + weights.residual_high[-1])),
            )
        )
    return found


def _range(outcome: Outcome, stimulus: int, members: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Return the lowest and highest listener's mean over ``members`` at each step; NaN without listeners."""
    people = outcome.measured.people[stimulus] if outcome.measured.people else np.empty((0, 0, 0))
    if not len(people):
        none = np.full(lengths_of(outcome)[stimulus], np.nan)
        return none, none
    each = fisher_mean(np.tanh(people[..., members]), axis=-1)
    return np.fmin.reduce(each, axis=0), np.fmax.reduce(each, axis=0)


def _draw_time_courses(figure: Any, outcome: Outcome, part: Sequence[_TimeCourse], columns: int) -> None:
    grid = figure.subplots(-(-len(part) // columns), columns, sharey=True, squeeze=False)
    for axes in grid.ravel()[len(part) :]:
        axes.set_axis_off()
    for place, (axes, course) in enumerate(zip(grid.ravel(), part, strict=False)):
        time = STEP_S * np.arange(1, len(course.observed) + 1)
        axes.fill_between(time, course.people_low, course.people_high, color=OBSERVED, alpha=0.14, linewidth=0)
        for end in (course.low, course.high):
            axes.plot(time, end, color=PREDICTED, linewidth=0.7, linestyle=(0, (4, 2)), alpha=0.9)
        axes.plot(time, course.observed, color=OBSERVED, linewidth=1.3)
        axes.plot(time, course.predicted, color=PREDICTED, linewidth=1.3)
        if has_listeners(outcome):
            axes.axhline(0, color=ROW, linewidth=0.5, zorder=0)
        r = f"r = {decimal(course.r)}" if np.isfinite(course.r) else "not judged: too short"
        axes.set_title(f"{short(course.name)}, {r}", loc="left", fontsize=8.5)
        axes.set_xlim(0, len(time) * STEP_S)
        format_axis(axes.yaxis)
        if place + columns >= len(part):
            axes.set_xlabel("time in the stimulus, s")
    measure = "synchrony, r" if has_listeners(outcome) else "rating, in its own unit"
    figure.supylabel(measure, fontsize=9)
    figure.legend(handles=_time_courses_key(outcome, part), loc="outside lower center", ncols=4)


def _time_courses_key(outcome: Outcome, part: Sequence[_TimeCourse]) -> list[Any]:
    people, level = has_listeners(outcome), outcome.bundle.manifest.settings.prediction.interval_level
    found = [handle("line", label="observed, mean of listeners" if people else "observed", color=OBSERVED)]
    if people:
        found.append(handle("patch", label="lowest to highest listener", facecolor=OBSERVED, alpha=0.2))
    found.append(handle("line", label="predicted, held out", color=PREDICTED))
    if any(np.isfinite(course.low).any() for course in part):
        label = f"{100 * level:.0f} % interval{' of one listener' if people else ''}"
        found.append(handle("line", label=label, color=PREDICTED, linewidth=0.9, linestyle=(0, (4, 2))))
    return found


def _penalty(alpha: float) -> str:
    """Return a penalty of the grid with two digits."""
    return np.format_float_positional(alpha, precision=2, fractional=False, trim="-").lstrip("0")


def penalties_figure(outcome: Outcome) -> Picture:
    """Return how many rows have each penalty of the grid."""
    alpha = outcome.sweep.of(outcome.chosen).fit.alpha
    alpha = alpha[np.isfinite(alpha)]
    counts = np.bincount(np.abs(np.log(ALPHAS)[:, None] - np.log(alpha)).argmin(axis=0), minlength=len(ALPHAS))
    edges = np.isin(np.arange(len(ALPHAS)), (0, len(ALPHAS) - 1))

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        at = np.arange(len(ALPHAS))
        axes.axvspan(-0.5, 0.5, color=CHANCE, linewidth=0, zorder=0)
        axes.axvspan(len(ALPHAS) - 1.5, len(ALPHAS) - 0.5, color=CHANCE, linewidth=0, zorder=0)
        bars = axes.bar(at, counts, width=0.8, color=np.where(edges, OBSERVED, PREDICTED), zorder=2)
        axes.bar_label(bars, [str(n) if n else "" for n in counts], fontsize=8, padding=1)
        axes.set_xticks(at, [_penalty(a) for a in ALPHAS])
        axes.set_xlim(-0.6, len(ALPHAS) - 0.4)
        axes.set_ylim(0, max(1.0, 1.15 * counts.max(initial=0)))
        axes.yaxis.get_major_locator().set_params(integer=True)
        axes.set(xlabel="penalty per training step (shaded: edges of the grid)", ylabel="rows")

    message = ", ".join(f"{n} at {_penalty(a)}" for a, n in zip(ALPHAS, counts, strict=True) if n)
    return picture("penalties", f"Number of rows with each penalty: {message or 'none'}.", 0.28 * WIDTH, draw)
