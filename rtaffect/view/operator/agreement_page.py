"""The page of agreement: running correlation and difference of predicted and observed, with what chance would give."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF
from PySide6.QtGui import QPainterPath
from PySide6.QtWidgets import QGridLayout, QWidget

from rtaffect.common.arrays import FloatArray
from rtaffect.common.chance import Range
from rtaffect.present.sections import row_title
from rtaffect.present.session_state import ViewState, beside_title, correlation_limits
from rtaffect.present.time_courses import AgreementCurves, TimeCourse, compare
from rtaffect.view.parts import theme
from rtaffect.view.parts.plot_key import Key, agreement_key
from rtaffect.view.parts.time_plot import TimePlot, band, band_path, line

EXPLAINED = (
    "By chance: where 95 % of the values would lie without a time lock. The predicted course is shifted in a circle "
    "within the shown time, by a window or more; neighbouring steps share a window and do not count as new ones. Slow "
    "drifts are taken out of both for r: courses that merely trend do not agree."
)

EXPLAINED_RATING = (
    "By chance: where 95 % of the values would lie if the rating had nothing to do with the sound. The predicted "
    "course is shifted in a circle within the shown time, by 10 s or more; ratings are slow: neighbouring steps do "
    "not count as new ones. Slow drifts are taken out of both for r: courses that merely trend do not agree."
)


class RunningPlot(TimePlot):
    """Running correlation of one course, with its range by chance."""

    def __init__(self) -> None:
        super().__init__("", "running r", note_below=True)
        self.chance = band(theme.NULL, 0.26)
        self.zero: Any = pg.InfiniteLine(0.0, angle=0, pen=theme.plot_pen(theme.FAINT))
        self.r = line(theme.TEXT, 2)
        self.add_items(self.chance, self.zero, self.r)
        self.show_limits(-1.0, 1.0)

    def show_comparison(self, name: str, course: TimeCourse, found: AgreementCurves) -> None:
        """Draw the running correlation."""
        theme.set_text(self.heading, name)
        theme.set_text(self.note, course.agreement.text)
        self.chance.setPath(_level_band(course.time, found.running.chance))
        self.r.setData(course.time, found.running.r)
        self.show_limits(-1.0, 1.0)
        there = bool(np.isfinite(found.running.r).any())
        theme.set_text(self.empty, f"a running r needs {found.running.steps} steps")
        self.empty.setVisible(not there)


class DifferencePlot(TimePlot):
    """Observed - predicted of one course, with where it would lie by the prediction, and as noise."""

    def __init__(self) -> None:
        super().__init__("", "difference (r)", note_below=True)
        self.noise, self.expected = band(theme.NULL, 0.26), band(theme.PREDICTED, 0.22)
        self.zero: Any = pg.InfiniteLine(0.0, angle=0, pen=theme.plot_pen(theme.FAINT))
        self.each: Any = pg.ScatterPlotItem(size=4, pen=None, brush=theme.brush(theme.OBSERVED, 0.6))
        self.smoothed = line(theme.OBSERVED, 3)
        self.add_items(self.noise, self.expected, self.zero, self.each, self.smoothed)

    def show_comparison(self, course: TimeCourse, found: AgreementCurves) -> None:
        """Draw the difference."""
        theme.set_text(self.heading, "Observed \N{MINUS SIGN} predicted")
        theme.set_text(self.note, course.agreement.distance_text)
        self.noise.setPath(band_path(course.time, found.noise_low, found.noise_high))
        self.expected.setPath(band_path(course.time, found.expected_low, found.expected_high))
        there = np.isfinite(course.difference)
        self.each.setData(course.time[there], course.difference[there])
        self.smoothed.setData(course.time, found.smoothed)
        bands = (found.noise_low, found.noise_high, found.expected_low, found.expected_high)
        rating = course.rating
        self.name_values("difference (r)" if rating is None else "difference", of_correlations=rating is None)
        if rating is None:
            self.show_limits(*correlation_limits(course.difference, *bands, floor=-0.3, ceiling=0.3))
        else:
            joined = np.concatenate([course.difference, *bands])
            reach = float(np.abs(joined[np.isfinite(joined)]).max(initial=0.2 * (rating.high - rating.low)))
            self.show_limits(-1.05 * reach, 1.05 * reach)
        self.empty.setVisible(not there.any())


class AgreementPage(QWidget):
    """The mean over rows on the left, the chosen row on the right; the correlation above, the difference below.

    The plots are built when the page is first drawn: they are a third of what a window costs to open.
    """

    def __init__(self, smooth_steps: int) -> None:
        super().__init__()
        self.key = Key(agreement_key(smooth_steps))
        self.running: tuple[RunningPlot, ...] = ()
        self.differences: tuple[DifferencePlot, ...] = ()
        self.explained = theme.label(EXPLAINED, 12, theme.MUTED)
        self.explained.setWordWrap(True)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(8)
        self._grid.addWidget(self.key, 0, 0, 1, 2)
        self._grid.addWidget(self.explained, 3, 0, 1, 2)

    def _build(self) -> None:
        self.running = (RunningPlot(), RunningPlot())
        self.differences = (DifferencePlot(), DifferencePlot())
        for column, plots in enumerate(zip(self.running, self.differences, strict=True)):
            self._grid.setColumnStretch(column, 1)
            for number, plot in enumerate(plots, start=1):
                self._grid.addWidget(plot, number, column)
                self._grid.setRowStretch(number, 1)

    @property
    def plots(self) -> tuple[TimePlot, ...]:
        """Return all plots."""
        return (*self.running, *self.differences)

    def show_state(self, state: ViewState) -> None:
        """Draw the shown time."""
        if not self.running:
            self._build()
        latest = state.latest
        rated = latest is not None and latest.rating is not None
        self.key.show_entries(agreement_key(state.smooth_steps, rating=rated))
        theme.set_text(self.explained, EXPLAINED_RATING if rated else EXPLAINED)
        names = (beside_title(state), row_title(latest, state.selected)) if latest else ("Mean", "Chosen row")
        for number, (name, course) in enumerate(zip(names, (state.mean, state.row), strict=True)):
            lengths = {"step_s": state.step_s, "window_s": state.window_s}
            found = compare(course, smooth_steps=state.smooth_steps, drift=state.drift, **lengths)
            self.running[number].show_comparison(name, course, found)
            self.differences[number].show_comparison(course, found)
        for plot in self.plots:
            plot.show_marks(state.marks)

    def show_time(self, state: ViewState, elapsed_s: float) -> None:
        """Move the plots along, ``elapsed_s`` seconds after the newest step."""
        for plot in self.plots:
            plot.show_time(state, elapsed_s)


def _level_band(time: FloatArray, found: Range | None) -> QPainterPath:
    """Return the area of a range that is the same at all times."""
    path = QPainterPath()
    if found is not None and time.size:
        path.addRect(QRectF(float(time[0]), found[0], float(time[-1] - time[0]), found[1] - found[0]))
    return path
