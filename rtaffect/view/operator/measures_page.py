"""The page of own measures: all of their rows at the newest step, and the course of the chosen one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QFrame, QListWidgetItem, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from rtaffect.measures.measure import MeasureValues
from rtaffect.present.measure_state import (
    MeasureCourse,
    axis_limits,
    heading_of,
    place_of,
    places,
    tick_spacing,
    value_text,
)
from rtaffect.present.session_state import ViewState
from rtaffect.stream.source import Source
from rtaffect.view.operator.body_panel import BodyPanel
from rtaffect.view.operator.row_lines import ROW, paint_heading
from rtaffect.view.operator.rows import RowList
from rtaffect.view.parts import theme
from rtaffect.view.parts.layouts import column, row
from rtaffect.view.parts.time_plot import TimePlot, band, band_path, line

#: Width of the list, of a row's name and of its value, height of a line, px.
WIDTH, NAME, VALUE, LINE = 360, 112.0, 58.0, 24
#: So many people or pairs are drawn by themselves, at most.
MOST_EACH = 12
#: Ticks need so much room, px.
_TICK_ROOM = 26
_KEY = "line: mean \N{MIDDLE DOT} thin: each \N{MIDDLE DOT} area: null band"


class MeasureDelegate(QStyledItemDelegate):
    """Paints a row's line: name, the mean on the measure's own axis, over its null band, and as a number."""

    def __init__(self) -> None:
        super().__init__()
        self.measures: tuple[MeasureValues, ...] = ()

    def sizeHint(  # noqa: N802
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> QSize:
        """Return the size of a line."""
        return QSize(100, LINE)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Paint line ``index``."""
        place = index.data(ROW)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(option.rect)
        if place is None:
            paint_heading(painter, area, str(index.data()))
        else:
            selected = bool(option.state & QStyle.StateFlag.State_Selected)
            if selected:
                painter.fillRect(area, theme.colour(theme.SELECTED))
            number, at = place_of(self.measures, place)
            self._paint_row(painter, area, self.measures[number], at, bold=selected)
        painter.restore()

    def _paint_row(self, painter: QPainter, area: QRectF, measure: MeasureValues, at: int, *, bold: bool) -> None:
        value, there = float(measure.value[at]), bool(np.isfinite(measure.value[at]))
        shade = theme.TEXT if there else theme.FAINT
        name = QRectF(area.left() + 10, area.top(), NAME - 16, area.height())
        theme.write(painter, name, measure.rows[at], 12, shade, align=theme.LEFT, bold=bold, cut=theme.IN_MIDDLE)
        number = QRectF(area.right() - VALUE, area.top(), VALUE - 10, area.height())
        theme.write(painter, number, value_text(value), 12, shade, align=theme.RIGHT)
        left, right = area.left() + NAME, area.right() - VALUE - 4

        def x(of: float) -> float:
            share = (of - measure.low) / (measure.high - measure.low)
            return left + min(max(share, 0.0), 1.0) * (right - left)

        low, high = float(measure.null_low[at]), float(measure.null_high[at])
        if np.isfinite(low) and np.isfinite(high):
            painter.fillRect(
                QRectF(x(low), area.top() + 4, x(high) - x(low), area.height() - 8), theme.colour(theme.NULL, 0.26)
            )
        painter.setPen(theme.pen(theme.GRID))
        painter.drawLine(QPointF(left, area.center().y()), QPointF(right, area.center().y()))
        if there:
            painter.setPen(theme.pen(theme.OBSERVED, 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush if low <= value <= high else theme.brush(theme.OBSERVED))
            painter.drawEllipse(QPointF(x(value), area.center().y()), 4.0, 4.0)


class MeasurePlot(TimePlot):
    """The course of one row: everybody's values, their mean, and its null band."""

    def __init__(self) -> None:
        super().__init__("Chosen row", "", note_below=True)
        self.null, self.mean = band(theme.NULL, 0.26), line(theme.OBSERVED, 3)
        self.each = [line(theme.MUTED, 1) for _ in range(MOST_EACH)]
        self.zero: Any = pg.InfiniteLine(0.0, angle=0, pen=theme.plot_pen(theme.FAINT))
        self.add_items(self.null, self.zero, *self.each, self.mean)
        self.plot.getPlotItem().getAxis("left").tickStrings = lambda values, scale, spacing: [
            value_text(value) for value in values
        ]

    def show_course(self, course: MeasureCourse) -> None:
        """Draw the shown time."""
        theme.set_text(self.heading, course.title)
        shown = min(len(course.of), MOST_EACH)
        newest = [f"{of} {value_text(float(course.each[-1, n]))}" for n, of in enumerate(course.of[:shown])]
        self.remark.set_words("    ".join(newest) if len(course.of) > 1 else "")
        theme.set_text(self.note, _KEY)
        self.plot.getPlotItem().getAxis("left").setLabel(
            course.unit or "value", color=theme.MUTED, **{"font-size": "11px"}
        )
        self.null.setPath(band_path(course.time, course.low, course.high))
        self.mean.setData(course.time, course.value)
        for number, curve in enumerate(self.each):
            alone = number < shown and len(course.of) > 1
            curve.setData(course.time if alone else np.empty(0), course.each[:, number] if alone else np.empty(0))
        self.show_limits(*axis_limits(course))
        self.empty.setVisible(not np.isfinite(course.value).any())

    def _space_ticks(self) -> None:
        """Put ticks at round values of whatever size."""
        spacing = tick_spacing(self._span, int(self.plot.getViewBox().height() // _TICK_ROOM))
        if spacing != self._tick:
            self._tick = spacing
            self.plot.getPlotItem().getAxis("left").setTickSpacing(levels=[(spacing, 0)])


class MeasuresPage(QWidget):
    """Own measures, and traces of peripheral signals.

    ``chosen`` is emitted with the row's number when another is chosen. The plot is built when the page is first drawn.
    """

    chosen = Signal(int)

    def __init__(self, sources: Sequence[Source]) -> None:
        super().__init__()
        self.body = BodyPanel(sources)
        self.list, self.delegate = RowList(), MeasureDelegate()
        self.list.setItemDelegate(self.delegate)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setAccessibleName("rows of own measures")
        self.list.currentRowChanged.connect(self._choose)
        self.trouble = theme.label("", 12, theme.NOTICE)
        self.trouble.setWordWrap(True)
        self.plot: MeasurePlot | None = None
        self._headings: list[str] = []
        self._lines: list[int | None] = []
        left = QFrame()
        left.setObjectName("card")
        left.setFixedWidth(WIDTH)
        heading = theme.label("Own measures at the newest step", 13, bold=True)
        heading.setContentsMargins(8, 0, 0, 0)
        column(heading, (self.list, 1), of=left, margins=(2, 6, 2, 6), spacing=2)
        self._holder, right = QWidget(), QWidget()
        self._card = QFrame()
        self._card.setObjectName("card")
        self._card.setVisible(self.body.any)
        heading = theme.label("Peripheral signals, last 30 s, each on its own scale", 13, bold=True)
        column(heading, self.body, of=self._card, margins=(10, 6, 10, 4), spacing=2)
        column((self._holder, 1), self._card, self.trouble, of=right, spacing=8)
        row(left, (right, 1), of=self, spacing=8)

    def show_state(self, state: ViewState) -> None:
        """Draw the newest step."""
        if state.measures is None:
            return
        if self.plot is None:
            self.plot = MeasurePlot()
            column((self.plot, 1), of=self._holder)
        self.delegate.measures = state.measures.measures
        headings = [f"{heading_of(each)}|{each.rows}" for each in state.measures.measures]
        if headings != self._headings:
            self._headings = headings
            self._fill(state.measures.measures)
        self.list.blockSignals(True)
        self.list.setCurrentRow(self._lines.index(state.measures.selected))
        self.list.blockSignals(False)
        self.list.viewport().update()
        self.plot.show_course(state.measures.course)
        self.plot.show_marks(state.marks)
        troubles = [f"{each.name}: {each.trouble}" for each in state.measures.measures if each.trouble]
        theme.set_text(self.trouble, "\n".join(troubles))
        self.trouble.setVisible(bool(troubles))

    def _fill(self, measures: tuple[MeasureValues, ...]) -> None:
        """Build the list anew, with a heading over the rows of each measure."""
        self._lines, names = [], [name for name, _ in places(measures)]
        self.list.blockSignals(True)
        self.list.clear()
        for place, (name, text) in enumerate(places(measures)):
            if place == 0 or name != names[place - 1]:
                item = QListWidgetItem(heading_of(measures[place_of(measures, place)[0]]))
                item.setFlags(Qt.ItemFlag.NoItemFlags)
                self.list.addItem(item)
                self._lines.append(None)
            item = QListWidgetItem(text)
            item.setData(ROW, place)
            item.setToolTip(f"{name}, {text}")
            self.list.addItem(item)
            self._lines.append(place)
        self.list.blockSignals(False)

    def show_time(self, state: ViewState, elapsed_s: float, now: float) -> None:
        """Move the plot along, ``elapsed_s`` seconds after the newest step, and read signals until ``now``, s."""
        self.body.take(now)
        if self.plot is not None:
            self.plot.show_time(state, elapsed_s)

    def _choose(self, at: int) -> None:
        place = self._lines[at] if 0 <= at < len(self._lines) else None
        if place is not None:
            self.chosen.emit(place)
