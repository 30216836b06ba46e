"""A plot over session time: axes in minutes and correlation, a moving 'now', and the events of the session."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QPainterPath, QPolygonF
from PySide6.QtWidgets import QFrame, QGraphicsPathItem

from rtaffect.common.arrays import FloatArray
from rtaffect.present.measure_state import tick_spacing, value_text
from rtaffect.present.number_text import correlation_text, session_clock
from rtaffect.present.session_state import Mark, ViewState
from rtaffect.view.parts import theme
from rtaffect.view.parts.layouts import column, row

#: Room for the moving 'now' line right of the newest step, and the longest that it runs on without one, s.
LEAD_S, LONGEST_LEAD_S = 5.0, 60.0

#: Shortest shown time, s.
SHORTEST_S = 60.0

#: So many events are drawn at most, the newest; their names need room, px.
MOST_MARKS = 12
MARK_ROOM = 60
#: Ticks at round values need so much room, px.
TICK_ROOM = 26


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
    known = ((90.0, 10.0), (200.0, 20.0), (400.0, 30.0), (900.0, 60.0), (2700.0, 300.0), (7200.0, 600.0))
    return next((spacing for limit, spacing in known if span <= limit), 1800.0)


class TimePlot(QFrame):
    """A heading and a note over a plot whose horizontal axis is session time."""

    def __init__(self, heading: str, left: str, *, note_below: bool = False, tick_room: int = TICK_ROOM) -> None:
        super().__init__()
        self._tick_room = tick_room
        self.setObjectName("card")
        self.heading = theme.label(heading, 13, bold=True)
        self.remark = theme.ElidedLabel("", 12, theme.TEXT)
        self.note = theme.label("", 12, theme.MUTED)
        self.empty = theme.label("no values yet", 13, theme.MUTED)
        self.plot: Any = pg.PlotWidget(background=theme.CARD, enableMenu=False)
        self.empty.setParent(self.plot)
        self._spacing = self._tick = 0.0
        #: Whether the left axis is of correlations; else ticks are at round values of whatever size.
        self.of_correlations = True
        self._span = 1.0
        self._marks: tuple[Mark, ...] = ()
        self._mark_lines: list[Any] = []
        self._left = left
        self._build_axes(left)
        dashes = theme.plot_pen(theme.TEXT, 1, 0.7, Qt.PenStyle.DashLine)
        self.now_line: Any = pg.InfiniteLine(0.0, angle=90, pen=dashes)
        self.now_line.setVisible(False)
        above, below = ((), (self.note,)) if note_below else ((self.note,), ())
        top = row(self.heading, (self.remark, 1), *above, spacing=10)
        column(top, *below, (self.plot, 1), of=self, margins=(10, 6, 10, 4), spacing=2)
        self.setMinimumHeight(130)

    def _build_axes(self, left: str) -> None:
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
        for side, text in (("left", left), ("bottom", "session time (min:s)")):
            axis = item.getAxis(side)
            axis.setLabel(text, color=theme.MUTED, **{"font-size": "11px"})
            axis.setStyle(tickFont=theme.font(11), tickLength=-4, autoExpandTextSpace=False)
            axis.setPen(theme.plot_pen(theme.GRID))
            axis.setTextPen(theme.plot_pen(theme.MUTED))
            axis.enableAutoSIPrefix(False)
        item.getAxis("left").setWidth(54)
        item.getAxis("bottom").setHeight(34)
        item.getAxis("bottom").tickStrings = lambda values, scale, spacing: [session_clock(value) for value in values]
        item.getAxis("left").tickStrings = lambda values, scale, spacing: [self._tick_text(value) for value in values]
        item.getAxis("left").setStyle(hideOverlappingLabels=False)
        item.getAxis("bottom").setTickSpacing(levels=[(_tick_spacing(SHORTEST_S), 0)])
        self.plot.setXRange(0.0, SHORTEST_S, padding=0)
        item.getViewBox().sigResized.connect(self._space_ticks)

    def add_items(self, *items: Any) -> None:
        """Draw ``items``, the first lowest, and 'now' over them."""
        for item in (*items, self.now_line):
            self.plot.addItem(item, ignoreBounds=True)

    def show_marks(self, marks: Sequence[Mark]) -> None:
        """Draw a line at each event, and its name where there is room."""
        marks = tuple(marks)[-MOST_MARKS:]
        if marks == self._marks:
            return
        self._marks = marks
        while len(self._mark_lines) < len(marks):
            options = {"position": 0.98, "anchors": [(0, 0), (0, 0)]}
            line = pg.InfiniteLine(0.0, angle=90, label="", labelOpts=options)
            line.label.setFont(theme.font(10))
            self._mark_lines.append(line)
            self.plot.addItem(line, ignoreBounds=True)
        for number, line in enumerate(self._mark_lines):
            line.setVisible(number < len(marks))
        for mark, line in zip(marks, self._mark_lines, strict=False):
            colour = theme.MUTED if mark.kind == "block" else theme.NOTICE
            # pyqtgraph fills in braces.
            line.label.setFormat(mark.text.replace("{", "{{").replace("}", "}}"))
            line.label.setColor(colour)
            line.setPen(theme.plot_pen(colour, 1, 0.6, Qt.PenStyle.DotLine))
            line.setValue(mark.time)
        self._name_marks()

    def _name_marks(self) -> None:
        """Name the marks that are far enough from the next one."""
        left, right = self.plot.getViewBox().viewRange()[0]
        per_second = self.plot.getViewBox().width() / max(right - left, 1e-9)
        after = [mark.time for mark in self._marks[1:]] + [np.inf]
        for mark, following, line in zip(self._marks, after, self._mark_lines, strict=False):
            line.label.setVisible((following - mark.time) * per_second > MARK_ROOM)

    def show_time(self, state: ViewState, elapsed_s: float) -> None:
        """Move the 'now' line, ``elapsed_s`` seconds after the newest step, and the shown time along with it."""
        self.show_span(state, elapsed_s, state.history_s)

    def show_span(self, state: ViewState, elapsed_s: float, history_s: float) -> None:
        """Show the last ``history_s`` seconds before the newest step, and 'now'."""
        self._place_empty()
        if state.latest is None:
            return
        now = state.latest.time + elapsed_s
        left, right = time_range(state.latest.time, now, history_s)
        if [left, right] != self.plot.getViewBox().viewRange()[0]:
            self.plot.setXRange(left, right, padding=0)
            self._name_marks()
            self.space_time(right - left)
        self.now_line.setVisible(True)
        self.now_line.setValue(min(now, right))

    def space_time(self, span: float) -> None:
        """Let the ticks of the lower axis, which shows ``span`` seconds, be at round times."""
        spacing = _tick_spacing(span)
        if spacing != self._spacing:
            self._spacing = spacing
            self.plot.getPlotItem().getAxis("bottom").setTickSpacing(levels=[(spacing, 0)])

    def _tick_text(self, value: float) -> str:
        return correlation_text(value) if self.of_correlations else value_text(round(value, 9) + 0.0)

    def name_values(self, text: str, *, of_correlations: bool) -> None:
        """Name the left axis, and say whether it is of correlations."""
        if text != self._left or of_correlations != self.of_correlations:
            self._left, self.of_correlations, self._tick = text, of_correlations, 0.0
            self.plot.getPlotItem().getAxis("left").setLabel(text, color=theme.MUTED, **{"font-size": "11px"})

    def show_limits(self, low: float, high: float) -> None:
        """Let the left axis run from ``low`` to ``high``, with ticks at whole tenths, or at round values."""
        # A hair wider than the limits, or rounding drops the outermost ticks.
        self.plot.setYRange(low - 1e-6, high + 1e-6, padding=0)
        self._span = high - low
        self._space_ticks()

    def _space_ticks(self) -> None:
        height = self.plot.getViewBox().height()
        if not self.of_correlations:
            self._set_ticks(tick_spacing(self._span, max(1, int(height // self._tick_room))))
            return
        fits = (spacing for spacing in (0.1, 0.2) if height * spacing / self._span >= 24)
        # In a low plot labels may touch: one alone would tell nothing of the scale.
        self._set_ticks(next(fits, 0.5 if self._span > 1.0 else 0.2))

    def _set_ticks(self, spacing: float) -> None:
        if spacing != self._tick:
            self._tick = spacing
            self.plot.getPlotItem().getAxis("left").setTickSpacing(levels=[(spacing, 0)])

    def _place_empty(self) -> None:
        """Keep the note of an empty plot in its middle."""
        if self.empty.isHidden():
            return
        area = self.plot.getViewBox().sceneBoundingRect()
        self.empty.adjustSize()
        centre = area.center() - QPointF(self.empty.width() / 2, self.empty.height() / 2)
        self.empty.move(centre.toPoint())


def band(colour: str, alpha: float) -> QGraphicsPathItem:
    """Return an empty area to be drawn."""
    found = QGraphicsPathItem()
    found.setBrush(theme.brush(colour, alpha))
    found.setPen(Qt.PenStyle.NoPen)
    return found


def line(colour: str, width: float, style: Qt.PenStyle = Qt.PenStyle.SolidLine) -> Any:
    """Return an empty line to be drawn, interrupted by NaN."""
    return pg.PlotCurveItem(pen=theme.plot_pen(colour, width, 1.0, style), connect="finite", antialias=True)
