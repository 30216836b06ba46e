"""Time courses: one plot for the mean over rows, one for the chosen row, and the key to both."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

os.environ["PYQTGRAPH_QT_LIB"] = "PySide6"

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPainterPath, QPaintEvent, QPolygonF, QResizeEvent
from PySide6.QtWidgets import QFrame, QGraphicsPathItem, QHBoxLayout, QVBoxLayout, QWidget

from rtaffect.feedback import FloatArray
from rtaffect.view import theme
from rtaffect.view.state import Course, correlation_limits, correlation_text, session_clock

#: Room for the moving 'now' line right of the newest step, and the longest that it runs on without one, s.
LEAD_S, LONGEST_LEAD_S = 5.0, 60.0

#: Shortest shown time, s.
SHORTEST_S = 60.0

#: Height of a line of the key, px.
KEY_LINE = 18


def band_path(time: FloatArray, low: FloatArray, high: FloatArray) -> QPainterPath:
    """Return the area between ``low`` and ``high``, (T,) float64, over ``time`` (T,) s, interrupted by NaN."""
    path = QPainterPath()
    finite = np.isfinite(low) & np.isfinite(high)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], finite, [False]])))
    for start, stop in edges.reshape(-1, 2):
        x = np.concatenate([time[start:stop], time[start:stop][::-1]])
        y = np.concatenate([low[start:stop], high[start:stop][::-1]])
        path.addPolygon(QPolygonF([QPointF(*point) for point in zip(x.tolist(), y.tolist(), strict=True)]))
        path.closeSubpath()
    return path


def time_range(newest: float, now: float, history_s: float) -> tuple[float, float]:
    """Return the shown session time, s: whole seconds, so that it changes once a second at most."""
    right = np.ceil(max(newest + LEAD_S, min(now + 1.0, newest + LONGEST_LEAD_S)))
    right = max(float(right), SHORTEST_S)
    return max(0.0, right - LEAD_S - history_s), right


def _tick_spacing(span: float) -> float:
    return next((spacing for limit, spacing in ((90.0, 10.0), (200.0, 20.0), (400.0, 30.0)) if span <= limit), 60.0)


def _clock_strings(values: list[float], scale: float, spacing: float) -> list[str]:
    return [session_clock(value) for value in values]


def _correlation_strings(values: list[float], scale: float, spacing: float) -> list[str]:
    return [correlation_text(value) for value in values]


class CoursePlot(QFrame):
    """Predicted and observed synchrony of one course over session time."""

    def __init__(self, heading: str) -> None:
        super().__init__()
        self.setObjectName("card")
        self.heading = theme.label(heading, 13, bold=True)
        self.remark = theme.ElidedLabel("", 12, theme.TEXT)
        self.note = theme.label("", 12, theme.MUTED)
        self.empty = theme.label("no values yet", 13, theme.MUTED)
        self.plot: Any = pg.PlotWidget(background=theme.CARD, enableMenu=False)
        self.empty.setParent(self.plot)
        self._spacing = 0.0
        self._build_axes()
        self._build_items()
        top = QHBoxLayout()
        top.setSpacing(10)
        top.addWidget(self.heading)
        top.addWidget(self.remark, 1)
        top.addWidget(self.note)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 6, 10, 4)
        layout.setSpacing(2)
        layout.addLayout(top)
        layout.addWidget(self.plot, 1)
        self.setMinimumHeight(130)

    def _build_axes(self) -> None:
        item = self.plot.getPlotItem()
        # pyqtgraph makes its menu a window of its own, which nobody would close; as a hidden child it goes with us.
        item.ctrlMenu.setParent(self.plot)
        item.ctrlMenu.hide()
        item.hideButtons()
        item.setMouseEnabled(False, False)
        item.disableAutoRange()
        item.setContentsMargins(0, 8, 8, 0)
        self.plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.plot.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        for side, text in (("left", "synchrony (r)"), ("bottom", "session time (min:s)")):
            axis = item.getAxis(side)
            axis.setLabel(text, color=theme.MUTED, **{"font-size": "11px"})
            axis.setStyle(tickFont=theme.font(11), tickLength=-4, autoExpandTextSpace=False)
            axis.setPen(theme.pen(theme.GRID))
            axis.setTextPen(theme.pen(theme.MUTED))
            axis.enableAutoSIPrefix(False)
        item.getAxis("left").setWidth(54)
        item.getAxis("bottom").setHeight(34)
        item.getAxis("bottom").tickStrings = _clock_strings
        item.getAxis("left").tickStrings = _correlation_strings
        item.getAxis("left").setStyle(hideOverlappingLabels=False)
        item.getAxis("bottom").setTickSpacing(levels=[(_tick_spacing(SHORTEST_S), 0)])
        self.plot.setXRange(0.0, SHORTEST_S, padding=0)

    def _build_items(self) -> None:
        self.null_band = QGraphicsPathItem()
        self.null_band.setBrush(theme.brush(theme.NULL, 0.26))
        self.interval = QGraphicsPathItem()
        self.interval.setBrush(theme.brush(theme.PREDICTED, 0.26))
        for band in (self.null_band, self.interval):
            band.setPen(Qt.PenStyle.NoPen)
            self.plot.addItem(band, ignoreBounds=True)
        self.zero: Any = pg.InfiniteLine(0.0, angle=0, pen=theme.pen(theme.FAINT))
        self.inside: Any = pg.ScatterPlotItem(size=5, pen=theme.pen(theme.OBSERVED, 1, 0.55), brush=None)
        self.outside: Any = pg.ScatterPlotItem(size=5, pen=None, brush=theme.brush(theme.OBSERVED, 0.75))
        self.predicted: Any = pg.PlotCurveItem(pen=theme.pen(theme.PREDICTED, 2), connect="finite", antialias=True)
        self.smoothed: Any = pg.PlotCurveItem(pen=theme.pen(theme.OBSERVED, 3), connect="finite", antialias=True)
        self.now_line: Any = pg.InfiniteLine(0.0, angle=90, pen=theme.pen(theme.TEXT, 1, 0.7, Qt.PenStyle.DashLine))
        for item in (self.zero, self.inside, self.outside, self.predicted, self.smoothed, self.now_line):
            self.plot.addItem(item, ignoreBounds=True)
        self.now_line.setVisible(False)

    def show_course(self, course: Course) -> None:
        """Draw ``course``; called when the data have changed."""
        self.null_band.setPath(band_path(course.time, course.null_low, course.null_high))
        self.interval.setPath(band_path(course.time, course.predicted_low, course.predicted_high))
        self.predicted.setData(course.time, course.predicted)
        self.smoothed.setData(course.time, course.smoothed)
        inside, finite = course.inside_null, np.isfinite(course.observed)
        self.inside.setData(course.time[inside], course.observed[inside])
        self.outside.setData(course.time[finite & ~inside], course.observed[finite & ~inside])
        shown = (course.predicted_low, course.predicted_high, course.observed, course.null_low, course.null_high)
        low, high = correlation_limits(*shown)
        # A hair wider than the limits, or rounding drops the outermost ticks.
        self.plot.setYRange(low - 1e-6, high + 1e-6, padding=0)
        self._space_correlations(high - low)
        theme.set_text(self.note, f"predicted against observed: {course.agreement.text}")
        self.empty.setVisible(not (finite.any() or np.isfinite(course.predicted).any()))

    def show_time(self, newest: float, now: float, history_s: float) -> None:
        """Move the 'now' line to ``now`` and the shown time along with it; session time, s."""
        left, right = time_range(newest, now, history_s)
        if [left, right] != self.plot.getViewBox().viewRange()[0]:
            self.plot.setXRange(left, right, padding=0)
            spacing = _tick_spacing(right - left)
            if spacing != self._spacing:
                self._spacing = spacing
                self.plot.getPlotItem().getAxis("bottom").setTickSpacing(levels=[(spacing, 0)])
        self.now_line.setVisible(True)
        self.now_line.setValue(min(now, right))

    def _space_correlations(self, span: float) -> None:
        height = self.plot.getViewBox().height()
        fits = (spacing for spacing in (0.1, 0.2) if height * spacing / span >= 24)
        self.plot.getPlotItem().getAxis("left").setTickSpacing(levels=[(next(fits, 0.5), 0)])

    def place_empty(self) -> None:
        """Keep the note of an empty plot in its middle."""
        area = self.plot.getViewBox().sceneBoundingRect()
        self.empty.adjustSize()
        centre = area.center() - QPointF(self.empty.width() / 2, self.empty.height() / 2)
        self.empty.move(centre.toPoint())


class Key(QWidget):
    """The key to both plots: one drawn sample and one word for each mark."""

    def __init__(self, smooth_steps: int) -> None:
        super().__init__()
        self._entries: list[tuple[Callable[[QPainter, QRectF], None], str]] = [
            (_line(theme.PREDICTED, 2), "predicted"),
            (_area(theme.PREDICTED), "predicted interval"),
            (_dot(True), "observed, each step"),
            (_dot(False), "inside the null band"),
            (_line(theme.OBSERVED, 3), f"observed, mean of {smooth_steps} steps"),
            (_area(theme.NULL), "null band (no time lock)"),
            (_now, "now"),
        ]
        self.setFont(theme.font(11))
        self.setFixedHeight(KEY_LINE)
        self.setToolTip("The null band is the spread of observed synchrony when the time lock is broken.")

    def places(self) -> list[QRectF]:
        """Return the place of each entry, px: left to right, in as many lines as the width needs."""
        found: list[QRectF] = []
        x, y = 4.0, 0.0
        for _, text in self._entries:
            width = self.fontMetrics().horizontalAdvance(text) + 22.0
            if found and x + width > self.width():
                x, y = 4.0, y + KEY_LINE
            found.append(QRectF(x, y, width, KEY_LINE))
            x += width + 10
        return found

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Take the height that the lines need."""
        super().resizeEvent(event)
        self.setFixedHeight(int(self.places()[-1].bottom()))

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw the entries."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for (draw, text), place in zip(self._entries, self.places(), strict=True):
            draw(painter, QRectF(place.left(), place.top() + 3, 18.0, 12.0))
            painter.setPen(theme.pen(theme.MUTED))
            painter.drawText(place.adjusted(22, 0, 4, 0), Qt.AlignmentFlag.AlignVCenter, text)


def _line(name: str, width: float) -> Callable[[QPainter, QRectF], None]:
    def draw(painter: QPainter, rect: QRectF) -> None:
        painter.setPen(theme.pen(name, width))
        painter.drawLine(QPointF(rect.left(), rect.center().y()), QPointF(rect.right(), rect.center().y()))

    return draw


def _area(name: str) -> Callable[[QPainter, QRectF], None]:
    def draw(painter: QPainter, rect: QRectF) -> None:
        painter.fillRect(rect, theme.colour(name, 0.35))

    return draw


def _dot(filled: bool) -> Callable[[QPainter, QRectF], None]:
    def draw(painter: QPainter, rect: QRectF) -> None:
        painter.setPen(theme.pen(theme.OBSERVED))
        painter.setBrush(theme.brush(theme.OBSERVED) if filled else Qt.BrushStyle.NoBrush)
        painter.drawEllipse(QPointF(rect.right() - 6, rect.center().y()), 3.0, 3.0)

    return draw


def _now(painter: QPainter, rect: QRectF) -> None:
    painter.setPen(theme.pen(theme.TEXT, 1, 0.7, Qt.PenStyle.DashLine))
    painter.drawLine(QPointF(rect.right() - 6, rect.top()), QPointF(rect.right() - 6, rect.bottom()))
