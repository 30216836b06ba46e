"""The colour bar of the brain and scalp maps, and the key to their marks."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from rtaffect.observed.operator import LEAST_SPECIFICITY
from rtaffect.present.colours import diverging
from rtaffect.present.maps import LABELS, LEAST_LIMIT, MARKS, Place, Quantity
from rtaffect.present.number_text import signed
from rtaffect.present.sections import percent
from rtaffect.view.operator.brain import paint_distrust, paint_dot
from rtaffect.view.operator.row_lines import paint_hatching
from rtaffect.view.parts import theme
from rtaffect.view.parts.plot_key import Entry

Band = tuple[float, float]


class ColourBar(QWidget):
    """The scale of colours with its label; the null band and the chosen row's value are marked on it."""

    def __init__(self) -> None:
        super().__init__()
        self._quantity: Quantity = "observed"
        self._limit = LEAST_LIMIT
        self._band: Band | None = None
        self._value = float("nan")
        self._image = theme.strip(diverging()[None])
        self.setFont(theme.font(11))
        self.setFixedHeight(62)
        self.setMinimumWidth(280)

    def show_scale(self, quantity: Quantity, limit: float, band: Band | None, value: float) -> None:
        """Draw the scale of ``quantity`` up to ``limit``, a band on it and the chosen row's ``value`` (NaN: none)."""
        shown = (quantity, limit, band, value)
        if shown != (self._quantity, self._limit, self._band, self._value):
            self._quantity, self._limit, self._band, self._value = shown
            self.setAccessibleName(f"colours of {LABELS[quantity]} from {signed(-limit)} to {signed(limit)}")
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw label, bar, ticks, band and value."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        bar = QRectF(18, 22, self.width() - 36, 14)
        theme.write(painter, QRectF(0, 0, self.width(), 14), LABELS[self._quantity], name=theme.TEXT)
        painter.drawImage(bar, self._image)
        painter.setPen(theme.pen(theme.MUTED))
        for tick in self._ticks():
            x = self._x(tick, bar)
            painter.drawLine(QPointF(x, bar.bottom()), QPointF(x, bar.bottom() + 3))
            box = QRectF(x - 20, bar.bottom() + 3, 40, 14)
            theme.write(painter, box, signed(tick).rstrip("0").rstrip(".") or "0")
        if self._band is not None:
            low, high = (self._x(float(np.clip(end, -self._limit, self._limit)), bar) for end in self._band)
            _paint_brackets(painter, QRectF(QPointF(low, bar.top()), QPointF(high, bar.bottom())), 4)
        if np.isfinite(self._value):
            x = self._x(float(np.clip(self._value, -self._limit, self._limit)), bar)
            painter.setPen(theme.pen(theme.BACKGROUND, 1))
            painter.setBrush(theme.brush(theme.TEXT))
            painter.drawPolygon(_pointed_at(x, bar.top()))

    def _ticks(self) -> list[float]:
        spacing = 0.1 if self._limit <= 0.31 else 0.2 if self._limit <= 0.61 else 0.5
        number = int(np.floor(self._limit / spacing + 1e-9))
        return [spacing * at for at in range(-number, number + 1)]

    def _x(self, value: float, bar: QRectF) -> float:
        return bar.left() + (value + self._limit) / (2 * self._limit) * bar.width()


def map_key(place: Place, quantity: Quantity) -> list[Entry]:
    """Return the key to a map of ``quantity``."""
    marks = MARKS[quantity]
    found: list[Entry] = []
    if place == "brain":
        found += [(_dot, marks)] if marks else []
        found.append((_hatched, f"own share below {percent(LEAST_SPECIFICITY)}: not told apart"))
    elif marks:
        found += [(_full, marks), (_hollow, "inside it" if quantity == "observed" else "inside the interval")]
    found += [(_distrusted, "not trusted now"), (_empty, "no value"), (_chosen, "chosen row")]
    if quantity == "observed":
        found.append((_bracket, "on the scale: null band, median of the rows"))
    return [*found, (_pointer, "on the scale: the chosen row")]


def _dot(painter: QPainter, box: QRectF) -> None:
    paint_dot(painter, box.center())


def _hatched(painter: QPainter, box: QRectF) -> None:
    painter.fillRect(box, theme.colour("#6a4f2c"))
    paint_hatching(painter, box)


def _distrusted(painter: QPainter, box: QRectF) -> None:
    painter.fillRect(box, theme.colour(theme.UNTRUSTED))
    paint_distrust(painter, box.center())


def _empty(painter: QPainter, box: QRectF) -> None:
    theme.outline(painter, theme.FAINT)
    painter.drawRect(box.adjusted(0.5, 0.5, -0.5, -0.5))


def _chosen(painter: QPainter, box: QRectF) -> None:
    theme.outline(painter, theme.TEXT, 2)
    painter.drawRect(box.adjusted(1, 1, -1, -1))


def _full(painter: QPainter, box: QRectF) -> None:
    theme.solid(painter, theme.OBSERVED)
    painter.drawEllipse(box.center(), 6, 6)


def _hollow(painter: QPainter, box: QRectF) -> None:
    theme.outline(painter, theme.OBSERVED, 2.5)
    painter.drawEllipse(box.center(), 4.8, 4.8)


def _bracket(painter: QPainter, box: QRectF) -> None:
    _paint_brackets(painter, box.adjusted(2, 0, -2, 0), 3)


def _pointer(painter: QPainter, box: QRectF) -> None:
    theme.solid(painter, theme.TEXT)
    painter.drawPolygon(_pointed_at(box.center().x(), box.center().y() + 3))


def _paint_brackets(painter: QPainter, box: QRectF, inwards: float) -> None:
    """Draw a bracket at the left and at the right end of ``box``."""
    painter.setPen(theme.pen(theme.TEXT, 1.5))
    for x, arm in ((box.left(), inwards), (box.right(), -inwards)):
        painter.drawLine(QPointF(x, box.top()), QPointF(x, box.bottom()))
        for y in (box.top(), box.bottom()):
            painter.drawLine(QPointF(x, y), QPointF(x + arm, y))


def _pointed_at(x: float, y: float) -> list[QPointF]:
    return [QPointF(x - 4.5, y - 6), QPointF(x + 4.5, y - 6), QPointF(x, y)]
