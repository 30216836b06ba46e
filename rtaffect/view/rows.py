"""All rows at the newest step: a list to choose from, each line a small chart."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent, QPolygonF, QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QListWidget,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from rtaffect.feedback import Feedback
from rtaffect.view import theme
from rtaffect.view.state import correlation_limits, correlation_text

SMALLEST_LINE, TALLEST_LINE = 20, 34


class Scale:
    """Maps correlation to the track of a line. Its limits only grow, so that marks do not jump from step to step."""

    def __init__(self) -> None:
        self.low, self.high = -0.2, 0.4
        self.names_width = 60.0

    def fit(self, latest: Feedback, metrics: QFontMetrics) -> None:
        """Make room for ``latest`` and for its row names."""
        shown = (latest.predicted_low, latest.predicted_high, latest.observed, latest.null_low, latest.null_high)
        self.low, self.high = correlation_limits(*shown, floor=self.low, ceiling=self.high)
        widest = max((metrics.horizontalAdvance(name) for name in latest.rows), default=0)
        self.names_width = min(widest + 20.0, 156.0)

    def track(self, width: float) -> tuple[float, float]:
        """Return where the track begins and ends in a line of ``width``, px."""
        return self.names_width + 10.0, width - 14.0

    def x(self, value: float, width: float) -> float:
        """Return the place of a correlation in a line of ``width``, px."""
        left, right = self.track(width)
        return left + (value - self.low) / (self.high - self.low) * (right - left)


class RowDelegate(QStyledItemDelegate):
    """Paints one line: name, null band, predicted with its interval, observed."""

    def __init__(self, scale: Scale) -> None:
        super().__init__()
        self.scale = scale
        self.latest: Feedback | None = None
        self.height = 24

    def sizeHint(  # noqa: N802
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> QSize:
        """Return the height of a line."""
        return QSize(100, self.height)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Paint line ``index``."""
        if self.latest is None or index.row() >= len(self.latest.rows):
            return
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        rect = QRectF(option.rect)
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        if selected:
            painter.fillRect(rect, theme.colour(theme.SELECTED))
            painter.fillRect(QRectF(rect.left(), rect.top(), 3, rect.height()), theme.colour(theme.TEXT))
        trusted = bool(self.latest.trusted[index.row()])
        self._paint_name(painter, rect, self.latest.rows[index.row()], trusted, selected)
        self._paint_marks(painter, rect, self.latest, index.row(), trusted)
        painter.restore()

    def _paint_name(self, painter: QPainter, rect: QRectF, name: str, trusted: bool, selected: bool) -> None:
        painter.setFont(theme.font(12, bold=selected))
        room = QRectF(rect.left() + 10, rect.top(), self.scale.names_width - 10, rect.height())
        elided = painter.fontMetrics().elidedText(name, Qt.TextElideMode.ElideMiddle, int(room.width()))
        painter.setPen(theme.pen(theme.TEXT if trusted else theme.FAINT))
        painter.drawText(room, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, elided)

    def _paint_marks(self, painter: QPainter, rect: QRectF, latest: Feedback, row: int, trusted: bool) -> None:
        middle = rect.center().y()

        def x(value: float) -> float:
            return rect.left() + self.scale.x(float(value), rect.width())

        low, high = latest.null_low[row], latest.null_high[row]
        if np.isfinite(low) and np.isfinite(high):
            band = QRectF(x(low), rect.top() + 3, x(high) - x(low), rect.height() - 6)
            painter.fillRect(band, theme.colour(theme.NULL, 0.26))
        painter.setPen(theme.pen(theme.FAINT))
        painter.drawLine(QPointF(x(0.0), rect.top()), QPointF(x(0.0), rect.bottom()))
        blue, orange = (theme.PREDICTED, theme.OBSERVED) if trusted else (theme.FAINT, theme.FAINT)
        low, high, predicted = latest.predicted_low[row], latest.predicted_high[row], latest.predicted[row]
        if np.isfinite(low) and np.isfinite(high):
            painter.setPen(theme.pen(blue, 2, 0.6))
            painter.drawLine(QPointF(x(low), middle), QPointF(x(high), middle))
        if np.isfinite(predicted):
            painter.setPen(theme.pen(theme.CARD))
            painter.setBrush(theme.brush(blue))
            painter.drawPolygon(diamond(x(predicted), middle))
        observed = latest.observed[row]
        if np.isfinite(observed):
            noise = latest.null_low[row] <= observed <= latest.null_high[row]
            painter.setPen(theme.pen(orange, 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush if noise else theme.brush(orange))
            painter.drawEllipse(QPointF(x(observed), middle), 4.0, 4.0)


def diamond(x: float, y: float, half: float = 5.5) -> QPolygonF:
    """Return the mark of a predicted value around (x, y), px."""
    return QPolygonF([QPointF(x, y - half), QPointF(x + half, y), QPointF(x, y + half), QPointF(x - half, y)])


class RowAxis(QWidget):
    """The axis over the list, aligned with its tracks."""

    def __init__(self, scale: Scale, lines: QWidget) -> None:
        super().__init__()
        self._scale, self._lines = scale, lines
        self.setFont(theme.font(11))
        self.setFixedHeight(34)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw the label and a tick at each round value."""
        painter = QPainter(self)
        painter.setPen(theme.pen(theme.MUTED))
        width = self._lines.width()
        left, right = self._scale.track(width)
        painter.drawText(QRectF(left, 0, right - left, 15), Qt.AlignmentFlag.AlignCenter, "synchrony (r)")
        spacing = 0.2 if self._scale.high - self._scale.low <= 1.01 else 0.5
        first, last = np.ceil(self._scale.low / spacing - 1e-9), np.floor(self._scale.high / spacing + 1e-9)
        for tick in np.arange(first, last + 1) * spacing:
            x = self._scale.x(float(tick), width)
            painter.drawText(QRectF(x - 20, 15, 40, 14), Qt.AlignmentFlag.AlignCenter, correlation_text(float(tick)))
            painter.drawLine(QPointF(x, 30), QPointF(x, 33))


class RowKey(QWidget):
    """The key to the list."""

    def __init__(self) -> None:
        super().__init__()
        self.setFont(theme.font(11))
        self.setFixedHeight(34)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw the marks and their names in two lines."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.brush(theme.PREDICTED))
        painter.drawPolygon(diamond(16, 8))
        painter.setPen(theme.pen(theme.OBSERVED, 1.5))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawEllipse(QPointF(200, 8), 4, 4)
        painter.setBrush(theme.brush(theme.OBSERVED))
        painter.drawEllipse(QPointF(106, 8), 4, 4)
        painter.fillRect(QRectF(9, 20, 14, 11), theme.colour(theme.NULL, 0.35))
        for x, y, text in (
            (28, 1, "predicted"),
            (116, 1, "observed"),
            (210, 1, "in the null band"),
            (28, 18, "null band"),
        ):
            painter.setPen(theme.pen(theme.MUTED))
            painter.drawText(QRectF(x, y, 160, 15), Qt.AlignmentFlag.AlignVCenter, text)
        painter.setPen(theme.pen(theme.FAINT))
        painter.drawText(QRectF(102, 18, 220, 15), Qt.AlignmentFlag.AlignVCenter, "grey: not trusted now")


class RowList(QListWidget):
    """A list that says when its size has changed."""

    resized = Signal()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Say so."""
        super().resizeEvent(event)
        self.resized.emit()


class RowPanel(QFrame):
    """The list of rows; ``chosen`` is emitted with the index when another row is chosen."""

    chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("card")
        self.setFixedWidth(330)
        self.heading = theme.label("Rows at the newest step", 13, bold=True)
        self.scale = Scale()
        self.delegate = RowDelegate(self.scale)
        self.list = RowList()
        self.list.resized.connect(self._fit_lines)
        self.axis = RowAxis(self.scale, self.list.viewport())
        self.axis.setVisible(False)
        self.list.setVisible(False)
        self.empty = theme.label("rows come with the first step", 12, theme.MUTED)
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.list.setItemDelegate(self.delegate)
        self.list.setVerticalScrollMode(QListWidget.ScrollMode.ScrollPerPixel)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setAccessibleName("rows")
        self.list.currentRowChanged.connect(self._choose)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2, 6, 2, 6)
        layout.setSpacing(2)
        self.heading.setContentsMargins(8, 0, 0, 0)
        for widget in (self.heading, RowKey(), self.axis):
            layout.addWidget(widget)
        layout.addWidget(self.empty, 1)
        layout.addWidget(self.list, 1)

    def show_step(self, latest: Feedback, selected: int) -> None:
        """Draw the newest step; the list is built anew only when its rows are others."""
        previous = self.delegate.latest
        self.delegate.latest = latest
        self.scale.fit(latest, QFontMetrics(theme.font(12, bold=True)))
        if previous is None or previous.rows != latest.rows:
            self.list.blockSignals(True)
            self.list.clear()
            self.list.addItems(list(latest.rows))
            for i, name in enumerate(latest.rows):
                self.list.item(i).setToolTip(name)
            self.list.setCurrentRow(selected)
            self.list.blockSignals(False)
            self._fit_lines()
        self.list.viewport().update()
        if self.empty.isVisibleTo(self):
            self.empty.setVisible(False)
            self.axis.setVisible(True)
            self.list.setVisible(True)
            self.list.setFocus()
        self.axis.update()

    def _fit_lines(self) -> None:
        """Let the lines share the height."""
        room = self.list.viewport().height() // max(self.list.count(), 1)
        self.delegate.height = min(max(room, SMALLEST_LINE), TALLEST_LINE)
        self.list.scheduleDelayedItemsLayout()

    def _choose(self, row: int) -> None:
        if row >= 0:
            self.chosen.emit(row)
