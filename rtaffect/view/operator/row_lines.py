"""The lines of the row list: each a small chart, or the heading of a section."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPolygonF
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from rtaffect.common.arrays import FloatArray
from rtaffect.common.rating_scale import RatingScale
from rtaffect.engine.feedback import Feedback
from rtaffect.present.sections import lacking, percent, resolved
from rtaffect.present.session_state import correlation_limits, rating_limits
from rtaffect.view.parts import theme

#: Where an item keeps the index of its row; headings have none.
ROW = Qt.ItemDataRole.UserRole

#: Room for names at most, and beside shares; room for a share.
NAMES, NAMES_BESIDE_SHARES, SHARES = 156.0, 146.0, 36.0


class Scale:
    """Maps correlation to the track of a line. Its limits only grow, so that marks do not jump from step to step."""

    def __init__(self) -> None:
        self.low, self.high = -0.2, 0.4
        self.names_width = 60.0
        self.shares_width = 0.0
        self.wider = 0.0
        self.rating: RatingScale | None = None

    @property
    def middle(self) -> float:
        """Where nothing is: no synchrony, or the middle of a rating's scale."""
        return 0.0 if self.rating is None else self.rating.middle

    @property
    def ticks(self) -> FloatArray:
        """Values that have a tick on the axis."""
        if self.rating is not None:
            return np.array([self.rating.low, self.rating.middle, self.rating.high])
        spacing = 0.2 if self.high - self.low <= 1.01 else 0.5
        return np.arange(np.ceil(self.low / spacing - 1e-9), np.floor(self.high / spacing + 1e-9) + 1) * spacing

    def fit(self, latest: Feedback, metrics: QFontMetrics) -> None:
        """Make room for ``latest`` and for its row names and shares; of ratings it is their scale."""
        shown = (latest.predicted_low, latest.predicted_high, latest.observed, latest.null_low, latest.null_high)
        self.rating = latest.rating
        if latest.rating is None:
            self.low, self.high = correlation_limits(*shown, floor=self.low, ceiling=self.high)
        else:
            self.low, self.high = rating_limits(latest.rating)
        self.shares_width = SHARES if (latest.specificity < 1).any() else 0.0
        widest = max((metrics.horizontalAdvance(name) for name in latest.rows), default=0)
        self.names_width = min(widest + 20.0, NAMES_BESIDE_SHARES + self.wider if self.shares_width else NAMES)

    def track(self, width: float) -> tuple[float, float]:
        """Return where the track begins and ends in a line of ``width``, px."""
        return self.names_width + self.shares_width + 10.0, width - 14.0

    def x(self, value: float, width: float) -> float:
        """Return the place of a correlation in a line of ``width``, px."""
        left, right = self.track(width)
        return left + (value - self.low) / (self.high - self.low) * (right - left)


class RowDelegate(QStyledItemDelegate):
    """Paints a row's line (name, own share, null band, predicted with its interval, observed) or a heading."""

    def __init__(self, scale: Scale) -> None:
        super().__init__()
        self.scale = scale
        self.latest: Feedback | None = None
        self.height = 24

    def show_step(self, latest: Feedback) -> None:
        """Take the newest step."""
        self.latest = latest
        self._resolved, self._lacking = resolved(latest), lacking(latest)

    def sizeHint(  # noqa: N802
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> QSize:
        """Return the height of a line."""
        return QSize(100, self.height)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Paint line ``index``."""
        row, latest = index.data(ROW), self.latest
        if latest is None:
            return
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        rect = QRectF(option.rect)
        if row is None:
            paint_heading(painter, rect, str(index.data()))
        elif row < len(latest.rows):
            selected = bool(option.state & QStyle.StateFlag.State_Selected)
            if selected:
                painter.fillRect(rect, theme.colour(theme.SELECTED))
                painter.fillRect(QRectF(rect.left(), rect.top(), 3, rect.height()), theme.colour(theme.TEXT))
            self._paint_name(painter, rect, latest, row, selected)
            self._paint_ground(painter, rect, latest, row)
            self._paint_marks(painter, rect, latest, row)
        painter.restore()

    def _paint_name(self, painter: QPainter, rect: QRectF, latest: Feedback, row: int, selected: bool) -> None:
        apart = 6 if self.scale.shares_width else 0
        room = QRectF(rect.left() + 10, rect.top(), self.scale.names_width - 10 - apart, rect.height())
        # A name cut in its middle keeps the side, which comes last.
        name = theme.TEXT if latest.trusted[row] else theme.FAINT if self._lacking[row] else theme.MUTED
        theme.write(painter, room, latest.rows[row], 12, name, align=theme.LEFT, bold=selected, cut=theme.IN_MIDDLE)
        if latest.specificity[row] < 1:
            room = QRectF(rect.left() + self.scale.names_width, rect.top(), self.scale.shares_width, rect.height())
            theme.write(painter, room, percent(float(latest.specificity[row])), align=theme.RIGHT)

    def _paint_ground(self, painter: QPainter, rect: QRectF, latest: Feedback, row: int) -> None:
        """Paint what lies under the marks: the null band, zero, and why the row is to be doubted."""
        left, right = (rect.left() + x for x in self.scale.track(rect.width()))
        low, high = (self._x(rect, latest.null_low[row]), self._x(rect, latest.null_high[row]))
        if np.isfinite(low) and np.isfinite(high):
            band = QRectF(low, rect.top() + 3, high - low, rect.height() - 6)
            painter.fillRect(band, theme.colour(theme.NULL, 0.26))
        if not self._resolved[row]:
            paint_hatching(painter, QRectF(left, rect.top() + 3, right - left, rect.height() - 6))
        painter.setPen(theme.pen(theme.FAINT))
        middle = self._x(rect, self.scale.middle)
        painter.drawLine(QPointF(middle, rect.top()), QPointF(middle, rect.bottom()))
        if self._lacking[row]:
            paint_cross(painter, QPointF(right + 7, rect.center().y()))

    def _paint_marks(self, painter: QPainter, rect: QRectF, latest: Feedback, row: int) -> None:
        middle = rect.center().y()
        grey = theme.FAINT if self._lacking[row] else theme.MUTED
        blue, orange = (theme.PREDICTED, theme.OBSERVED) if latest.trusted[row] else (grey, grey)
        low, high, predicted = latest.predicted_low[row], latest.predicted_high[row], latest.predicted[row]
        if np.isfinite(low) and np.isfinite(high):
            painter.setPen(theme.pen(blue, 2, 0.6))
            left, right = (
                min(max(self._x(rect, end, row), self._x(rect, self.scale.low)), self._x(rect, self.scale.high))
                for end in (low, high)
            )
            painter.drawLine(QPointF(left, middle), QPointF(right, middle))
        if np.isfinite(predicted):
            painter.setPen(theme.pen(theme.CARD))
            painter.setBrush(theme.brush(blue))
            painter.drawPolygon(diamond(self._x(rect, predicted, row), middle))
        observed = latest.observed[row]
        if np.isfinite(observed):
            noise = latest.null_low[row] <= observed <= latest.null_high[row]
            painter.setPen(theme.pen(orange, 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush if noise else theme.brush(orange))
            painter.drawEllipse(QPointF(self._x(rect, observed, row), middle), 4.0, 4.0)

    def _x(self, rect: QRectF, value: float, row: int | None = None) -> float:
        """Return the place of a value, px; that of a ``row`` with a scale of its own by its share of that."""
        rating, latest = self.scale.rating, self.latest
        if row is not None and rating is not None and latest is not None:
            value = rating.value(float(rating.of(latest.rows[row]).share(np.array(value))))
        return rect.left() + self.scale.x(float(value), rect.width())


def paint_heading(painter: QPainter, rect: QRectF, text: str) -> None:
    """Paint the heading of a section, with a rule behind it."""
    room, align = rect.adjusted(10, 0, -14, -2), Qt.AlignmentFlag.AlignBottom | Qt.AlignmentFlag.AlignLeft
    theme.write(painter, room, text, 11, theme.MUTED, align=align, bold=True)
    rule = room.bottom() - 4
    painter.setPen(theme.pen(theme.GRID))
    left = room.left() + painter.fontMetrics().horizontalAdvance(text) + 8
    painter.drawLine(QPointF(left, rule), QPointF(room.right(), rule))


def paint_hatching(painter: QPainter, area: QRectF) -> None:
    """Hatch ``area``: the mark of a row that the montage does not tell apart."""
    painter.save()
    painter.setClipRect(area)
    painter.setPen(theme.pen(theme.NULL, 1, 0.5))
    for x in np.arange(area.left() - area.height(), area.right(), 6.0):
        painter.drawLine(QPointF(x, area.bottom()), QPointF(x + area.height(), area.top()))
    painter.restore()


def paint_cross(painter: QPainter, centre: QPointF) -> None:
    """Draw the mark of a row that is not trusted now."""
    painter.setPen(theme.pen(theme.FAINT, 1.5))
    for slope in (1, -1):
        arm = QPointF(3, 3 * slope)
        painter.drawLine(centre - arm, centre + arm)


def diamond(x: float, y: float, half: float = 5.5) -> QPolygonF:
    """Return the mark of a predicted value around (x, y), px."""
    return QPolygonF([QPointF(x, y - half), QPointF(x + half, y), QPointF(x, y + half), QPointF(x - half, y)])
